"""`ticketing up` and `ticketing serve`, started for real: they answer, and leave nothing behind."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil  # type: ignore[import-untyped]
import psycopg
import pytest

from conftest import await_
from ticketing.commands import up
from ticketing.db.embedded import Servers
from ticketing.ground.config import PREFIX

pytestmark = pytest.mark.database

SECONDS = 90
"""Patience for machines that do much else."""


@pytest.fixture(autouse=True, scope="module")
def hung_up() -> Iterator[None]:
    """What we start hears SIGHUP, also if the tests themselves run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


class Started:
    """A running command, and all processes below it."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ticketing", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={name: text for name, text in os.environ.items() if not name.startswith(PREFIX)} | environment,
        )

    def ready(self) -> Any:
        """The one line of JSON."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.communicate()[1]
        return json.loads(line)

    def panel(self) -> str:
        """What people get to see."""
        assert self.process.stdout is not None
        panel = ""
        while "Ctrl-C" not in panel:
            line = self.process.stdout.readline()
            assert line, self.process.communicate()[1]
            panel += line
        return panel

    def stop(self, number: signal.Signals) -> tuple[int, str, str]:
        """Exit code and what it had still to say; fails if a process outlives it."""
        below = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=SECONDS)
        _, alive = psutil.wait_procs(below, timeout=SECONDS)
        assert alive == []
        return self.process.returncode, out, err


@contextmanager
def started(*arguments: str, **environment: str) -> Iterator[Started]:
    """A command for the length of the block, and not longer."""
    command = Started(*arguments, **environment)
    try:
        yield command
    finally:
        command.process.kill()
        command.process.communicate()


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder that the servers' user may enter, as pytest's own are for the tests' user alone."""
    with tempfile.TemporaryDirectory(prefix="ticketing-up-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        yield Path(folder) / "home"


def ticketing_after(environment: Path, command: str) -> subprocess.CompletedProcess[str]:
    """A command in a shell that has read the file and nothing else."""
    shell = ["sh", "-c", f". {environment} && ticketing {command}"]
    return subprocess.run(shell, env={"PATH": os.defpath}, capture_output=True, text=True, check=False)


def client(ready: Any, role: str) -> httpx.Client:
    return httpx.Client(
        base_url=f"{ready['url']}/api/v1", headers={"Authorization": f"Bearer {ready['tokens'][role]}"}, timeout=30
    )


def test_everything_runs_and_is_gone_after_ctrl_c() -> None:
    with started("up", "--ephemeral", "--json", "--port", "0") as command:
        ready = command.ready()
        assert set(ready) == {"url", "docs_url", "tokens", "environment"}
        environment = Path(ready["environment"])
        assert environment.parent.stat().st_mode & 0o077 == 0
        assert ticketing_after(environment, "doctor").stderr == ""
        assert list(ready["tokens"]) == ["admin", "agent", "requester"]
        assert httpx.get(ready["docs_url"]).status_code == 200
        assert httpx.get(f"{ready['url']}/health/ready").status_code == 200
        for role in ready["tokens"]:
            with client(ready, role) as person:
                assert person.get("/me").json()["user"]["role"] == role
        with client(ready, "admin") as admin:
            assert len(admin.get("/projects").json()["items"]) == 3
            assert len(admin.get("/users").json()["items"]) == 7
            assert {ticket["type"] for ticket in all_of(admin, "/tickets")} == {"bug", "feature_request", "support"}
            with admin.stream("GET", "/events/stream") as stream:
                chunks = stream.iter_raw()
                next(chunks)
                code, out, err = command.stop(signal.SIGINT)
                # The body is complete: httpx raises an error for one that is cut.
                assert list(chunks) is not None
    assert (code, out) == (0, "")
    assert not environment.parent.exists()
    assert "Traceback" not in err
    assert "Warning" not in err
    assert err.rstrip().endswith("Stopped.")
    for token in ready["tokens"].values():
        assert token not in err


def test_a_home_is_for_one_at_a_time_and_keeps_its_data_and_tokens(home: Path) -> None:
    with started("up", "--home", str(home), "--json", "--port", "0") as command:
        first = command.ready()
        assert readable_by_others(home) == []
        assert json.loads((home / "tokens.json").read_text()) == first["tokens"]
        key = (home / "secret.key").read_text()
        assert key in (home / "environment").read_text()

        second = Started("up", "--home", str(home), "--json", "--port", "0")
        out, err = second.process.communicate(timeout=SECONDS)
        assert (second.process.returncode, out) == (1, "")
        last = err.splitlines()[-1]
        assert last.startswith(f"ticketing: Another `ticketing up` runs on {home}, as process {command.process.pid}.")

        with client(first, "requester") as requester:
            body = {"type": "support", "project": "media-server", "title": "Still here?", "description": "I wonder."}
            number = requester.post("/tickets", json=body).json()["number"]
        with client(first, "admin") as admin:
            assert admin.delete(f"/tokens/{admin.get('/me').json()['token']['id']}").status_code == 204
        assert command.stop(signal.SIGTERM)[0] == 0

    with started("up", "--home", str(home), "--port", "0") as command:
        panel = command.panel()
        tokens = json.loads((home / "tokens.json").read_text())
        assert (home / "secret.key").read_text() == key
        assert all(token in panel for token in tokens.values())
        assert f"{panel_url(panel)}/docs" in panel
        assert f" . {home}/environment " in panel
        doctor = ticketing_after(home / "environment", "doctor")
        assert (doctor.returncode, doctor.stderr) == (0, "")
        # What was revoked is replaced.
        assert {role for role in tokens if tokens[role] != first["tokens"][role]} == {"admin"}
        again = {"url": panel_url(panel), "tokens": tokens}
        with client(again, "requester") as requester:
            assert requester.get(f"/tickets/{number}").json()["title"] == "Still here?"
        with client(again, "admin") as admin:
            # The demo is not loaded twice.
            assert len(admin.get("/users").json()["items"]) == 7
        code, _, err = command.stop(signal.SIGHUP)
        assert code == 0
        assert "Traceback" not in err
        assert err.rstrip().endswith("Stopped.")


@pytest.mark.parametrize("closed_by", ["terminal", "shell"])
def test_everything_ends_when_the_terminal_is_closed(closed_by: str) -> None:
    """Whether its shell passes on the SIGHUP to all that run at it, or only the terminal itself is gone."""
    ours, its = pty.openpty()
    with os.fdopen(its, "wb") as terminal, open(ours, "rb", buffering=0) as screen:
        command = [sys.executable, "-m", "ticketing", "up", "--ephemeral", "--port", "0"]
        environment = {name: text for name, text in os.environ.items() if not name.startswith(PREFIX)}
        process = subprocess.Popen(
            command, stdin=terminal, stdout=terminal, stderr=terminal, env=environment, start_new_session=True
        )
        try:
            panel = b""
            while b"Ctrl-C" not in panel:
                panel += screen.read(4096)
            below = psutil.Process(process.pid).children(recursive=True)
            assert any("work" in each.cmdline() for each in below)
            terminal.close()
            screen.close()
            if closed_by == "shell":
                os.killpg(process.pid, signal.SIGHUP)
            assert process.wait(SECONDS) == 0
            assert psutil.wait_procs(below, timeout=SECONDS)[1] == []
        finally:
            process.kill()


def test_a_worker_that_ends_is_started_again_even_if_nobody_reads_the_log() -> None:
    with started("up", "--ephemeral", "--json", "--port", "0") as command:
        command.ready()
        first = worker(command)
        assert command.process.stderr is not None
        command.process.stderr.close()
        os.kill(first, signal.SIGKILL)
        await_(lambda: worker(command) not in (first, 0))


def worker(command: Started) -> int:
    """The number of its worker's process, or 0."""
    for process in psutil.Process(command.process.pid).children():
        with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            if "work" in process.cmdline():
                return int(process.pid)
    return 0


def readable_by_others(folder: Path) -> list[Path]:
    """What is in a folder and can be read by somebody other than its owner; programs are nobody's secret."""
    modes = {}
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):  # PostgreSQL's temporary files come and go.
            modes[path] = path.lstat().st_mode
    assert len(modes) > 10
    return [
        path for path, mode in modes.items() if "programs" not in path.parts and not stat.S_ISLNK(mode) and mode & 0o044
    ]


