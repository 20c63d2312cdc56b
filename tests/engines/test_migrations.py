"""Migrations: applied once and in order, whoever else does so at the same time, or refused with a reason."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import RFC_4122

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from conftest import await_
from pooling import pooled
from ticketing.db import migrate, sessions
from ticketing.ground import paths

EMPTY = "template1"
LAST_WITH_FUNCTIONS = "0014"


@pytest.fixture
def url(new_database: Callable[..., str]) -> str:
    """An empty database."""
    return new_database(EMPTY)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two migrations."""
    (tmp_path / "0001_things.sql").write_text("create table things (id int);\ninsert into things values (1);\n")
    (tmp_path / "0002_names.sql").write_text("alter table things add name text not null default '100%';\n")
    return tmp_path


def of(folder: Path) -> migrate.Schema:
    """The schema of a folder: ours, or one without functions."""
    return migrate.ours() if folder == paths.MIGRATIONS else migrate.read(folder, folder / "none")


def apply(url: str, folder: Path, *, finish: bool = False) -> list[str]:
    done = asyncio.run(migrate.migrate(url, of(folder), finish=finish))
    return done if folder == paths.MIGRATIONS else [name for name in done if name != migrate.SHAPES]


def state(url: str, folder: Path) -> tuple[str | None, list[str]]:
    async def ask() -> tuple[str | None, list[str]]:
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
            return await migrate.current(conn), await migrate.pending(conn, of(folder))

    current, pending = asyncio.run(ask())
    return current, pending if folder == paths.MIGRATIONS else [name for name in pending if name != migrate.SHAPES]


def copied(folder: Path, last: str) -> Path:
    """Our migrations up to one."""
    for path in paths.MIGRATIONS.glob("*.sql"):
        if path.name[:4] <= last:
            shutil.copy(path, folder)
    return folder


def test_ours_build_a_database(url: str) -> None:
    files = sorted(
        (path.stem for path in paths.MIGRATIONS.glob("*.sql")), key=lambda name: (name.endswith(".post"), name)
    )
    done = apply(url, paths.MIGRATIONS)
    assert [name for name in done if name in files] == sorted(files, key=lambda name: name.endswith(".post"))
    assert migrate.SHAPES in done
    assert state(url, paths.MIGRATIONS) == (max(files), [])


