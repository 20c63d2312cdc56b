"""The tiers of the suite, and the watch that keeps each test in its own.

`slow` tests start processes, sleep or take long: those in tests/process and tests/e2e, those that are marked, and those
that use a fixture which requests `slowly`. `make test-fast` leaves them out. `database` tests need PostgreSQL: those
that use a fixture which does, and those that are marked because they start a server themselves. CI runs only these on
the oldest PostgreSQL.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).parent
LONGEST_SLEEP = 0.1
"""Seconds that a test outside the slow tier may sleep at once, to poll for something."""
STARTS = ((subprocess.Popen, "__init__"), (os, "fork"), (os, "posix_spawn"), (os, "system"))
"""What starts processes. No audit hook (sys.addaudithook): while one thread is in it, as whoever sets a trace function
is, CPython 3.11 lets no other set one, and where coverage is measured a new thread that cannot dies."""
MARKERS = (
    "slow: starts processes, sleeps or takes long; `make test-fast` leaves it out",
    "database: needs PostgreSQL; CI runs no other test on the oldest one",
)

_watched: list[str] = []
"""The running test, unless it is slow."""


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers, and start the watch: it lasts as long as the process."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    for place, name in STARTS:
        setattr(place, name, _refuse_processes(getattr(place, name)))
    time.sleep = _refuse_long(time.sleep)
    asyncio.sleep = _refuse_long(asyncio.sleep)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by their folder and fixtures, and mix the files that compute with those that wait."""
    items.sort(key=lambda item: hashlib.sha256(item.path.name.encode()).digest())
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        in_browser = item.path.is_relative_to(TESTS / "e2e")
        if in_browser or item.path.is_relative_to(TESTS / "process") or "slowly" in fixtures:
            item.add_marker("slow")
        if in_browser or "server_url" in fixtures:
            item.add_marker("database")


@pytest.fixture(scope="session")
def slowly() -> None:
    """Requested by fixtures that start a process or make tests wait: marks every test that uses them as slow."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Watch a test that is not slow; let none without the `database` mark start PostgreSQL."""
    with pytest.MonkeyPatch.context() as patch:
        if not item.get_closest_marker("database"):
            patch.setenv("TICKETING_POSTGRES_BIN", "/a-test-that-needs-PostgreSQL-is-marked-database")
        if not item.get_closest_marker("slow"):
            _watched.append(item.nodeid)
        try:
            return (yield)
        finally:
            _watched.clear()


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any]) -> Iterator[None]:
    """Allow fixtures of the session to start a process: all tests share it."""
    held, _watched[:] = list(_watched), [] if fixturedef.scope == "session" else _watched
    try:
        return (yield)
    finally:
        _watched[:] = held


def _refuse_processes(start: Callable[..., Any]) -> Any:
    @wraps(start)
    def watched(*arguments: Any, **options: Any) -> Any:
        if _watched and ["uname", "-p"] not in arguments:  # The standard library asks that, once.
            _refuse("starts a process")
        return start(*arguments, **options)

    return watched


def _refuse_long(sleep: Callable[..., Any]) -> Any:
    def watched(delay: float, *result: Any) -> Any:
        if _watched and delay > LONGEST_SLEEP and sys._getframe(1).f_code.co_filename.startswith(str(TESTS)):
            _refuse("sleeps")
        return sleep(delay, *result)

    return watched


def _refuse(what: str) -> None:
    pytest.fail(f"{_watched[0]} {what}: put it into tests/process, or mark it with `pytest.mark.slow`.")
