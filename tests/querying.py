"""A plain model of what a query matches, ticket by ticket, and strategies that make queries."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from ticketing.query.fields import FIELDS, SORTS, Field
from ticketing.query.tree import Comparison, Filter, Query, Text, Value

Row = Mapping[str, Any]
"""A row of the table tickets, with whether it was ever escalated, and the `text` of it that somebody reads."""

COMPARISONS: dict[Comparison, Callable[[Any, Any], bool]] = {
    "": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
COLUMNS = {
    "tag": "tags",
    "external_reference": "external_source",
    "assignee": "assignee_id",
    "requester": "requester_id",
    "created": "created_at",
    "updated": "updated_at",
    "resolved": "resolved_at",
    "closed": "closed_at",
}


@dataclass(frozen=True)
class Asker:
    """Who asks, whom they know by which name or address in lower case, and what time it is where."""

    id: UUID
    people: Mapping[str, Sequence[UUID]]
    now: datetime
    zone: ZoneInfo


def matches(row: Row, query: Query, asker: Asker) -> bool:
    """Whether a ticket is found, by whoever reads so much of its text."""
    texts = [clause for clause in query.clauses if isinstance(clause, Text)]
    spoken = [clause for clause in texts if re.search("[a-z0-9]", clause.text.lower())]
    if not any(not clause.negated for clause in spoken) and any(not clause.negated for clause in texts):
        return False
    filters: list[Filter | Text] = [clause for clause in query.clauses if isinstance(clause, Filter)]
    return all(_holds(row, clause, asker) != clause.negated for clause in [*spoken, *filters])


def _holds(row: Row, clause: Filter | Text, asker: Asker) -> bool:
    if isinstance(clause, Text):
        digits = re.fullmatch("#?([0-9]{1,18})", clause.text)
        if clause.begins and digits and clause.text.startswith("#"):
            return str(row["number"]).startswith(str(int(digits[1])))
        is_number = not clause.phrase and not clause.begins and digits is not None and row["number"] == int(digits[1])
        return is_number or _written(row["text"], clause)
    return any(_is(row, FIELDS[clause.name], value, asker) for value in clause.values)


def _written(text: str, clause: Text) -> bool:
    """For plain words of English: a form of the word, its beginning, or the words one after the other."""
    there, asked = words(text), words(clause.text)
    forms, sought = [*map(stem, there)], [*map(stem, asked)]
    every = {*there, *forms}
    if clause.begins:
        return {*asked[:-1]} <= every and any(word.startswith(asked[-1]) for word in every)
    if len(asked) == 1 and not clause.phrase:
        return sought[0] in every or asked[0] in every
    in_row = any(forms[at : at + len(sought)] == sought for at in range(len(forms)))
    return in_row and (not clause.phrase or {*asked} <= every)


def words(text: str) -> list[str]:
    """Words between signs."""
    return re.findall("[a-z0-9]+", text.lower())


def stem(word: str) -> str:
    """That of a word of these tests."""
    return word.removesuffix("s")


def _is(row: Row, field: Field, value: Value, asker: Asker) -> bool:
    found = row[COLUMNS.get(field.name, field.name)]
    if value.text == "none" and field.absent and not value.literal:
        return found is None or found == []
    if field.words and field.kind == "word":
        return COMPARISONS[value.comparison](field.words.index(found), field.words.index(value.text))
    match field.kind:
        case "flag":
            return bool(found) == (value.text == "true")
        case "key":
            return bool(found == value.text)
        case "tag":
            return value.text.lower() in found
        case "text":
            return _said(found, value.text, value.literal)
        case "number":
            return COMPARISONS[value.comparison](found, int(value.text))
        case "reference":
            source, id_ = re.fullmatch("(.*)[#/]([^#/]*)", value.text).groups()  # type: ignore[union-attr]
            return (found, row["external_id"]) == (source.lower(), id_)
        case "person":
            return found in _who(value, asker)
    return found is not None and _when(found, value, asker)


def _who(value: Value, asker: Asker) -> Sequence[UUID | None]:
    if value.text == "me" and not value.literal:
        return [asker.id]
    if re.fullmatch("[0-9a-fA-F-]{36}", value.text):
        return [UUID(value.text)]
    return asker.people.get(value.text.lower(), [])


def _when(found: datetime, value: Value, asker: Asker) -> bool:
    if ago := re.fullmatch("-([0-9]+)([hdw])", value.text):
        unit = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}[ago[2]]
        moment = asker.now - unit * int(ago[1])
        return COMPARISONS[value.comparison or ">="](found, moment)
    if "T" in value.text:
        return COMPARISONS[value.comparison or ">="](found, datetime.fromisoformat(value.text))
    return COMPARISONS[value.comparison](found.astimezone(asker.zone).date(), date.fromisoformat(value.text))


def _said(title: str, text: str, is_phrase: bool) -> bool:
    """For plain words: whether each begins one of the title's, or they follow on each other in it."""
    there, asked = (re.findall("[a-z0-9]+", each.lower()) for each in (title, text))
    if not asked:
        return False
    if is_phrase:
        return any(there[at : at + len(asked)] == asked for at in range(len(there)))
    return all(any(word.startswith(each) for word in there) for each in asked)


