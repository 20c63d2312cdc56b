"""What goes wrong with workers and with Redis, and that no job is lost or done twice for it."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from jobs import sample
from jobs.sample import Place, spawned, working
from structlog.testing import CapturingLogger

from conftest import await_
from ticketing.db import embedded, sql
from ticketing.jobs import figures, kinds, link, messages


@pytest.fixture
def place(new_database: Callable[..., str], redis_url: str, slowly: None) -> Iterator[Place]:
    """A database and a Redis of its own, and no schedules."""
    with sample.place(new_database(), redis_url) as place, pytest.MonkeyPatch.context() as patch:
        patch.setattr(kinds, "SCHEDULES", {})
        yield place


def test_a_job_of_a_killed_worker_is_rescued_within_its_lease(place: Place) -> None:
    with spawned(place) as process:
        job_id = place.enqueue("test.slow", {"seconds": 1})
        place.await_effect(job_id, "began")
        process.kill()
        killed = time.monotonic()
    with working(place):
        job = place.await_state(job_id, "completed")
    assert time.monotonic() - killed < place.settings.job_lease_seconds + 2 + 1.5
    assert [(effect["attempt"], effect["note"]) for effect in place.effects(job_id)] == [
        (1, "began"),
        (2, "began"),
        (2, "done"),
    ]
    assert [error["attempt"] for error in job["errors"]] == [1]


def test_a_job_that_kills_its_worker_is_discarded_in_the_end(place: Place) -> None:
    job_id = place.enqueue("test.poison")
    for attempt in (1, 2):
        with spawned(place) as process:
            assert process.wait(60) == 9
        assert place.job(job_id)["attempt"] == attempt
    with working(place):
        other = place.enqueue("test.note")
        job = place.await_state(job_id, "discarded")
        place.await_state(other, "completed")
    assert [error["attempt"] for error in job["errors"]] == [1, 2]


def test_a_zombie_that_wakes_after_its_lease_writes_nothing(place: Place) -> None:
    with spawned(place) as zombie:
        job_id = place.enqueue("test.slow", {"seconds": 0.5})
        place.await_effect(job_id, "began")
        zombie.send_signal(signal.SIGSTOP)
        with working(place):
            job = place.await_state(job_id, "completed")
        zombie.send_signal(signal.SIGCONT)
        last = place.enqueue("test.note")
        place.await_state(last, "completed")  # It is alive again,
        zombie.terminate()
        assert zombie.wait(20) == 0  # and has ended what it was about.
    assert place.job(job_id) == job
    assert [(effect["attempt"], effect["note"]) for effect in place.effects(job_id)] == [
        (1, "began"),
        (2, "began"),
        (2, "done"),
    ]


def test_an_operator_cancels_a_running_job_and_its_handler_ends(place: Place) -> None:
    with working(place):
        job_id = place.enqueue("test.slow", {"seconds": 25})
        place.await_effect(job_id, "began")
        place.conn.execute("update jobs set cancel_requested_at = now() where id = %s", (job_id,))
        job = place.await_state(job_id, "cancelled", seconds=5)
    assert job["errors"][0]["error"] == "An operator cancelled it."
    assert [effect["note"] for effect in place.effects(job_id)] == ["began"]


@pytest.mark.parametrize("kind", ["test.fails_when_cancelled", "test.snoozes_when_cancelled"])
def test_a_job_that_an_operator_wants_to_end_does_not_come_back(place: Place, kind: str) -> None:
    """Its handler gives it back before anybody has told it to end."""
    with working(place):
        job_id = place.enqueue(kind)
        place.await_effect(job_id, "began")
        place.conn.execute("update jobs set cancel_requested_at = now() where id = %s", (job_id,))
        job = place.await_job(job_id, lambda job: job["state"] != "running", seconds=5)
    assert (job["state"], bool(job["finished_at"])) == ("cancelled", True)


def test_a_handler_that_will_not_end_may_finish_its_job(place: Place) -> None:
    with working(place):
        job_id = place.enqueue("test.stubborn")
        place.await_effect(job_id, "began")
        place.conn.execute("update jobs set cancel_requested_at = now() where id = %s", (job_id,))
        job = place.await_state(job_id, "completed", seconds=5)
    assert job["errors"] == []
    assert [effect["note"] for effect in place.effects(job_id)] == ["began", "done"]


def test_quick_jobs_are_fetched_ahead_and_none_waits_behind_slow_ones(place: Place) -> None:
    """What one worker has fetched, another one does not see."""

    def fetched() -> int:
        return sum(int(place.redis.scard(key)) for key in place.redis.scan_iter(f"{place.namespace}:__acks__.*"))

    place = place.with_settings(job_resend_seconds=60)
    with working(place, threads=2):
        place.enqueue_all([("test.nothing", {}, {})] * 300)
        await_(lambda: fetched() > 2)
        await_(lambda: not place.conn.execute("select from jobs where state <> 'completed'").fetchall())
        await_(lambda: fetched() == 0)
        place.enqueue_all([("test.slow", {"seconds": 0.3}, {})] * 12)
        most = 0
        while place.conn.execute("select from jobs where state <> 'completed'").fetchall():
            most = max(most, fetched())
        assert most == 2


def test_a_worker_that_is_stopped_lets_jobs_finish_and_gives_the_rest_back(place: Place) -> None:
    with spawned(place) as process:
        short = place.enqueue("test.slow", {"seconds": 0.7})
        long = place.enqueue("test.slow", {"seconds": 20})
        for job_id in (short, long):
            place.await_effect(job_id, "began")
        process.terminate()
        assert process.wait(10) == 0
    assert place.job(short)["state"] == "completed"
    job = place.job(long)
    assert (job["state"], job["attempt"], job["errors"]) == ("available", 0, [])
    assert place.conn.execute("select from jobs where run_at <= now() and id = %s", (long,)).rowcount == 1


def test_after_redis_has_lost_its_memory_everything_is_announced_anew(place: Place) -> None:
    with working(place.with_settings(job_resend_seconds=60), threads=1):
        first = place.enqueue("test.slow", {"seconds": 1})
        place.await_effect(first, "began")
        waiting = place.enqueue_all([("test.note", {}, {})] * 20)
        await_(lambda: place.job(waiting[-1])["dispatched_at"] is not None)
        before = figures.EPOCHS._value.get()
        place.redis.flushall()
        for job_id in waiting:
            place.await_state(job_id, "completed", seconds=4)
        assert figures.EPOCHS._value.get() == before + 1
    assert len([effect for effect in place.effects() if effect["note"] == "done"]) == 21


def test_what_is_announced_once_it_is_known_what_was_lost_is_not_announced_again(place: Place) -> None:
    """The first relay at a Redis that is new cannot tell what was announced before, and can from then on."""
    before = figures.DISPATCHED.labels("sample")._value.get()
    wanted: list[Any] = [("test.slow", {"seconds": 1.5}, {}), *[("test.nothing", {}, {})] * 50]
    ids = place.enqueue_all(wanted)
    with working(place.with_settings(job_resend_seconds=60), threads=1):
        for job_id in ids:
            place.await_state(job_id, "completed")
    assert figures.DISPATCHED.labels("sample")._value.get() - before == len(ids)


def test_a_message_that_got_lost_is_sent_again(place: Place) -> None:
    with working(place):
        place.await_state(place.enqueue("test.note"), "completed")
        job_id = place.enqueue("test.note", run_at=datetime.now(UTC) + timedelta(days=1))
        announced = "update jobs set dispatched_at = now(), run_at = now() where id = %s returning dispatched_at as at"
        (lost,) = place.conn.execute(announced, (job_id,)).fetchall()
        place.await_state(job_id, "completed")
    again = lost["at"] + timedelta(seconds=place.settings.job_resend_seconds)
    assert again <= place.effects(job_id)[0]["at"] < again + timedelta(seconds=20)


def test_messages_that_come_twice_or_late_do_no_harm(place: Place) -> None:
    with working(place):
        job_id = place.enqueue("test.note")
        done = place.await_state(job_id, "completed")
        stale = figures.STALE.labels("sample")._value.get()
        key = f"{place.namespace}:sample"
        for copy in range(3):
            _, message = messages.encoded("sample", done["id"])
            place.redis.hset(f"{key}.msgs", str(copy), message)
            place.redis.rpush(key, str(copy))
        await_(lambda: figures.STALE.labels("sample")._value.get() == stale + 3)
    assert place.job(job_id) == done
    assert len(place.effects()) == 1


@pytest.mark.slow
def test_two_databases_on_one_redis_do_not_take_each_others_jobs(
    new_database: Callable[..., str], redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As production and a copy of it for staging: no job waits until it is announced again."""
    monkeypatch.setattr(kinds, "SCHEDULES", {})
    never = {"job_resend_seconds": 3600}
    with (
        sample.place(new_database(), redis_url, **never) as ours,
        sample.place(new_database(), redis_url, **never) as theirs,
        working(theirs),
        working(ours),
    ):
        for _ in range(20):
            ours.await_state(ours.enqueue("test.note"), "completed", seconds=10)
            theirs.await_state(theirs.enqueue("test.note"), "completed", seconds=10)
        assert ours.namespace != theirs.namespace
        assert (len(ours.effects()), len(theirs.effects())) == (20, 20)


