"""From the tree of a query to the condition and the order of a statement.

All SQL here is written here. A value of the query is the value of a parameter, whatever it holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, TypedDict
from uuid import UUID

from ticketing.db.queries import Compiled
from ticketing.ground import texts
from ticketing.query import fulltext, spans, titles
from ticketing.query.fields import FIELDS, SORT_KEYS, Field, is_id, is_me, is_none
from ticketing.query.fulltext import NOBODY, Staffed
from ticketing.query.parameters import Parameters
from ticketing.query.tree import Comparison, Filter, Query, Text, Value


@dataclass(frozen=True, slots=True)
class Reader:
    """For whom a query is compiled: who is `me`, who is meant by names, what time it is where, and what they staff."""

    id: UUID | None
    people: Mapping[str, Sequence[UUID]]
    now: datetime
    zone: tzinfo
    staffed: Staffed = NOBODY


Place = tuple[Any, int] | None
"""The sort key and the number of the ticket after which a page begins."""


@dataclass(frozen=True, slots=True)
class Title:
    """Words that a title has to have, as a query for its index; or the number of a ticket."""

    words: str
    number: int | None = None


def condition(
    query: Query,
    reader: Reader,
    sort: str,
    after: Place = None,
    *,
    title: Title | None = None,
    person: Filter | None = None,
) -> Compiled:
    """What holds of the tickets that match, and come after a place in this order.

    The clause of one `person` becomes a range of their index. Thus PostgreSQL reads it in order, even if it does not
    know how many tickets they have.
    """
    given = Parameters()
    found = [
        *_filters(query, reader, given, title, person),
        *fulltext.holds(query, reader.staffed, given),
        *_beyond(sort, after, given),
    ]
    steady = not title and (person is not None or all(map(_is_fixed, query.clauses)))
    return given.within(" and ".join(found) or "true", steady=steady)


def among(numbers: Sequence[int], sort: str, after: Place = None) -> Compiled:
    """What holds of these tickets that come after a place in this order."""
    given = Parameters()
    found = [f"t.number = any({given.of(list(numbers), 'bigint[]')})", *_beyond(sort, after, given)]
    return given.within(" and ".join(found))


class Parts(TypedDict):
    """What the statement of hits takes of a query."""

    narrowed: bool
    staff: bool
    condition: Compiled
    asked: Compiled
    holds: Compiled
    numbers: list[int]
    numbered: Compiled
    rank: Compiled


def parts(
    query: Query,
    reader: Reader,
    sort: str,
    after: Place = None,
    until: Place = None,
    *,
    title: Title | None = None,
    ranked: bool = False,
) -> Parts:
    """A query that has text: what holds of tickets without it, and what it looks for in their documents.

    The hits are those after a place in this order, up to another one.
    """
    staffed = reader.staffed
    numbers = fulltext.numbers(query)

    def part(make: Callable[[Parameters], Sequence[str]], *, steady: bool = True) -> Compiled:
        given = Parameters()
        return given.within(" and ".join(make(given)) or "true", steady=steady)

    def places(given: Parameters) -> list[str]:
        return [*_beyond(sort, after, given), *_up_to(until, given)]

    fixed = all(isinstance(clause, Text) or _is_fixed(clause) for clause in query.clauses)
    steady = fixed and not (title or after or until)
    filters = part(lambda given: [*_filters(query, reader, given, title), *fulltext.others(query, given)])
    return {
        "narrowed": not staffed.everywhere or filters.text != "true",
        "staff": staffed.everywhere or bool(staffed.projects),
        "condition": part(
            lambda given: [
                *_filters(query, reader, given, title),
                *fulltext.others(query, given),
                *places(given),
            ],
            steady=steady,
        ),
        "asked": part(lambda given: [fulltext.asked(query, given)]),
        "holds": part(lambda given: fulltext.holds(query, staffed, given)),
        "numbers": numbers,
        "numbered": part(
            lambda given: [
                *_filters(query, reader, given, title),
                *fulltext.holds(query, staffed, given),
                *([] if ranked else places(given)),
            ]
        ),
        "rank": part(lambda given: [fulltext.rank(query, staffed, given)] if ranked else ["0"]),
    }


def sought(query: Query) -> Compiled:
    """Where in a text any of what is looked for is."""
    given = Parameters()
    return given.within(fulltext.any_of(query, given), steady=True)


def _filters(
    query: Query, reader: Reader, given: Parameters, title: Title | None, person: Filter | None = None
) -> list[str]:
    return [
        *([_titled_or_numbered(title.words, title.number, given)] if title else []),
        *_words(query),
        *_title(query, given),
        *fulltext.plain(query, given),
        *(
            _in_range(clause, reader, given) if clause is person else _signed(clause, _filter(clause, reader, given))
            for clause in query.clauses
            if isinstance(clause, Filter) and FIELDS[clause.name].kind not in ("word", "text")
        ),
    ]


def _beyond(sort: str, after: Place, given: Parameters) -> list[str]:
    if after is None:
        return []
    column, type_ = SORT_KEYS[sort.lstrip("-")]
    than = "<" if sort.startswith("-") else ">"
    key, number = given.of(after[0], type_), given.of(after[1], "bigint")
    return [f"({column}, t.number) {than} ({key}, {number})"]


def _up_to(until: Place, given: Parameters) -> list[str]:
    """Down to a place in the order of the newest, which it includes."""
    if until is None:
        return []
    return [f"(t.created_at, t.number) >= ({given.of(until[0], 'timestamptz')}, {given.of(until[1], 'bigint')})"]


def opened(query: Query, reader: Reader) -> tuple[datetime | None, datetime | None]:
    """Since when, and until when, what matches was opened, as far as single values say it."""
    since, until = None, None
    for clause in query.clauses:
        if isinstance(clause, Filter) and clause.name == "created" and not clause.negated and len(clause.values) == 1:
            for than, moment in limits(clause.values[0], reader):
                if than.startswith(">"):
                    since = max(since or moment, moment)
                else:
                    until = min(until or moment, moment)
    return since, until


def one_person(query: Query, sort: str) -> Filter | None:
    """What names the one person whose tickets an index has in this order, if nothing else stands in the way."""
    found = [clause for clause in query.clauses if isinstance(clause, Filter) and _names_one(clause)]
    alone = len(found) == 1 and all(clause is found[0] or _is_fixed(clause) for clause in query.clauses)
    return found[0] if alone and sort.endswith("created") else None


def _names_one(clause: Filter) -> bool:
    field, value = FIELDS[clause.name], clause.values[0]
    one = not clause.negated and len(clause.values) == 1
    return one and field.kind == "person" and (is_id(value.text) or is_me(field, value))


def _is_fixed(clause: Filter | Text) -> bool:
    """Whether a clause is the same SQL whatever its values: they are words that stand in it, or `none`."""
    if isinstance(clause, Text):
        return False
    field = FIELDS[clause.name]
    return field.kind == "word" or all(is_none(field, value) for value in clause.values)


class Orders(TypedDict):
    """What the statement takes of a sort: the column, and how its parts are sorted, and the page that they make."""

    key: Compiled
    order: Compiled
    merged: Compiled


def orders(sort: str, person: Filter | None = None) -> Orders:
    """The sort of the statement. Tickets of one person are sorted by that person first, whose index has them so."""
    column, way = _column(sort)
    first = f"{FIELDS[person.name].column}{way}, " if person else ""
    return {
        "key": Compiled(column, steady=True),
        "order": Compiled(f"{first}{column}{way}, t.number{way}", steady=True),
        "merged": Compiled(f"f.key{way}, f.number{way}", steady=True),
    }


def own_order(sort: str) -> Compiled:
    """The sort of the viewer's own tickets: by the requester first, whose index has them in this order."""
    column, way = _column(sort)
    return Compiled(f"t.requester_id{way}, {column}{way}, t.number{way}", steady=True)


