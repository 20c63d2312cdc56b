"""Every fault that the service promises to survive, one at a time, and the figure it promises.

`make chaos` is the same at length and all at once; ARCHITECTURE.md lists the promises.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from chaos.journal import Journal
from chaos.processes import await_
from chaos.proxy import Moment
from chaos.stand import PROJECT, Stand, standing
from chaos.writers import Client, Writer
from ticketing import db

BODY = {"type": "bug", "project": PROJECT, "title": "Playback stops", "description": "After ten minutes."}


@pytest.fixture(scope="module")
def stand() -> Iterator[Stand]:
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
        # They were idle, and the pool notices.
        assert [_open(client, f"terminated-{n}").status_code for n in range(5)] == [201] * 5


def test_a_frozen_postgres_is_hung_up_on(stand: Stand, client: httpx.Client) -> None:
    stand.postgres.freeze()
    try:
        began = time.monotonic()
        refused = _open(client, "frozen")
        assert refused.status_code == 503 and int(refused.headers["retry-after"]) > 0
        assert time.monotonic() - began < db.SILENCE_SECONDS + 1
    finally:
        stand.postgres.thaw()
    assert await_(lambda: _open(client, "frozen").status_code == 201, "writing") < 5
    assert _titles(stand, "frozen") == ["frozen"]


def test_a_rolling_restart_fails_no_request(stand: Stand, tmp_path: Any) -> None:
    """Ten restarts by SIGTERM under load: every request of it is answered, and none with an error."""
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
                running.create_task(writer.run(until, 0.05))
            for n in range(10):
                await asyncio.to_thread(restart, n % 2)
            until.set()
        for client in clients:
            await client.close()

    def restart(instance: int) -> None:
        stand.apis[instance].stop()
        stand.apis[instance].start()
        await_(lambda: stand.answers(stand.urls[instance]), "the instance answers")

    asyncio.run(load())
    statuses = {exchange.status for exchange in journal.exchanges if exchange.status}
    assert statuses <= {200, 201}
    assert [exchange for exchange in journal.exchanges if exchange.lost] == []
    assert journal.acknowledged > 100
