"""What Prometheus is told of jobs: how many ended in which way, and what went wrong with workers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from prometheus_client import REGISTRY

from conftest import await_
from jobs import sample
from jobs.sample import Place, working
from ticketing.jobs import kinds


@pytest.fixture
def place(new_database: Callable[..., str], redis_url: str) -> Iterator[Place]:
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
        (kind, outcome): told("ticketing_job_attempts_total", kind=kind, outcome=outcome) for kind, outcome in ended
    }
    assert counted == ended
    assert told("ticketing_jobs_discarded_total", kind="test.hasty") == 1
    assert told("ticketing_job_seconds_count", kind="test.retry") == 2
    assert told("ticketing_job_wait_seconds_count", queue="sample") == 8
    assert told("ticketing_job_tickets_dispatched_total", queue="sample") >= 8


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
        await_(lambda: told("ticketing_jobs_fenced_total", kind="test.slow") == 1)
    assert told("ticketing_jobs_rescued_total", kind="test.slow") == 1
    assert told("ticketing_job_attempts_total", kind="test.slow", outcome="fenced") == 1
    assert told("ticketing_job_attempts_total", kind="test.slow", outcome="completed") == 1
