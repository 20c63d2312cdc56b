"""Texts in Markdown that come as HTML, too, if the request has `render=html`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from ticketing import markdown
from ticketing.writing.paging import Divisible, Page

Render = Literal["html"] | None
TEXTS = ("description", "body")
"""The members of tickets and comments that are Markdown."""
HTML = "_html"
"""What follows the name of such a member in that of its HTML."""
PAGE_BYTES = 1024 * 1024
"""How many bytes of HTML a page has, unless it is one item alone."""


async def rendered(render: Render, resource: Any) -> None:
    """Add the HTML of its texts to a ticket or comment, if it is asked for. Call it without a connection."""
    if render is not None:
        await _render(resource)


async def rendered_page(render: Render, page: Divisible, resource: Callable[[Any], Any] = lambda item: item) -> Page:
    """Add the HTML of their texts to the tickets or comments in its items, if it is asked for.

    The page ends before the item with which it would have too much HTML. Call it without a connection.
    """
    if render is None:
        return page.whole
    size = 0
    for number, item in enumerate(page.whole["items"]):
        size += await _render(resource(item) or {})
        if size > PAGE_BYTES and number:
            return page.first(number)
    return page.whole


async def _render(resource: dict[str, Any]) -> int:
    """Add the HTML of its texts; gives how many bytes they are."""
    made = {name + HTML: await markdown.html(resource[name]) for name in TEXTS if resource.get(name) is not None}
    resource |= made
    return sum(len(html.encode("utf-8", "surrogatepass")) for html in made.values())
