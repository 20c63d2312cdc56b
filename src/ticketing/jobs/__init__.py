"""The job engine: PostgreSQL owns every job, Redis carries hints that one is due, Dramatiq executes.

    await jobs.enqueue(conn, "mail.send", {"message_id": …})      # in the transaction that wants it done

    @jobs.handler("mail.send", queue="mail", max_attempts=10)
    async def send(job: Job) -> None:
        …                                                         # what reaches outside: at least once
        async with job.finish() as conn:                          # what reaches the database: exactly once
            …

kinds       what there is to do: handlers, schedules and loops, as they are declared
job         a job as its handler has it, and how one is enqueued
messages    hints: what Dramatiq and Redis see of a job
relay       from what is due to hints, and from lost workers to what is due
execution   from a hint, or straight from PostgreSQL, to a handler and its outcome
schedules   from moments to jobs
worker      all of these in one process
"""

from ticketing.jobs.job import Cancel, Fenced, Job, Snooze, enqueue
from ticketing.jobs.kinds import Kind, handler, kind, loop, schedule

__all__ = ["Cancel", "Fenced", "Job", "Kind", "Snooze", "enqueue", "handler", "kind", "loop", "schedule"]
