"""References in texts: `#12`, `owner/name#12` and the URL of an issue become references to the issues' tickets.

Code, HTML comments and HTML tags stay as they are, because GitHub shows them verbatim. So do addresses of other sites,
link targets and link definitions. In the text of a link, a bare number gets its repository's name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ticketing.sources import repositories
from ticketing.sources.repositories import HOST, NAME, OWNER

MOST_DIGITS = 5
"""A bare number with more digits than this may be a colour; it refers to an issue only if that issue is known."""

Find = Callable[[str, str], int | None]
"""Finds the ticket number of an issue, by its repository and its number there."""


def _url(ordinal: int) -> str:
    """A pattern for the URL of an issue, with numbered groups, because group names must be unique in a pattern."""
    return (
        rf"https?://(?P<host{ordinal}>{HOST})/(?P<owner{ordinal}>{OWNER})/(?P<name{ordinal}>{NAME})"
        rf"/issues/(?P<number{ordinal}>[1-9]\d{{0,8}})/?(?![\w/])(?:#[\w-]+)?"
    )


_REFERENCE = re.compile(
    rf"\[(?P<label>[^\]\[\n]{{0,200}})\]\({_url(1)}\)"
    rf"|<{_url(2)}>|{_url(3)}"
    r"|(?P<kept>https?://[^\s<>\"]+|www\.[^\s<>\"]+|</?[A-Za-z][^<>]{0,2000}>"
    r"|\]\([^()\n]{0,2000}(?:\([^()\n]{0,2000}\)[^()\n]{0,2000}){0,20}\)|^[ ]{0,3}\[[^\]\n]{1,200}\]:[^\n]*)"
    rf"|(?<![\w/.#&`@-])(?:(?P<short>{OWNER}/{NAME})#|(?P<bare>\#|GH-))(?P<digits>[1-9]\d{{0,8}})(?!\w|-\w)",
    re.MULTILINE,
)
#: What follows a reference in the text of a link.
_LINKED = re.compile(r"[^\[\]\n]{0,200}\][(\[]")
_LANDMARKS = (
    r"(?P<fence>^[ ]{0,3}(?P<mark>`{3,}|~{3,})(?P<info>[^`\n]*)$)"
    r"|(?P<ticks>`+)|(?P<blank>^[ \t\r]*$)|(?P<comment><!--)|(?P<end>-->)"
    r"|<(?P<shut>/?)(?P<tag>code|pre)\b[^<>]{0,200}>"
)
_LANDMARK = re.compile(_LANDMARKS, re.MULTILINE | re.IGNORECASE)
_LANDMARK_OR_BLOCK = re.compile(
    rf"(?P<block>(?:\A|(?<=\n\n))(?:(?:[ ]{{4}}|\t)[^\n]*(?:\n|\Z)(?:[ \t]*\n)*)+)|{_LANDMARKS}", _LANDMARK.flags
)
#: What makes an indented paragraph part of a list instead of a code block.
_ITEM = re.compile(r"^[ ]{0,3}(?:[-*+]|\d{1,9}[.)])[ \t]", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Mention:
    """An issue that a text refers to; `bare` if the reference names no repository."""

    repository: str
    number: str
    bare: bool


def mentions(text: str, repository: str, *, bare: bool = True) -> Iterator[Mention]:
    """The issues that a text in this repository refers to; with `bare`, also those named by number only."""
    for part in _parts(text)[::2]:
        for match in _REFERENCE.finditer(part):
            if match["kept"]:
                continue
            mention = _mention(match, repository)
            if bare or not mention.bare:
                yield mention


def rewritten(text: str, repository: str, find: Find, *, bare: bool = True) -> tuple[str, int]:
    """The text with its references to tickets, and how many were rewritten.

    A reference that `find` does not know keeps its meaning: a bare `#12` becomes `owner/name#12`, because here it would
    mean ticket 12.
    """
    led = 0

    def replaced(match: re.Match[str]) -> str:
        nonlocal led
        if match["kept"]:
            return match[0]
        mention = _mention(match, repository)
        if mention.bare and not bare:
            return match[0]
        ticket = find(mention.repository, mention.number)
        if match["digits"] and _LINKED.match(match.string, match.end()):
            ticket = None
        if ticket is None:
            qualified = mention.bare and len(mention.number) <= MOST_DIGITS
            return f"{repository}#{mention.number}" if qualified else match[0]
        led += 1
        label = match["label"]
        return f"#{ticket}" if label is None or label.endswith(f"#{mention.number}") else f"{label} (#{ticket})"

    parts = _parts(text)
    parts[::2] = [_REFERENCE.sub(replaced, part) for part in parts[::2]]
    return "".join(parts), led


def _parts(text: str) -> list[str]:
    """The text in parts, every second of which is code or a comment. In one pass: texts are long, and hostile."""
    landmark = _LANDMARK if _ITEM.search(text) else _LANDMARK_OR_BLOCK
    landmarks = list(landmark.finditer(text))
    parts: list[str] = []
    done = at = 0
    closes = _closing(landmarks)
    while at < len(landmarks):
        close = closes[at]
        if close is None:
            at += 1
            continue
        end = landmarks[close].end() if close < len(landmarks) else len(text)
        parts += (text[done : landmarks[at].start()], text[landmarks[at].start() : end])
        done, at = end, close + 1
    return [*parts, text[done:]]


def _closing(landmarks: list[re.Match[str]]) -> list[int | None]:
    """For each landmark that begins code or a comment, the one that ends it; a fence may stay open to the end."""
    closes: list[int | None] = [None] * len(landmarks)
    ticks: dict[int, int] = {}
    tags: dict[str, int] = {}
    fences: dict[str, list[int]] = {"`": [], "~": []}
    comment: int | None = None
    for at in range(len(landmarks) - 1, -1, -1):
        mark = landmarks[at]
        if mark.re is _LANDMARK_OR_BLOCK and mark["block"] is not None:
            closes[at] = at
            ticks.clear()
        elif mark["fence"] is not None:
            kind, length = mark["mark"][0], len(mark["mark"])
            ends = fences[kind]
            # A shorter run does not end it, and nothing beyond a longer run will.
            closes[at] = next((end for end in reversed(ends) if len(landmarks[end]["mark"]) >= length), len(landmarks))
            if not mark["info"].strip():
                while ends and len(landmarks[ends[-1]]["mark"]) <= length:
                    ends.pop()
                ends.append(at)
            ticks.clear()
        elif mark["ticks"] is not None:
            closes[at] = ticks.get(len(mark["ticks"]))
            ticks[len(mark["ticks"])] = at
        elif mark["blank"] is not None:
            ticks.clear()
        elif mark["tag"] is not None:
            if mark["shut"]:
                tags[mark["tag"].lower()] = at
            else:
                closes[at] = tags.get(mark["tag"].lower())
        elif mark["comment"] is not None:
            closes[at] = comment
        else:
            comment = at
    return closes


def _mention(match: re.Match[str], repository: str) -> Mention:
    if match["bare"]:
        return Mention(repository, match["digits"], bare=True)
    if match["short"]:
        owner, _, name = match["short"].partition("/")
        return Mention(repositories.named(repositories.host_of(repository), owner, name), match["digits"], bare=False)
    n = next(n for n in (1, 2, 3) if match[f"host{n}"])
    of = repositories.named(match[f"host{n}"], match[f"owner{n}"], match[f"name{n}"])
    return Mention(of, match[f"number{n}"], bare=False)