# Queries -----------------------------------------------------------------------------------------------------------

NOW = datetime(2026, 3, 31, 12, 30, tzinfo=UTC)
WORDS = ("hdr", "film", "films", "drift", "42", "c3po")
PEOPLE = {UUID(int=n): name for n, name in enumerate(("Ada Lovelace", "Bo", "me", "Bo", "Çelik"), start=1)}
NAMES = ("Ada Lovelace", "ada lovelace", "bo", "BO", "me", "Çelik", "nobody", "2@lumen.example", str(UUID(int=4)))
OF_KIND: dict[str, Sequence[str]] = {
    "tag": ("hdr", "HDR", "two words", "none", 'a"quote'),
    "reference": ("github:lumen/apps#1", "GitHub:lumen/apps/2", "none", "zendesk:x#-1"),
    "text": ("fil", "film", "hdr film", "drift-hdr", "none", "++", "4"),
    "number": ("0", "7", "12", "30", "9223372036854775807"),
    "moment": (
        *("2026-03-28", "2026-03-29", "2026-03-30", "2026-03-31", "0002-01-01", "9998-12-31"),
        *("-36h", "-2d", "-1w", "-9999w", "2026-03-29T01:00:00.000+00:00"),
    ),
    "person": NAMES,
}
KEYS = {"project": ("alpha", "beta", "gamma"), "category": ("movies", "music", "nothing", "none")}


def texts_of(field: Field) -> Sequence[str]:
    """Values that can be written for a field."""
    return field.words or KEYS.get(field.name) or OF_KIND[field.kind]


def value(field: Field, text: str, comparison: Comparison, in_quotes: bool) -> Value:
    """A value as the parser would make it."""
    special = (text == "none" and field.absent) or (text == "me" and field.kind == "person")
    literal = ((special and field.kind != "reference") or field.kind == "text") and (in_quotes or " " in text)
    bare_moment = field.kind == "moment" and "T" in text and not comparison
    alone = not field.ordered or (special and not literal)
    return Value(text, "" if alone else ">=" if bare_moment else comparison, literal)


def values(field: Field) -> st.SearchStrategy[Value]:
    return st.builds(
        lambda text, comparison, in_quotes: value(field, text, comparison, in_quotes),
        st.sampled_from(texts_of(field)).filter(lambda text: not (field.kind == "text" and text == "++")),
        st.sampled_from([*COMPARISONS]),
        st.booleans(),
    )


FILTERS = st.sampled_from([*FIELDS.values()]).flatmap(
    lambda field: st.builds(
        lambda values, negated: Filter(field.name, tuple(values), negated),
        st.lists(values(field), min_size=1, max_size=3),
        st.booleans(),
    )
)
SAID = st.sampled_from([*WORDS, "#7", "#1", "12", "hdr-film", "film drift", "f", "++"])
TEXTS = st.builds(Text, SAID, st.just(True), st.booleans()) | st.builds(
    Text, SAID.filter(lambda text: " " not in text), st.just(False), st.booleans(), st.booleans()
)
"""Phrases, and words with or without a star."""
QUERIES = st.builds(
    Query,
    st.lists(FILTERS | TEXTS, max_size=4).map(tuple),
    st.none() | st.sampled_from(SORTS),
)
