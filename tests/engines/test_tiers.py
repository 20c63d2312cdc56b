"""The tiers of the suite: a test in the wrong one fails, and the message says where it belongs."""

from __future__ import annotations

import asyncio
import subprocess
import time

import pytest

from ticketing.db import embedded

SAID = r"mark it with `pytest\.mark\.slow`"


def test_a_quick_test_starts_no_process() -> None:
    with pytest.raises(pytest.fail.Exception, match=SAID):
        subprocess.run(["true"], check=True)


def test_a_quick_test_does_not_sleep() -> None:
    time.sleep(0.001)
    with pytest.raises(pytest.fail.Exception, match=SAID):
        time.sleep(60)
    with pytest.raises(pytest.fail.Exception, match=SAID):
        asyncio.run(asyncio.sleep(60))


@pytest.mark.slow
def test_a_slow_test_may() -> None:
    subprocess.run(["true"], check=True)
    time.sleep(0.11)
    asyncio.run(asyncio.sleep(0.11))


@pytest.mark.slow
def test_without_the_mark_there_is_no_postgresql() -> None:
    with pytest.raises(embedded.EmbeddedError, match="is-marked-database"), embedded.postgres():
        pass


@pytest.fixture(scope="module")
def starting() -> None:
    subprocess.run(["true"], check=True)


@pytest.fixture(scope="session")
def shared() -> None:
    subprocess.run(["true"], check=True)


def test_a_quick_test_asks_for_no_fixture_that_starts_a_process(request: pytest.FixtureRequest) -> None:
    with pytest.raises(pytest.fail.Exception, match=SAID):
        request.getfixturevalue("starting")
    request.getfixturevalue("shared")


def test_tests_are_marked_by_folder_and_fixtures(request: pytest.FixtureRequest, server_url: str) -> None:
    assert [mark.name for mark in request.node.iter_markers()] == ["database"]
    for item in request.session.items:
        if item.path.parent.name == "process":
            assert item.get_closest_marker("slow")