def test_a_lock_that_others_may_read_is_closed(home: Path) -> None:
    home.mkdir()
    (home / "lock").touch(0o644)
    with up._claimed(home):
        assert stat.S_IMODE((home / "lock").stat().st_mode) == 0o600


@pytest.mark.parametrize("found", [[], ["lock"], ["lock", "postgres/"], ["lock", "postgres/lock", "my notes"]])
def test_a_home_is_what_up_made_or_an_empty_folder(home: Path, found: list[str]) -> None:
    filled(home, found)
    with up._claimed(home):
        assert {path.name for path in home.iterdir()} >= {"lock"}


@pytest.mark.parametrize(
    "found",
    [["README.md"], ["lock/"], ["postgres/PG_VERSION", "valkey/"], ["lock", "README.md"], ["postgres/lock"], [".git/"]],
)
def test_a_folder_that_holds_something_else_is_left_alone(home: Path, found: list[str]) -> None:
    filled(home, found)
    before = sorted(home.rglob("*"))
    with pytest.raises(up.CannotStart, match=r"holds something else already\. Name a folder"), up._claimed(home):
        pass
    assert sorted(home.rglob("*")) == before


def filled(home: Path, names: list[str]) -> None:
    home.mkdir()
    for name in names:
        path = home / name
        path.parent.mkdir(exist_ok=True)
        path.mkdir() if name.endswith("/") else path.touch()


@pytest.mark.parametrize("name", ["file", "file/below", "nowhere"])
def test_what_is_no_folder_is_refused_in_one_sentence(home: Path, name: str) -> None:
    home.mkdir()
    (home / "file").touch()
    (home / "nowhere").symlink_to("/none")
    with pytest.raises(up.CannotStart, match=r"is not a folder\. Name a folder"), up._claimed(home / name):
        pass


