"""`ticketing doctor`: each thing that may be wrong is found, and said with what to do."""

from __future__ import annotations

import contextlib
import json
import resource
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
import uuid_utils.compat as uuids
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from redis import Redis
from test_cli import Run, run, url

from conftest import await_, settled, signed_up
from mailing import FROM, mailbox
from pooling import pooled
from ticketing import sealing
from ticketing.db import pool, watched
from ticketing.ground.config import Settings, unknown
from ticketing.monitoring import checks, files

__all__ = ["run", "url"]

WHOLE = (
    "Settings",
    "Files",
    "Outbound",
    "Mail",
    "PostgreSQL",
    "Clock",
    "Connections",
    "Limits",
    "Session",
    "Sessions",
    "Writing",
    "Standbys",
    "Locks",
    "Indexes",
    "Schema",
    "Event log",
    "Transactions",
    "Worker",
    "Webhooks",
    "Full text",
    "Sent mail",
    "Queues",
    "Secrets",
    "Redis",
    "Redis memory",
)


@pytest.fixture
def wrong(run: Run, redis_url: str) -> Callable[..., dict[str, str]]:
    """What the doctor finds wrong with a database, by name."""

    def wrong(url: str) -> dict[str, str]:
        code, out, err = run("doctor", "--json", url=url, redis_url=redis_url)
        found = [json.loads(line) for line in out.splitlines()]
        assert err == ""
        assert code == int(not all(check["passed"] for check in found))
        return {check["what"]: check["finding"] for check in found if not check["passed"]}

    return wrong


def test_the_doctor_finds_everything_well(run: Run, url: str, redis_url: str) -> None:
    code, out, _ = run("doctor", url=url, redis_url=redis_url)
    assert (code, [line.partition(":")[0] for line in out.splitlines()]) == (0, [f"ok     {what}" for what in WHOLE])


def test_the_doctor_says_where_mail_goes_and_tries_the_server_if_asked(run: Run, url: str, redis_url: str) -> None:
    def told(*options: str, **settings: str) -> str:
        code, out, _ = run("doctor", "--json", *options, url=url, redis_url=redis_url, **settings)
        checks = {check["what"]: check for check in map(json.loads, out.splitlines())}
        assert code == int(not checks["Mail"]["passed"])
        return str(checks["Mail"]["finding"])

    assert told("--mail").startswith("it is captured")
    with mailbox() as box:
        server = {"smtp_url": box.url, "mail_from": FROM}
        assert told(**server).startswith(f"it is sent by 127.0.0.1:{box.port}.")
        assert told("--mail", **server) == f"it is sent by 127.0.0.1:{box.port} (no TLS, without signing in)."
        assert box.envelopes == []
    assert told(**server).startswith("it is sent by")
    assert told("--mail", **server).startswith(f"127.0.0.1:{box.port} takes none. The server could not be used:")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("TICKETING_POOLSIZE", "TICKETING_POOLSIZE is not a setting; TICKETING_POOL_SIZE is."),
        ("TICKETING_WEBHOOK_ALOW", "TICKETING_WEBHOOK_ALOW is not a setting; TICKETING_WEBHOOK_ALLOW is."),
        ("TICKETING_XYZZY", "TICKETING_XYZZY is not a setting."),
    ],
)
def test_a_misspelt_setting_is_named_with_what_was_meant(
    monkeypatch: pytest.MonkeyPatch, wrong: Callable[..., dict[str, str]], url: str, name: str, sentence: str
) -> None:
    monkeypatch.setenv(name, "1")
    assert wrong(url) == {"Settings": sentence}


def test_what_is_read_elsewhere_is_no_misspelling() -> None:
    assert unknown({"TICKETING_HOME": "/srv", "TICKETING_DATABASE_URL": "", "OTHER": ""}) == []


def test_a_process_has_to_be_allowed_its_files(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = Settings(database_url="", streams=300, connections=200)
    needed = files.needed(chosen)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, needed - 1))
    check = checks._files(chosen)
    assert not check.passed
    assert check.finding == files.shortage(chosen, needed - 1)
    assert f"a process {needed - 1}." in check.finding
    for limit in (needed, resource.RLIM_INFINITY):
        monkeypatch.setattr(resource, "getrlimit", lambda _, limit=limit: (256, limit))
        assert checks._files(chosen).passed


