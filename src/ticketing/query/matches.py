"""Where the tickets of a page have what was looked for: passages of plain text, with the places of the hits."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, NotRequired, TypedDict

from ticketing.access.actors import Actor
from ticketing.db import sql
from ticketing.query import compiling, fulltext, titles
from ticketing.query.tree import Query

LEAD, SHOWN = 60, 240
"""Most characters of a passage before its first hit, and in all."""
MOST_MARKS = 20
MOST_WORDS = 4000
"""Most different words of a page that are compared with the query."""

_WORD = re.compile(r"[^\W_]+")
_UNSPACED = re.compile(f"{titles.UNSPACED.pattern}+")
"""Words of scripts without blanks, of which parts are found."""


class Mark(TypedDict):
    """Where a hit stands in a passage, in characters."""

    offset: int
    length: int


class Match(TypedDict):
    """The contract's TicketMatch."""

    ticket_number: int
    field: str
    comment_id: NotRequired[str]
    text: str
    marks: list[Mark]


async def of_page(conn: sql.Connection, actor: Actor, query: Query, tickets: Sequence[Any]) -> list[Match]:
    """The title of each ticket that has a hit, and then a passage of its description or of a comment that has one."""
    if not tickets:
        return []
    sought = compiling.sought(query)
    numbers = [ticket["number"] for ticket in tickets]
    rows = await sql.query.list_passages(conn, numbers=numbers, **actor.staffing(), sought=sought)
    passages = {row["number"]: (row["comment_id"], row["text"] or "") for row in rows}
    texts = [ticket["title"] for ticket in tickets] + [text for _, text in passages.values()]
    words = sorted({word for text in texts for word in _WORD.findall(text)})[:MOST_WORDS]
    marked = {row["word"] or "" for row in await sql.query.list_marked(conn, words=words, sought=sought)}
    unspaced = _unspaced(query)
    found: list[Match] = []
    for ticket in tickets:
        number, title = ticket["number"], ticket["title"]
        if marks := _marks(title, marked, unspaced):
            found.append({"ticket_number": number, "field": "title", "text": title, "marks": marks[:MOST_MARKS]})
        comment_id, passage = passages.get(number, (None, ""))
        if marks := _marks(passage, marked, unspaced):
            text, marks = _cut(passage, marks)
            match: Match = {"ticket_number": number, "field": "description", "text": text, "marks": marks}
            if comment_id:
                match |= {"field": "comment", "comment_id": str(comment_id)}
            found.append(match)
    return found


def _unspaced(query: Query) -> re.Pattern[str] | None:
    runs = {run for clause in fulltext.sought(query) for run in _UNSPACED.findall(clause.text)}
    return re.compile("|".join(map(re.escape, sorted(runs, key=len, reverse=True)))) if runs else None


def _marks(text: str, marked: set[str], unspaced: re.Pattern[str] | None) -> list[Mark]:
    words = (word.span() for word in _WORD.finditer(text) if word[0] in marked and not _UNSPACED.search(word[0]))
    runs = (run.span() for run in unspaced.finditer(text)) if unspaced else ()
    return [{"offset": begin, "length": end - begin} for begin, end in sorted({*words, *runs})]


def _cut(text: str, marks: Iterable[Mark]) -> tuple[str, list[Mark]]:
    """The text around the first hit, from the beginning of a word on, in one line."""
    marks = [*marks]
    first = marks[0]["offset"]
    begin = 0 if first <= LEAD else first - LEAD
    if begin and (blank := re.search(r"\s", text[begin:first])):
        begin += blank.end()
    end = min(len(text), begin + SHOWN)
    if end < len(text) and (blanks := [*re.finditer(r"\s", text[begin:end])]) and blanks[-1].start() > first - begin:
        end = begin + blanks[-1].start()
    within = [mark for mark in marks if mark["offset"] + mark["length"] <= end][:MOST_MARKS]
    moved: list[Mark] = [{"offset": mark["offset"] - begin, "length": mark["length"]} for mark in within]
    return re.sub(r"\s", " ", text[begin:end]), moved
