"""Markdown and code as HTML."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cache
from itertools import pairwise

from markdown_it import MarkdownIt
from markupsafe import Markup, escape
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Keyword, Literal, Name, Number, String, Token, _TokenType

CLASSES: dict[_TokenType, str] = {
    Comment: "c",
    Keyword: "k",
    Name.Tag: "k",
    Name.Builtin: "k",
    Number: "n",
    String: "s",
    Literal: "s",
}
"""The kinds of code that have a colour of their own."""


LANGUAGES = frozenset({"json", "bash", "console", "python", "typescript", "javascript", "go", "java"})


def made(html: str) -> Markup:
    """HTML that this module made, of text that it has escaped."""
    return Markup(html)  # noqa: S704


@cache
def _markdown() -> MarkdownIt:
    # Raw HTML is shown, not rendered, as texts of the contract are no code of ours.
    parser = MarkdownIt("commonmark", {"html": False, "highlight": lambda text, language, _: str(code(text, language))})
    return parser.enable("table")


def prose(text: str, operations: Collection[str] = ()) -> Markup:
    """Paragraphs of Markdown; the name of an operation leads to it."""
    return _linked(_markdown().render(text), operations)


def line(text: str, operations: Collection[str] = ()) -> Markup:
    """A line of Markdown, without paragraphs."""
    return _linked(_markdown().renderInline(" ".join(text.split())), operations)


def article(text: str) -> Markup:
    """A whole file of Markdown: its headings have anchors, and links to other files lead to their pages."""
    tokens = _markdown().parse(text)
    for token, following in pairwise(tokens):
        if token.type == "heading_open":
            token.attrSet("id", slug(following.content))
        for inner in token.children or []:
            if inner.type == "link_open":
                inner.attrSet("href", re.sub(r"^([\w-]+)\.md", r"\1", str(inner.attrs["href"])))
    return made(_markdown().renderer.render(tokens, _markdown().options, {}))


def slug(title: str) -> str:
    """The anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w-]", "", title.lower().replace(" ", "-"))


def code(text: str, language: str) -> Markup:
    """The HTML of code, with spans of the classes `c`, `k`, `n` and `s`; without any for an unknown language."""
    if language not in LANGUAGES:
        return escape(text)
    pieces = []
    for found, piece in _lexer(language).get_tokens(text):
        kind: _TokenType | None = found
        while kind is not None and kind not in CLASSES and kind is not Token:
            kind = kind.parent
        shown = str(escape(piece))
        pieces.append(f'<span class="{CLASSES[kind]}">{shown}</span>' if kind in CLASSES and piece.strip() else shown)
    return made("".join(pieces))


@cache
def _lexer(language: str) -> Lexer:
    return get_lexer_by_name(language, ensurenl=False, stripnl=False)


def _linked(html: str, operations: Collection[str]) -> Markup:
    def link(found: re.Match[str]) -> str:
        name = found[1]
        return f'<a href="#{name}"><code>{name}</code></a>' if name in operations else found[0]

    return made(re.sub(r"<code>(\w+)</code>", link, html))
