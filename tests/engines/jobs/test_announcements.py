"""No job that is due is known to nobody: whatever meets whatever, none waits until it is announced once more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import dramatiq
import psycopg
import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jobs import sample
from jobs.sample import Place, spawned, working

from conftest import await_
from ticketing import jobs
from ticketing.db import pool, sql
from ticketing.jobs import Job, figures, kinds, messages, relay, worker
from ticketing.jobs.execution import Execution
from ticketing.jobs.link import Link
from ticketing.jobs.relay import Relay

NEVER = {"job_resend_seconds": 3600}
"""Nothing is announced twice: what gets lost stays lost."""


@pytest.fixture
def place(new_database: Callable[..., str], redis_url: str, slowly: None) -> Iterator[Place]:
    """A database and a Redis of its own, and no schedules."""
    with sample.place(new_database(), redis_url, **NEVER) as place, pytest.MonkeyPatch.context() as patch:
        patch.setattr(kinds, "SCHEDULES", {})
        yield place


def undone(place: Place) -> int:
    return place.conn.execute("select from jobs where state <> 'completed'").rowcount


def announced(place: Place, job_id: UUID | None) -> None:
    """Note it, and send the message, as a relay does."""
    assert job_id
    place.conn.execute("update jobs set dispatched_at = now() where id = %s", (job_id,))
    message_id, message = messages.encoded("sample", job_id)
    place.redis.hset(f"{place.namespace}:sample.msgs", message_id, message)
    place.redis.rpush(f"{place.namespace}:sample", message_id)


def fetched(place: Place) -> int:
    """Messages that some worker has, and no other one sees."""
    return sum(int(place.redis.scard(key)) for key in place.redis.scan_iter(f"{place.namespace}:__acks__.*"))


# What meets what ------------------------------------------------------------------------------------------------------


def test_a_job_that_another_relay_has_locked_is_claimed_when_it_lets_go(place: Place) -> None:
    """A relay that comes late finds a job announced already, and holds its row until its own statement ends."""
    announced(place, job_id := place.enqueue("test.note"))
    with psycopg.connect(place.settings.database_url) as other, ExitStack() as stack:
        other.execute("select from jobs where id = %s for update", (job_id,))
        stack.enter_context(working(place))
        await_(lambda: fetched(place) == 1)
        other.rollback()
        place.await_state(job_id, "completed")


def test_what_is_claimed_while_its_queue_is_paused_is_announced_when_that_ends(place: Place) -> None:
    place.conn.execute("insert into job_pauses (queue) values ('sample')")
    with working(place):
        stale = figures.STALE.labels("sample")._value.get()
        announced(place, job_id := place.enqueue("test.note"))
        await_(lambda: figures.STALE.labels("sample")._value.get() == stale + 1)
        place.conn.execute("delete from job_pauses")
        place.await_state(job_id, "completed")


def test_a_claim_outlasts_a_postgresql_that_is_away(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    claim, failures = Execution._claim, iter(range(3))

    async def failing(self: Execution, job_ids: list[UUID]) -> Any:
        if next(failures, None) is not None:
            raise pool.Unavailable
        return await claim(self, job_ids)

    monkeypatch.setattr(Execution, "_claim", failing)
    with working(place):
        place.await_state(place.enqueue("test.note"), "completed")


def test_what_is_claimed_is_run_although_the_look_at_the_rest_fails(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One claim gets a job and misses another, and PostgreSQL goes away before it has said why."""
    look, faults = sql.job_engine.list_missed_jobs, iter(range(1))

    async def cut_off(conn: sql.Connection, **given: Any) -> Any:
        if next(faults, None) is not None:
            place.conn.execute("select pg_terminate_backend(%s)", (conn.info.backend_pid,))
        return await look(conn, **given)

    monkeypatch.setattr(sql.job_engine, "list_missed_jobs", cut_off)
    due = place.enqueue("test.note")
    later = place.enqueue("test.note", run_at=datetime.now(UTC) + timedelta(hours=1))

    async def together() -> None:
        settings = place.settings
        async with pool.connected(settings.database_url, 4), asyncio.timeout(10):
            execution = Execution(timedelta(seconds=60))
            await asyncio.gather(*(execution.run(job_id, "sample") for job_id in (due, later) if job_id))

    asyncio.run(together())
    assert next(faults, None) is None, "it was cut off"
    assert [place.job(job_id)["state"] for job_id in (due, later)] == ["completed", "available"]
    assert [effect["attempt"] for effect in place.effects()] == [1]


def test_quick_jobs_fetched_ahead_do_not_wait_behind_slow_ones(place: Place) -> None:
    """They are given back: another worker may be free."""
    with working(place, threads=2):
        place.enqueue_all([("test.nothing", {}, {})] * 60)
        place.enqueue_all([("test.slow", {"seconds": 3}, {})] * 2 + [("test.nothing", {}, {})] * 20)
        await_(
            lambda: place.conn.execute("select from jobs where state = 'running' and kind = 'test.slow'").rowcount == 2
        )
        await_(lambda: fetched(place) == 2)
        assert place.conn.execute("select from jobs where state = 'running'").rowcount == 2
        await_(lambda: undone(place) == 0)


