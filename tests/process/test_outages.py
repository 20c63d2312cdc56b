"""What keeps PostgreSQL from working: counted by SQLSTATE, logged once, told by readiness, over when it is over."""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import psycopg
import pytest
from psycopg import errors, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from conftest import Person, await_, configured, served, signed_up
from ticketing import app
from ticketing.db import outages, pool
from ticketing.ground import config
from ticketing.monitoring import sampling
from ticketing.processes import probes

FULL = 'could not extend file "base/16384/16397": No space left on device'


@pytest.fixture
def url(new_database: Callable[..., str]) -> str:
    return new_database()


@pytest.fixture(autouse=True)
def _nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outages, "_open", {})
    monkeypatch.setattr(outages, "QUIET_SECONDS", 3.0)
    monkeypatch.setattr(outages, "_written", -math.inf)
    monkeypatch.setattr(outages, "WRITTEN_SECONDS", 1.0)


def finding_ours(url: str) -> str:
    """The URL with sessions that find our functions before PostgreSQL's."""
    return make_conninfo(url, options=f"{conninfo_to_dict(url).get('options', '')} -c search_path=public,pg_catalog")


@contextmanager
def service(url: str) -> Iterator[str]:
    """The service on a database of its own, in this process."""
    settings = configured(database_url=finding_ours(url), log_level="warning", token_cache_ms="0")
    with settings, served(app.create()) as address:
        yield address


@contextmanager
def failing(url: str, code: str, message: str) -> Iterator[None]:
    """Have PostgreSQL refuse new projects, and what readiness writes, for a reason that is hard to come by.

    What readiness writes has a repeat() in it, which is ours for a session of `finding_ours`.
    """
    raising = "language plpgsql as $$begin raise exception using errcode = {}, message = {}; end$$"
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(sql.SQL("create function fail() returns trigger " + raising).format(code, message))
        conn.execute(
            sql.SQL("create function public.repeat(text, integer) returns text " + raising).format(code, message)
        )
        conn.execute("create trigger failing before insert on projects execute function fail()")
        yield
        conn.execute("drop function fail() cascade; drop function public.repeat")


def count(address: str, code: str) -> int:
    found = re.search(
        rf'ticketing_database_errors_total{{sqlstate="{code}"}} (\d+)', httpx.get(f"{address}/metrics").text
    )
    return int(found[1]) if found else 0


def lines(captured: str) -> list[dict[str, object]]:
    """What was logged of outages."""
    logged = [json.loads(line) for line in captured.splitlines() if line.startswith("{")]
    return [line for line in logged if str(line["event"]).startswith("database error")]


def test_a_full_disk_is_counted_told_and_logged_in_two_lines(
    url: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        who = signed_up(conn, "admin")
    with service(url) as address, Person(address, *who) as admin:

        def create(key: str) -> httpx.Response:
            return admin.post("/projects", json={"key": key, "name": "Media", "visibility": "public"})

        assert httpx.get(f"{address}/health/ready").status_code == 200
        before = count(address, "53100")
        with failing(url, "53100", FULL):
            for _ in range(20):
                refused = create("media")
                assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
                assert refused.json()["detail"] == "The database cannot write just now. Try again later."
            assert admin.get("/me").status_code == 200
            ready = httpx.get(f"{address}/health/ready")
            assert (ready.status_code, ready.text) == (
                503,
                f"{outages.CAUSES['53100']} (SQLSTATE 53100)\n",
            )
            await_(lambda: count(address, "53100") - before >= 21)
        await_(lambda: httpx.get(f"{address}/health/ready").status_code == 200)
        assert create("media").status_code == 201
        with psycopg.connect(url) as conn:
            assert conn.execute("select count(*) from events where type = 'project.created'").fetchone() == (1,)
    first, over = lines(capfdbinary.readouterr().err.decode())
    assert (first["level"], first["sqlstate"], first["error"]) == ("error", "53100", f"{FULL}.")
    assert "disk" in str(first["meaning"])
    assert over["event"] == "database error has stopped"
    assert int(str(over["times"])) >= 21


def test_a_full_disk_is_told_by_whoever_has_written_nothing(url: str) -> None:
    with service(url) as address, failing(url, "53100", FULL):
        full = f"{outages.CAUSES['53100']} (SQLSTATE 53100)\n"
        await_(lambda: httpx.get(f"{address}/health/ready").text == full)
        for _ in range(20):
            assert httpx.get(f"{address}/health/ready").text == full


def test_whether_it_is_ready_is_a_figure(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "READY_SECONDS", 0.1)
    with service(url) as address:

        def figure(value: str) -> bool:
            return f'ticketing_ready{{role="api"}} {value}\n' in httpx.get(f"{address}/metrics").text

        await_(lambda: figure("1.0"))
        with failing(url, "53100", FULL):
            monkeypatch.setattr(outages, "_written", -math.inf)
            await_(lambda: figure("0.0"))
        await_(lambda: figure("1.0"))


def test_a_full_disk_is_told_by_the_parent_of_workers(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outages, "_written", -math.inf)  # A service in this process may have written just now.
    with failing(url, "53100", FULL):
        told = asyncio.run(probes._obstacle(config.Settings(database_url=finding_ours(url))))
    assert told == f"{outages.CAUSES['53100']} (SQLSTATE 53100)"
    assert asyncio.run(probes._obstacle(config.Settings(database_url=finding_ours(url)))) is None


def test_silence_does_not_end_a_full_disk(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outages, "QUIET_SECONDS", 0.0)
    outages.note(errors.DiskFull())
    outages.note(errors.QueryCanceled())
    outages.answered()
    outages.settle()
    assert list(outages._open) == ["53100"]


def test_silence_does_not_end_an_error_until_postgresql_has_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outages, "QUIET_SECONDS", 0.0)
    outages.answered()
    outages.note(psycopg.OperationalError("Connection refused"))
    outages.settle()
    assert outages.sentence() == f"{outages.CAUSES['08']} (SQLSTATE 08006)"
    outages.answered()
    outages.settle()
    assert outages.sentence() is None