def _column(sort: str) -> tuple[str, str]:
    return SORT_KEYS[sort.lstrip("-")][0], " desc" if sort.startswith("-") else ""


class Places(TypedDict):
    """What the statement of hits takes of a sort by time."""

    own_order: Compiled
    order: Compiled
    merged: Compiled


def places(sort: str) -> Places:
    """The order in which tickets were opened, the oldest or the newest first."""
    way = " desc" if sort.startswith("-") else ""
    return {
        "own_order": own_order(sort),
        "order": orders(sort)["order"],
        "merged": Compiled(f"f.created_at{way}, f.number{way}", steady=True),
    }


def has_days(query: Query) -> bool:
    """Whether what matches depends on where days begin."""
    return any(
        spans.is_day(value.text)
        for clause in query.clauses
        if isinstance(clause, Filter) and FIELDS[clause.name].kind == "moment"
        for value in clause.values
    )


def _signed(clause: Filter, found: str) -> str:
    """A negated clause matches all other tickets, also those of which it is not known."""
    return f"({found}) is not true" if clause.negated else found


# Closed lists: all clauses of a field are one condition, as PostgreSQL takes several for independent.


def _words(query: Query) -> list[str]:
    left: dict[str, set[str]] = {}
    for clause in query.clauses:
        if isinstance(clause, Filter) and FIELDS[clause.name].kind == "word":
            field = FIELDS[clause.name]
            passing = set().union(*(_passing(field, value) for value in clause.values))
            left.setdefault(field.name, set(field.words))
            left[field.name] &= set(field.words) - passing if clause.negated else passing
    return [found for name, words in left.items() if (found := _one_of(FIELDS[name], words))]


