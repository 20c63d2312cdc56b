"""What Markdown means here: CommonMark with tables, strikethrough, task lists, bare addresses and tickets as links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Literal
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline, linkify
from markdown_it.token import Token

from ticketing.contract import Origins

MOST_LINES = 2_000
MOST_BLOCKS = 20_000
MOST_CELLS = 5_000
"""Those that a table has at most, if each line is a row of it: rows get the cells that they lack."""
MOST_MARKS = 5_000
MOST_ADDRESS_CHARACTERS = 64 * 1024
"""All addresses of a text together: one that is defined once may be used thousands of times."""
MOST_HTML_CHARACTERS = 128 * 1024
"""Twice the longest text."""
LONGEST_SCHEME = len(" https")
ADDRESSES = frozenset({"href", "src", "title"})
SHIFT = 2
"""A page has headings above those of a text: its own, and that of the part that shows the text."""

_MARKS = re.compile(r"[]\[*_~`!<>&\\:@\"'()#/|]")
_COLUMNS = re.compile(r"(?<![-:])(?::?-++:?[ \t]*+\|[ \t]*+)++")
_TICKET = re.compile(r"(?<![\w#&/.-])#([1-9][0-9]{0,17})(?![\w#-])")
_TICKET_PAGE = re.compile(r"/(?:support|desk)/tickets/[1-9][0-9]{0,17}(?:[?#].*)?")
_TASK = re.compile(r"\[([ xX])\] +")
_BOX = {" ": "☐ ", "x": "☑ ", "X": "☑ "}


class TooIntricate(Exception):
    """A text has so much markup that rendering it would take too long, or make too much of it."""


def unsafe_html(text: str, here: str, images: Origins) -> str:
    """The HTML of a text, to be sanitised. Raises TooIntricate.

    `here` is the public URL of the installation, `images` are the origins that images may come from.
    """
    lines = text.count("\n")
    columns = max((row.count("|") for row in _COLUMNS.findall(text)), default=0)
    if lines >= MOST_LINES or lines * columns > MOST_CELLS:
        raise TooIntricate
    html: str = _parser(here, images).render(text)
    if len(html) > MOST_HTML_CHARACTERS:
        raise TooIntricate
    return html


@lru_cache(maxsize=8)
def _parser(here: str, images: Origins) -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "linkify": True, "breaks": True})
    parser.enable(["table", "strikethrough", "linkify"])
    assert parser.linkify is not None
    # Without a scheme only mail addresses: `main.rs` and `readme.md` are files, though Serbia and Moldova have domains.
    parser.linkify.set({"fuzzy_link": False}).add("ftp:", None).add("//", None)
    parser.inline.ruler.at("linkify", _linkify)
    places = _Places(here, images)
    parser.core.ruler.after("block", "bounds", _bound)
    parser.core.ruler.after("linkify", "places", places.apply)
    return parser


def _linkify(state: StateInline, silent: bool) -> bool:
    """The library's rule. At each address it looks through all of the text before, so its end is tried alone first."""
    before, start = state.pending, state.pos
    state.pending = before[-LONGEST_SCHEME:]
    found = linkify(state, silent=True)
    state.pending = before
    if silent or not found:
        return found
    state.pos = start
    return linkify(state, silent=False)


def _bound(state: StateCore) -> None:
    """Judge by its blocks what a text will cost, before what is in them is parsed."""
    marks = sum(len(_MARKS.findall(token.content)) for token in state.tokens if token.type == "inline")
    if len(state.tokens) > MOST_BLOCKS or marks > MOST_MARKS:
        raise TooIntricate