def test_an_extension_that_the_role_may_not_add_is_named_with_what_to_do(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        names = {"name": sql.Identifier(conn.info.dbname), "role": sql.Identifier(conn.info.user)}
        conn.execute(sql.SQL("revoke create on database {name} from {role}").format(**names))
        with pytest.raises(migrate.MigrationError, match=r"extension unaccent.*grant create on database"):
            apply(url, paths.MIGRATIONS)
        assert conn.execute("select to_regclass('tickets')").fetchone() == (None,)
        conn.execute(sql.SQL("grant create on database {name} to {role}").format(**names))
    assert migrate.SHAPES in apply(url, paths.MIGRATIONS)


def definitions(url: str, schema: str = "public") -> dict[str, str]:
    """How PostgreSQL writes each function of a schema."""
    with psycopg.connect(url, options=f"-c search_path={schema},public") as conn:
        rows = conn.execute(
            "select oid::regprocedure::text, pg_get_functiondef(oid) from pg_proc"
            " where pronamespace = %s::regnamespace"
            "   and not exists (select from pg_depend d where d.objid = pg_proc.oid and d.deptype = 'e')",
            [schema],
        ).fetchall()
    return {name: text.replace(f"FUNCTION {schema}.", "FUNCTION ") for name, text in rows}


def columns(url: str) -> list[Any]:
    with psycopg.connect(url) as conn:
        return conn.execute(
            "select c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,"
            "       pg_get_expr(d.adbin, d.adrelid)"
            "  from pg_class c join pg_attribute a on a.attrelid = c.oid"
            "  left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum"
            " where c.relnamespace = 'public'::regnamespace and a.attnum > 0 and not a.attisdropped"
            " order by 1, 2"
        ).fetchall()


def test_a_new_database_an_upgraded_one_and_the_files_have_the_same_functions(
    url: str, new_database: Callable[..., str], tmp_path: Path
) -> None:
    new = new_database()
    apply(url, copied(tmp_path, LAST_WITH_FUNCTIONS))
    apply(url, paths.MIGRATIONS, finish=True)
    assert definitions(url) == definitions(new)
    assert columns(url) == columns(new)
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("create schema files")
        conn.execute("set search_path = files, public")
        for shape in migrate.ours().shapes.shapes:
            conn.execute(shape.text.encode())
    assert definitions(url, "files") == definitions(new)


def test_a_log_that_was_mended_before_the_upgrade_goes_on(url: str, tmp_path: Path) -> None:
    apply(url, copied(tmp_path, LAST_WITH_FUNCTIONS))
    insert = "insert into events (id, type, data) values (gen_random_uuid(), 'x', '{}') returning transaction_id::text"
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("update events set transaction_id = '1000000000'")
        conn.execute(
            "insert into events (id, type, data, transaction_id) values (gen_random_uuid(), 'x', '{}', '1000000000')"
        )
        assert conn.execute("select mend_event_log()").fetchone() == (True,)
        before = conn.execute(insert).fetchone()
        apply(url, paths.MIGRATIONS)
        after = conn.execute(insert).fetchone()
        assert before and after
        assert int(after[0]) - int(before[0]) < 1000
        assert conn.execute("select mend_event_log()").fetchone() == (False,)


def test_the_tokens_of_inactive_users_have_ended(url: str, tmp_path: Path) -> None:
    apply(url, copied(tmp_path, "0008"))
    now, other = "now()", "now() - interval '1 day'"
    with psycopg.connect(url, autocommit=True) as conn:
        for name, active, revoked_at, expires_at in (
            ("holds", True, "null", "null"),
            ("ends", False, "null", "null"),
            ("had ended", False, other, "null"),
            ("had expired", False, "null", now),
        ):
            conn.execute(
                "with u as (insert into users (id, name, active)"
                f" values (gen_random_uuid(), 'x', {active}) returning id)"
                " insert into tokens (id, user_id, name, hash, prefix, scopes, revoked_at, expires_at)"
                f" select gen_random_uuid(), id, '{name}', sha256('{name}'), 'x', '{{admin}}', {revoked_at},"
                f" {expires_at}"
                " from u".encode()
            )
        apply(url, paths.MIGRATIONS)
        told = conn.execute("select type, audience::text, actor_id, data ->> 'name', previous from events").fetchall()
        assert told == [("token.revoked", "internal", None, "ends", {"revoked_at": None})]
        revoked = conn.execute("select name from tokens where revoked_at is not null order by name").fetchall()
        assert revoked == [("ends",), ("had ended",)]


def test_endpoints_that_name_only_what_is_for_staff_keep_what_they_got(url: str, tmp_path: Path) -> None:
    """Others do not get internal comments besides, as they would with `include_internal`."""
    for path in sorted(paths.MIGRATIONS.glob("*.sql"))[:14]:
        shutil.copy(path, tmp_path)
    apply(url, tmp_path)
    named = {
        "watcher": "{webhook.failing,user.created}",
        "mixed": "{webhook.failing,comment.created}",
        "everything": "{}",
    }
    with psycopg.connect(url, autocommit=True) as conn:
        for name, types in named.items():
            conn.execute(
                "insert into webhook_endpoints (id, url, description, event_types)"
                " values (gen_random_uuid(), 'https://x.example', %s, %s)",
                (name, types),
            )
        apply(url, paths.MIGRATIONS)
        internal = conn.execute("select description from webhook_endpoints where include_internal").fetchall()
        assert internal == [("watcher",)]
        told = conn.execute("select type, data ->> 'include_internal', previous from events").fetchall()
        assert told == [("webhook.updated", "true", {"include_internal": False})]


def test_issues_that_were_imported_under_several_names_of_a_repository_keep_one(url: str, tmp_path: Path) -> None:
    apply(url, copied(tmp_path, "0008"))
    names = ["Octo/Cat 1", "octo/cat 1", "OCTO/Dog 1", "Octo/Dog 1", "octo/bird 1", "Octo/Bird 1", "Octo/Cat 2"]
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("insert into projects (key, name, ticket_types) values ('desk', 'P', '{bug}')")
        conn.execute("insert into users (id, name) values (gen_random_uuid(), 'x')")
        for name in names:
            source, number = name.split()
            conn.execute(
                "insert into tickets (type, project, title, description, requester_id, external_source, external_id)"
                " select 'bug', 'desk', 'x', '', id, %s, %s from users",
                (f"github:{source}", number),
            )
        apply(url, paths.MIGRATIONS)
        bear = "select substring(external_source from 8) || ' ' || external_id from tickets order by number"
        found = [row[0] for row in conn.execute(bear).fetchall()]
        assert found == ["Octo/Cat 1", "octo/cat 1", "octo/dog 1", "Octo/Dog 1", "octo/bird 1", "Octo/Bird 1",
                         "octo/cat 2"]  # fmt: skip
        same = "select from tickets t join imported_issues i on i.ticket = t.number and i.source = t.external_source"
        assert conn.execute(same).rowcount == len(names)


def test_tickets_of_before_get_an_id_of_the_moment_in_which_they_were_opened(url: str, tmp_path: Path) -> None:
    apply(url, copied(tmp_path, LAST_WITH_FUNCTIONS))
    opened = "'2020-01-01Z'::timestamptz + number * interval '1 hour'"
    insert = (
        "insert into tickets (number, type, project, title, description, requester_id, created_at)"
        " overriding system value select"
    )
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("insert into users (id, name) values (gen_random_uuid(), 'x')")
        conn.execute("insert into projects (key, name, ticket_types) values ('desk', 'Desk', '{bug}')")
        conn.execute(
            f"{insert} number, 'bug', 'desk', 'x', '', u.id, {opened}"
            " from users u, unnest(array[1, 999, 1000, 1001, 1999, 2000, 4321]) as number".encode()
        )
        apply(url, paths.MIGRATIONS)
        conn.execute(f"{insert} 9999, 'bug', 'desk', 'x', '', u.id, now() from users u".encode())
        rows = conn.execute("select id, created_at from tickets order by number").fetchall()
        assert len({id_ for id_, _ in rows}) == 8
        for id_, created_at in rows:
            assert (id_.version, id_.variant) == (7, RFC_4122)
            assert abs((id_.int >> 80) / 1000 - created_at.timestamp()) < 5, "from 18 on, uuid_extract_timestamp"
        with pytest.raises(psycopg.errors.UniqueViolation):
            conn.execute("update tickets set id = %s where number = 9999", [rows[0][0]])


def test_a_step_outside_a_transaction_may_have_a_body_and_transactions_of_its_own(url: str, folder: Path) -> None:
    body = "do $$\nbegin\n    insert into things values (2);\n    commit;\nend;\n$$;\ninsert into things values (3);\n"
    (folder / "0003_more.sql").write_text(f"-- transaction: none\n{body}")
    apply(url, folder)
    with psycopg.connect(url) as conn:
        assert conn.execute("select id from things order by id").fetchall() == [(1,), (2,), (3,)]


def test_an_admin_who_is_inactive_may_become_something_else(url: str) -> None:
    """Even if there is no other: nothing is lost with them."""
    apply(url, paths.MIGRATIONS)
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("insert into users (id, name, role, active) values (gen_random_uuid(), 'x', 'admin', false)")
        assert conn.execute("update users set role = 'agent'").rowcount == 1
        conn.execute("update users set role = 'admin', active = true")
        with pytest.raises(psycopg.errors.CheckViolation):
            conn.execute("update users set active = false")


@pytest.mark.parametrize("last", ["", LAST_WITH_FUNCTIONS])
def test_a_database_is_set_up_and_upgraded_without_an_error_in_its_log(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: str
) -> None:
    """Each error that PostgreSQL answers is a line in its log as well."""
    refused = []
    execute = psycopg.AsyncCursor.execute

    async def recorded(self: Any, *arguments: Any, **options: Any) -> Any:
        try:
            return await execute(self, *arguments, **options)
        except psycopg.Error as error:
            refused.append(str(error))
            raise

    monkeypatch.setattr(psycopg.AsyncCursor, "execute", recorded)
    assert state(url, paths.MIGRATIONS)[0] is None
    if last:
        apply(url, copied(tmp_path, last))
    assert apply(url, paths.MIGRATIONS, finish=True)[-4:] == [
        migrate.RETIRED,
        "0022_token_scope.post",
        "0026_finished_jobs.post",
        "0047_lists.post",
    ]
    assert refused == []


def test_each_is_applied_once(url: str, folder: Path) -> None:
    assert state(url, folder) == (None, ["0001_things", "0002_names"])
    assert apply(url, folder) == ["0001_things", "0002_names"]
    assert apply(url, folder) == []
    assert state(url, folder) == ("0002_names", [])
    with psycopg.connect(url) as conn:
        assert conn.execute("select * from things").fetchall() == [(1, "100%")]


def test_a_new_one_is_applied_on_top(url: str, folder: Path) -> None:
    apply(url, folder)
    (folder / "0003_more.sql").write_text("insert into things values (2)")
    assert state(url, folder) == ("0002_names", ["0003_more"])
    assert apply(url, folder) == ["0003_more"]


def test_several_processes_may_migrate_at_once(url: str, folder: Path) -> None:
    (folder / "0001_things.sql").write_text("select pg_sleep(0.1); create table things (id int);")

    async def together() -> list[list[str]]:
        return await asyncio.gather(*(migrate.migrate(url, of(folder)) for _ in range(4)))

    done = asyncio.run(together())
    assert sorted(name for names in done for name in names) == ["0001_things", "0002_names", migrate.SHAPES]


def test_what_fails_leaves_nothing(url: str, folder: Path) -> None:
    """Of itself, and of all that is applied with it."""
    (folder / "0002_names.sql").write_text("create table half (id int); select 1 / 0;")
    with pytest.raises(psycopg.errors.DivisionByZero):
        apply(url, folder)
    assert state(url, folder) == (None, ["0001_things", "0002_names"])
    with psycopg.connect(url) as conn:
        assert conn.execute("select to_regclass('things'), to_regclass('half')").fetchone() == (None, None)


def test_one_with_a_transaction_of_its_own_stays_when_a_later_one_fails(url: str, folder: Path) -> None:
    """A word that is added to an enum can only be used when that is committed."""
    (folder / "0002_size.sql").write_text("create type size as enum ('small')")
    (folder / "0002_names.sql").unlink()
    apply(url, folder)
    (folder / "0003_large.sql").write_text("-- transaction: own\nalter type size add value 'large';\n")
    (folder / "0004_sizes.sql").write_text("alter table things add size size default 'large'; select 1 / 0;")
    with pytest.raises(psycopg.errors.DivisionByZero):
        apply(url, folder)
    assert state(url, folder) == ("0003_large", ["0004_sizes"])
    (folder / "0004_sizes.sql").write_text("alter table things add size size default 'large'")
    assert apply(url, folder) == ["0004_sizes"]


def test_a_post_step_waits_until_the_upgrade_is_finished(url: str, folder: Path) -> None:
    apply(url, folder)
    (folder / "0003_no_names.post.sql").write_text("alter table things drop name")
    (folder / "0004_sizes.sql").write_text("alter table things add size int")
    assert state(url, folder) == ("0002_names", ["0004_sizes"])
    assert apply(url, folder) == ["0004_sizes"]
    with psycopg.connect(url, autocommit=True) as conn:
        assert conn.execute("select name from things").fetchall() == [("100%",)], "for who still reads it"
        assert state(url, folder) == ("0004_sizes", [])
        assert unfinished(url, folder) == ["0003_no_names.post"]
        assert apply(url, folder, finish=True) == ["0003_no_names.post"]
        assert unfinished(url, folder) == []
        with pytest.raises(psycopg.errors.UndefinedColumn):
            conn.execute("select name from things")


def test_a_new_database_is_finished_at_once(url: str, folder: Path) -> None:
    (folder / "0003_no_names.post.sql").write_text("alter table things drop name")
    assert apply(url, folder) == ["0001_things", "0002_names", "0003_no_names.post"]


def unfinished(url: str, folder: Path) -> list[str]:
    async def ask() -> list[str]:
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
            return await migrate.unfinished(conn, of(folder))

    return asyncio.run(ask())


def test_who_does_not_get_a_lock_lets_others_go_first_and_tries_again(url: str, folder: Path) -> None:
    apply(url, folder)
    (folder / "0003_sizes.sql").write_text("alter table things add size int")
    with psycopg.connect(url) as busy, psycopg.connect(url, autocommit=True) as other:
        busy.execute("select from things")
        migrating = threading.Thread(target=apply, args=(url, folder))
        migrating.start()
        await_(lambda: waits(other, "alter table things add size"))
        other.execute("set lock_timeout = '2s'")
        other.execute("insert into things values (2)")
        busy.rollback()
        migrating.join()
    assert state(url, folder) == ("0003_sizes", [])


def test_who_never_gets_a_lock_says_so(url: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    apply(url, folder)
    (folder / "0003_sizes.sql").write_text("alter table things add size int")
    monkeypatch.setattr(migrate, "PATIENCE_SECONDS", 0.0)
    with psycopg.connect(url) as busy:
        busy.execute("select from things")
        with pytest.raises(
            migrate.MigrationError, match=r"0003_sizes: a transaction holds a lock .* Nothing was changed"
        ):
            apply(url, folder)


INDEX = "-- transaction: none\ncreate unique index concurrently if not exists things_id on things (id);\n"


def waits(conn: psycopg.Connection[Any], statement: str) -> bool:
    """Whether a statement is under way that waits for another one."""
    return bool(
        conn.execute(
            "select from pg_stat_activity where wait_event_type = 'Lock' and starts_with(query, %s)", [statement]
        ).rowcount
    )


def is_valid(conn: psycopg.Connection[Any]) -> list[Any]:
    return conn.execute("select indisvalid from pg_index where indexrelid = to_regclass('things_id')").fetchall()


def test_an_index_is_built_beside_writes(url: str, folder: Path) -> None:
    (folder / "0003_index.sql").write_text(INDEX + "\ncomment on index things_id is 'a; semicolon';\n")
    (folder / "0004_more.sql").write_text("insert into things values (2)")
    assert apply(url, folder) == ["0001_things", "0002_names", "0003_index", "0004_more"]
    with psycopg.connect(url) as conn:
        assert is_valid(conn) == [(True,)]


def test_an_index_that_could_not_be_built_is_built_anew(url: str, folder: Path) -> None:
    (folder / "0001_things.sql").write_text("create table things (id int); insert into things values (1), (1);")
    (folder / "0003_index.sql").write_text(INDEX)
    with pytest.raises(psycopg.errors.UniqueViolation):
        apply(url, folder)
    with psycopg.connect(url, autocommit=True) as conn:
        assert is_valid(conn) == [(False,)]
        conn.execute("delete from things where ctid = '(0,1)'")
        assert apply(url, folder) == ["0003_index"]
        assert is_valid(conn) == [(True,)]


@pytest.mark.slow
def test_a_process_that_is_killed_while_it_builds_an_index_leaves_nothing_behind(url: str, folder: Path) -> None:
    apply(url, folder)
    (folder / "0003_index.sql").write_text(INDEX)
    script = (
        "import asyncio, sys, pathlib; from ticketing.db import migrate; folder = pathlib.Path(sys.argv[2]);"
        "asyncio.run(migrate.migrate(sys.argv[1], migrate.read(folder, folder / 'none')))"
    )
    with ExitStack() as stack:
        busy = stack.enter_context(psycopg.connect(url))
        busy.execute("insert into things values (2)")
        other = stack.enter_context(psycopg.connect(url, autocommit=True))
        process = stack.enter_context(subprocess.Popen([sys.executable, "-c", script, url, folder]))
        await_(lambda: waits(other, "create unique index") or waits(other, "-- transaction"))
        process.kill()
        process.wait()
        await_(lambda: not waits(other, "create unique index") and not waits(other, "-- transaction"))
        assert is_valid(other) == [(False,)]
        busy.commit()
        assert apply(url, folder) == ["0003_index"]
        assert is_valid(other) == [(True,)]


@pytest.fixture
def impatient(url: str) -> str:
    """A database whose sessions are limited, as docs/operating.md limits those behind PgBouncer."""
    with psycopg.connect(url, autocommit=True) as conn:
        name = sql.Identifier(str(conninfo_to_dict(url)["dbname"]))
        for setting in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
            conn.execute(sql.SQL("alter database {} set {} = '50ms'").format(name, sql.Identifier(setting)))
    return url


def test_no_limit_of_the_role_or_database_ends_a_long_step(impatient: str, folder: Path) -> None:
    (folder / "0002_names.sql").write_text("select pg_sleep(0.2);")
    (folder / "0003_long.sql").write_text("-- transaction: own\nselect pg_sleep(0.2);")
    (folder / "0004_longer.sql").write_text("-- transaction: none\nselect pg_sleep(0.2);")
    assert apply(impatient, folder) == ["0001_things", "0002_names", "0003_long", "0004_longer"]


def test_a_limit_of_the_database_does_not_end_the_build_of_an_index_that_waits(impatient: str, folder: Path) -> None:
    apply(impatient, folder)
    (folder / "0003_index.sql").write_text(INDEX)
    with psycopg.connect(impatient, options="-c idle_in_transaction_session_timeout=0") as busy:
        busy.execute("insert into things values (2)")
        building = threading.Thread(target=apply, args=(impatient, folder))
        building.start()
        with psycopg.connect(impatient, autocommit=True) as other:
            began = "select from pg_stat_activity where wait_event_type = 'Lock' and now() - query_start > '100ms'"
            await_(lambda: other.execute(began).rowcount > 0)
        busy.commit()
        building.join()
        assert is_valid(busy) == [(True,)]


def test_each_step_is_said_when_it_begins_and_when_it_is_done(url: str, folder: Path) -> None:
    apply(url, folder)
    for number in (3, 4):
        (folder / f"000{number}_more.sql").write_text("insert into things values (2)")
    (folder / "0005_broken.sql").write_text("-- transaction: own\nselect 1 / 0;")
    said: list[str] = []
    with pytest.raises(psycopg.errors.DivisionByZero):
        asyncio.run(migrate.migrate(url, of(folder), say=said.append))
    assert said == [
        "Applying 0003_more to 0004_more …",
        "Applied 0003_more.",
        "Applied 0004_more.",
        "Applying 0005_broken …",
    ]


def test_a_pooler_in_transaction_mode_is_refused_before_anything_is_done(url: str, folder: Path) -> None:
    with pooled(url) as behind, pytest.raises(sessions.Shared, match="Connect directly"):
        apply(behind, folder)
    with psycopg.connect(url) as conn:
        assert conn.execute("select to_regclass('schema_migrations')").fetchone() == (None,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("CREATE INDEX CONCURRENTLY IF NOT EXISTS a ON things (id);", "Begin with `-- transaction: none`"),
        ("create index concurrently if not exists a on things (id);", "Begin with `-- transaction: none`"),
        ("-- transaction: none\ncreate index concurrently a on things (id);", "if not exists"),
    ],
)
def test_an_index_is_built_so_that_it_can_be_built_again(folder: Path, text: str, message: str) -> None:
    (folder / "0003_index.sql").write_text(text)
    with pytest.raises(migrate.MigrationError, match=message):
        migrate.load(folder)


def test_an_applied_one_must_not_change(url: str, folder: Path) -> None:
    apply(url, folder)
    (folder / "0001_things.sql").write_text("create table things (id bigint);")
    with pytest.raises(
        migrate.MigrationError,
        match=r"The 0001_things applied to the database differs from this release's\. The database was made by",
    ):
        apply(url, folder)


def test_an_applied_one_must_not_be_renamed(url: str, folder: Path) -> None:
    apply(url, folder)
    (folder / "0001_things.sql").rename(folder / "0001_stuff.sql")
    with pytest.raises(
        migrate.MigrationError, match="The database has 0001_things in place of this release's 0001_stuff"
    ):
        apply(url, folder)


def test_there_is_no_slipping_in_before_what_is_applied(url: str, folder: Path) -> None:
    (folder / "0002_names.sql").rename(folder / "0003_names.sql")
    apply(url, folder)
    (folder / "0002_late.sql").write_text("select 1")
    with pytest.raises(
        migrate.MigrationError, match="The database has 0003, but not 0002_late, which this release applies before it"
    ):
        apply(url, folder)


def test_an_older_release_does_not_touch_a_newer_database(url: str, folder: Path) -> None:
    apply(url, folder)
    (folder / "0002_names.sql").unlink()
    with pytest.raises(migrate.MigrationError, match="The database has 0002_names, which this release does not know"):
        apply(url, folder)


@pytest.mark.parametrize("name", ["1_short.sql", "0003-dashes.sql", "0003_Upper.sql", "notes.sql"])
def test_a_name_has_a_number_and_words(folder: Path, name: str) -> None:
    (folder / name).write_text("select 1")
    with pytest.raises(migrate.MigrationError, match="not a migration's name"):
        migrate.load(folder)


def test_a_number_is_given_once(folder: Path) -> None:
    (folder / "0002_again.sql").write_text("select 1")
    with pytest.raises(migrate.MigrationError, match="0002_again and 0002_names have the same number"):
        migrate.load(folder)
