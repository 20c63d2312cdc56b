"""Prometheus metrics of jobs."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import Counter, Gauge, Histogram

ATTEMPTS = Counter("ticketing_job_attempts", "Attempts at jobs, by how they ended.", ["type", "outcome"])
SECONDS = Histogram(
    "ticketing_job_seconds",
    "Seconds that an attempt took.",
    ["type"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
WAITED = Histogram(
    "ticketing_job_wait_seconds",
    "Seconds from when a job was due until an attempt began.",
    ["queue"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800),
)
DISCARDED = Counter("ticketing_jobs_discarded", "Jobs discarded after their last attempt.", ["type"])
RESCUED = Counter("ticketing_jobs_rescued", "Jobs taken back from workers that went silent.", ["type"])
FENCED = Counter("ticketing_jobs_fenced", "Attempts that had lost their job by the time they wrote.", ["type"])
DISPATCHED = Counter("ticketing_job_messages_sent", "Messages sent to announce a due job.", ["queue"])
STALE = Counter("ticketing_job_messages_stale", "Messages for jobs that were no longer available.", ["queue"])
EPOCHS = Counter("ticketing_job_epoch_resets", "How often Redis was found to have lost its memory.")


def begin(kinds: Iterable[str]) -> None:
    """Start the counters that alerts watch at 0 for each type of job: `increase` ignores a counter's first value."""
    for kind in kinds:
        for counter in (DISCARDED, RESCUED, FENCED):
            counter.labels(kind)


# Every process measures the same queues, so the newest value is as good as any.
DUE = Gauge(
    "ticketing_jobs_due",
    "Jobs that are due, counted up to 10,000.",
    ["queue"],
    multiprocess_mode="mostrecent",
)
OLDEST = Gauge(
    "ticketing_jobs_oldest_due_seconds",
    "Seconds for which the oldest due job has been waiting, for whatever reason.",
    ["queue"],
    multiprocess_mode="mostrecent",
)
LATE = Gauge(
    "ticketing_jobs_late_seconds",
    "Seconds for which the oldest runnable job has been waiting: due, not paused, not behind others of its group.",
    ["queue"],
    multiprocess_mode="mostrecent",
)
RUNNING = Gauge("ticketing_jobs_running", "Jobs that are running.", ["queue"], multiprocess_mode="mostrecent")
DIRECT = Gauge(
    "ticketing_jobs_without_redis",
    "Processes that take jobs from PostgreSQL because Redis is down.",
    multiprocess_mode="livesum",
)
