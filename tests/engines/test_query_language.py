"""The query language: every text has a tree, or faults with their places; and PostgreSQL agrees with a plain model."""

from __future__ import annotations

import asyncio
import json
import random
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, timedelta
from pathlib import Path
from subprocess import PIPE
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg.rows import dict_row

import node
import querying
from querying import COMPARISONS, NOW, PEOPLE, QUERIES, Asker
from ticketing.access.actors import Actor
from ticketing.contract import Fault, yaml12
from ticketing.db import sql
from ticketing.db.queries import Compiled
from ticketing.ground import paths
from ticketing.ground.errors import InvalidParameter
from ticketing.query import compiling, hits, names, parsing
from ticketing.query.compiling import Reader
from ticketing.query.fields import FIELDS, SORT, SORT_KEYS, SORTS, table
from ticketing.query.fulltext import Staffed, sought
from ticketing.query.hits import Asked
from ticketing.query.parsing import LONGEST, LONGEST_WRITTEN, MOST_CLAUSES, MOST_FAULTS, MOST_VALUES, MOST_WORDS, parse
from ticketing.query.tree import Comparison, Filter, Query, Text
from ticketing.rules import tickets

# Texts -------------------------------------------------------------------------------------------------------------

PIECES = [
    *FIELDS,
    *("sort", "statsu", "https", "AND", "OR", "NOT", "me", "none", "open", "bug", "high", "2026-01-31", "-7d", "#7"),
    *(":", "-", ",", '"', "\\", "(", ")", "<", ">", ">=", "*", "/", "//", " ", " ", " ", "\t", "\n"),
    *("é", "字", "\u200b", "😀"),
]
SIGNS = '"-:,()<>=*\\/#. aZ7éİß\u212a字😀'
BLANKS = "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2002\u2028\u2029\u202f\u205f\u3000"
UNSEEN = "\x01\x08\x1b\x7f\xad\u180e\u200b\u200d\u200e\u200f\u202a\u202e\u2066\u2069\u0301\u0654\u0e31\ufe0f\ufeff"
"""Signs of control, of the direction of writing, and ones that combine."""
MIXED = st.sampled_from([*PIECES, *SIGNS, *BLANKS, *UNSEEN])
SOUP = (
    st.lists(st.sampled_from(PIECES), max_size=30).map("".join)
    | st.text(max_size=60)
    | st.lists(MIXED, max_size=40).map("".join)
    | st.builds(
        lambda once, size: ("".join(once) * size)[:size],
        st.lists(MIXED, min_size=1, max_size=5),
        st.integers(LONGEST // 2, LONGEST + 5),
    )
)


@settings(max_examples=1500, deadline=None)
@given(SOUP)
def test_every_text_has_a_tree_or_faults_that_lie_within_it(text: str) -> None:
    tree = read(text)
    if not isinstance(tree, Query):
        assert 0 < len(tree) <= MOST_FAULTS
        for fault in tree:
            assert fault.parameter == "q" and fault.detail
            assert fault.offset is not None and fault.length is not None
            assert 0 <= fault.offset < fault.offset + fault.length <= len(text)
            if fault.suggestion is not None:
                assert_better(text, tree, fault)
        return
    assert parse(str(tree)) == tree
    assert len(str(tree)) <= len(text)
    for clause in tree.clauses:
        offset, length = clause.span
        assert parse(text[offset : offset + length]).clauses == (clause,)


def assert_better(text: str, before: Sequence[Fault], fault: Fault) -> None:
    """With what a fault suggests in its place, there are fewer faults, or this one is gone."""
    begin = fault.offset or 0
    after = read(f"{text[:begin]}{fault.suggestion}{text[begin + (fault.length or 0) :]}")
    if not isinstance(after, Query) and len(after) >= len(before):
        assert (fault.code, begin) not in {(each.code, each.offset) for each in after}


@pytest.mark.parametrize(
    "once", ["x ", "a:", "status:", "x,", '"', '"a" ', "\\", "-", "- ", "(", "* ", "tag:x ", "\x85"]
)
@pytest.mark.parametrize("lead", ["", '"', "status:", "tag:", "x", "statsu:x,"])
def test_what_it_takes_to_read_a_text_grows_as_the_text_does(lead: str, once: str) -> None:
    half, whole = (steps((lead + once * size)[:size]) for size in (LONGEST // 2, LONGEST))
    assert whole <= 3 * half + 500


def steps(text: str) -> int:
    """How many calls it takes to read a text."""
    count = 0

    def counting(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(counting)
    try:
        read(text)
    finally:
        sys.setprofile(before)
    return count


class Divided(parsing._Parser):
    """A parser that notes where each part begins and ends, whether it is right or wrong."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.begins: list[int] = []
        self.ends: list[int] = []

    def _more(self) -> bool:
        self.ends.append(self.at)
        more = super()._more()
        self.begins.append(self.at)
        return more


PORTAL = """
import { createInterface } from 'node:readline';
const { character, clauses } = await import(process.argv[1]);
for await (const line of createInterface({ input: process.stdin })) {
	const text = JSON.parse(line);
	const parts = clauses(text).map((part) => ({
		...part,
		start: character(text, part.start),
		end: character(text, part.end)
	}));
	console.log(JSON.stringify(parts));
}
"""


@pytest.fixture(scope="module")
def portal(slowly: None) -> Iterator[Callable[[str], list[dict[str, Any]]]]:
    """How the portal divides a text, with places as the service counts."""
    tokens = Path(__file__).parents[2] / "src/portal/src/lib/query/tokens.ts"
    command = [str(node.find().folder / "node"), "--input-type=module", "--eval", PORTAL, tokens.as_uri()]
    with subprocess.Popen(command, stdin=PIPE, stdout=PIPE, encoding="utf-8") as process:
        given, told = process.stdin, process.stdout
        assert given and told

        def divided(text: str) -> list[dict[str, Any]]:
            given.write(json.dumps(text) + "\n")
            given.flush()
            parts: list[dict[str, Any]] = json.loads(told.readline())
            return parts

        yield divided
        given.close()


@settings(max_examples=1500, deadline=None)
@given(text=SOUP.map(lambda text: text[:LONGEST]))
@example(text="a\x1cb\x85c\ufeffd")
@example(text='"\x1f" "\ufeff"')
def test_the_portal_divides_a_text_as_the_service_does(
    portal: Callable[[str], list[dict[str, Any]]], text: str
) -> None:
    parser = Divided(text)
    try:
        query = parser.query()
    except InvalidParameter as refused:
        query, codes = None, {fault.code for fault in refused.errors}
    found = portal(text)
    expected = [*zip(parser.begins[:-1], parser.ends[1:], strict=True)]
    read_whole = parser.begins[-1] == len(text)
    assert [(part["start"], part["end"]) for part in found][: None if read_whole else len(expected)] == expected
    if query is None:
        # What is wrong with fields and values, the portal does not know.
        assert not codes & {"required", "blank", "reserved"} or not all(part["whole"] for part in found)
        return
    assert all(part["whole"] for part in found)
    assert [kind(part) for part in found if part["name"] != SORT] == [kind(clause) for clause in query.clauses]


def kind(part: Mapping[str, Any] | Filter | Text) -> Any:
    """What both know of a part of a query. The service has words in lower case, and knows what a star means."""
    match part:
        case Text():
            return part.negated, part.phrase, part.text + "*" * part.begins
        case Filter():
            return part.negated, part.name, [(value.comparison, value.text.lower()) for value in part.values]
    if part["name"] is None:
        stars = re.fullmatch(r"(.*?[^*])\*+", part["text"], re.DOTALL) if not part["phrase"] else None
        return part["negated"], part["phrase"], f"{stars[1]}*" if stars else part["text"]
    return part["negated"], part["name"], [(value["comparison"], value["text"].lower()) for value in part["values"]]


def read(text: str) -> Query | Sequence[Fault]:
    try:
        return parse(text)
    except InvalidParameter as refused:
        return refused.errors


@settings(max_examples=1000, deadline=None)
@given(QUERIES)
def test_a_tree_is_written_so_that_it_is_read_as_the_same(tree: Query) -> None:
    assert parse(str(tree)) == tree


@settings(max_examples=500, deadline=None)
@given(QUERIES, st.sampled_from(["statsu:open", "type:bgu", "(", "tag:", "created:soon", "-"]), QUERIES)
def test_a_fault_is_where_it_is_whatever_is_around_it(before: Query, fault: str, after: Query) -> None:
    alone = faults(fault)
    lead = f"{Query(before.clauses)} "
    within = faults(f"{lead}{fault} {Query(after.clauses)}")
    assert within == [replace(each, offset=(each.offset or 0) + len(lead)) for each in alone]


WORDY = [
    '"' + "a " * 900 + '"',
    '"' + "the and " * 240 + '"',
    "a.b-" * 400,
    "字" * (MOST_WORDS + 1),
    '"' + "ﷺ " * 100 + '"',
    'title:"' + "a " * 900 + '"',
    "title:" + ",".join(["a.b.c"] * 20),
    " ".join(["a/b/c"] * 20),
]
"""Short for what they ask of the database."""


def faults(text: str) -> Sequence[Fault]:
    with pytest.raises(InvalidParameter) as refused:
        parse(text)
    return refused.value.errors


@pytest.mark.parametrize(
    ("text", "code", "found", "suggestion"),
    [
        ("a statsu:open b", "unknown_field", "statsu", "status"),
        ("label:x", "unknown_field", "label", "tag"),
        ("created_at:2026-01-01", "unknown_field", "created_at", "created"),
        ("xyzzy:1", "unknown_field", "xyzzy", None),
        ("status:open,clsoed", "not_allowed", "clsoed", "closed"),
        ("-priority:>=hgih", "not_allowed", ">=hgih", "high"),
        ("sort:-update", "not_allowed", "-update", "-updated"),
        ("escalated:yes", "not_allowed", "yes", None),
        ("type:>bug", "incompatible", ">bug", None),
        ("resolved:<none", "incompatible", "<none", None),
        ("number:1e3", "wrong_format", "1e3", None),
        ("number:9223372036854775808", "wrong_format", "9223372036854775808", None),
        ("created:2026-02-30", "wrong_format", "2026-02-30", None),
        ("created:>=0001-01-01", "wrong_format", ">=0001-01-01", None),
        ("updated:yesterday", "wrong_format", "yesterday", None),
        ("updated:2026-01-01T10:00:00Z", "wrong_format", "2026-01-01T10:00:00Z", None),
        ("external_reference:12", "wrong_format", "12", None),
        ('tag:"a b', "wrong_format", '"a b', None),
        ('"a"b', "wrong_format", "b", None),
        ("sort:created,updated", "wrong_format", "sort:created,updated", None),
        ("-sort:created", "wrong_format", "-sort:created", None),
        ("sort:created x sort:updated", "repeated_parameter", "sort:updated", None),
        ("x status: open", "required", "status:", None),
        ("status:", "required", "status:", None),
        ("-tag:a,", "required", "tag:a,", None),
        ("created:>=", "required", "created:>=", None),
        ("x - y", "required", "-", None),
        ("--x", "required", "-", None),
        ('project:""', "blank", '""', None),
        ('"  "', "blank", '"  "', None),
        ("a OR b", "reserved", "OR", None),
        ("NOT a", "reserved", "NOT", None),
        ("a AND b", "reserved", "AND", None),
        ("(a", "reserved", "(", None),
        ("status:open)", "reserved", ")", None),
        ("f(x", "reserved", "(", None),
    ],
)
def test_a_fault_has_its_place_and_what_was_meant(text: str, code: str, found: str, suggestion: str | None) -> None:
    (fault,) = faults(text)
    assert fault.offset is not None and fault.length is not None
    assert (fault.code, text[fault.offset : fault.offset + fault.length]) == (code, found)
    assert fault.suggestion == suggestion
    assert suggestion is None or f"Did you mean {suggestion}" in fault.detail
    assert ("values" in fault.expected) == (code in ("unknown_field", "not_allowed"))


@pytest.mark.parametrize("text", [text for text in WORDY if " " not in text or '"' in text])
def test_words_too_many_are_told_where_they_are(text: str) -> None:
    (fault,) = faults(f"status:open first {text} last")
    assert (fault.offset, fault.length) == (len("status:open first "), len(text))


def test_every_fault_is_told_at_once() -> None:
    assert [each.code for each in faults("statsu:open type:bgu a OR b")] == ["unknown_field", "not_allowed", "reserved"]
    for text in ("x:1 " * 100, "status:" + "x," * 500 + "x", "sort:title " * 100):
        assert len(faults(text)) <= MOST_FAULTS


@pytest.mark.parametrize(
    ("text", "code", "most"),
    [
        ("x" * (LONGEST + 1), "too_long", LONGEST),
        ("字" * (LONGEST_WRITTEN // 9 + 1), "too_long", LONGEST_WRITTEN // 9),
        ("😀" * (LONGEST_WRITTEN // 12 + 1), "too_long", LONGEST_WRITTEN // 12),
        ("x " * (MOST_CLAUSES + 1), "too_many", MOST_CLAUSES),
        *((text, "too_many", MOST_WORDS) for text in WORDY),
        ("tag:" + ",".join("x" * (MOST_VALUES + 1)), "too_many", MOST_VALUES),
    ],
)
def test_a_query_is_bounded(text: str, code: str, most: int) -> None:
    (fault,) = faults(text)
    assert (fault.code, fault.expected) == (code, {"max": most})


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("  status:Open\t tag:HDR  ", "status:open tag:HDR"),
        ('STATUS:"open" project:"Apps"', "status:open project:apps"),
        ('assignee:ME,"me",NONE tag:"none"', 'assignee:me,"me",none tag:"none"'),
        ('title:drift title:"drift"', 'title:drift title:"drift"'),
        ("sort:-updated x", "x sort:-updated"),
        (r'tag:"a\"b\\","c d" "e"', r'tag:"a\"b\\","c d" "e"'),
        ('https://lumen.example/a?b=c 10:30 a::b 5" a-b', 'https://lumen.example/a?b=c 10:30 a::b 5" a-b'),
        ("", ""),
    ],
)
def test_the_canonical_form(text: str, form: str) -> None:
    assert str(parse(text)) == form


def test_a_link_or_a_time_is_text() -> None:
    assert parse("https://lumen.example/").clauses == (Text("https://lumen.example/"),)
    assert parse("-10:30").clauses == (Text("10:30", negated=True),)


# Declarations ------------------------------------------------------------------------------------------------------


def test_words_are_the_contracts() -> None:
    for field in FIELDS.values():
        if field.kind == "word":
            schema: Any = yaml12.read(paths.SPEC / "schemas" / f"{field.type.title().replace('_', '')}.yaml")
            assert field.words == tuple(schema["enum"]), field.name


def test_each_filter_of_the_list_is_a_field_or_part_of_one() -> None:
    listing: Any = yaml12.read(paths.SPEC / "paths" / "tickets.yaml")
    named = {parameter["name"] for parameter in listing["get"]["parameters"] if "name" in parameter}
    filters = named - {"q", SORT, "include"}
    assert {re.sub("_(since|before)$", "", name) for name in filters} <= FIELDS.keys()
    (sort,) = (each for each in listing["get"]["parameters"] if each.get("name") == SORT)
    assert set(sort["schema"]["enum"]) == set(SORTS)
    (query,) = (each for each in listing["get"]["parameters"] if each.get("name") == "q")
    assert query["schema"]["maxLength"] == LONGEST
    for each in query["examples"].values():
        parse(each["value"])


def test_the_guide_has_every_field() -> None:
    """As `fields.table()` gives them."""
    guide = (paths.GUIDES / "queries.md").read_text()
    (found,) = re.findall(r"<!-- fields -->\n(.*)\n<!-- /fields -->", guide, re.DOTALL)
    assert found == "\n".join(table())
    for bound in (LONGEST, LONGEST_WRITTEN, MOST_CLAUSES, MOST_VALUES, MOST_WORDS):
        assert f" {bound:,} " in guide


def test_the_portal_knows_how_long_a_query_may_be() -> None:
    bar = Path(__file__).parents[2] / "src/portal/src/lib/query/bar.svelte.ts"
    assert f"[LONGEST, LONGEST_WRITTEN] = [{LONGEST}, {LONGEST_WRITTEN}];" in bar.read_text()
    assert f"MOST_WORDS, LONGEST] = [20, {MOST_WORDS}, 200];" in bar.with_name("typed.ts").read_text()


def test_parts_that_the_guide_shows_are_parts() -> None:
    guide = (paths.GUIDES / "queries.md").read_text()
    parts, _, rest = guide.partition("## The parts")[2].partition("\n\nTo look in titles")
    (whole,) = re.findall("```text\n(.*)\n```", guide)
    shown = [whole, *re.findall(r"^\| (`.*?`) \|", parts, re.MULTILINE), *re.findall("`([a-z]+:[^`…]+)`", rest)]
    assert len(shown) > 25
    for part in shown:
        for each in part.strip("`").split("`, `"):
            parse(each)


# Against PostgreSQL ------------------------------------------------------------------------------------------------

MANY = 120
ME = UUID(int=1)
ZONE = ZoneInfo("Europe/Berlin")  # In whose 2026 a day of 23 hours is March 29.
ASKER = Asker(
    ME,
    {
        **{name.lower(): [id_ for id_, other in PEOPLE.items() if other == name] for name in PEOPLE.values()},
        **{f"{id_.int}@lumen.example": [id_] for id_ in PEOPLE},
    },
    NOW,
    ZONE,
)
AGENT = Actor(id=ME, requester_id=ME, role="agent", everywhere=True)
UNFILTERED: dict[str, Any] = dict.fromkeys(
    (
        *("project", "type", "status", "resolution", "priority", "severity", "channel", "category", "tags"),
        *("assignee_ids", "requester_ids", "created_since", "created_before", "updated_since", "updated_before"),
        *("external_sources", "external_ids", "words", "numbered", "escalated"),
    )
) | dict.fromkeys(("no_category", "no_assignee", "no_reference"), False)


class Database:
    """Tickets in PostgreSQL and as rows, and one connection to ask by."""

    def __init__(self, url: str, runner: asyncio.Runner) -> None:
        self.runner = runner
        self.conn = runner.run(psycopg.AsyncConnection.connect(url, autocommit=True, row_factory=dict_row))
        self.rows: list[dict[str, Any]] = runner.run(self._rows())

    async def _rows(self) -> list[dict[str, Any]]:
        return await (await self.conn.execute(TEXTS_OF_TICKETS)).fetchall()

    def found(self, query: Query, actor: Actor = AGENT, sort: str = "created", **options: Any) -> list[int]:
        return self.runner.run(self._found(query, actor, sort, **options))

    async def _found(
        self, query: Query, actor: Actor, sort: str, after: Any = None, page_size: int = 1000
    ) -> list[int]:
        people = await names.people(self.conn, actor, query)
        by = reader(actor, people.meant)
        rows = await tickets.read(self.conn, actor, UNFILTERED, query, by, sort=sort, after=after, page_size=page_size)
        return [int(row["number"] or 0) for row in rows]

    def expected(self, query: Query, actor: Actor = AGENT) -> list[int]:
        rows = [row for each in self.rows if (row := seen(each, actor)) and querying.matches(row, query, ASKER)]
        return [row["number"] for row in sorted(rows, key=lambda row: (row["created_at"], row["number"]))]


def reader(actor: Actor, people: Mapping[str, Sequence[UUID]]) -> Reader:
    return Reader(actor.id, people, NOW, ZONE, Staffed(sorted(actor.projects), actor.everywhere))


def seen(row: dict[str, Any], actor: Actor) -> dict[str, Any] | None:
    """A ticket with the text of it that somebody reads, if they may see it."""
    if actor.everywhere or row["project"] in actor.projects:
        return {**row, "text": row["every"]}
    return {**row, "text": row["public"]} if row["requester_id"] == actor.requester_id else None


@pytest.fixture(scope="module")
def database(new_database: Callable[..., str], slowly: None) -> Iterator[Database]:
    url = new_database()
    with psycopg.connect(url, autocommit=True) as conn:
        fill(conn)
    with asyncio.Runner() as runner:
        yield (database := Database(url, runner))
        runner.run(database.conn.close())


def fill(conn: psycopg.Connection[Any]) -> None:
    dice = random.Random(7)  # noqa: S311 - it is no secret
    pick = dice.choice
    for id_, name in PEOPLE.items():
        conn.execute("insert into users (id, name, email) values (%s, %s, %s)", (id_, name, f"{id_.int}@lumen.example"))
    for key in querying.KEYS["project"]:
        conn.execute("insert into projects (key, name, ticket_types) values (%s, 'x', '{bug,support}')", (key,))
        for category in ("movies", "music"):
            conn.execute("insert into categories (project, key, name) values (%s, %s, 'x')", (key, category))
    for number in range(1, MANY + 1):
        status = pick(FIELDS["status"].words)
        type_ = pick(FIELDS["type"].words)
        ended = status in ("resolved", "closed")
        moment = NOW - timedelta(minutes=dice.randrange(15_000), days=30 * pick((0, 0, 0, 1, 2, 5)))
        row = {
            "type": type_,
            "project": pick(querying.KEYS["project"]),
            "category": pick(("movies", "music", None)),
            "title": " ".join(pick(querying.WORDS) for _ in range(dice.randint(1, 4))),
            "description": " ".join(pick(querying.WORDS) for _ in range(dice.randint(1, 3))),
            "status": status,
            "resolution": pick(FIELDS["resolution"].words[1:]) if ended else "none",
            "priority": pick(FIELDS["priority"].words),
            "severity": pick(FIELDS["severity"].words) if type_ == "bug" else "none",
            "tags": dice.sample(("hdr", "two words", "none", 'a"quote'), dice.randint(0, 2)),
            "channel": pick(FIELDS["channel"].words),
            "requester_id": pick([*PEOPLE]),
            "assignee_id": pick([*PEOPLE, None]),
            "external_source": "github:lumen/apps" if number < 5 else None,
            "external_id": str(number) if number < 5 else None,
            "created_at": moment,
            "updated_at": moment + timedelta(minutes=dice.randrange(100)),
            "resolved_at": moment if ended else None,
            "closed_at": moment + timedelta(hours=1) if status == "closed" else None,
        }
        columns, places = ", ".join(row), ", ".join(f"%({name})s" for name in row)
        conn.execute(f"insert into tickets ({columns}) values ({places})".encode(), row)
        if number % 9 == 0:
            conn.execute("insert into escalations (ticket, escalated_at) values (%s, now())", (number,))
        for each in range(dice.randint(0, 2)):
            said = (UUID(int=number * 10 + each), number, ME, pick(querying.WORDS), pick(("public", "internal")))
            conn.execute(
                "insert into comments (id, ticket, author_id, body, visibility) values (%s, %s, %s, %s, %s)", said
            )
    conn.execute(DOCUMENTS)


COMMENT = "insert into comments (id, ticket, author_id, body, visibility) values (%s, %s, %s, %s, %s)"
DOCUMENTS = """
with every as (
    select t.number, d.* from tickets t cross join lateral documents_of(t.number) d
), staff as (
    insert into staff_documents (number, created_at, slice, text)
    select number, created_at, slice, staff_text from every where internal
), public as (
    insert into ticket_documents (number, created_at, slice, internal, text)
    select number, created_at, slice, internal, text from every returning text
)
insert into words
select word, count(*) from public cross join lateral unnest(tsvector_to_array(text)) as w (word) group by word
"""
TEXTS_OF_TICKETS = """
select t.*, number in (select ticket from escalations) as escalated,
       concat_ws(' ', title, description, (select string_agg(body, ' ' order by created_at desc, id desc) from comments
                                            where ticket = number and visibility = 'public')) as public,
       concat_ws(' ', title, description, (select string_agg(body, ' ' order by created_at desc, id desc) from comments
                                            where ticket = number)) as every
  from tickets t
"""


UNORDERED: tuple[Comparison, ...] = ("",)
SINGLE = [
    (field, comparison, text, in_quotes)
    for field in FIELDS.values()
    for comparison in (COMPARISONS if field.ordered else UNORDERED)
    for text in querying.texts_of(field)
    for in_quotes in (False, True)
]


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_agrees_with_the_model_in_every_comparison(database: Database, name: str) -> None:
    """Alone, negated, and beside another value."""
    for field, comparison, text, in_quotes in SINGLE:
        if field.name == name:
            value = querying.value(field, text, comparison, in_quotes)
            other = querying.value(field, querying.texts_of(field)[0], "", False)
            for values in ((value,), (value, other)):
                for negated in (False, True):
                    query = Query((Filter(name, values, negated),))
                    assert database.found(query) == database.expected(query), str(query)


@pytest.mark.parametrize("name", FIELDS)
def test_no_field_matches_all_or_nothing(database: Database, name: str) -> None:
    """So the tests above say something about it."""
    found = {
        len(database.expected(Query((Filter(name, (querying.value(field, text, comparison, in_quotes),)),))))
        for field, comparison, text, in_quotes in SINGLE
        if field.name == name
    }
    assert found - {0, MANY}


@settings(max_examples=300, deadline=None)
@given(query=QUERIES)
def test_every_tree_agrees_with_the_model(database: Database, query: Query) -> None:
    assert database.found(query) == database.expected(query)


@settings(max_examples=100, deadline=None)
@given(query=QUERIES, sort=st.sampled_from(SORTS))
def test_pages_of_a_query_are_all_of_it_in_order(database: Database, query: Query, sort: str) -> None:
    whole = database.found(query, sort=sort)
    rows = {row["number"]: row for row in database.rows}
    walked: list[int] = []
    while True:
        column = SORT_KEYS[sort.lstrip("-")][0].removeprefix("t.")
        after = (rows[walked[-1]][column], walked[-1]) if walked else None
        page = database.found(query, sort=sort, after=after, page_size=40)
        walked += page
        if len(page) < 40:
            break
    assert walked == whole


READERS = [
    AGENT,
    Actor(id=ME, requester_id=ME, role="requester"),
    Actor(id=ME, requester_id=ME, role="requester", organizations=frozenset({"acme"})),
    Actor(id=ME, requester_id=ME, role="agent", projects=frozenset({"alpha"})),
    Actor(),
]


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("reader", READERS)
def test_postgresql_takes_every_combination(database: Database, reader: Actor, sort: str) -> None:
    """Of a field and its forms, a sort, a place and a reader."""
    place = {"created": NOW, "updated": NOW, "priority": "high"}[sort.lstrip("-")]
    for field in FIELDS.values():
        texts = querying.texts_of(field)
        forms = [querying.value(field, texts[0], comparison, False) for comparison in COMPARISONS]
        forms += [querying.value(field, text, "", False) for text in (texts[-1], "none") if text in texts]
        for negated in (False, True):
            filters = [Filter(field.name, (value,), negated) for value in forms]
            query = Query(
                (
                    *filters,
                    Filter(field.name, tuple(forms), negated),
                    Text("x"),
                    Text("y", True),
                    Text("7"),
                    Text("z", begins=True),
                )
            )
            assert set(database.found(query, reader, sort)) <= {row["number"] for row in database.rows}
            database.found(query, reader, sort, after=(place, 7))


TEXT_QUERIES = st.builds(
    lambda texts, filters: Query((*texts, *filters)),
    st.lists(querying.TEXTS, min_size=1, max_size=3),
    st.lists(
        st.sampled_from([*parse("status:open,pending -type:bug priority:>=high created:-1w").clauses]), max_size=2
    ),
).filter(lambda query: bool(sought(query)))
BOUNDS = st.sampled_from([(0, 10_000), (0, 7), (15, 10_000), (2000, 10_000)])


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=TEXT_QUERIES, actor=st.sampled_from(READERS), bounds=BOUNDS, way=st.sampled_from(["created", "-created"]))
def test_hits_are_those_of_the_model_in_order_however_they_are_looked_for(
    database: Database, monkeypatch: pytest.MonkeyPatch, query: Query, actor: Actor, bounds: tuple[int, int], way: str
) -> None:
    """By whomever: in each document, or by the index a month at a time, up to the end or to a bound."""
    monkeypatch.setattr(hits, "FEW", bounds[0])
    monkeypatch.setattr(hits, "SCAN", bounds[1])
    expected = database.expected(query, actor)
    asked = Asked(actor, query, reader(actor, {}))

    async def walked() -> list[int]:
        found: list[int] = []
        place = None
        for _ in range(200):
            part = await hits.by_time(database.conn, asked, sort=way, limit=10, after=place)
            found += part.numbers
            if part.rest is None:
                return found
            place = (part.rest[0], part.rest[1])
        raise AssertionError("it does not end")

    assert database.runner.run(walked()) == (expected if way == "created" else expected[::-1]), str(query)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=TEXT_QUERIES, actor=st.sampled_from(READERS), bounds=BOUNDS)
def test_pages_by_relevance_have_each_hit_once(
    database: Database, monkeypatch: pytest.MonkeyPatch, query: Query, actor: Actor, bounds: tuple[int, int]
) -> None:
    """A window of hits after the other, the best of each first."""
    monkeypatch.setattr(hits, "FEW", bounds[0])
    monkeypatch.setattr(hits, "SCAN", bounds[1])
    monkeypatch.setattr(hits, "RANKED", 12)
    asked = Asked(actor, query, reader(actor, {}))

    async def walked() -> list[int]:
        found: list[int] = []
        begun = hits.FIRST
        for _ in range(200):
            part = await hits.by_rank(database.conn, asked, limit=5, begun=begun)
            found += part.numbers
            if part.rest is None:
                return found
            begun = hits.window(part.rest)
        raise AssertionError("it does not end")

    found = database.runner.run(walked())
    assert sorted(found) == sorted(database.expected(query, actor)), str(query)


@settings(max_examples=300, deadline=None)
@given(query=QUERIES, canary=st.sampled_from(["x'; drop table tickets --", "$1", ":status", "/* key */", "{0}", "%s"]))
def test_no_text_of_a_query_becomes_sql(query: Query, canary: str) -> None:
    """The condition is the same whatever the values are."""

    def told(canary: str) -> Compiled:
        filters = [
            Filter(field.name, tuple(querying.value(field, canary, "", True) for _ in "ab"))
            for field in FIELDS.values()
            if field.kind in ("key", "tag", "text", "person")
        ]
        imported = FIELDS["external_reference"]
        reference = Filter(imported.name, (querying.value(imported, f"{canary}#{canary}", "", True),))
        both = Query((*query.clauses, *filters, reference, Text(f"{canary} x", True)))
        return compiling.condition(both, Reader(ME, {canary: [ME]}, NOW, UTC), "created")

    assert told(canary).text == told("harmless").text
    assert canary not in told(canary).text.replace(compiling.TITLE, "") or canary == "$1"
    assert any(canary in str(value) for value in told(canary).values)


def test_words_of_a_title_are_found_by_the_index(database: Database) -> None:
    async def plan() -> str:
        condition = compiling.condition(parse("title:hdr"), Reader(None, {}, NOW, UTC), "created")
        await database.conn.execute("set enable_seqscan = off")
        text = f"explain select from tickets t where {condition.text}".replace("$1", "'hdr:*'")
        rows = await (await database.conn.execute(text.encode())).fetchall()
        await database.conn.execute("reset enable_seqscan")
        return "\n".join(row["QUERY PLAN"] for row in rows)

    assert "tickets_title" in database.runner.run(plan())


def test_names_of_people_are_found_by_the_index(database: Database) -> None:
    async def plan() -> str:
        await database.conn.execute("set enable_seqscan = off")
        statement: Any = sql.filters.list_people_named
        text = statement.sql.replace("$1", "'{Bo}'").replace("$2", "'{b@c}'")
        rows = await (await database.conn.execute(f"explain {text}".encode())).fetchall()
        await database.conn.execute("reset enable_seqscan")
        return "\n".join(row["QUERY PLAN"] for row in rows)

    told = database.runner.run(plan())
    assert "users_shown_name" in told and "users_email_key" in told
