"""Every fault: what it does to the stand, and how it ends. A fault waits until it can hurt."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import psycopg
import redis

from chaos.processes import Breakable
from chaos.proxy import Moment
from chaos.receivers import Mood
from chaos.stand import Stand

Target = Literal["postgres", "api", "valkey", "worker", "receiver"]
Inflict = Callable[[Stand, random.Random], None]
MOMENTS: tuple[Moment, ...] = ("before", "during", "after")
MOODS: tuple[Mood, ...] = ("slow", "silent", "dead", "wrong", "flapping")
FAULTY_RECEIVERS = ("first", "second")
"""Receivers whose behaviour changes; others are always healthy, or always dead."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault. Faults of one target come one after another, those of different targets at the same time."""

    name: str
    target: Target
    #: Does the damage and repairs it.
    inflict: Inflict


def _killed(part: Breakable, draw: random.Random, longest: float) -> None:
    part.kill()
    time.sleep(draw.uniform(0, longest))
    part.start()


def _frozen(part: Breakable, seconds: float) -> None:
    part.freeze()
    time.sleep(seconds)
    part.thaw()


def _restarted(part: Breakable) -> None:
    part.stop()
    part.start()


# PostgreSQL, and the way there ---------------------------------------------------------------------------------------


def _terminate(stand: Stand, _: random.Random) -> None:
    with stand.database() as conn:
        conn.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where pid <> pg_backend_pid() and datname = current_database() and backend_type = 'client backend'"
        )


def _cut_commits(stand: Stand, draw: random.Random) -> None:
    stand.to_postgres.cut_commits(*draw.choices(MOMENTS, k=draw.randint(1, 8)))
    deadline = time.monotonic() + 5
    while stand.to_postgres.commits_to_cut and time.monotonic() < deadline:
        time.sleep(0.05)


def _swallowed(stand: Stand, draw: random.Random) -> None:
    stand.to_postgres.swallow()
    time.sleep(draw.uniform(1, 8))
    stand.to_postgres.let_through()


def _delayed(stand: Stand, draw: random.Random) -> None:
    stand.to_postgres.delay = draw.uniform(0.01, 0.1)
    time.sleep(draw.uniform(2, 5))
    stand.to_postgres.delay = 0


def _locked(stand: Stand, draw: random.Random) -> None:
    table = draw.choice(("tickets", "events", "comments", "idempotency_keys", "tokens"))
    with stand.database() as conn, conn.transaction():
        conn.execute("set local lock_timeout = '5s'")
        conn.execute(f"lock table {table} in access exclusive mode")
        time.sleep(draw.uniform(0.5, 4))


def _deadlocked(stand: Stand, draw: random.Random) -> None:
    """Lock tickets first and the log second, so that a writer in between waits for us while we wait for it."""
    for _ in range(5):
        with stand.database() as conn:
            try:
                with conn.transaction():
                    conn.execute("select from (select number from tickets order by number desc limit 300) t for update")
                    time.sleep(draw.uniform(0.1, 0.3))
                    conn.execute("lock table events in exclusive mode")
            except psycopg.errors.DeadlockDetected:
                pass  # We were the victim this time.


# Valkey --------------------------------------------------------------------------------------------------------------


def valkey(stand: Stand) -> redis.Redis:
    """A client that bypasses the proxy."""
    return redis.Redis.from_url(stand.valkey.url, socket_timeout=5)


def _flushed(stand: Stand, _: random.Random) -> None:
    with valkey(stand) as server:
        server.flushall()


def _restored(stand: Stand, draw: random.Random) -> None:
    """Valkey comes back as it was some seconds ago: with finished messages, and without newer ones."""
    with valkey(stand) as server:
        kept = {key: server.dump(key) for key in server.scan_iter(count=1000)}
        time.sleep(draw.uniform(1, 4))
        with server.pipeline(transaction=True) as restore:
            restore.flushall()
            for key, value in kept.items():
                if value is not None:
                    restore.restore(key, 0, value)
            restore.execute()