def test_the_connections_of_others_are_counted_by_a_role_that_may_not_look_at_them(
    run: Run, url: str, redis_url: str, server_url: str
) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(psycopg.connect(server_url, application_name="crowd"))
        conn = stack.enter_context(psycopg.connect(url, autocommit=True))
        # As PostgreSQL shows them, and the process that begins replication, to a role without pg_read_all_stats. The
        # tests' server has no second role.
        conn.execute(
            "create view pg_stat_activity as select datid, datname, pid, usesysid, usename, application_name, state,"
            " backend_xid, xact_start, case when pid = pg_backend_pid() then backend_type end as backend_type"
            " from pg_catalog.pg_stat_activity where application_name = 'crowd' or pid = pg_backend_pid()"
            " union all select null, null, 1, 10, 'postgres', '', null, null, null, null"
        )
        shown = make_conninfo(url, options="-c search_path=public,pg_catalog")
        _, out, _ = run("doctor", url=shown, redis_url=redis_url)
    assert "Connections: 4 of " in out


@pytest.mark.parametrize(("minutes", "words"), [(10, "600 s ahead of"), (-10, "600 s behind")])
def test_a_clock_that_differs_from_the_database_s_is_found(
    monkeypatch: pytest.MonkeyPatch, wrong: Callable[..., dict[str, str]], url: str, minutes: int, words: str
) -> None:
    true = time.time
    monkeypatch.setattr("time.time", lambda: true() + 60 * minutes)
    assert words in wrong(url)["Clock"]


def test_a_standby_is_found(wrong: Callable[..., dict[str, str]], url: str) -> None:
    found = wrong(make_conninfo(url, options="-c default_transaction_read_only=on"))
    assert "is a standby" in found["Writing"]


def test_a_schema_of_a_later_release_is_found(wrong: Callable[..., dict[str, str]], url: str) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("insert into schema_migrations (version, name, checksum) values ('9999', 'moon', 'x')")
    assert "9999_moon, which this release does not know" in wrong(url)["Schema"]


def test_a_migration_that_was_changed_is_found(wrong: Callable[..., dict[str, str]], url: str) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("update schema_migrations set checksum = 'x' where version = '0002'")
    assert "The 0002_event_log applied to the database differs from this release's." in wrong(url)["Schema"]


def test_a_pooler_that_drops_our_limits_is_found(wrong: Callable[..., dict[str, str]], url: str) -> None:
    found = wrong(make_conninfo(url, options="-c statement_timeout=0"))
    assert "statement_timeout = '5s'" in found["Limits"]


def test_a_pooler_that_drops_how_we_have_statements_run_is_found(
    wrong: Callable[..., dict[str, str]], url: str
) -> None:
    found = wrong(make_conninfo(url, options="-c jit=on -c timezone=Asia/Kathmandu"))
    assert found["Session"].startswith("its time zone is Asia/Kathmandu, and jit is on, as a pooler drops")
    assert "jit = 'off'" in found["Session"]


@contextlib.contextmanager
def open_transaction(url: str) -> Iterator[psycopg.Connection[Any]]:
    """A transaction that has written, and does not end."""
    with psycopg.connect(url, application_name="report") as conn:
        conn.execute("select pg_current_xact_id()")
        yield conn


def test_a_transaction_that_holds_up_the_event_log_is_found(
    monkeypatch: pytest.MonkeyPatch, wrong: Callable[..., dict[str, str]], url: str, server_url: str
) -> None:
    monkeypatch.setattr(checks, "OPEN_SECONDS", 0.0)
    with open_transaction(server_url) as holding, psycopg.connect(url, autocommit=True) as conn:
        conn.execute("insert into events (id, type, data) values (%s, 'ticket.created', '{}')", [uuids.uuid7()])
        finding = wrong(url)["Transactions"]
        assert f"{holding.info.backend_pid} of report in {holding.info.dbname} for" in finding
        assert "have been waiting for it for" in finding


