"""How many files a process may have open; each connection is one."""

from __future__ import annotations

import resource

from ticketing.db import pool
from ticketing.ground.config import Settings

SPARE = 96
"""For everything else: libraries, logs, listening sockets, and connections that are being refused."""


def left_for_connections(settings: Settings) -> int:
    """How many of the files that this process may have open are for clients."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _ENDLESS if limit == resource.RLIM_INFINITY else max(1, limit - _others(settings))


def needed(settings: Settings) -> int:
    """How many files a process that serves the API opens at most."""
    return settings.streams + settings.connections + _others(settings)


def shortage(settings: Settings, limit: int) -> str | None:
    """How the limit on open files falls short of the settings, and what to do; or None."""
    if limit == resource.RLIM_INFINITY or limit >= needed(settings):
        return None
    return (
        f"The settings promise {settings.streams:,} streams and {settings.connections:,} other connections, which takes"
        f" {needed(settings):,} open files, but the system allows a process {limit:,}. Connections beyond that are "
        "refused. Raise the limit (`ulimit -Hn`, LimitNOFILE= of systemd, --ulimit nofile= of Docker), or lower "
        "TICKETING_STREAMS or TICKETING_CONNECTIONS."
    )


def allow(settings: Settings) -> str | None:
    """Raise the limit of this process and its children to what the settings promise; return what prevents it."""
    wanted = needed(settings)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if not shortage(settings, soft):
        return None
    within = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (within, hard))
    except (OSError, ValueError):  # macOS has a lower limit than the unlimited one it reports.
        within = soft
    return shortage(settings, within)


_ENDLESS = 1 << 30


def _others(settings: Settings) -> int:
    return settings.pool_size + pool.ASKING_CONNECTIONS + 2 + SPARE
