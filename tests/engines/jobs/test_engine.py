"""The job engine on a real PostgreSQL and a real Valkey: each promise that docs compare with River's, and its test."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Self

import pytest
from jobs import sample
from jobs.sample import Place, working

from conftest import await_
from ticketing.jobs import kinds, schedules


@pytest.fixture
def place(new_database: Callable[..., str], redis_url: str, slowly: None) -> Iterator[Place]:
    """A database and a Redis of its own, no schedules, and leases that outlast a machine that is busy with others."""
    with sample.place(new_database(), redis_url, job_lease_seconds=60) as place, pytest.MonkeyPatch.context() as patch:
        patch.setattr(kinds, "SCHEDULES", {})
        yield place


def test_a_job_exists_only_if_its_transaction_commits(place: Place) -> None:
    with working(place):
        job_id = place.enqueue("test.note")
        assert place.await_state(job_id, "completed")["attempt"] == 1
        assert [effect["note"] for effect in place.effects(job_id)] == ["done"]
        with place.conn.transaction(force_rollback=True):
            place.conn.execute("select enqueue_job('test.note', '{}', 'sample')")
        assert place.conn.execute("select count(*) as count from jobs").fetchone() == {"count": 1}


def test_a_handler_that_writes_nothing_is_completed_for_it(place: Place) -> None:
    with working(place):
        for job_id in place.enqueue_all([("test.nothing", {}, {})] * 50):
            job = place.await_state(job_id, "completed")
            assert (job["attempt"], job["errors"], job["lease_until"]) == (1, [], None)


def test_effects_of_a_failed_attempt_are_rolled_back(place: Place) -> None:
    place.conn.execute("select 1")
    with working(place):
        job_id = place.enqueue("test.fail", {"succeed_at": 2})
        job = place.await_state(job_id, "completed")
    assert [effect["attempt"] for effect in place.effects(job_id)] == [2]
    (error,) = job["errors"]
    assert (error["attempt"], error["error"]) == (1, "RuntimeError: attempt 1 fails")


def test_a_failed_job_is_tried_again_after_growing_pauses_and_in_the_end_discarded(place: Place) -> None:
    with working(place):
        job_id = place.enqueue("test.fail")
        job = place.await_job(job_id, lambda job: len(job["errors"]) == 1)
        assert job["state"] == "available"
        pauses = [job["run_at"] - datetime.fromisoformat(job["errors"][0]["at"])]
        place.conn.execute("update jobs set run_at = now() where id = %s", (job_id,))
        job = place.await_job(job_id, lambda job: len(job["errors"]) == 2)
        pauses.append(job["run_at"] - datetime.fromisoformat(job["errors"][1]["at"]))
        place.conn.execute("update jobs set run_at = now() where id = %s", (job_id,))
        job = place.await_state(job_id, "discarded")
    assert [error["attempt"] for error in job["errors"]] == [1, 2, 3]
    assert timedelta(seconds=0.4) < pauses[0] < timedelta(seconds=1.1)
    assert timedelta(seconds=0.9) < pauses[1] < timedelta(seconds=2.1)
    assert place.effects(job_id) == []


def test_pauses_double_up_to_an_hour_and_differ() -> None:
    for attempt, longest in ((1, 1), (2, 2), (5, 16), (13, 3600), (1000, 3600)):
        pauses = {kinds.pause(attempt) for _ in range(50)}
        assert len(pauses) == 50
        assert longest / 2 <= min(pauses) <= max(pauses) <= longest


def test_a_handler_may_fail_on_its_own_terms(place: Place) -> None:
    with working(place):
        job_id = place.enqueue("test.retry")
        job = place.await_state(job_id, "discarded")
    assert [(effect["attempt"], effect["note"]) for effect in place.effects(job_id)] == [(1, "retried"), (2, "retried")]
    assert [error["error"] for error in job["errors"]] == ["not yet", "not yet"]


def test_a_handler_that_takes_too_long_fails(place: Place) -> None:
    with working(place):
        job = place.await_state(place.enqueue("test.hasty"), "discarded")
    assert job["errors"][0]["error"] == "TimeoutError: It took longer than 0.1 seconds."


def test_a_handler_that_something_else_cancels_fails(place: Place) -> None:
    with working(place):
        job = place.await_state(place.enqueue("test.crossed"), "discarded")
        place.await_state(place.enqueue("test.note"), "completed")
    assert job["errors"][0]["error"] == "CancelledError"


def test_only_the_newest_errors_are_kept(place: Place) -> None:
    job_id = place.enqueue("test.fail")
    place.conn.execute("update jobs set errors = (select jsonb_agg(i) from generate_series(1, 20) i)")
    with working(place):
        job = place.await_job(job_id, lambda job: job["attempt"] == 1 and job["state"] == "available")
    assert job["errors"][:19] == list(range(2, 21))
    assert job["errors"][19]["attempt"] == 1


def test_an_error_is_kept_whatever_its_message_holds(place: Place) -> None:
    with working(place):
        job_id = place.enqueue("test.odd")
        job = place.await_job(job_id, lambda job: bool(job["errors"]))
    assert job["errors"][0]["error"] == "RuntimeError: NUL \ufffd, half a letter \ufffd"


def test_of_unique_jobs_there_is_one_until_it_is_done(place: Place) -> None:
    first = place.enqueue("test.note", unique_key="once")
    assert place.enqueue("test.note", unique_key="once") is None
    assert place.enqueue("test.note", unique_key="other")
    assert place.enqueue("test.nothing", unique_key="once")
    with working(place):
        place.await_state(first, "completed")
        second = place.enqueue("test.note", unique_key="once")
        assert second
        place.await_state(second, "completed")


def test_a_job_for_later_waits_until_then(place: Place) -> None:
    moment = datetime.now(UTC) + timedelta(seconds=1)
    with working(place):
        job_id = place.enqueue("test.note", run_at=moment)
        now = place.enqueue("test.note")
        place.await_state(now, "completed")
        place.await_state(job_id, "completed")
        far = place.enqueue("test.note", run_at=moment + timedelta(days=30))
    assert moment <= place.effects(job_id)[0]["at"] < moment + timedelta(seconds=20)
    assert place.job(far)["state"] == "available"


def test_urgent_jobs_go_first(place: Place) -> None:
    wanted: list[Any] = [("test.note", {"note": str(priority)}, {"priority": priority}) for priority in (4, 3, 2, 1)]
    place.enqueue_all(wanted * 3)
    with working(place, threads=1):
        await_(lambda: len(place.effects()) == 12)
    assert [effect["note"] for effect in place.effects()] == [*"111222333444"]


def test_a_snoozed_job_comes_back_without_having_used_an_attempt(place: Place) -> None:
    with working(place):
        job_id = place.enqueue("test.snooze")
        job = place.await_state(job_id, "completed")
    assert [effect["note"] for effect in place.effects(job_id)] == ["snoozed", "done"]
    assert (job["attempt"], job["max_attempts"], job["fence"]) == (1, 1, 2)


def test_a_handler_may_cancel_its_job(place: Place) -> None:
    with working(place):
        job = place.await_state(place.enqueue("test.unwanted"), "cancelled")
    assert job["errors"][0]["error"] == "Cancel: nobody wants it"


def test_jobs_with_an_ordering_key_run_one_at_a_time_in_order(place: Place) -> None:
    wanted: list[Any] = [
        ("test.slow", {"seconds": 0.02}, {"ordering_key": key}) for _ in range(8) for key in ("left", "right")
    ]
    ids = place.enqueue_all(wanted)
    failing = place.enqueue("test.fail", {"succeed_at": 2}, ordering_key="left")
    last = place.enqueue("test.note", ordering_key="left")
    with working(place, workers=2):
        place.await_state(last, "completed")
        place.await_state(ids[-1], "completed")
    for each in (ids[::2], ids[1::2]):
        effects = [effect for effect in place.effects() if effect["job_id"] in each]
        assert [(effect["job_id"], effect["note"]) for effect in effects] == [
            (job_id, text) for job_id in each for text in ("began", "done")
        ]
    # The one that failed was not overtaken while it waited.
    assert place.effects(failing)[0]["position"] < place.effects(last)[0]["position"]


def test_of_a_group_no_more_than_the_limit_run_at_once(place: Place) -> None:
    slow = place.enqueue_all([("test.group", {"seconds": 0.2}, {"group": "dead"})] * 8)
    with working(place, workers=2):
        other = place.enqueue("test.group", {"seconds": 0}, group="alive")
        place.await_state(other, "completed")
        for job_id in slow:
            place.await_state(job_id, "completed")
    running = most = 0
    for effect in place.effects():
        if effect["job_id"] in slow:
            running += 1 if effect["note"] == "began" else -1
            most = max(most, running)
    assert most == 2
    done = [effect["job_id"] for effect in place.effects() if effect["note"] == "done"]
    assert done.index(other) < 4, "the other group had to wait"


def test_a_job_in_no_group_has_no_limit(place: Place) -> None:
    with working(place):
        place.await_state(place.enqueue("test.group", {"seconds": 0}), "completed")


def test_a_paused_queue_keeps_its_jobs(place: Place) -> None:
    place.conn.execute("insert into job_pauses (queue) values ('sample')")
    with working(place):
        job_id = place.enqueue("test.note")
        time.sleep(0.7)
        assert place.job(job_id)["state"] == "available"
        place.conn.execute("delete from job_pauses")
        place.await_state(job_id, "completed")


def test_what_has_finished_is_deleted_after_a_while(place: Place) -> None:
    kept = place.enqueue_all([("test.note", {}, {})] * 4)
    place.conn.execute(
        "update jobs set state = v.state::job_state, finished_at = now() - v.age"
        " from (values (1, 'completed', interval '25 hours'), (2, 'completed', interval '23 hours'),"
        " (3, 'discarded', interval '31 days'), (4, 'cancelled', interval '29 days')) v (number, state, age)"
        " where jobs.sequence = v.number"
    )
    with working(place):
        await_(lambda: place.conn.execute("select from jobs").rowcount == 2)
    left = place.conn.execute("select id from jobs order by sequence").fetchall()
    assert [row["id"] for row in left] == [kept[1], kept[3]]


def test_a_schedule_makes_one_job_for_each_moment_however_many_workers_there_are(place: Place) -> None:
    declared = kinds.Schedule("test.minutely", "* * * * *", "test.scheduled")
    kinds.SCHEDULES[declared.name] = declared
    now = datetime.now(UTC)
    missed = now.replace(second=0, microsecond=0) - timedelta(minutes=3)
    place.conn.execute(
        "insert into job_schedules (name, kind, queue, cron, next_run_at)"
        " values ('test.minutely', 'test.scheduled', 'sample', '* * * * *', %s)",
        (missed,),
    )
    with working(place, workers=3):
        await_(lambda: len(place.effects()) >= 4)
        await_(lambda: _next_run(place) > datetime.now(UTC) or datetime.now(UTC).second == 0)
    slots = [effect["note"] for effect in place.effects()]
    assert sorted(slots)[:4] == [(missed + timedelta(minutes=minute)).isoformat() for minute in range(4)]
    assert len(set(slots)) == len(slots)


def test_of_the_moments_that_a_sweep_has_missed_the_last_becomes_a_job(place: Place) -> None:
    """After a week without workers there is one job and not 10,080, and one while its queue is paused."""
    declared = kinds.Schedule("test.sweeping", "* * * * *", "test.scheduled", "last")
    kinds.SCHEDULES[declared.name] = declared
    before = datetime.now(UTC)
    missed = before.replace(second=0, microsecond=0) - timedelta(days=7)
    place.conn.execute("insert into job_pauses (queue) values ('sample')")
    place.conn.execute(
        "insert into job_schedules (name, kind, queue, cron, next_run_at)"
        " values ('test.sweeping', 'test.scheduled', 'sample', '* * * * *', %s)",
        (missed,),
    )
    with working(place, workers=3):
        await_(lambda: _next_run(place) > before)
        place.conn.execute("update job_schedules set next_run_at = %s", (missed,))
        await_(lambda: _next_run(place) > before)
        assert place.conn.execute("select from jobs").rowcount == 1
        place.conn.execute("delete from job_pauses")
        await_(lambda: bool(place.effects()))
    slot = datetime.fromisoformat(place.effects()[0]["note"])
    assert before - timedelta(minutes=1) < slot <= datetime.now(UTC)


def test_a_worker_whose_clock_is_ahead_skips_no_moment(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Schedules go by the database's clock, which all workers share."""

    class Ahead(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return super().now(tz) + timedelta(minutes=10)

    monkeypatch.setattr(schedules, "datetime", Ahead)
    kinds.SCHEDULES["test.sweeping"] = kinds.Schedule("test.sweeping", "* * * * *", "test.scheduled", "last")
    with working(place):
        await_(lambda: place.conn.execute("select from job_schedules").rowcount == 1)
        assert _next_run(place) < datetime.now(UTC) + timedelta(minutes=2), "a new schedule"
        place.conn.execute("update job_schedules set next_run_at = now() - interval '1 minute'")
        await_(lambda: _next_run(place) > datetime.now(UTC))
        assert _next_run(place) < datetime.now(UTC) + timedelta(minutes=2), "one that was due"


def _next_run(place: Place) -> datetime:
    row = place.conn.execute("select next_run_at from job_schedules").fetchone()
    assert row
    moment: datetime = row["next_run_at"]
    return moment


def test_a_schedule_whose_times_change_starts_anew(place: Place) -> None:
    for cron, minute in (("0 0 1 1 *", 0), ("30 0 1 1 *", 30)):
        kinds.SCHEDULES["test.yearly"] = kinds.Schedule("test.yearly", cron, "test.scheduled")
        with working(place):
            await_(
                lambda minute=minute: bool(
                    place.conn.execute(  # type: ignore[misc]
                        "select from job_schedules where extract(minute from next_run_at) = %s", (minute,)
                    ).rowcount
                )
            )


def test_two_relays_dispatch_a_job_once(place: Place) -> None:
    with working(place, workers=3):
        ids = place.enqueue_all([("test.note", {}, {})] * 300)
        for job_id in ids:
            place.await_state(job_id, "completed")
    assert len(place.effects()) == 300
    assert place.conn.execute("select from jobs where attempt <> 1 or fence <> 1").rowcount == 0


def test_a_claim_costs_the_same_however_many_jobs_wait(place: Place) -> None:
    """Also if the planner has last counted when nothing waited, as before every flood."""
    many = "select enqueue_job('test.note', '{}', 'sample') from generate_series(1, 3000)"
    last = "select id from jobs where finished_at is null and lease_until is null order by sequence desc limit 1"
    place.conn.execute(many)
    place.conn.execute("update jobs set state = 'completed', finished_at = now()")
    place.conn.execute("vacuum analyze jobs")
    place.conn.execute(many)
    pages = []
    for _ in range(3):
        job = place.conn.execute(last).fetchone()
        assert job
        claim = f"select claim_jobs(array['{job['id']}'::uuid], '15 s')"
        row = place.conn.execute(f"explain (analyze, buffers, format json) {claim}".encode()).fetchone()
        assert row
        (plan,) = row["QUERY PLAN"]
        pages.append(plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"])
    assert min(pages) < 40