def test_an_imported_event_is_not_taken_for_one_that_waits(
    wrong: Callable[..., dict[str, str]], url: str, server_url: str
) -> None:
    with open_transaction(server_url), psycopg.connect(url, autocommit=True) as conn:
        conn.execute(
            "insert into events (id, type, data, occurred_at) values (%s, 'ticket.created', '{}', '2018-01-01Z')",
            [uuids.uuid7()],
        )
        assert "Transactions" not in wrong(url)


def test_a_key_that_is_missing_is_found(
    monkeypatch: pytest.MonkeyPatch, wrong: Callable[..., dict[str, str]], url: str
) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        signed_up(conn, "admin")
        endpoint = uuids.uuid7()
        conn.execute("insert into webhook_endpoints (id, url) values (%s, 'https://hooks.example.org')", [endpoint])
        conn.execute(
            "insert into webhook_secrets (id, endpoint_id, key_id, sealed) values (%s, %s, '0123456789ab', 'x')",
            [uuids.uuid7(), endpoint],
        )
    assert "lacks the keys 0123456789ab (of 1 endpoints)" in wrong(url)["Secrets"]
    (known,) = sealing.keys(sealing.new_key())
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("update webhook_secrets set key_id = %s", [known])
    assert known in wrong(url)["Secrets"]


@contextlib.contextmanager
def configured(redis_url: str, setting: str, value: str) -> Iterator[None]:
    """Change a setting of Redis while the block runs."""
    with Redis.from_url(redis_url, decode_responses=True) as redis:
        before = redis.config_get(setting)[setting]
        redis.config_set(setting, value)
        try:
            yield
        finally:
            redis.config_set(setting, before)


def test_a_redis_that_forgets_is_found(wrong: Callable[..., dict[str, str]], url: str, redis_url: str) -> None:
    with configured(redis_url, "maxmemory-policy", "allkeys-lru"):
        assert "maxmemory-policy is allkeys-lru" in wrong(url)["Redis memory"]


def test_a_replica_of_redis_is_found(wrong: Callable[..., dict[str, str]], url: str, redis_url: str) -> None:
    with Redis.from_url(redis_url) as redis:
        redis.replicaof("127.0.0.1", 1)
        try:
            assert "It is a replica" in wrong(url)["Redis"]
        finally:
            redis.replicaof("NO", "ONE")


def test_a_redis_that_is_full_is_found(wrong: Callable[..., dict[str, str]], url: str, redis_url: str) -> None:
    with configured(redis_url, "maxmemory", "1"):
        assert "It is out of memory: raise its maxmemory." in wrong(url)["Redis"]
    assert "Redis" not in wrong(url)


@pytest.mark.parametrize("denied", ["-rpush", "-eval", "-hset", "~other:*"])
def test_a_redis_whose_user_may_not_do_what_announcements_need_is_found(
    wrong: Callable[..., dict[str, str]], url: str, redis_url: str, denied: str
) -> None:
    with Redis.from_url(redis_url) as redis:
        redis.execute_command("acl", "setuser", "default", *(["resetkeys"] if "~" in denied else []), denied)
        try:
            assert "Let our user run all commands on the keys ticketing:jobs:*" in wrong(url)["Redis"]
        finally:
            redis.execute_command("acl", "setuser", "default", "allkeys", "+@all")


def test_a_redis_user_who_may_not_ask_for_its_settings_is_no_fault(
    wrong: Callable[..., dict[str, str]], url: str, redis_url: str
) -> None:
    with Redis.from_url(redis_url) as redis:
        redis.execute_command("acl", "setuser", "default", "-info")
        try:
            assert not wrong(url).keys() & {"Redis", "Redis memory"}
        finally:
            redis.execute_command("acl", "setuser", "default", "+@all")


def test_a_database_that_has_no_room_is_found(wrong: Callable[..., dict[str, str]], url: str, server_url: str) -> None:
    with psycopg.connect(server_url, autocommit=True) as conn:
        name = sql.Identifier(str(conninfo_to_dict(url)["dbname"]))
        conn.execute(sql.SQL("alter database {} connection limit 0").format(name))
    finding = wrong(url)["PostgreSQL"]
    assert "Raise the limit (`alter role … connection limit`, or `alter database …`)" in finding
    assert "max_connections" not in finding


