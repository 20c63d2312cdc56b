"""Schedules, as operators see them."""

from __future__ import annotations

from test_jobs import Db

from conftest import Person


def test_schedules_are_listed(admin: Person, db: Db) -> None:
    db.execute("delete from job_schedules")
    for name in ("one", "two"):
        db.execute(
            "insert into job_schedules (name, kind, queue, cron, next_run_at)"
            " values (%s, 'test.noted', 'default', '0 4 * * *', '2026-11-25T04:00Z')",
            (name,),
        )
    schedules = admin.pages("/ops/v1/schedules", limit=1)
    assert [schedule["name"] for schedule in schedules] == ["one", "two"]
    assert (schedules[0]["next_run_at"], schedules[0]["last_run_at"]) == ("2026-11-25T04:00:00.000Z", None)
    db.execute("delete from job_schedules")


# The command ----------------------------------------------------------------------------------------------------------
