"""The pages of the portal: who looks at each, and what it may weigh. Axe, budgets and pictures go through them all."""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
CSS = 14 * KIB
FONTS = 60 * KIB


@dataclass(frozen=True, slots=True)
class Place:
    """A page of the portal."""

    path: str
    role: str | None = None
    """The role of the demo's person who looks at it, or None for a visitor."""
    script: int = 90 * KIB
    """The most bytes of JavaScript that it loads, compressed by gzip."""


PLACES = {
    "home": Place("/"),
}
