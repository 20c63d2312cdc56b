"""Migrations: applied once and in order, whoever else does so at the same time, or refused with a reason."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from ticketing.db import migrate
from ticketing.ground import paths

EMPTY = "template1"


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


def apply(url: str, folder: Path) -> list[str]:
    return asyncio.run(migrate.migrate(url, folder))


def state(url: str, folder: Path) -> tuple[str | None, list[str]]:
    async def ask() -> tuple[str | None, list[str]]:
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
            return await migrate.current(conn), await migrate.pending(conn, folder)

    return asyncio.run(ask())


def test_ours_build_a_database(url: str) -> None:
    files = sorted(path.stem for path in paths.MIGRATIONS.glob("*.sql"))
    assert apply(url, paths.MIGRATIONS) == files
    assert state(url, paths.MIGRATIONS) == (files[-1], [])


def test_the_tokens_of_inactive_users_have_ended(url: str, tmp_path: Path) -> None:
    for path in paths.MIGRATIONS.glob("000[1-8]_*.sql"):
        shutil.copy(path, tmp_path)
    apply(url, tmp_path)
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


def test_issues_that_were_imported_under_several_names_of_a_repository_keep_one(url: str, tmp_path: Path) -> None:
    for path in paths.MIGRATIONS.glob("000[1-8]_*.sql"):
        shutil.copy(path, tmp_path)
    apply(url, tmp_path)
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


def test_an_admin_who_is_inactive_may_become_something_else(url: str) -> None:
    """Even if there is no other: nothing is lost with them."""
    apply(url, paths.MIGRATIONS)
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("insert into users (id, name, role, active) values (gen_random_uuid(), 'x', 'admin', false)")
        assert conn.execute("update users set role = 'agent'").rowcount == 1
        conn.execute("update users set role = 'admin', active = true")
        with pytest.raises(psycopg.errors.CheckViolation):
            conn.execute("update users set active = false")


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
        return await asyncio.gather(*(migrate.migrate(url, folder) for _ in range(4)))

    done = asyncio.run(together())
    assert sorted(name for names in done for name in names) == ["0001_things", "0002_names"]


def test_what_fails_leaves_nothing_of_itself(url: str, folder: Path) -> None:
    (folder / "0002_names.sql").write_text("create table half (id int); select 1 / 0;")
    with pytest.raises(psycopg.errors.DivisionByZero):
        apply(url, folder)
    assert state(url, folder) == ("0001_things", ["0002_names"])
    with psycopg.connect(url) as conn:
        assert conn.execute("select to_regclass('half')").fetchone() == (None,)


def test_an_applied_one_must_not_change(url: str, folder: Path) -> None:
    apply(url, folder)
    (folder / "0001_things.sql").write_text("create table things (id bigint);")
    with pytest.raises(migrate.MigrationError, match="0001_things is not what was applied"):
        apply(url, folder)


def test_an_applied_one_must_not_be_renamed(url: str, folder: Path) -> None:
    apply(url, folder)
    (folder / "0001_things.sql").rename(folder / "0001_stuff.sql")
    with pytest.raises(migrate.MigrationError, match="0001_stuff is not what was applied as 0001_things"):
        apply(url, folder)


def test_there_is_no_slipping_in_before_what_is_applied(url: str, folder: Path) -> None:
    (folder / "0002_names.sql").rename(folder / "0003_names.sql")
    apply(url, folder)
    (folder / "0002_late.sql").write_text("select 1")
    with pytest.raises(migrate.MigrationError, match="0002_late comes before 0003"):
        apply(url, folder)


def test_an_older_release_does_not_touch_a_newer_database(url: str, folder: Path) -> None:
    apply(url, folder)
    (folder / "0002_names.sql").unlink()
    with pytest.raises(migrate.MigrationError, match="0002_names, of a later release"):
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
