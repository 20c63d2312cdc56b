"""A service with the demo data for each worker, and pages in Chromium that fail their test if anything goes wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

import chromium
import portal
from e2e.browsing import FLAGS, Service, Watch, opened, sign_in
from ticketing.ground.config import PREFIX

HERE = Path(__file__).parent


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where `make screenshots` keeps them."""
    parser.addoption("--screenshots", metavar="FOLDER", type=Path, help="keep a picture of every page here")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker; be patient with machines that do much else."""
    config.addinivalue_line("markers", "pictures: it takes pictures; only with --screenshots")
    config.addinivalue_line(
        "markers", "expects(*texts): faults of the page that the test causes, by a part of their text"
    )
    expect.set_options(timeout=30_000)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without a browser there is nothing to test; pictures are taken only when somebody wants to keep them."""
    ours = [item for item in items if item.path.is_relative_to(HERE)]
    if chromium.find() is not None:
        ours = (
            [] if config.getoption("--screenshots") else [item for item in ours if item.get_closest_marker("pictures")]
        )
    if ours:
        config.hook.pytest_deselected(items=ours)
        items[:] = [item for item in items if item not in ours]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say so."""
    if chromium.find() is None:
        terminalreporter.write_line(f"The portal was not tried in a browser. {chromium.MISSING}", yellow=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """It is not a failure, though."""
    if chromium.find() is None and session.exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
        session.exitstatus = pytest.ExitCode.OK


@pytest.fixture(scope="session")
def service(unmeasured_session: None, slowly: None) -> Iterator[Service]:
    """`ticketing up`, as whoever tries it has it, for all tests of this worker."""
    portal.build()
    command = [sys.executable, "-m", "ticketing", "up", "--ephemeral", "--json", "--port", "0"]
    environment = {name: text for name, text in os.environ.items() if not name.startswith(PREFIX)}
    environment |= {"TICKETING_LOG_LEVEL": "warning", "TICKETING_TRUSTED_PROXIES": "127.0.0.0/8"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        try:
            yield Service(ready["url"], ready["tokens"], Path(ready["environment"]))
        finally:
            process.send_signal(signal.SIGINT)


@pytest.fixture(scope="session")
def unmeasured_session() -> Iterator[None]:
    """The service runs at full speed: nobody asks which of its lines have run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
        yield


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium. It goes with the module: as long as Playwright runs, no other test can run an event loop."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def watch(request: pytest.FixtureRequest, service: Service) -> Iterator[Watch]:
    """What goes wrong on the pages of a test; it fails for anything that it does not expect."""
    expected = [text for marker in request.node.iter_markers("expects") for text in marker.args]
    watch = Watch(service.url, tuple(expected))
    yield watch
    assert watch.faults == []


@pytest.fixture
def open_page(browser: Browser, service: Service, watch: Watch) -> Iterator[Callable[..., Page]]:
    """Open a page in a window of its own: a visitor's, or one of somebody with a role who has signed in."""
    with ExitStack() as windows:

        def open_page(role: str | None = None, **options: object) -> Page:
            page = windows.enter_context(opened(browser, watch, **options))
            if role:
                sign_in(page, service, role)
            return page

        yield open_page


@pytest.fixture
def page(open_page: Callable[..., Page]) -> Page:
    """A visitor's page."""
    return open_page()


@pytest.fixture
def requester(open_page: Callable[..., Page]) -> Page:
    """A page of the demo's requester."""
    return open_page("requester")


@pytest.fixture
def agent(open_page: Callable[..., Page]) -> Page:
    """A page of the demo's agent."""
    return open_page("agent")


@pytest.fixture
def admin(open_page: Callable[..., Page]) -> Page:
    """A page of the demo's admin."""
    return open_page("admin")