def _full(stand: Stand, draw: random.Random) -> None:
    with valkey(stand) as server:
        server.config_set("maxmemory-policy", "noeviction")
        server.config_set("maxmemory", "1")
        time.sleep(draw.uniform(2, 8))
        server.config_set("maxmemory", "0")


def _valkey_swallowed(stand: Stand, draw: random.Random) -> None:
    stand.to_valkey.swallow()
    time.sleep(draw.uniform(1, 8))
    stand.to_valkey.let_through()


# Receivers, and jobs -------------------------------------------------------------------------------------------------


def _moody(mood: Mood) -> Inflict:
    def inflict(stand: Stand, draw: random.Random) -> None:
        receiver = stand.receivers.by_name[draw.choice(FAULTY_RECEIVERS)]
        receiver.mood = mood
        time.sleep(draw.uniform(2, 10))
        receiver.mood = "well"

    return inflict


def _poisoned(stand: Stand, _: random.Random) -> None:
    with stand.database() as conn:
        conn.execute("select enqueue_job('chaos.poison', '{}', max_attempts => 3)")


def all_faults(lease: float) -> list[Fault]:
    """Every fault, for workers with a lease of so many seconds."""
    return [
        Fault("PostgreSQL: kill -9", "postgres", lambda stand, draw: _killed(stand.postgres, draw, 2)),
        Fault("PostgreSQL: frozen", "postgres", lambda stand, draw: _frozen(stand.postgres, draw.uniform(1, 8))),
        Fault("PostgreSQL: restarted", "postgres", lambda stand, _: _restarted(stand.postgres)),
        Fault("PostgreSQL: all backends terminated", "postgres", _terminate),
        Fault("PostgreSQL: connections cut", "postgres", lambda stand, _: stand.to_postgres.cut()),
        Fault("PostgreSQL: connections cut during COMMIT", "postgres", _cut_commits),
        Fault("PostgreSQL: packets swallowed", "postgres", _swallowed),
        Fault("PostgreSQL: slow network", "postgres", _delayed),
        Fault("PostgreSQL: table locked", "postgres", _locked),
        Fault("PostgreSQL: deadlocks", "postgres", _deadlocked),
        Fault("API: kill -9", "api", lambda stand, draw: _killed(draw.choice(stand.apis), draw, 1)),
        Fault("API: frozen", "api", lambda stand, draw: _frozen(draw.choice(stand.apis), draw.uniform(1, 8))),
        Fault("API: SIGTERM and restart", "api", lambda stand, draw: _restarted(draw.choice(stand.apis))),
        Fault("worker: kill -9", "worker", lambda stand, draw: _killed(draw.choice(stand.workers), draw, 1)),
        Fault("worker: all killed -9", "worker", _all_killed),
        Fault("worker: frozen beyond its lease", "worker", _zombie(lease)),
        Fault("worker: SIGTERM and restart", "worker", lambda stand, draw: _restarted(draw.choice(stand.workers))),
        Fault("worker: poison job", "worker", _poisoned),
        Fault("Valkey: kill -9", "valkey", lambda stand, draw: _killed(stand.valkey, draw, 5)),
        Fault("Valkey: wiped", "valkey", _flushed),
        Fault("Valkey: old snapshot restored", "valkey", _restored),
        Fault("Valkey: frozen", "valkey", lambda stand, draw: _frozen(stand.valkey, draw.uniform(1, 8))),
        Fault("Valkey: out of memory", "valkey", _full),
        Fault("Valkey: connections cut", "valkey", lambda stand, _: stand.to_valkey.cut()),
        Fault("Valkey: packets swallowed", "valkey", _valkey_swallowed),
        *(Fault(f"receiver: {mood}", "receiver", _moody(mood)) for mood in MOODS),
    ]


def by_name(name: str) -> Fault:
    """One of them."""
    return next(fault for fault in all_faults(lease=5) if fault.name == name)


def _all_killed(stand: Stand, _: random.Random) -> None:
    for worker in stand.workers:
        worker.kill()
    for worker in stand.workers:
        worker.start()


def _zombie(lease: float) -> Inflict:
    return lambda stand, draw: _frozen(draw.choice(stand.workers), lease + draw.uniform(1, 3))
