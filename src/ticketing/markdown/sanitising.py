"""The only HTML that leaves this service as part of somebody's text, whatever its parser made of it."""

from __future__ import annotations

import re

import nh3

TAGS = frozenset(
    {"a", "blockquote", "br", "code", "em", "h3", "h4", "h5", "h6", "hr", "img", "li", "ol", "p", "pre", "s"}
    | {"strong", "table", "tbody", "td", "th", "thead", "tr", "ul"}
)
SCHEMES = frozenset({"http", "https", "mailto"})
ATTRIBUTES: dict[str, dict[str, re.Pattern[str]]] = {
    "a": {
        "href": re.compile(r".{1,8192}"),
        "title": re.compile(r".*", re.DOTALL),
        "class": re.compile(r"external|ticket"),
        "rel": re.compile(r"nofollow noopener noreferrer"),
        "target": re.compile(r"_blank"),
    },
    "code": {"class": re.compile(r"language-[\w+#.-]{1,40}", re.ASCII)},
    "img": {
        "src": re.compile(r"https?://.{1,8192}"),
        "alt": re.compile(r".*", re.DOTALL),
        "title": re.compile(r".*", re.DOTALL),
        "loading": re.compile(r"lazy"),
        "referrerpolicy": re.compile(r"no-referrer"),
    },
    "li": {"class": re.compile(r"task")},
    "ol": {"start": re.compile(r"[0-9]{1,9}")},
    "td": {"align": re.compile(r"left|center|right")},
    "th": {"align": re.compile(r"left|center|right")},
}
"""The attributes of each tag, and what their whole value may be."""


def sanitised(html: str) -> str:
    """The HTML without all that is not allowed."""
    return _cleaner.clean(html)


def _allowed(tag: str, name: str, value: str) -> str | None:
    form = ATTRIBUTES.get(tag, {}).get(name)
    return value if form and form.fullmatch(value) else None


_cleaner = nh3.Cleaner(
    tags=set(TAGS),
    attributes={tag: set(names) for tag, names in ATTRIBUTES.items()},
    attribute_filter=_allowed,
    url_schemes=set(SCHEMES),
    link_rel=None,
)