def test_what_is_given_back_keeps_its_place(place: Place) -> None:
    """Urgent jobs that were fetched ahead are not done after all others because one before them was slow."""
    priorities = [2] * 3 + [3] * 20 + [4] * 20
    with working(place, threads=1):
        place.enqueue_all([("test.nothing", {}, {"priority": 1})] * 30)
        place.enqueue_all([("test.slow", {"seconds": 1}, {"priority": 1})])
        place.enqueue_all([("test.note", {"note": str(priority)}, {"priority": priority}) for priority in priorities])
        await_(lambda: undone(place) == 0)
    assert [int(effect["note"]) for effect in place.effects() if effect["note"].isdigit()] == priorities


def test_a_worker_that_is_stopped_gives_back_at_once_what_it_has_not_begun(place: Place) -> None:
    place = place.with_settings(job_stop_seconds=8)
    with spawned(place) as stopping:
        slow = place.enqueue_all([("test.slow", {"seconds": 6}, {})] * 2)
        for job_id in slow:
            place.await_effect(job_id, "began")
        stopping.terminate()
        with working(place):
            # It has two more threads, and none of them does these.
            for job_id in place.enqueue_all([("test.nothing", {}, {})] * 40):
                place.await_state(job_id, "completed", seconds=4)
        assert stopping.poll() is None, "it still does what it had begun"


def test_messages_whose_way_to_us_got_lost_are_given_back(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis has handed them to a connection that was cut before they had passed it."""
    lost: list[bytes] = []

    def fetch(broker: Any, queue: str, room: int) -> Any:
        found = broker._dispatch("fetch")(queue, room)
        if found and not lost:
            lost.extend(found)
            raise redis.ConnectionError
        return found

    monkeypatch.setattr(messages._Broker, "do_fetch", fetch, raising=False)
    with working(place):
        place.await_state(place.enqueue("test.note"), "completed")
    assert lost


def test_a_lane_goes_on_in_another_queue_though_its_worker_is_asleep(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever ends a job looks for the next one in its lane, and wakes the others if that may not be theirs to find."""
    monkeypatch.setattr(worker, "POLL_SECONDS", 3600)
    with working(place, queues=("sample", "default")):
        for number in range(6):
            place.conn.execute(
                "select enqueue_job('test.nothing', '{}', %s, ordering_key => 'lane')",
                (("sample", "default")[number % 2],),
            )
        place.conn.execute("notify ticketing")
        await_(lambda: undone(place) == 0)


@pytest.mark.parametrize("workers", [2, 4])
def test_lanes_are_emptied_by_however_many_workers(place: Place, workers: int) -> None:
    with working(place, workers=workers):
        for lane in ("left", "right"):
            place.enqueue_all([("test.group", {"seconds": 0.001}, {"group": lane})] * 60)
        await_(lambda: undone(place) == 0)


# Whatever meets whatever ----------------------------------------------------------------------------------------------


class Gate:
    """What running jobs wait at."""

    now: asyncio.Event


@jobs.handler("test.gated", queue="sample", group_limit=2, max_attempts=1000)
async def gated(job: Job) -> None:
    """Come back once if so told; then wait for the gate, as jobs do that take their time."""
    if job.args["snooze"] and job.fence == 1:
        raise jobs.Snooze(0)
    await Gate.now.wait()
    async with job.finish():
        pass


class Interleaved:
    """Three relays and three workers on one PostgreSQL and one Redis, moved step by step, and by who finds what locked.

    A worker's consumer is played by `_fetch`. Whatever is awaited nowhere goes on by itself between the steps.
    """

    RELAYS = 3
    WORKERS = 3

    def __init__(self, place: Place, stack: AsyncExitStack) -> None:
        self._place = place
        self._stack = stack
        self._key = f"{place.namespace}:sample"
        self._client = messages.relay_client(place.settings.redis_url)
        self._relays = [
            Relay(
                Link(self._client, place.namespace),
                ["sample"],
                resend=timedelta(hours=1),
                window=8,
                wake=lambda _: None,
            )
            for _ in range(self.RELAYS)
        ]
        self._workers = [Execution(timedelta(minutes=1)) for _ in range(self.WORKERS)]
        self._under_way: set[asyncio.Task[None]] = set()
        self._locks: list[psycopg.AsyncConnection[Any]] = []

    async def step(self, name: str, number: int) -> None:
        """One move of whoever it is about."""
        await getattr(self, f"_{name}")(number)
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=0.003 * (number % 3))

    async def settle(self) -> None:
        """Let all come to rest: locks are let go, what runs may end, and everybody looks until there is nothing new.

        Whoever was told of a failure looks a second time, as it would half a second later.
        """
        await self._unlock(0)
        await self._resume(0)
        Gate.now.set()
        Lost.next = ""
        for _ in range(1000):
            await self._ended()
            for each in (*range(self.RELAYS), *range(self.RELAYS)):
                await self._look(each)
                await self._ended()
            if not await self._client.llen(self._key):
                break
            for each in range(self.WORKERS):
                await self._fetch(each)

    async def _enqueue(self, number: int) -> None:
        group, ordering = (None, None, "lane", "line", "other lane")[number % 5], "order" if number % 5 == 4 else None
        await self._execute(
            "select enqueue_job('test.gated', jsonb_build_object('snooze', %s::boolean), 'sample', priority => %s,"
            " max_attempts => 1000, group_name => %s, group_limit => %s, ordering_key => %s)",
            (number % 7 == 0, 1 + number % 4, group, None if group is None or ordering else 1 + number % 2, ordering),
        )

    async def _look(self, number: int) -> None:
        """A relay's; it may find that Redis does not answer."""

        async def look() -> None:
            with suppress(ConnectionError):
                await self._relays[number % self.RELAYS].dispatch()

        self._begin(look())

    async def _fetch(self, number: int) -> None:
        """A worker's consumer: a few messages at once, each acknowledged when it is done."""
        for _ in range(1 + number % 4):
            message_id: Any = await self._client.lpop(self._key)
            if message_id is None:
                return
            body: Any = await self._client.hget(f"{self._key}.msgs", message_id)
            if body is not None:
                self._begin(self._run(number, message_id, UUID(dramatiq.Message.decode(body).args[0])))

    async def _run(self, number: int, message_id: bytes, job_id: UUID) -> None:
        await self._workers[number % self.WORKERS].run(job_id, "sample")
        await self._client.hdel(f"{self._key}.msgs", message_id)

    async def _lock(self, number: int) -> None:
        """Somebody holds a few rows for a moment, as relays and operators do."""
        conn = await self._stack.enter_async_context(
            await psycopg.AsyncConnection.connect(self._place.settings.database_url)
        )
        await conn.execute(
            "select from jobs where state = 'available' order by id offset %s limit 2 for update skip locked",
            (number % 4,),
        )
        self._locks.append(conn)

    async def _unlock(self, _: int) -> None:
        for conn in self._locks:
            await conn.rollback()
        self._locks.clear()

    async def _end(self, _: int) -> None:
        """What runs may end."""
        Gate.now.set()
        await asyncio.sleep(0.005)
        Gate.now.clear()

    async def _pause(self, _: int) -> None:
        await self._execute("insert into job_pauses (queue) values ('sample') on conflict do nothing")

    async def _resume(self, _: int) -> None:
        await self._execute("delete from job_pauses")

    async def _wipe(self, _: int) -> None:
        await self._client.flushall()

    async def _lose(self, number: int) -> None:
        """The next message is sent, or is not, and nobody tells which."""
        Lost.next = ("before", "after")[number % 2]

    async def _replace(self, number: int) -> None:
        """A worker is stopped, and another one comes."""
        self._workers[number % self.WORKERS].stop()
        self._workers[number % self.WORKERS] = Execution(timedelta(minutes=1))

    def _begin(self, work: Any) -> None:
        self._under_way.add(task := asyncio.create_task(work))
        task.add_done_callback(self._under_way.discard)

    async def _ended(self) -> None:
        async with asyncio.timeout(20):
            await asyncio.gather(*self._under_way)

    async def _execute(self, statement: str, parameters: Any = ()) -> None:
        async with pool.connection() as conn:
            await conn.execute(statement.encode(), parameters, prepare=False)

    async def close(self) -> None:
        await self._client.aclose()