def panel_url(panel: str) -> str:
    match = re.search(r"http://127\.0\.0\.1:\d+", panel)
    assert match
    return match[0]


def test_a_busy_port_is_said_before_anything_starts(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        command = Started("up", "--home", str(home), "--port", str(port))
        _, err = command.process.communicate(timeout=SECONDS)
    assert command.process.returncode == 1
    assert err.startswith(f"ticketing: Port {port} is in use by process {os.getpid()} (")
    assert err.endswith("). Stop that, or choose another with --port; 0 takes any free one.\n")
    assert not home.exists()


def test_interrupted_while_starting_it_stops_what_runs(home: Path) -> None:
    with started("up", "--home", str(home), "--port", "0") as command:
        deadline = time.monotonic() + SECONDS
        while not (home / "postgres" / "data").exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        code, out, err = command.stop(signal.SIGINT)
    assert (code, out) == (0, "")
    assert "Traceback" not in err


def test_the_home_is_named_by_the_environment_or_beside_us(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TICKETING_HOME", raising=False)
    monkeypatch.chdir("/")
    assert up.default_home() == Path("/.ticketing")
    monkeypatch.setenv("TICKETING_HOME", "somewhere")
    assert up.default_home() == Path("/somewhere")
    monkeypatch.setenv("TICKETING_HOME", " ")
    assert up.default_home() == Path("/.ticketing")


def test_what_a_shell_has_read_of_another_home_does_not_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def used(home: Path, url: str) -> dict[str, str]:
        home.mkdir(exist_ok=True)
        up._use(Servers("postgresql://here", "redis://here"), home, url)
        return {name: os.environ[f"TICKETING_{name}"] for name in ("SECRET_KEYS", "PUBLIC_URL")}

    # What it sets is gone with the test, whatever it sets.
    monkeypatch.setattr(os, "environ", os.environ.copy())
    one = used(tmp_path / "one", "http://127.0.0.1:8080")
    two = used(tmp_path / "two", "http://127.0.0.1:9000")
    assert two["PUBLIC_URL"] == "http://127.0.0.1:9000"
    for name in ("SECRET_KEYS", "PUBLIC_URL"):
        monkeypatch.delenv(f"TICKETING_{name}")
    later = used(tmp_path / "two", "http://127.0.0.1:9000")
    # What was encrypted then, with the first key, can still be read.
    assert two["SECRET_KEYS"] == f"{later['SECRET_KEYS']},{one['SECRET_KEYS']}"
    monkeypatch.setenv("TICKETING_PUBLIC_URL", "https://support.example.org")
    assert used(tmp_path / "two", "http://127.0.0.1:9000")["PUBLIC_URL"] == "https://support.example.org"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's servers run as somebody else")
def test_a_home_that_only_root_may_enter_is_replaced(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.delenv("TICKETING_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    assert up.default_home() == up.DATA_OF_ROOT / "-".join(tmp_path.parts[1:])


@pytest.mark.parametrize("workers", [1, 2])
def test_serve_answers_counts_and_ends_well(new_database: Callable[..., str], workers: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    settings = {"TICKETING_DATABASE_URL": new_database(), "TICKETING_LOG_LEVEL": "warning"}
    with started("serve", "--port", str(port), "--workers", str(workers), **settings) as command:
        wait_until_ready(command, url)
        for _ in range(10):
            assert httpx.get(f"{url}/api/v1/tickets").status_code == 401
        # Whichever worker is asked tells of all.
        assert 'operation="list_tickets",status="401"} 10.0' in httpx.get(f"{url}/metrics").text.replace(
            'method="GET",', ""
        )
        code, _, err = command.stop(signal.SIGTERM)
    assert code == 0
    assert "Traceback" not in err


def test_serve_lets_a_running_request_finish(new_database: Callable[..., str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    database = new_database()
    with started("serve", "--port", str(port), TICKETING_DATABASE_URL=database) as command:
        wait_until_ready(command, f"http://127.0.0.1:{port}")
        with psycopg.connect(database) as conn, socket.create_connection(("127.0.0.1", port)) as client:
            # Nobody can read it as long as this transaction lasts: the request waits for us.
            conn.execute("lock table schema_migrations")
            client.sendall(b"GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n")
            time.sleep(0.5)
            command.process.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            conn.rollback()
            client.settimeout(SECONDS)
            assert client.recv(12) == b"HTTP/1.1 200"
        assert command.process.wait(SECONDS) == 0


def all_of(person: httpx.Client, path: str) -> list[Any]:
    """Every item of a list."""
    page = person.get(path, params={"limit": 100}).json()
    assert page["next"] is None
    return list(page["items"])


def wait_until_ready(command: Started, url: str) -> None:
    deadline = time.monotonic() + SECONDS
    while True:
        assert command.process.poll() is None, command.process.communicate()[1]
        assert time.monotonic() < deadline
        try:
            if httpx.get(f"{url}/health/ready").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