@pytest.mark.slow
def test_what_a_worker_of_the_release_before_has_announced_is_done_when_it_has_gone(place: Place) -> None:
    """Its messages lie under keys without the identity of the database."""
    job_id = place.enqueue("test.note")
    assert job_id
    place.conn.execute("update jobs set dispatched_at = now() where id = %s", (job_id,))
    message_id, message = messages.encoded("sample", job_id)
    place.redis.hset(f"{messages.NAMESPACE}:sample.msgs", message_id, message)
    place.redis.rpush(f"{messages.NAMESPACE}:sample", message_id)
    with working(place.with_settings(job_resend_seconds=3600)):
        place.await_state(job_id, "completed", seconds=5)


@pytest.mark.slow
@pytest.mark.parametrize("denied", ["-rpush", "-evalsha -eval"])
def test_a_redis_that_answers_but_takes_no_announcements_is_done_without(
    place: Place, denied: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged = CapturingLogger()
    monkeypatch.setattr(link, "log", logged)
    with working(place):
        place.await_state(place.enqueue("test.note"), "completed")
        place.redis.acl_setuser("default", enabled=True, nopass=True, keys=["*"], commands=["+@all", *denied.split()])
        try:
            place.await_state(place.enqueue("test.note"), "completed", seconds=10)
        finally:
            place.redis.acl_setuser("default", enabled=True, nopass=True, keys=["*"], commands=["+@all"])
        await_(lambda: figures.DIRECT._value.get() == 0)
    away, back = logged.calls
    assert (away.args, back.args) == (("jobs come straight from PostgreSQL",), ("jobs come through Redis again",))
    assert "no permissions" in away.kwargs["error"]
    assert "ticketing:jobs:*" in away.kwargs["remedy"]


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["absent", "frozen"])
def test_without_redis_jobs_come_straight_from_postgresql(
    new_database: Callable[..., str], fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kinds, "SCHEDULES", {})
    with ExitStack() as valkey:
        redis_url = valkey.enter_context(embedded.valkey())
        with sample.place(new_database(), redis_url) as place, working(place):
            place.await_state(place.enqueue("test.note"), "completed")
            pid = int(place.redis.info()["process_id"])
            if fault == "frozen":
                os.kill(pid, signal.SIGSTOP)
            else:
                valkey.close()
            try:
                started = time.monotonic()
                place.await_state(place.enqueue("test.note"), "completed", seconds=10)
                assert time.monotonic() - started < 8
                took = []
                for _ in range(5):
                    started = time.monotonic()
                    place.await_state(place.enqueue("test.note"), "completed")
                    took.append(time.monotonic() - started)
                assert min(took) < 0.3, "now that it is known, there is no waiting"
            finally:
                if fault == "frozen":
                    os.kill(pid, signal.SIGCONT)
            if fault == "frozen":
                await_(lambda: figures.DIRECT._value.get() == 0)
                place.await_state(place.enqueue("test.note"), "completed")
            assert len(place.effects()) == len({effect["job_id"] for effect in place.effects()})


def test_what_a_worker_claims_without_redis_while_it_is_stopped_is_not_lost(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim, claimed = sql.job_engine.claim_due_jobs, threading.Event()

    async def slowly_answered(conn: sql.Connection, **given: Any) -> Any:
        if rows := await claim(conn, **given):
            claimed.set()
            await asyncio.sleep(0.5)
        return rows

    monkeypatch.setattr(sql.job_engine, "claim_due_jobs", slowly_answered)
    job_id = place.enqueue("test.note")
    with working(place.with_settings(redis_url="redis://127.0.0.1:1/0")):
        assert claimed.wait(20)
    job = place.job(job_id)
    assert (job["state"], job["attempt"], job["errors"]) == ("completed", 1, [])


def test_workers_outlive_a_postgresql_that_drops_all_connections(place: Place) -> None:
    with working(place):
        place.await_state(place.enqueue("test.note"), "completed")
        place.conn.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )
        place.await_state(place.enqueue("test.note"), "completed", seconds=8)
