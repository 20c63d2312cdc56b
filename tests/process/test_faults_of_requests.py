"""Every fault that the service promises to survive, one at a time, and the figure it promises.

`make chaos` is the same at length and all at once; ARCHITECTURE.md lists the promises.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import httpx
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.errors import DivisionByZero

from chaos.crowd import Answer, Crowd
from chaos.journal import Journal
from chaos.processes import await_
from chaos.proxy import Moment
from chaos.stand import PROJECT, Stand, standing
from chaos.writers import Client, Writer
from ticketing import app
from ticketing.db import pool, watched
from ticketing.ground.config import Settings

pytestmark = pytest.mark.database

BODY = {"type": "bug", "project": PROJECT, "title": "Playback stops", "description": "After ten minutes."}


@pytest.fixture(scope="module")
def stand(unmeasured: None) -> Iterator[Stand]:
    with standing(workers=0) as stand:
        yield stand


@pytest.fixture
def client(stand: Stand) -> Iterator[httpx.Client]:
    """An admin of the first instance."""
    with _client(stand) as client:
        yield client


def _client(stand: Stand, instance: int = 0) -> httpx.Client:
    headers = {"Authorization": f"Bearer {stand.token}"}
    return httpx.Client(base_url=f"{stand.urls[instance]}/api/v1", headers=headers, timeout=30)


def _open(client: httpx.Client, title: str, key: str | None = None) -> httpx.Response:
    return client.post("/tickets", json={**BODY, "title": title}, headers={"Idempotency-Key": key or title})


def _titles(stand: Stand, like: str) -> list[str]:
    with stand.database() as conn:
        return [row["title"] for row in conn.execute("select title from tickets where title like %s", [like])]


def _writing(stand: Stand, client: httpx.Client) -> bool:
    return _open(client, f"probe-{time.monotonic_ns()}").status_code == 201


def test_a_connection_cut_during_commit_makes_no_second_ticket(stand: Stand) -> None:
    """200 of 200: cut before PostgreSQL hears of it, while it works, and when it has committed."""
    moments: list[Moment] = list(itertools.islice(itertools.cycle(("before", "during", "after")), 200))
    before = stand.to_postgres.commits_cut.copy()

    with _client(stand) as client:
        client.get("/me")
        for number, moment in enumerate(moments):
            assert _cut(stand, client, f"cut-{number}", moment) == 201
    titles = _titles(stand, "cut-%")
    assert sorted(titles) == sorted(f"cut-{number}" for number in range(200))
    with stand.database() as conn:
        events = conn.execute(
            "select count(*), count(distinct id) as ids, count(distinct ticket) as tickets from events"
            " where data ->> 'title' like 'cut-%'"
        ).fetchone()
    assert events == {"count": 200, "ids": 200, "tickets": 200}
    assert (stand.to_postgres.commits_cut - before).total() == 200


def _cut(stand: Stand, client: httpx.Client, title: str, moment: Moment) -> int:
    stand.to_postgres.cut_commits(moment)
    answer = _open(client, title)
    assert answer.status_code == 503 and int(answer.headers["retry-after"]) > 0
    again = _open(client, title)
    replayed = "idempotent-replayed" in again.headers
    # While PostgreSQL works on the first, either of the two may come first.
    assert moment == "during" or replayed == (moment == "after")
    return again.status_code


def test_postgres_killed_loses_nothing_and_needs_no_restart(stand: Stand, client: httpx.Client) -> None:
    acknowledged = [title for title in (f"killed-{n}" for n in range(20)) if _open(client, title).status_code == 201]
    stand.postgres.kill()
    for n in range(3):
        began = time.monotonic()
        refused = _open(client, f"refused-{n}")
        assert (refused.status_code, time.monotonic() - began < 3) == (503, True)
        assert int(refused.headers["retry-after"]) > 0
    stand.postgres.start()
    assert await_(lambda: _writing(stand, client), "writing") < 5
    assert sorted(_titles(stand, "killed-%")) == sorted(acknowledged)
    assert len(acknowledged) == 20


def test_every_backend_terminated_costs_at_most_one_request_a_connection(stand: Stand, client: httpx.Client) -> None:
    for _ in range(3):
        with stand.database() as conn:
            ended = conn.execute(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = 'ticketing'"
            ).fetchall()
        assert ended
        time.sleep(0.2)  # Until the proxy has passed that on.
        # They were idle, and the pool notices.
        assert [_open(client, f"terminated-{n}").status_code for n in range(5)] == [201] * 5


def test_a_frozen_postgres_is_hung_up_on(stand: Stand, client: httpx.Client) -> None:
    stand.postgres.freeze()
    try:
        began = time.monotonic()
        refused = _open(client, "frozen")
        assert refused.status_code == 503 and int(refused.headers["retry-after"]) > 0
        assert time.monotonic() - began < watched.SILENCE_SECONDS + 1
    finally:
        stand.postgres.thaw()
    assert await_(lambda: _open(client, "frozen").status_code == 201, "writing") < 5
    assert _titles(stand, "frozen") == ["frozen"]


def test_a_rolling_restart_fails_no_request(stand: Stand, tmp_path: Any) -> None:
    """Four restarts by SIGTERM under load: every request of it is answered, and none with an error."""
    journal = Journal(tmp_path / "acknowledged")

    async def load() -> None:
        until = asyncio.Event()
        draws = [random.Random(n) for n in range(6)]  # noqa: S311
        clients = [Client(stand.urls, stand.token, journal, draw) for draw in draws]
        writers = [
            Writer(f"rolling-{n}", client, journal, draw)
            for n, (client, draw) in enumerate(zip(clients, draws, strict=True))
        ]
        async with asyncio.TaskGroup() as running:
            for writer in writers:
                running.create_task(writer.run(until, 0.25))
            for n in range(4):
                await asyncio.to_thread(restart, n % 2)
            until.set()
        for client in clients:
            await client.close()

    def restart(instance: int) -> None:
        stand.apis[instance].stop()
        stand.apis[instance].start()
        await_(lambda: stand.answers(stand.urls[instance]), "the instance answers")

    asyncio.run(load())
    journal.close()
    assert [exchange for exchange in journal.exchanges if (exchange.status or 0) >= 500] == []
    assert [exchange for exchange in journal.exchanges if exchange.lost] == []
    assert journal.acknowledged > 100


def test_an_exhausted_pool_refuses_at_once_what_would_only_wait(stand: Stand) -> None:
    """While nothing can be read, 400 ask at once: those beyond what may wait learn so at once."""
    with stand.database() as conn, conn.transaction():
        conn.execute("lock table tickets in access exclusive mode")
        answers = asyncio.run(_at_once(stand, 400))
    assert {status for status, _, _ in answers} == {503}
    assert all(1 <= int(retry_after) <= 3 for _, retry_after, _ in answers)
    waited = sorted(seconds for _, _, seconds in answers)
    admitted = app.REQUESTS_A_CONNECTION * Settings(database_url="").pool_size
    # A second at most for a connection, and two for a lock.
    assert waited[-1] < 3.5
    refused = waited[: 400 - admitted]
    # `make bench-overload` measures how fast; here it is enough that they were not made to wait for anything first.
    assert refused[len(refused) // 2] < 0.5
    with _client(stand) as client:
        assert client.get("/tickets").status_code == 200


async def _at_once(stand: Stand, requests: int) -> list[Answer]:
    """Status, Retry-After and seconds of each of so many requests, all sent before any is answered."""
    crowd = Crowd(stand.urls[0], "GET /api/v1/tickets", stand.token)
    await crowd.gather(requests)
    try:
        return await asyncio.gather(*(each.ask() for each in crowd.connections))
    finally:
        crowd.leave()


def test_five_times_the_clients_are_answered_or_refused(stand: Stand) -> None:
    """Under five times the load that is admitted, whoever is not answered is told when to come back.

    `make bench-overload` measures what is left of the peak.
    """
    admitted = app.REQUESTS_A_CONNECTION * Settings(database_url="").pool_size

    async def load() -> list[Answer]:
        crowd = Crowd(stand.urls[0], "GET /api/v1/projects", stand.token)
        await crowd.gather(admitted * 5)
        try:
            return await crowd.ask_for(2)
        finally:
            crowd.leave()

    answers = asyncio.run(load())
    assert {status for status, _, _ in answers} == {200, 503}
    assert all(1 <= int(retry_after) <= 3 for status, retry_after, _ in answers if status == 503)
    assert sum(status == 200 for status, _, _ in answers) > admitted


def test_whoever_loses_a_deadlock_begins_anew(stand: Stand, client: httpx.Client) -> None:
    number = _open(client, "deadlock").json()["number"]
    with stand.database() as conn, ThreadPoolExecutor() as threads:
        with conn.transaction():
            conn.execute("lock table events in exclusive mode")
            headers = {"Content-Type": "application/merge-patch+json"}
            patch = threads.submit(client.patch, f"/tickets/{number}", json={"title": "won"}, headers=headers)
            await_(lambda: _waits(stand, "events"), "the request waits for the log")
            # It holds the ticket: now we wait for each other, and it has waited longer.
            conn.execute("select from tickets where number = %s for update", [number])
        assert patch.result().status_code == 200
        events = conn.execute(
            "select data ->> 'title' as title from events where ticket = %s order by position", [number]
        ).fetchall()
        deadlocks = conn.execute("select deadlocks from pg_stat_database where datname = current_database()").fetchone()
    assert [event["title"] for event in events] == ["deadlock", "won"]
    assert deadlocks and deadlocks["deadlocks"] >= 1


def _waits(stand: Stand, table: str) -> bool:
    with stand.database() as conn:
        return bool(
            conn.execute("select 1 from pg_locks where not granted and relation = %s::regclass", [table]).fetchone()
        )


@pytest.mark.parametrize(("failures", "status", "attempts"), [(3, 201, 4), (9, 503, 4)])
def test_a_serialization_failure_is_tried_again_three_times(
    stand: Stand, client: httpx.Client, failures: int, status: int, attempts: int
) -> None:
    title = f"serialized-{failures}"
    with stand.database() as conn:
        # A sequence goes on counting whatever is rolled back.
        conn.execute(
            f"""
            create sequence attempts;
            create function fail() returns trigger language plpgsql as $$ begin
                if nextval('attempts') <= {failures} then raise sqlstate '40001'; end if;
                return new;
            end $$;
            create trigger fail before insert on tickets for each row execute function fail();
            """
        )
        try:
            assert _open(client, title).status_code == status
            counted = conn.execute("select last_value from attempts").fetchone()
        finally:
            conn.execute("drop trigger fail on tickets; drop function fail; drop sequence attempts")
    assert counted == {"last_value": attempts}
    assert len(_titles(stand, title)) == (status == 201)


def test_a_storm_of_locks_loses_no_change(stand: Stand, client: httpx.Client) -> None:
    number = _open(client, "storm").json()["number"]
    titles = [f"storm-{n}" for n in range(100)]
    headers = {"Content-Type": "application/merge-patch+json"}

    def change(title: str) -> int:
        for _ in range(20):
            status = client.patch(f"/tickets/{number}", json={"title": title}, headers=headers).status_code
            if status != 503:  # Whoever waited too long for the lock is told so, and tries again.
                break
        return status

    with ThreadPoolExecutor(20) as threads:
        assert set(threads.map(change, titles)) == {200}
    with stand.database() as conn:
        events = conn.execute(
            "select data ->> 'title' as title, previous ->> 'title' as previous from events"
            " where ticket = %s and type = 'ticket.updated' order by position",
            [number],
        ).fetchall()
    assert sorted(event["title"] for event in events) == sorted(titles)
    assert [event["previous"] for event in events] == ["storm", *(event["title"] for event in events[:-1])]


def test_no_connection_is_lost_in_500_cycles(stand: Stand) -> None:
    """However a request ends, its connection comes back or is replaced."""
    url = make_conninfo(stand.environment["TICKETING_DATABASE_URL"], application_name="cycles")
    endings = (_well, _with_an_error, _undone, _cancelled, _cut_off, _killed)

    async def cycles() -> None:
        async with pool.connected(url, 4):
            for n in range(500):
                with suppress(pool.Unavailable, ZeroDivisionError, DivisionByZero, TimeoutError):
                    await endings[n % len(endings)](stand)
            # All of them at once, so that a lost one would be missed; the pool takes its time to replace the last.
            async with asyncio.timeout(15):
                while not await _all_held(4):
                    pass
            with stand.database() as conn:
                states = conn.execute("select state from pg_stat_activity where application_name = 'cycles'").fetchall()
            assert [state["state"] for state in states] == ["idle"] * 4

    asyncio.run(cycles())


async def _all_held(count: int) -> bool:
    """Whether so many connections are to be had at the same time."""
    together = asyncio.Barrier(count)

    async def held() -> None:
        async with pool.connection():
            await together.wait()

    having = [asyncio.ensure_future(held()) for _ in range(count)]
    done, missing = await asyncio.wait(having, return_when=asyncio.FIRST_EXCEPTION)
    for each in missing:
        each.cancel()
    await asyncio.gather(*missing, return_exceptions=True)
    return all(each.exception() is None for each in done)


async def _well(_: Stand | None = None) -> None:
    async with pool.connection() as conn:
        await conn.execute("select pg_sleep(0.001)")


async def _with_an_error(_: Stand) -> None:
    async with pool.connection() as conn:
        await conn.execute("select 1 / 0")


async def _undone(_: Stand) -> None:
    async with pool.transaction() as conn:
        await conn.execute("select 1")
        raise ZeroDivisionError


async def _cancelled(_: Stand) -> None:
    async with asyncio.timeout(0.01), pool.transaction() as conn:
        await conn.execute("select pg_sleep(1)")


async def _cut_off(stand: Stand) -> None:
    async with pool.transaction() as conn:
        stand.to_postgres.cut()
        await conn.execute("select pg_sleep(0.1)")


async def _killed(_: Stand) -> None:
    async with pool.connection() as conn:
        await conn.execute("select pg_terminate_backend(pg_backend_pid())")
