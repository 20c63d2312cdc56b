"""Shapes: functions that are edited in place, installed as the files have them, while older processes go on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ticketing.db import migrate, queries, shapes

THINGS = """
create table things (id bigint primary key, name text not null);
insert into things values (1, 'ball');
"""
RESOURCE = """-- Things.

-- A thing.
create or replace function thing_resource(t things) returns table (id bigint, name text)
language sql stable rows 1 begin atomic
    select t.id, t.name;
end;

-- The things of a name.
create or replace function named_things(name text) returns setof things language sql stable as $$
    select * from things t where t.name = named_things.name;
$$;
"""
WIDER = RESOURCE.replace("name text)\n", "name text, large boolean)\n").replace("t.id, t.name;", "t.id, t.name, true;")
LOUDER = RESOURCE.replace("t.id, t.name;", "t.id, upper(t.name);")
QUERY = """
-- name: get_thing(id)^
-- returns: Thing
-- A thing.
select r.* from things t cross join lateral thing_resource(t) r where t.id = :id;
"""


@pytest.fixture
def url(new_database: Callable[..., str]) -> str:
    return new_database("template1")


class Release:
    """A folder of migrations and one of shapes, which grow from release to release."""

    def __init__(self, url: str, home: Path) -> None:
        self.url, self.migrations, self.shapes = url, home / "migrations", home / "shapes"
        self.migrations.mkdir()
        self.shapes.mkdir()
        self.migration("0001_things.sql", THINGS)
        self.shape(RESOURCE)

    def migration(self, name: str, text: str) -> None:
        (self.migrations / name).write_text(text)

    def shape(self, text: str, noun: str = "things") -> None:
        (self.shapes / f"{noun}.sql").write_text(text)

    def schema(self) -> migrate.Schema:
        return migrate.read(self.migrations, self.shapes)

    def apply(self, *, finish: bool = False) -> list[str]:
        return asyncio.run(migrate.migrate(self.url, self.schema(), finish=finish))

    def ask(self, what: Callable[..., Any], schema: migrate.Schema | None = None) -> Any:
        async def within() -> Any:
            async with await psycopg.AsyncConnection.connect(self.url, autocommit=True) as conn:
                return await what(conn, schema or self.schema())

        return asyncio.run(within())


@pytest.fixture
def release(url: str, tmp_path: Path) -> Release:
    """The first one, installed."""
    release = Release(url, tmp_path)
    assert release.apply() == ["0001_things", migrate.SHAPES]
    return release


@pytest.fixture
def conn(release: Release) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(release.url, autocommit=True) as conn:
        yield conn


def functions(conn: psycopg.Connection[Any]) -> set[str]:
    rows = conn.execute(
        "select oid::regprocedure::text from pg_proc where pronamespace = current_schema()::regnamespace"
    ).fetchall()
    return {name for (name,) in rows}


def oid(conn: psycopg.Connection[Any], signature: str) -> int:
    row = conn.execute("select to_regprocedure(%s)::oid::bigint", [signature]).fetchone()
    assert row is not None
    return int(row[0])


def value(conn: psycopg.Connection[Any], statement: str) -> Any:
    row = conn.execute(statement.encode()).fetchone()
    assert row is not None
    return row[0]


def test_what_is_installed_is_left_alone(release: Release) -> None:
    assert release.apply() == []
    assert release.ask(migrate.pending) == []
    assert release.ask(migrate.disagreement) is None


def test_a_body_is_replaced_in_place(release: Release, conn: psycopg.Connection[Any]) -> None:
    before = oid(conn, "thing_resource(things)")
    release.shape(LOUDER)
    assert release.ask(migrate.pending) == [migrate.SHAPES]
    assert release.apply() == [migrate.SHAPES]
    assert value(conn, "select (thing_resource(t)).name from things t") == "BALL"
    assert oid(conn, "thing_resource(things)") == before
    assert release.ask(migrate.unfinished) == []


def test_of_a_changed_result_the_old_function_stays_until_the_end(
    release: Release, conn: psycopg.Connection[Any]
) -> None:
    before = oid(conn, "thing_resource(things)")
    release.shape(WIDER)
    assert release.apply() == [migrate.SHAPES]
    assert value(conn, "select (thing_resource(t)).large from things t") is True
    (left,) = release.ask(migrate.unfinished)
    assert left == f"function thing_resource_{before}(things)"
    assert value(conn, f"select (thing_resource_{before}(t)).name from things t") == "ball", "for who has found it"
    assert release.apply(finish=True) == [migrate.RETIRED]
    assert functions(conn) == {"thing_resource(things)", "named_things(text)"}
    assert release.ask(migrate.unfinished) == []


def test_a_function_that_is_gone_from_the_files_stays_until_the_end(
    release: Release, conn: psycopg.Connection[Any]
) -> None:
    release.shape(RESOURCE.partition("-- The things of a name.")[0])
    assert release.apply() == [migrate.SHAPES]
    assert "named_things(text)" in functions(conn)
    release.shape(LOUDER.partition("-- The things of a name.")[0])
    release.apply()
    assert release.apply(finish=True) == [migrate.RETIRED]
    assert functions(conn) == {"thing_resource(things)"}


def test_with_more_arguments_both_stand_side_by_side(release: Release, conn: psycopg.Connection[Any]) -> None:
    release.shape(RESOURCE.replace("named_things(name text)", "named_things(name text, min_id bigint)"))
    release.apply()
    assert {"named_things(text)", "named_things(text,bigint)"} <= functions(conn)
    assert value(conn, "select count(*) from named_things('ball')") == 1
    assert release.apply(finish=True) == [migrate.RETIRED]


@pytest.mark.parametrize("arguments", ["name text, min_id bigint default 0", "name varchar", "called text"])
def test_what_would_make_a_call_ambiguous_makes_room(
    release: Release, conn: psycopg.Connection[Any], arguments: str
) -> None:
    name = arguments.split(maxsplit=1)[0]
    release.shape(
        RESOURCE.replace("(name text) returns setof", f"({arguments}) returns setof").replace(
            "named_things.name", f"named_things.{name}"
        )
    )
    release.apply()
    assert value(conn, "select count(*) from named_things('ball')") == 1
    assert value(conn, f"select count(*) from named_things({name} => 'ball')") == 1
    assert len(release.ask(migrate.unfinished)) == 1
    release.apply(finish=True)
    assert len(functions(conn)) == 2


def test_who_calls_a_changed_function_calls_the_new_one(release: Release, conn: psycopg.Connection[Any]) -> None:
    """And who is left from before, calls the old one: together they are what they were."""
    caller = """
