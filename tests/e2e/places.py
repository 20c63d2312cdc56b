"""The pages of the portal: who looks at each, and what it may weigh. Axe, budgets and pictures go through them all."""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
DESK = 130 * KIB
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
    "sign-in": Place("/sign-in"),
    "developers": Place("/developers"),
    "new": Place("/support/new", "requester"),
    "tickets": Place("/support", "requester"),
    "new-bug": Place("/support/new?type=bug&project=media-server", "requester"),
    "ticket": Place("/support/tickets/1042", "requester"),
    "waiting": Place("/support/tickets/1019", "requester"),
    "profile": Place("/support/profile", "requester"),
    "desk": Place("/desk", "agent", DESK),
    "board": Place("/desk/board", "agent", DESK),
    "desk-ticket": Place("/desk/tickets/1042", "agent", DESK),
    "projects": Place("/settings/projects", "admin", DESK),
    "people": Place("/settings/people", "admin", DESK),
    "machines": Place("/settings/machines", "admin", DESK),
    "webhooks": Place("/settings/webhooks", "admin", DESK),
    "jobs": Place("/settings/jobs", "admin", DESK),
    "queues": Place("/settings/queues", "admin", DESK),
    "events": Place("/settings/events", "admin", DESK),
    "mail": Place("/settings/mail", "admin", DESK),
}
