"""The adapter under every query, and the checker that proves the queries against the schema and the contract."""

from __future__ import annotations

import asyncio
import importlib.util
import re
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg
import pytest

from ticketing.db import queries, shapes
from ticketing.ground import paths

THINGS = """
-- name: get_thing(id)^
-- returns: Thing
-- One thing.
select id, name, kind from things where id = :id;

-- name: list_things(kind, name)
-- returns: Thing
-- Things of a kind, or of any.
select id, name, kind from things where (:kind::kind is null or kind = :kind) and name like :name order by id;

-- name: count_things()$
-- How many there are.
select count(*) from things;

-- name: rename_things(name, id)!
-- Rename one; the text in quotes is ':id', and 50% of it is :: signs.
update things set name = :name || ' :id 50% ::' where id = :id and :name <> '';
"""


@pytest.fixture(scope="module")
def url(new_database: Callable[..., str]) -> str:
    """A database with three things."""
    url = new_database("template1")
    with psycopg.connect(url) as conn:
        conn.execute("create type kind as enum ('round', 'flat')")
        conn.execute("create table things (id bigint primary key, name text not null, kind kind)")
        conn.execute("insert into things values (1, 'ball', 'round'), (2, 'disc', 'flat'), (3, 'idea', null)")
    return url


@pytest.fixture
def things(tmp_path: Path) -> Any:
    """The queries above."""
    path = tmp_path / "things.sql"
    path.write_text(THINGS)
    return queries.load(path)


def run(url: str, work: Callable[[psycopg.AsyncConnection[Any]], Awaitable[Any]]) -> Any:
    async def within() -> Any:
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
            return await work(conn)

    return asyncio.run(within())


def test_one_row_is_a_dict_or_none(url: str, things: Any) -> None:
    assert run(url, lambda conn: things.get_thing(conn, id=1)) == {"id": 1, "name": "ball", "kind": "round"}
    assert run(url, lambda conn: things.get_thing(conn, id=9)) is None


def test_many_rows_are_a_list(url: str, things: Any) -> None:
    rows = run(url, lambda conn: things.list_things(conn, kind=None, name="%"))
    assert [row["id"] for row in rows] == [1, 2, 3]
    assert run(url, lambda conn: things.list_things(conn, kind="flat", name="%")) == [
        {"id": 2, "name": "disc", "kind": "flat"}
    ]
    assert run(url, lambda conn: things.list_things(conn, kind="flat", name="b%")) == []


def test_a_value_is_bare(url: str, things: Any) -> None:
    assert run(url, things.count_things) == 3


