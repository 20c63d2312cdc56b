"""What Prometheus is told of jobs: how many ended in which way, and what went wrong with workers."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from jobs import sample
from jobs.sample import Place, working
from prometheus_client import REGISTRY
from structlog.testing import CapturingLogger

from conftest import await_
from ticketing.db import pool
from ticketing.jobs import execution, kinds, messages, relay
from ticketing.jobs.link import Link
from ticketing.jobs.relay import Relay


@pytest.fixture
def place(new_database: Callable[..., str], redis_url: str, slowly: None) -> Iterator[Place]:
    """A database and a Redis of its own, and no schedules."""
    with sample.place(new_database(), redis_url) as place, pytest.MonkeyPatch.context() as patch:
        patch.setattr(kinds, "SCHEDULES", {})
        yield place


class Told:
    """What the counters have moved by since."""

    def __init__(self) -> None:
        self._before = _samples()

    def __call__(self, name: str, **labels: str) -> float:
        key = name, tuple(sorted(labels.items()))
        return _samples()[key] - self._before[key]


def _samples() -> Counter[tuple[str, tuple[tuple[str, str], ...]]]:
    found: Counter[tuple[str, tuple[tuple[str, str], ...]]] = Counter()
    for metric in REGISTRY.collect():
        for each in metric.samples:
            found[each.name, tuple(sorted(each.labels.items()))] = each.value  # type: ignore[assignment]
    return found


def test_attempts_are_counted_by_how_they_ended(place: Place) -> None:
    told = Told()
    with working(place):
        for kind in ("test.note", "test.nothing", "test.snooze", "test.unwanted", "test.hasty", "test.retry"):
            place.await_state(place.enqueue(kind), "completed", "cancelled", "discarded")
    ended = {
        ("test.note", "completed"): 1,
        ("test.nothing", "completed"): 1,
        ("test.snooze", "snoozed"): 1,
        ("test.snooze", "completed"): 1,
        ("test.unwanted", "cancelled"): 1,
        ("test.hasty", "discarded"): 1,
        ("test.retry", "failed"): 1,
        ("test.retry", "discarded"): 1,
    }
    counted = {
        (kind, outcome): told("ticketing_job_attempts_total", type=kind, outcome=outcome) for kind, outcome in ended
    }
    assert counted == ended
    assert told("ticketing_jobs_discarded_total", type="test.hasty") == 1
    assert told("ticketing_job_seconds_count", type="test.retry") == 2
    assert told("ticketing_job_wait_seconds_count", queue="sample") == 8
    assert told("ticketing_job_messages_sent_total", queue="sample") >= 8


def test_a_job_that_is_put_off_is_told_in_detail_only(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "log", logged := CapturingLogger())
    with working(place):
        place.await_state(place.enqueue("test.snooze"), "completed")
    assert [(call.method_name, call.kwargs["outcome"]) for call in logged.calls] == [
        ("debug", "snoozed"),
        ("info", "completed"),
    ]


def test_a_lost_job_counts_as_rescued_and_its_late_attempt_as_fenced(place: Place) -> None:
    told = Told()
    with working(place):
        job_id = place.enqueue("test.slow", {"seconds": 1.5})
        place.await_effect(job_id, "began")

        def lost() -> bool:
            place.conn.execute(
                "update jobs set lease_until = now() - interval '1 minute'"
                " where id = %s and attempt = 1 and state = 'running'",
                (job_id,),
            )
            return bool(place.job(job_id)["attempt"] == 2)

        await_(lost)
        place.await_state(job_id, "completed")
        await_(lambda: told("ticketing_jobs_fenced_total", type="test.slow") == 1)
    assert told("ticketing_jobs_rescued_total", type="test.slow") == 1
    assert told("ticketing_job_attempts_total", type="test.slow", outcome="fenced") == 1
    assert told("ticketing_job_attempts_total", type="test.slow", outcome="completed") == 1


def test_a_loss_of_redis_is_told_once_even_if_postgresql_is_away_as_well(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "COUNT_SECONDS", 0.0)
    told, logged = Told(), CapturingLogger()
    monkeypatch.setattr(relay, "log", logged)

    async def lose() -> None:
        link = Link(messages.relay_client(place.settings.redis_url), place.namespace)
        ours = Relay(link, ["sample"], resend=timedelta(seconds=60), window=10, wake=lambda _: None)
        async with pool.connected(place.settings.database_url, 1):
            for _ in range(5):
                await ours.dispatch()
            sure = ours._sure_since
        place.redis.flushall()
        with monkeypatch.context() as patched:
            patched.setattr(pool, "WAIT_SECONDS", 0.1)
            async with pool.connected("host=/nowhere", 1):
                for _ in range(3):
                    with pytest.raises(pool.Unavailable):
                        await ours.dispatch()
        async with pool.connected(place.settings.database_url, 1):
            for _ in range(3):
                await ours.dispatch()
        # What was announced before is void, although it took until now to learn what time it is.
        assert sure
        assert ours._sure_since
        assert ours._sure_since > sure
        await link.client.aclose()

    asyncio.run(lose())
    assert [call.args for call in logged.calls] == [("Redis has lost its memory",)]
    assert told("ticketing_job_epoch_resets_total") == 1


def test_late_is_what_may_run_and_waits(place: Place) -> None:
    """Not what waits behind others of its group, as for a receiver that is dead, nor what an operator has paused."""
    told = _measured(place)
    assert (told["oldest_due"], told["late"]) == (0, 0)
    group: list[Any] = [("test.group", {"seconds": 0}, {"group": "dead"})] * 3
    first, second, _ = place.enqueue_all(group)
    place.conn.execute("update jobs set run_at = now() - interval '100 s'")
    told = _measured(place)
    assert told["oldest_due"] == told["late"] >= 100
    place.conn.execute("select claim_jobs(%s, '1 minute')", ([first, second],))
    told = _measured(place)
    assert told["oldest_due"] >= 100 > told["late"] == 0
    plain = place.enqueue("test.note", priority=4)
    place.conn.execute("update jobs set run_at = now() - interval '50 s' where id = %s", (plain,))
    assert 50 <= _measured(place)["late"] < 100
    place.conn.execute("insert into job_pauses (queue) values ('sample')")
    assert _measured(place)["late"] == 0


def _measured(place: Place) -> dict[str, float]:
    """Seconds that are told, rounded down."""

    async def measure() -> None:
        async with pool.connected(place.settings.database_url, 1):
            link = Link(messages.relay_client(place.settings.redis_url), place.namespace)
            relay = Relay(link, ["sample"], resend=timedelta(seconds=1), window=1, wake=lambda _: None)
            await relay.measure()

    asyncio.run(measure())
    samples = _samples()
    return {
        what: samples[f"ticketing_jobs_{what}_seconds", (("queue", "sample"),)] // 1 for what in ("oldest_due", "late")
    }