-- What is told of a thing.
create or replace function {name}(t things) returns jsonb language sql stable
return (select to_jsonb(r) from thing_resource(t) r);
"""
    release.shape(caller.format(name="thing_told"), "telling")
    release.apply()
    release.shape(caller.format(name="thing_said"), "telling")
    release.shape(WIDER)
    release.apply()
    assert value(conn, "select thing_said(t) from things t") == {"id": 1, "name": "ball", "large": True}
    assert value(conn, "select thing_told(t) from things t") == {"id": 1, "name": "ball"}
    release.apply(finish=True)
    assert functions(conn) == {"thing_said(things)", "thing_resource(things)", "named_things(text)"}


def test_a_column_of_a_table_needs_no_more_than_its_migration(release: Release, conn: psycopg.Connection[Any]) -> None:
    """Also for functions of an older release, which give rows of the table as it is."""
    release.migration("0002_size.sql", "alter table things add size int not null default 3")
    assert release.apply() == ["0002_size"]
    assert value(conn, "select size from named_things('ball')") == 3


def test_what_a_default_calls_keeps_its_arguments_and_result(release: Release, conn: psycopg.Connection[Any]) -> None:
    default = "-- A name.\ncreate or replace function a_name() returns text language sql stable return 'disc';\n"
    release.shape(default, "names")
    release.apply()
    conn.execute("alter table things alter name set default a_name()")
    release.shape(default.replace("'disc'", "'idea'"), "names")
    release.apply()
    conn.execute("insert into things (id) values (2)")
    assert value(conn, "select name from things where id = 2") == "idea"

    release.shape(default.replace("returns text", "returns varchar"), "names")
    with pytest.raises(shapes.ShapeError, match=r"names.sql, a_name: .* default value for column name of table things"):
        release.apply()
    conn.execute("insert into things (id) values (3)")

    (release.shapes / "names.sql").unlink()
    release.apply()
    with pytest.raises(migrate.MigrationError, match="default value for column name of table things depends on"):
        release.apply(finish=True)
    conn.execute("insert into things (id) values (4)")


def test_functions_of_others_are_left_alone(release: Release, conn: psycopg.Connection[Any]) -> None:
    conn.execute("create function named_things(name text, more text default '') returns text return name")
    conn.execute("create function theirs() returns int return 1")
    release.shape(LOUDER)
    release.apply(finish=True)
    assert {"theirs()", "named_things(text,text)"} <= functions(conn)


def test_what_somebody_dropped_is_made_again(release: Release, conn: psycopg.Connection[Any]) -> None:
    conn.execute("drop function named_things(text)")
    assert "it lacks function named_things(text)" in release.ask(migrate.disagreement)
    assert release.apply() == [migrate.SHAPES]
    assert release.ask(migrate.disagreement) is None


def test_an_older_process_is_content_with_the_functions_of_a_newer_release(release: Release) -> None:
    older = release.schema()
    release.shape(LOUDER)
    assert release.ask(migrate.pending) == [migrate.SHAPES]
    release.apply()
    assert release.ask(migrate.pending, older) == []
    assert "of another release" in release.ask(migrate.disagreement, older)
    release.shape(RESOURCE)
    assert release.apply() == [migrate.SHAPES], "whoever goes back gets back what was there"
    assert release.ask(migrate.disagreement, older) is None


def test_a_function_that_postgresql_refuses_changes_nothing(release: Release, conn: psycopg.Connection[Any]) -> None:
    release.migration("0002_size.sql", "alter table things add size int not null default 3")
    release.shape(RESOURCE.replace("t.id, t.name;", "t.id, t.nome;"))
    with pytest.raises(shapes.ShapeError, match=r"things.sql, thing_resource: PostgreSQL says: .*"):
        release.apply()
    assert release.ask(migrate.pending) == ["0002_size", migrate.SHAPES]
    assert value(conn, "select (thing_resource(t)).name from things t") == "ball"


def test_a_prepared_statement_survives_a_new_column(release: Release, tmp_path: Path) -> None:
    """PostgreSQL refuses to run it, as its result has changed; nobody notices."""
    (tmp_path / "queries.sql").write_text(QUERY)
    things: Any = queries.load(tmp_path / "queries.sql")

    async def within() -> list[Any]:
        async with await psycopg.AsyncConnection.connect(release.url, autocommit=True) as conn:
            found = [await things.get_thing(conn, id=1)]
            release.shape(WIDER)
            await migrate.migrate(release.url, release.schema())
            found += [await things.get_thing(conn, id=1) for _ in range(2)]
            async with conn.transaction():
                found.append(await things.get_thing(conn, id=1))
            release.shape(RESOURCE)
            await migrate.migrate(release.url, release.schema())
            return [*found, *[await things.get_thing(conn, id=1) for _ in range(2)]]

    thing = {"id": 1, "name": "ball"}
    assert asyncio.run(within()) == [thing, *[thing | {"large": True}] * 3, thing, thing]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("create table t ();\n", "'create table t .*' begins neither `create or replace function` nor `… view`"),
        (RESOURCE + "drop table things;\n", "'drop table things;' begins neither"),
        ("create function f() returns int return 1;\n", "begins neither `create or replace function`"),
        ("create or replace function f() returns int\nreturn 1", "f has no end"),
        ("create or replace function f() returns int language sql as $$\nselect 1;\n", "f has no end"),
        (RESOURCE + RESOURCE, r"both define thing_resource\(things\)"),
    ],
)
def test_a_file_has_nothing_but_functions(release: Release, text: str, message: str) -> None:
    release.shape(text)
    with pytest.raises(shapes.ShapeError, match=message):
        release.schema()


def test_functions_that_call_each_other_cannot_be_made(release: Release) -> None:
    release.shape("create or replace function a() returns int return b();\n", "a")
    release.shape("create or replace function b() returns int return a();\n", "b")
    with pytest.raises(shapes.ShapeError, match="use each other"):
        release.schema()


def test_a_signature_is_read_whatever_its_arguments_look_like(release: Release, conn: psycopg.Connection[Any]) -> None:
    release.shape(
        "-- It has everything.\ncreate or replace function f(\n    a text default 'x, (y', b numeric(10, 2) = 1,\n"
        "    variadic c double precision[] default '{}')\nreturns int language plpgsql as $body$\nbegin\n"
        "    return 1; -- Here ends nothing;\nend;\n$body$;\n",
        "everything",
    )
    release.apply()
    assert "f(text,numeric,double precision[])" in functions(conn)
    assert [shape.description for shape in release.schema().shapes.shapes if shape.name == "f"] == [
        "It has everything."
    ]


RUN = {
    "claim_idempotency_key": "select claim_idempotency_key(gen_random_uuid(), 'key', 'x', gen_random_uuid())",
    "claim_jobs": "select claim_jobs(array[enqueue_job('sample', '{}', ordering_key => 'one')], '1 minute')",
    "count_words": "select count_words('{a,b}', '{1,-1}')",
    "document": "select document('de', 'a', 'b', 'c')",
    "erase_documents": "select erase_documents('{1}')",
    "events_back": "select events_back(now(), gen_random_uuid(), null, apart, 9) from unnest('{t,f}'::bool[]) apart",
    "keep_an_admin": "update users set active = false where name = 'a'",
    "log_id": "select log_id(pg_current_xact_id())",
    "log_page": "select log_page('0', 0, 10, 1000)",
    "mend_event_log": "select mend_event_log()",
    "next_event_sequence": "select next_event_sequence()",
    "note_audience": "insert into events (id, type, internal, data) values (gen_random_uuid(), 'x', true, '{}')",
    "search_letters": "select search_letters('数据库 é')",
    "search_parts": "select search_parts('数据库 aB')",
}


def test_every_function_in_plpgsql_has_run(new_database: Callable[..., str]) -> None:
    """When it is made, PostgreSQL looks at nothing but its syntax."""
    with psycopg.connect(new_database()) as conn:
        rows = conn.execute(
            "select proname from pg_proc p join pg_language l on l.oid = p.prolang"
            " where lanname = 'plpgsql' and pronamespace = current_schema()::regnamespace order by 1"
        ).fetchall()
        assert [name for (name,) in rows] == sorted(RUN)
        conn.execute(
            "insert into users (id, name, role)"
            " select gen_random_uuid(), name, 'admin' from unnest('{a,b}'::text[]) name"
        )
        conn.execute("insert into events (id, type, data) values (gen_random_uuid(), 'x', '{}')")
        conn.execute("update events set transaction_id = '1000000000'")
        for statement in RUN.values():
            conn.execute(statement.encode())


def test_a_view_is_a_shape_as_well(release: Release, conn: psycopg.Connection[Any]) -> None:
    view = "-- Names.\ncreate or replace view names (name) as\nselect name from things;\n"
    user = "-- A name.\ncreate or replace function a_name() returns text return (select max(name) from names);\n"
    release.shape(user, "a")
    release.shape(view, "b")
    release.apply()
    assert value(conn, "select a_name()") == "ball"

    release.shape(view.replace("select name", "select upper(name)"), "b")
    release.apply()
    assert value(conn, "select a_name()") == "BALL"
    assert release.ask(migrate.unfinished) == [], "it was replaced in place"

    before = oid(conn, "a_name()")
    release.shape(view.replace("select name", "select id, name").replace("(name)", "(id, name)"), "b")
    release.apply()
    assert value(conn, "select a_name()") == "ball"
    assert oid(conn, "a_name()") == before
    (left,) = release.ask(migrate.unfinished)
    assert left.startswith("view names_")

    (release.shapes / "a.sql").unlink()
    (release.shapes / "b.sql").unlink()
    release.apply()
    assert len(release.ask(migrate.unfinished)) == 3
    assert release.apply(finish=True) == [migrate.RETIRED]
    assert value(conn, "select count(*) from pg_class where relkind = 'v' and relname like 'names%'") == 0