def test_a_change_gives_its_row_count_and_quotes_are_left_alone(url: str, things: Any) -> None:
    async def work(conn: psycopg.AsyncConnection[Any]) -> tuple[int, int, str]:
        changed = await things.rename_things(conn, id=3, name="plan")
        return (
            changed,
            await things.rename_things(conn, id=9, name="x"),
            (await things.get_thing(conn, id=3))["name"],
        )

    assert run(url, work) == (1, 0, "plan :id 50% ::")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "misses the parameter 'id'"),
        ({"id": 1, "name": "x"}, "has no parameter name"),
        ({"number": 1}, "misses the parameter 'id'"),
    ],
)
def test_parameters_are_those_declared(url: str, things: Any, given: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        run(url, lambda conn: things.get_thing(conn, **given))


def test_all_but_filtered_lists_are_prepared(url: str, things: Any) -> None:
    async def work(conn: psycopg.AsyncConnection[Any]) -> str:
        await things.get_thing(conn, id=1)
        await things.list_things(conn, kind=None, name="%")
        cursor = await conn.execute("select string_agg(statement, ' ') from pg_prepared_statements")
        return str(await cursor.fetchone())

    prepared = run(url, work)
    assert "where id = $1" in prepared and "order by id" not in prepared


def test_a_list_is_prepared_when_no_filter_is_left(url: str, tmp_path: Path) -> None:
    path = tmp_path / "things.sql"
    path.write_text(
        "-- name: list_things(kind, staff, after, page_size)\n"
        "-- Some of the things.\n"
        "select id from things where (:kind::kind is null or kind = :kind::kind) and :staff\n"
        "   and (:after::bigint is null or id > :after) order by id limit :page_size;\n"
    )
    listing: Any = queries.load(path)

    async def work(conn: psycopg.AsyncConnection[Any]) -> list[Any]:
        rows = [
            await listing.list_things(conn, kind=kind, staff=True, after=after, page_size=2)
            for kind, after in (("round", None), (None, None), (None, 1))
        ]
        cursor = await conn.execute("select statement from pg_prepared_statements order by length(statement)")
        return [rows, await cursor.fetchall()]

    rows, prepared = run(url, work)
    assert [[row["id"] for row in page] for page in rows] == [[1], [1, 2], [2, 3]]
    assert len(prepared) == 2
    assert all("null::kind is null" in text and "limit 2" in text for (text,) in prepared)


def test_a_list_says_what_is_written_into_it_and_what_does_not_decide_on_its_plan(url: str, tmp_path: Path) -> None:
    path = tmp_path / "things.sql"
    path.write_text(
        "-- name: list_things(ids, most)\n"
        "-- Some of the things.\n"
        "-- literal: most\n"
        "-- steady: ids\n"
        "select id from things where id = any(:ids::bigint[]) order by id limit :most;\n"
    )
    listing: Any = queries.load(path)

    async def work(conn: psycopg.AsyncConnection[Any]) -> list[Any]:
        rows = [await listing.list_things(conn, ids=ids, most=1) for ids in ([2, 3], [1, 2])]
        cursor = await conn.execute("select statement from pg_prepared_statements")
        return [rows, await cursor.fetchall()]

    rows, [(prepared,)] = run(url, work)
    assert rows == [[{"id": 2}], [{"id": 1}]]
    assert "any($1::bigint[]) order by id limit 1" in prepared


def test_a_compiled_part_is_written_into_a_list_and_its_values_are_parameters(url: str, tmp_path: Path) -> None:
    path = tmp_path / "things.sql"
    path.write_text(
        "-- name: list_things(name, condition, order)\n"
        "-- Some of the things.\n"
        "-- compiled: condition, order\n"
        "select id from things where name <> :name and (:condition) order by :order;\n"
    )
    listing: Any = queries.load(path)

    async def work(conn: psycopg.AsyncConnection[Any]) -> list[Any]:
        found = []
        for name, condition in (
            ("", queries.Compiled("id < $2::int and name <> $1", ("idea", 3))),
            ("disc", queries.Compiled("true")),
            ("'", queries.Compiled("name <> $1 or name = $1", ("$1 /* order */ :name",))),
        ):
            rows = await listing.list_things(conn, name=name, condition=condition, order=queries.Compiled("id desc"))
            found.append([row["id"] for row in rows])
        cursor = await conn.execute("select count(*) from pg_prepared_statements")
        return [*found, await cursor.fetchone()]

    assert run(url, work) == [[2, 1], [3, 1], [3, 2, 1], (0,)]


LOCKING = """
-- name: {name}(id)^
-- Locks.
{text};
"""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("get_thing", "select id from things where id = :id for update"),
        ("get_thing", "select id from things where id = :id\n   FOR NO KEY\n  UPDATE of things skip locked"),
        ("get_thing", "select id from things where id = :id for share"),
        ("get_thing", "with one as (select id from things where id = :id for key share) select * from one"),
        ("get_thing", "select pg_advisory_xact_lock(:id)"),
        ("lock_thing", "select id from things where id = :id"),
        ("lock_thing", "select id from things where id = :id -- for update"),
        ("lock_thing", "select id from things where id = :id and name <> ' for update'"),
        ("lock_thing", "update things set name = '' where id = :id returning id"),
        (
            "lock_thing",
            "with one as (select id from things for update) update things t set name = '' from one returning :id",
        ),
    ],
)
def test_what_locks_and_changes_nothing_is_called_so(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / "things.sql"
    path.write_text(LOCKING.format(name=name, text=text))
    with pytest.raises(ValueError, match=f"{name}: what locks rows and changes nothing is called lock_"):
        queries.load(path)
    other = "get_thing" if name == "lock_thing" else "lock_thing"
    path.write_text(LOCKING.format(name=other, text=text))
    queries.load(path)


def test_a_lock_is_refused_outside_a_transaction(url: str, tmp_path: Path) -> None:
    path = tmp_path / "things.sql"
    path.write_text(LOCKING.format(name="lock_thing", text="select id from things where id = :id for update"))
    locking: Any = queries.load(path)

    async def within(conn: psycopg.AsyncConnection[Any]) -> Any:
        async with conn.transaction():
            return await locking.lock_thing(conn, id=1)

    assert run(url, within) == {"id": 1}
    with pytest.raises(RuntimeError, match=r"lock_thing\(\) is called outside a transaction"):
        run(url, lambda conn: locking.lock_thing(conn, id=1))


def test_other_operations_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "things.sql"
    path.write_text("-- name: add_things(id)*!\n-- Add many.\ninsert into things (id) values (:id);\n")
    with pytest.raises(ValueError, match="add_things: this operation is not supported"):
        queries.load(path)


# The checker -------------------------------------------------------------------------------------------------------


SCRIPT = Path(__file__).parents[2] / "scripts" / "sqltypes.py"


def test_in_a_list_no_test_is_left_of_whether_a_value_is_given() -> None:
    """No index can be used for `$1 is null or id > $1`: planned for all values at once, it reads from the beginning."""
    text = "".join(path.read_text() for path in paths.QUERIES.glob("*.sql"))
    lists = dict(re.findall(r"-- name: (list_\w+)\(.*\n((?:.+\n)+)", text))
    assert len(lists) == text.count("-- name: list_") > 30
    for name, each in lists.items():
        written, _ = queries.parameters(each, ())
        assert re.findall(r"\$\d+\S* is null", written) == [], name


@pytest.fixture(scope="module")
def sqltypes() -> ModuleType:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("sqltypes", SCRIPT)
    assert spec and spec.loader
    module = sys.modules["sqltypes"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_our_queries_are_in_order_and_their_types_fresh(
    new_database: Callable[..., str], sqltypes: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sqltypes.judge(new_database(), write=False) == 0, capsys.readouterr().err


@pytest.fixture
def check(url: str, sqltypes: ModuleType, tmp_path: Path) -> Callable[..., tuple[str, list[str]]]:
    """The stub that a text of queries makes, and the faults found; schemas are YAML by name."""

    def check(text: str, **schemas: str) -> tuple[str, list[str]]:
        (tmp_path / "things.sql").write_text(text)
        for name, schema in schemas.items():
            (tmp_path / f"{name}.yaml").write_text(schema)
        faults: list[str] = []
        with psycopg.connect(url) as conn:
            stub = sqltypes.stub(tmp_path, sqltypes.Catalog(conn), sqltypes.Contract(tmp_path), faults)
        return stub, faults

    return check


THING = """
type: object
properties:
  id: {type: integer}
  name: {type: string}
  kind: {anyOf: [{$ref: Kind.yaml}, {type: 'null'}]}
"""
KIND = "{type: string, enum: [flat, round]}"


def test_the_stub_has_rows_words_and_methods(check: Callable[..., tuple[str, list[str]]]) -> None:
    stub, faults = check(THINGS, Thing=THING, Kind=KIND)
    assert faults == []
    assert 'Kind: TypeAlias = Literal["round", "flat"]' in stub
    assert "class Thing(TypedDict):\n    id: int\n    name: str\n    kind: Kind | None\n" in stub
    assert "        id: int,\n    ) -> Thing | None:\n        " + '"""One thing."""' in stub
    assert "        kind: Kind | None,\n        name: str,\n    ) -> list[Thing]:" in stub
    assert ") -> int:" in stub and stub.endswith("\nthings: _Things")
    compile(stub, "sql.pyi", "exec")


def test_without_a_schema_the_catalog_says_what_may_be_null(
    check: Callable[..., tuple[str, list[str]]],
) -> None:
    stub, faults = check(THINGS)
    assert faults == []
    assert "class Thing(TypedDict):\n    id: int\n    name: str\n    kind: Kind | None\n" in stub


ONE = "-- name: get_thing(id)^\n-- returns: Thing\n-- One thing.\nselect {} from things where id = :id;\n"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (ONE.format("id, title"), 'column "title" does not exist'),
        (ONE.format("id, name"), "is not the contract's Thing: kind"),
        (ONE.format("id, name, kind, 1 as extra"), "is not the contract's Thing: extra"),
        (ONE.format("id::text, name, kind"), "gives str for Thing.id"),
        (ONE.format("id, now() as name, kind"), "gives datetime for Thing.name"),
        (ONE.format("id, name, kind").replace("-- returns: Thing\n", ""), "needs a line `-- returns: Row`"),
        (ONE.format("id, name, kind").replace("-- One thing.\n", ""), "has no description"),
        (ONE.format("id, name, kind").replace("-- One", "-- nullable: ix\n-- One"), "calls nullable .* ix"),
        (ONE.format("id, name, kind").replace("-- One", "-- compiled: ix\n-- One"), "calls compiled .* ix"),
        (ONE.format("id, name, kind").replace("id = :id", "id = :id::box"), "operator does not exist"),
        (ONE.format("id, name, kind").replace("id = :id", ":id::money > 1::money"), "the type money"),
        (THINGS.replace("How many", "How many\n-- returns: Thing"), "does not return Thing"),
        (ONE.format("id, kind as id"), "gives the same name to several columns"),
        (THINGS.replace("count(*)", "1 as a, 2 as b"), "gives 2 columns instead of one value"),
    ],
)
def test_a_fault_is_found(check: Callable[..., tuple[str, list[str]]], text: str, fault: str) -> None:
    _, faults = check(text, Thing=THING, Kind=KIND)
    assert len(faults) == 1
    assert faults[0].startswith("things.sql, ")
    with pytest.raises(AssertionError, match=fault):
        raise AssertionError(faults[0])


def test_a_compiled_part_is_typed_as_such(check: Callable[..., tuple[str, list[str]]]) -> None:
    text = ONE.format("id, name, kind").replace("-- One", "-- compiled: part\n-- One")
    stub, faults = check(text.replace("(id)", "(id, part)").replace("= :id", "= :id and (:part) order by :part"))
    assert faults == []
    assert "part: Compiled," in stub


def test_queries_with_one_row_name_give_one_row(check: Callable[..., tuple[str, list[str]]]) -> None:
    text = ONE.format("id, name") + ONE.format("id, kind").replace("get_thing", "take_thing")
    assert check(text)[1] == ["things.sql, take_thing: does not give the Thing that others do: kind, name"]


def test_words_are_the_contracts(check: Callable[..., tuple[str, list[str]]]) -> None:
    _, faults = check(ONE.format("id"), Kind="{type: string, enum: [flat, round, long]}")
    assert faults == ["the type Kind has other words than the contract: long"]


def test_what_nobody_uses_is_found(sqltypes: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "things.sql").write_text(THINGS)
    (tmp_path / "things.py").write_text("sql.things.get_thing, sql.things.list_things_by_name, sql.things.count_things")
    assert sqltypes.unused(tmp_path, tmp_path) == [
        "things.sql, list_things: is not used",
        "things.sql, rename_things: is not used",
    ]


ALL = "-- All.\ncreate or replace function f() returns setof things language sql as 'select * from things';"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("create or replace function f() returns int return 1;", "f: has no sentence above it"),
        ("-- One, and\n-- two.\ncreate or replace function f() returns int return 1;", "f: has no sentence above it"),
        ("-- One.\ncreate or replace function g() returns int return 1;", "g: is not used"),
        (
            "-- One.\ncreate or replace function f() returns int language sql as 'select 1';",
            "f: has a body that PostgreSQL does not track",
        ),
        (
            ALL.replace("as 'select", "begin atomic select").replace("';", "; end;"),
            "f: would keep the table's columns of today",
        ),
        ("-- One.\ncreate or replace function f() returns int return 1;\n", None),
        (ALL, None),
    ],
)
def test_a_function_is_checked_like_a_query(
    url: str, sqltypes: ModuleType, tmp_path: Path, text: str, fault: str | None
) -> None:
    (tmp_path / "things.sql").write_text(f"{text}\n")
    (tmp_path / "things.py").write_text("f()")
    with psycopg.connect(url) as conn, conn.transaction(force_rollback=True):
        (shape,) = shapes.load(tmp_path).shapes
        conn.execute(shape.text.encode())
        faults = list(sqltypes.shape_faults(conn, [shape], tmp_path / "none", tmp_path))
        assert [each.startswith(f"shapes/things.sql, {fault}") for each in faults] == ([True] if fault else [])


def test_a_migration_makes_no_function(url: str, sqltypes: ModuleType, tmp_path: Path) -> None:
    with psycopg.connect(url) as conn, conn.transaction(force_rollback=True):
        conn.execute("create function f(int, text) returns int return 1")
        assert list(sqltypes.shape_faults(conn, [], tmp_path, tmp_path)) == [
            "a migration makes the function f(integer,text), which belongs in sql/shapes"
        ]