class _Places:
    """Where links lead and images come from, and what else of a text depends on where it is shown."""

    def __init__(self, here: str, images: Origins) -> None:
        self._here = here
        self._path = urlsplit(here).path.rstrip("/")
        self._images = images

    def apply(self, state: StateCore) -> None:
        """The rule: change the tokens of a text in place. Raises TooIntricate."""
        room = MOST_ADDRESS_CHARACTERS
        for index, token in enumerate(state.tokens):
            if token.type in ("heading_open", "heading_close"):
                token.tag = f"h{min(int(token.tag[1:]) + SHIFT, 6)}"
            elif token.type in ("th_open", "td_open"):
                _align(token)
            elif token.type == "inline" and token.children:
                _check(state.tokens, index, token.children)
                placed = [*self._placed(token.children)]
                room -= sum(len(str(child.attrs[name])) for child in placed for name in ADDRESSES & child.attrs.keys())
                if room < 0:
                    raise TooIntricate
                token.children = placed

    def _placed(self, tokens: list[Token]) -> Iterator[Token]:
        linked, shown = False, True
        for token in tokens:
            if token.type == "link_open":
                linked, shown = True, self._lead(token)
                if shown:
                    yield token
            elif token.type == "link_close":
                linked = False
                if shown:
                    yield token
            elif token.type == "image":
                yield from self._pictured(token, linked)
            elif token.type == "text" and not linked:
                yield from self._numbered(token)
            else:
                yield token

    def _lead(self, link: Token) -> bool:
        """Say where a link leads, and whether it may."""
        match self._whither(str(link.attrs.get("href", ""))):
            case "away":
                link.attrs |= {"rel": "nofollow noopener noreferrer", "target": "_blank", "class": "external"}
            case None:
                return False
        return True

    def _whither(self, address: str) -> Literal["here", "away", "mail"] | None:
        """Links stay here if they lead to a ticket; other pages of ours, such as the one to sign in, may be a trap."""
        for ours in (self._here, self._path):
            if address.startswith(ours) and _TICKET_PAGE.fullmatch(address, len(ours)):
                return "here"
        if re.match(r"https?://[^/\\]", address, re.IGNORECASE):
            return "away"
        return "mail" if re.match(r"mailto:[^/]", address, re.IGNORECASE) else None

    def _pictured(self, image: Token, linked: bool) -> Iterator[Token]:
        """An image from an allowed source; of another one a link to it, or its text in a link to something else."""
        address = str(image.attrs.get("src", ""))
        if self._origin(address) in self._images.known:
            image.attrs |= {"loading": "lazy", "referrerpolicy": "no-referrer"}
            yield image
            return
        link = Token("link_open", "a", 1, attrs={"href": address})
        leads = not linked and self._lead(link)
        if leads:
            yield link
        yield _text(_said(image) or (address if leads else ""))
        if leads:
            yield Token("link_close", "a", -1)

    @staticmethod
    def _origin(address: str) -> bytes:
        try:
            parts = urlsplit(address)
        except ValueError:
            return b""
        return f"{parts.scheme}://{parts.netloc}".lower().encode()

    def _numbered(self, token: Token) -> Iterator[Token]:
        end = 0
        for found in _TICKET.finditer(token.content):
            yield _text(token.content[end : found.start()])
            address = f"{self._path}/support/tickets/{found[1]}"
            yield Token("link_open", "a", 1, attrs={"href": address, "class": "ticket"})
            yield _text(found[0])
            yield Token("link_close", "a", -1)
            end = found.end()
        yield _text(token.content[end:]) if end else token


def _text(content: str) -> Token:
    return Token("text", "", 0, content=content)


def _said(image: Token) -> str:
    """The text of an image."""
    return "".join(child.content if child.type == "text" else _said(child) for child in image.children or ())


def _align(cell: Token) -> None:
    """By an attribute, as a strict Content-Security-Policy forbids styles."""
    if style := cell.attrs.pop("style", None):
        cell.attrs["align"] = str(style).rpartition(":")[2]


def _check(tokens: list[Token], index: int, children: list[Token]) -> None:
    """A box in place of the brackets at the beginning of an item: `[ ]` or `[x]`."""
    first: Any = children[0]
    if index > 1 and tokens[index - 2].type == "list_item_open" and (found := _TASK.match(first.content)):
        first.content = _BOX[found[1]] + first.content[found.end() :]
        tokens[index - 2].attrs["class"] = "task"