def test_of_a_restored_log_no_transaction_is_blamed(
    monkeypatch: pytest.MonkeyPatch, wrong: Callable[..., dict[str, str]], url: str
) -> None:
    monkeypatch.setattr(checks, "OPEN_SECONDS", 0.0)
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(
            "insert into events (id, type, data, transaction_id, occurred_at)"
            " values (%s, 'ticket.created', '{}', '1000000000', now() - interval '1 hour')",
            [uuids.uuid7()],
        )
    assert "not see" not in wrong(url).get("Transactions", "")
    assert "ticketing migrate" in wrong(url)["Event log"]


def test_without_redis_it_is_said_what_to_do(run: Run, url: str) -> None:
    _, out, _ = run("doctor", url=url, redis_url="redis://127.0.0.1:1/0")
    (line,) = [line for line in out.splitlines() if "Redis" in line]
    assert line.startswith("WRONG  Redis: ")
    assert "See whether it runs, and look at TICKETING_REDIS_URL." in line


def test_a_worker_that_does_not_run_is_found(wrong: Callable[..., dict[str, str]], url: str) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(
            "insert into job_schedules (name, kind, queue, cron, next_run_at) values"
            " ('escalate_tickets', 'tickets.escalate', 'upkeep', '* * * * *', now() - interval '1 hour'),"
            " ('expire_events', 'events.expire', 'upkeep', '*/10 * * * *', now() + interval '1 minute'),"
            " ('of_an_older_release', 'old', 'upkeep', '* * * * *', now() - interval '1 year')"
        )
        assert wrong(url)["Worker"].startswith("the schedule escalate_tickets has been due for 3600 s.")
        conn.execute("update job_schedules set next_run_at = now() + interval '1 minute'")
    assert "Worker" not in wrong(url)


def test_a_standby_for_which_wal_is_retained_is_found(
    monkeypatch: pytest.MonkeyPatch, wrong: Callable[..., dict[str, str]], url: str
) -> None:
    monkeypatch.setattr(checks, "BEHIND_BYTES", 1)
    with psycopg.connect(url, autocommit=True) as conn:
        # As PostgreSQL shows it. The tests' server keeps no WAL for standbys.
        conn.execute(
            "create view pg_replication_slots as"
            " select 'gone'::name as slot_name, false as active, '0/0'::pg_lsn as restart_lsn"
        )
    found = wrong(make_conninfo(url, options="-c search_path=public,pg_catalog"))
    assert found["Standbys"].startswith("PostgreSQL retains WAL for gone (")
    assert "GiB, not connected)" in found["Standbys"]


def test_events_without_deliveries_are_found(
    monkeypatch: pytest.MonkeyPatch, wrong: Callable[..., dict[str, str]], url: str
) -> None:
    monkeypatch.setattr(checks, "LATE_SECONDS", 1e-6)
    event = "insert into events (id, type, data) values (%s, 'ticket.created', '{}')"
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(event, [uuids.uuid7()])
        assert "Webhooks" not in wrong(url)
        conn.execute("insert into webhook_endpoints (id, url) values (gen_random_uuid(), 'https://hooks.example.org')")
        conn.execute(event, [uuids.uuid7()])
        settled(conn)
    assert "has no deliveries yet. See whether `ticketing work` runs" in wrong(url)["Webhooks"]


def test_a_pooler_in_transaction_mode_is_noted_and_nothing_is_wrong(run: Run, url: str, redis_url: str) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        name = sql.Identifier(str(conninfo_to_dict(url)["dbname"]))
        for setting, value in (pool.SESSION | pool.LIMITS).items():
            conn.execute(sql.SQL("alter database {} set {} = {}").format(name, sql.Identifier(setting), value))
    with pooled(url) as behind:
        code, out, err = run("doctor", url=behind, redis_url=redis_url)
    assert (code, err) == (0, "")
    assert "ok     Sessions: a pooler exchanges them after each transaction." in out


@pytest.mark.parametrize("name", ["UTC", "Etc/UTC", "GMT", "Zulu"])
def test_utc_has_many_names(wrong: Callable[..., dict[str, str]], url: str, name: str) -> None:
    assert "Session" not in wrong(make_conninfo(url, options=f"-c timezone={name}"))


