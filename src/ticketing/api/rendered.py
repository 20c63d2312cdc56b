"""Texts in Markdown that come as HTML, too, if the request has `render=html`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from ticketing import markdown

Render = Literal["html"] | None
TEXTS = ("description", "body")
"""The members of tickets and comments that are Markdown."""
HTML = "_html"
"""What follows the name of such a member in that of its HTML."""


async def rendered(render: Render, resources: Iterable[Any]) -> None:
    """Add the HTML of their texts to tickets and comments, if it is asked for. Call it without a connection."""
    if render is None:
        return
    found = [(resource, name) for resource in resources for name in TEXTS if resource.get(name) is not None]
    made = await markdown.html(resource[name] for resource, name in found)
    for (resource, name), html in zip(found, made, strict=True):
        resource[name + HTML] = html