class Lost:
    """What becomes of the next message."""

    next = ""
    push = staticmethod(messages.push)

    @classmethod
    async def pushed(cls, *args: Any) -> None:
        lost, cls.next = cls.next, ""
        if lost != "before":
            await cls.push(*args)
        if lost:
            raise ConnectionError


STEPS = (
    *("enqueue", "enqueue", "enqueue", "look", "look", "look", "look", "fetch", "fetch", "fetch", "fetch"),
    *("end", "end", "lock", "lock", "unlock", "pause", "resume", "resume", "replace"),
)
LOSSES = ("wipe", "lose")
"""After these everything is announced anew, which would hide what was forgotten before."""


@pytest.mark.parametrize("names", [STEPS, STEPS + LOSSES], ids=["without losses", "with losses"])
@given(data=st.data())
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_when_all_has_come_to_rest_no_due_job_is_left(
    place: Place, names: tuple[str, ...], data: st.DataObject
) -> None:
    step = st.tuples(st.sampled_from(names), st.integers(0, 83))
    steps = data.draw(st.lists(step, min_size=10, max_size=60))

    async def example() -> None:
        Gate.now, Lost.next = asyncio.Event(), ""
        async with pool.connected(place.settings.database_url, 8), AsyncExitStack() as stack:
            all_of_them = Interleaved(place, stack)
            stack.push_async_callback(all_of_them.close)
            for name, number in steps:
                await all_of_them.step(name, number)
            await all_of_them.settle()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(relay, "COUNT_SECONDS", 0)
        patch.setattr(messages, "push", Lost.pushed)
        place.conn.execute("truncate jobs, job_pauses")
        place.redis.flushall()
        asyncio.run(example())
    left = place.conn.execute("select lane, state, dispatched_at from jobs where state <> 'completed'").fetchall()
    assert left == []