def _passing(field: Field, value: Value) -> set[str]:
    place = field.words.index(value.text)
    return {word for at, word in enumerate(field.words) if COMPARE[value.comparison](at, place)}


COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "": lambda one, other: one == other,
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
}


def _one_of(field: Field, words: set[str]) -> str | None:
    """That a column has one of these words, which are declared, so that they may stand in the text.

    Neighbours are a range, which an index can check by itself.
    """
    places = sorted(map(field.words.index, words))
    if len(places) == len(field.words):
        return None
    if not places:
        return "false"
    ordered = [f"'{field.words[place]}'" for place in places]
    if len(places) == 1:
        return f"{field.column} = {ordered[0]}"
    if places[-1] - places[0] == len(places) - 1:
        limits = [
            *([f"{field.column} >= {ordered[0]}"] if places[0] > 0 else []),
            *([f"{field.column} <= {ordered[-1]}"] if places[-1] < len(field.words) - 1 else []),
        ]
        return " and ".join(limits)
    return f"{field.column} in ({', '.join(ordered)})"


# Titles: all words and phrases that have to be there are one query for the index.

TITLE = (
    "to_tsvector('simple', translate(t.title, '-_./\\:;,|()[]{}<>\"''!?#@&+=*%~^$`',"
    " '                                '))"
)
"""As the index tickets_title has it."""


def _title(query: Query, given: Parameters) -> list[str]:
    together, apart = [], []
    for clause in query.clauses:
        if isinstance(clause, Filter) and FIELDS[clause.name].kind == "text":
            asked = " | ".join(f"({one})" for value in clause.values if (one := _asked(value.text, value.literal)))
            if clause.negated or not asked:
                apart.append(_signed(clause, _titled(asked, given) if asked else "false"))
            else:
                together.append(f"({asked})")
    return [*([_titled(" & ".join(together), given)] if together else []), *apart]


def _asked(text: str, is_phrase: bool) -> str:
    """A query for titles; an empty one, which none matches, if there are no words in the text that a title can have."""
    text = texts.one_line(text)
    if max(map(len, titles.words(text)), default=0) > titles.LONGEST:
        return ""
    return titles.phrase(text) if is_phrase else titles.beginning(text)


def _titled_or_numbered(asked: str, number: int | None, given: Parameters) -> str:
    titled = _titled(asked, given)
    return titled if number is None else f"({titled} or t.number = {given.of(number, 'bigint')})"


def _titled(asked: str, given: Parameters) -> str:
    return f"{TITLE} @@ to_tsquery('simple', {given.of(asked, 'text')})"


# All others, by their kind.


def _filter(clause: Filter, reader: Reader, given: Parameters) -> str:
    field = FIELDS[clause.name]
    values = [value for value in clause.values if not is_none(field, value)]
    found = OF_KIND[field.kind](field, values, reader, given) if values else []
    if len(values) < len(clause.values):
        found.append(f"{field.column} = '{{}}'" if field.kind == "tag" else f"{field.column} is null")
    return found[0] if len(found) == 1 else f"({' or '.join(found)})"