def test_who_keeps_the_service_from_writing_is_named(
    monkeypatch: pytest.MonkeyPatch, wrong: Callable[..., dict[str, str]], url: str
) -> None:
    with psycopg.connect(url, application_name="psql") as conn:
        conn.execute("lock table tickets in share mode")
        assert "Locks" not in wrong(url)
        monkeypatch.setattr(checks, "LOCKED_SECONDS", 0.0)
        finding = wrong(url)["Locks"]
        assert finding.startswith(f"process {conn.info.backend_pid} of the role {conn.info.user} (psql), whose ")
        assert "s ago and is idle in transaction, holds a lock on tickets. " in finding
        assert "pg_terminate_backend(pid)" in finding
        conn.rollback()
        assert "Locks" not in wrong(url)


def test_who_keeps_others_waiting_is_named_and_not_those_who_wait(
    monkeypatch: pytest.MonkeyPatch, wrong: Callable[..., dict[str, str]], url: str
) -> None:
    monkeypatch.setattr(checks, "LOCKED_SECONDS", 0.0)
    lock = "select pg_advisory_xact_lock(1)"
    with contextlib.ExitStack() as stack:
        holding = stack.enter_context(psycopg.connect(url))
        holding.execute(lock)
        assert "Locks" not in wrong(url)
        waiting = [stack.enter_context(psycopg.connect(url, autocommit=True)) for _ in range(2)]
        threads = [threading.Thread(target=each.execute, args=[lock]) for each in waiting]
        for thread in threads:
            thread.start()
        await_(lambda: holding.execute("select from pg_locks where not granted").rowcount >= 2)
        finding = wrong(url)["Locks"]
        holding.rollback()
        for thread in threads:
            thread.join()
        assert finding.startswith(f"process {holding.info.backend_pid} of the role ")
    assert finding.count(" of the role ") == 1
    assert "holds a lock that others wait for" in finding


def test_an_index_whose_build_was_interrupted_is_found(wrong: Callable[..., dict[str, str]], url: str) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("create table twice as select 1 as id from generate_series(1, 2)")
        with pytest.raises(psycopg.errors.UniqueViolation):
            conn.execute("create unique index concurrently twice_id on twice (id)")
    finding = wrong(url)["Indexes"]
    assert finding.startswith("invalid, because building was interrupted: twice_id.")
    assert "Run `ticketing migrate`" in finding


def test_a_server_that_is_almost_full_is_found(
    monkeypatch: pytest.MonkeyPatch, wrong: Callable[..., dict[str, str]], url: str
) -> None:
    monkeypatch.setattr(checks, "SPARE_CONNECTIONS", 100_000)
    assert "are taken. Raise its max_connections" in wrong(url)["Connections"]


def test_a_paused_queue_is_found(wrong: Callable[..., dict[str, str]], url: str) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("insert into job_pauses (queue, paused_at) values ('upkeep', now() - interval '50 hours')")
    assert wrong(url) == {
        "Queues": "paused: upkeep (for 2 d). Their jobs wait until `ticketing jobs resume QUEUE`.",
    }


def test_that_nothing_is_sent_is_noted(run: Run, url: str, redis_url: str) -> None:
    code, out, _ = run("doctor", url=url, redis_url=redis_url, outbound="off")
    assert code == 0
    assert "ok     Outbound: nothing is sent: TICKETING_OUTBOUND is off." in out


@pytest.mark.parametrize(
    ("theirs", "passed"), [(107.0, True), (118.0, True), (96.0, True), (120.0, False), (94.0, False)]
)
def test_a_clock_is_not_wrong_because_the_answer_took_long(theirs: float, passed: bool) -> None:
    """Asked at 100, answered at 114: whatever lies between is right, and five seconds more."""
    assert checks._clock(theirs, 100.0, 114.0).passed is passed


def test_the_doctor_does_not_wait_for_ever(run: Run, url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched, "SILENCE_SECONDS", 0.5)
    with psycopg.connect(url) as busy:
        busy.execute("lock table job_pauses in access exclusive mode")
        code, out, _ = run("doctor", url=url, redis_url=redis_url)
    assert code == 1
    assert "WRONG  PostgreSQL: " in out
    assert "lock timeout" not in out, "which ends it where PostgreSQL can be heard"
