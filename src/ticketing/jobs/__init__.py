"""The job engine: PostgreSQL owns every job, Redis carries hints that one is due, Dramatiq executes.

    await jobs.enqueue(conn, "mail.send", {"message_id": …})      # in the transaction that wants it done

    @jobs.handler("mail.send", queue="mail", max_attempts=10)
    async def send(job: Job) -> None:
        …                                                         # outside effects: at least once
        async with job.finish() as conn:                          # database effects: exactly once
            …

kinds       handlers, schedules and loops, as they are declared
job         a job as its handler sees it, and how to enqueue one
messages    hints: what Dramatiq and Redis see of a job
relay       sends hints for due jobs, and rescues the jobs of silent workers
execution   claims a job, by hint or straight from PostgreSQL, runs its handler, and records the outcome
schedules   makes jobs at scheduled times
worker      all of these in one process
"""

from ticketing.jobs.job import Cancel, Fenced, Job, Snooze, enqueue
from ticketing.jobs.kinds import Kind, handler, kind, loop, schedule

__all__ = ["Cancel", "Fenced", "Job", "Kind", "Snooze", "enqueue", "handler", "kind", "loop", "schedule"]