def _in_range(clause: Filter, reader: Reader, given: Parameters) -> str:
    field = FIELDS[clause.name]
    (id_,) = meant(field, clause.values[0], reader)
    place = given.of(id_, "uuid")
    return f"{field.column} between {place} and {place}"


def _any_of(column: str, values: Sequence[Any], type_: str, given: Parameters) -> str:
    """That a column has one of these values: of one an equality, by which an index can both find and sort."""
    if len(values) == 1:
        return f"{column} = {given.of(values[0], type_)}"
    return f"{column} = any({given.of(list(values), f'{type_}[]')})"


def _keys(field: Field, values: Sequence[Value], _: Reader, given: Parameters) -> list[str]:
    return [_any_of(field.column, [value.text for value in values], field.type, given)]


def _people(field: Field, values: Sequence[Value], reader: Reader, given: Parameters) -> list[str]:
    return [_any_of(field.column, [id_ for value in values for id_ in meant(field, value, reader)], "uuid", given)]


def meant(field: Field, value: Value, reader: Reader) -> Sequence[UUID]:
    """Whom a value of a person stands for."""
    if is_me(field, value):
        return [reader.id] if reader.id else []
    return [UUID(value.text)] if is_id(value.text) else reader.people.get(value.text, [])


def _tags(field: Field, values: Sequence[Value], _: Reader, given: Parameters) -> list[str]:
    tags = given.of([texts.tag(value.text) for value in values], "text[]")
    return [f"{field.column} {'@>' if len(values) == 1 else '&&'} {tags}"]


def _references(_: Field, values: Sequence[Value], __: Reader, given: Parameters) -> list[str]:
    return [
        f"(t.external_source = {given.of(source, 'text')} and t.external_id = {given.of(id_, 'text')})"
        for source, id_ in map(reference, values)
    ]


def reference(value: Value) -> tuple[str, str]:
    """The source and the id of what a ticket was imported from."""
    at = max(value.text.rfind("#"), value.text.rfind("/"))
    return value.text[:at].lower(), value.text[at + 1 :]


def _numbers(field: Field, values: Sequence[Value], _: Reader, given: Parameters) -> list[str]:
    alike = [int(value.text) for value in values if not value.comparison]
    return [
        *([_any_of(field.column, alike, field.type, given)] if alike else []),
        *(
            f"{field.column} {value.comparison} {given.of(int(value.text), field.type)}"
            for value in values
            if value.comparison
        ),
    ]


def _flags(field: Field, values: Sequence[Value], _: Reader, __: Parameters) -> list[str]:
    words = {value.text for value in values}
    if len(words) > 1:
        return ["true"]
    return [OF_FLAG[field.name, words == {"true"}]]


OF_FLAG = {
    ("escalated", True): "t.number = any(array(select e.ticket from escalations e))",
    ("escalated", False): "t.number not in (select e.ticket from escalations e)",
}


def _moments(field: Field, values: Sequence[Value], reader: Reader, given: Parameters) -> list[str]:
    return [_moment(field, value, reader, given) for value in values]


def _moment(field: Field, value: Value, reader: Reader, given: Parameters) -> str:
    found = [f"{field.column} {than} {given.of(moment, 'timestamptz')}" for than, moment in limits(value, reader)]
    return found[0] if len(found) == 1 else f"({' and '.join(found)})"


def limits(value: Value, reader: Reader) -> list[tuple[Comparison, datetime]]:
    """How a moment compares with others if a value matches. A day is all of it; `-7d` is since then."""
    first, end = spans.span(value.text, reader.now, reader.zone)
    is_day = spans.is_day(value.text)
    match value.comparison:
        case "<=":
            return [("<", end)] if is_day else [("<=", first)]
        case ">":
            return [(">=", end)] if is_day else [(">", first)]
        case "<":
            return [("<", first)]
        case ">=":
            return [(">=", first)]
        case _:
            return [(">=", first), ("<", end)] if is_day else [(">=", first)]


OF_KIND: Mapping[str, Callable[[Field, Sequence[Value], Reader, Parameters], list[str]]] = {
    "key": _keys,
    "person": _people,
    "tag": _tags,
    "reference": _references,
    "number": _numbers,
    "flag": _flags,
    "moment": _moments,
}