def test_an_error_has_stopped_when_a_statement_has_succeeded(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outages, "QUIET_SECONDS", 0.0)
    outages.note(psycopg.OperationalError("Connection refused"))

    async def ask() -> None:
        async with pool.connected(url, 1), pool.connection() as conn:
            await conn.execute("select 1")

    asyncio.run(ask())
    outages.settle()
    assert outages._open == {}


@pytest.mark.parametrize("whose", ["role", "database"])
def test_a_limit_of_the_role_is_not_taken_for_one_of_the_server(whose: str) -> None:
    outages.note(psycopg.OperationalError(f'FATAL: too many connections for {whose} "ticketing"'))
    assert outages.sentence() == f"{outages.OWN_LIMIT} (SQLSTATE 53300)"


def test_a_disk_with_room_again_is_found_without_being_asked(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "TRY_SECONDS", 0.05)
    outages.note(errors.DiskFull())

    async def wait() -> None:
        async with pool.connected(url, 1), asyncio.timeout(20):
            while outages.sentence(writes_only=True):
                await asyncio.sleep(0.01)

    asyncio.run(wait())


def test_a_standby_is_not_ready_and_refuses_writes(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        who = signed_up(conn, "admin")
    read_only = make_conninfo(url, options="-c default_transaction_read_only=on")
    with service(read_only) as address, Person(address, *who) as admin:
        refused = admin.post("/projects", json={"key": "media", "name": "Media", "visibility": "public"})
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
        ready = httpx.get(f"{address}/health/ready")
        assert ready.status_code == 503
        assert ready.text.startswith("This PostgreSQL takes no writes")


def test_whoever_finds_the_primary_again_is_ready_at_once(url: str, server_url: str) -> None:
    name = sql.Identifier(str(conninfo_to_dict(url)["dbname"]))
    with psycopg.connect(url, autocommit=True) as conn:
        who = signed_up(conn, "admin")
    with service(url) as address, Person(address, *who) as admin, psycopg.connect(server_url, autocommit=True) as conn:
        project = {"key": "media", "name": "Media", "visibility": "public"}
        conn.execute(sql.SQL("alter database {} set default_transaction_read_only = on").format(name))
        ours = "select pg_terminate_backend(pid) from pg_stat_activity where usename = current_user and datname = %s"
        conn.execute(ours, [conninfo_to_dict(url)["dbname"]])
        await_(lambda: admin.post("/projects", json=project).status_code == 503)
        await_(lambda: "takes no writes" in httpx.get(f"{address}/health/ready").text)
        conn.execute(sql.SQL("alter database {} reset default_transaction_read_only").format(name))
        await_(lambda: admin.post("/projects", json=project).status_code == 201)
        assert httpx.get(f"{address}/health/ready").status_code == 200


def connection_refused(url: str) -> str:
    """Why readiness finds no connection."""
    with service(url) as address:
        ready = httpx.get(f"{address}/health/ready", timeout=20)
        assert ready.status_code == 503
        return ready.text


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"password": "wrong"}, "28P01", "refuses our user or password"),
        ({"dbname": "nowhere"}, "3D000", "does not have the database"),
        ({"host": "127.0.0.1", "port": 1}, "08006", "cannot be reached"),
    ],
)
def test_why_there_is_no_connection_is_told(url: str, change: dict[str, str], code: str, words: str) -> None:
    told = connection_refused(make_conninfo(url, **change))
    assert words in told
    assert f"SQLSTATE {code}" in told


def test_a_server_without_room_for_more_connections_is_told(url: str, server_url: str) -> None:
    name = sql.Identifier(str(conninfo_to_dict(url)["dbname"]))
    with psycopg.connect(server_url, autocommit=True) as conn:
        conn.execute(sql.SQL("alter database {} connection limit 0").format(name))
        assert "takes no more connections" in connection_refused(url)


def test_a_lost_connection_leaves_the_service_ready(url: str) -> None:
    async def lose() -> None:
        async with pool.connected(url, 2):
            with pytest.raises(pool.Unavailable):
                async with pool.connection() as conn:
                    await conn.execute("select pg_terminate_backend(pg_backend_pid())")
            assert outages.sentence(writes_only=True) is None
            assert "SQLSTATE 57P01" in str(outages.sentence())

    asyncio.run(lose())


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("53100", "The disk"),
        ("53400", "PostgreSQL has reached one"),
        ("57P02", "PostgreSQL is starting"),
        ("57P04", "The database was dropped"),
        ("58030", "PostgreSQL cannot use its files"),
        ("28000", "PostgreSQL refuses"),
        ("08001", "PostgreSQL cannot be reached"),
        ("ZZ999", "PostgreSQL has refused"),
    ],
)
def test_a_code_means_what_the_longest_known_beginning_says(code: str, sentence: str) -> None:
    assert outages.cause(code).sentence.startswith(sentence)


@pytest.mark.parametrize(
    ("message", "remedy"),
    [
        ("FATAL: no more connections allowed (max_client_conn)", "Raise its max_client_conn"),
        ("FATAL: query_wait_timeout", "whether the pooler is paused"),
        ('FATAL: database "ticketing" is disabled', "Run ENABLE"),
        ("ERROR: transaction blocks not allowed in statement pooling mode", "Set its pool_mode"),
    ],
)
def test_what_a_pooler_says_has_its_own_remedy(message: str, remedy: str) -> None:
    assert remedy in outages.explain(psycopg.OperationalError(message)).remedy
