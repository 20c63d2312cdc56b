"""A server is replaced without a connection that is refused, reset, or left without an answer."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import psutil  # type: ignore[import-untyped]
import psycopg
import pytest

from conftest import answers, await_, environment, signed_up

SECONDS = 60
COMMAND = str(Path(sys.executable).with_name("ticketing"))
SERVE = [sys.executable, "-m", "ticketing", "serve"]


class Notified:
    """What systemd would be told."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(SECONDS)
        self.passed_over: list[dict[str, str]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def next(self, name: str) -> str:
        """The value of the next state of this name."""
        while True:
            states = dict(line.split("=", 1) for line in self._socket.recv(4096).decode().splitlines())
            if name in states:
                return states[name]
            self.passed_over.append(states)


class Load:
    """Clients that ask on a new connection each time, from several threads."""

    def __init__(self, port: int, token: str) -> None:
        self.seen: Counter[str] = Counter()
        self._address = ("127.0.0.1", port)
        self._request = f"GET /api/v1/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n".encode()
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(4)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def await_more(self, answers: int) -> None:
        """Wait for so many more."""
        enough = self.seen.total() + answers
        await_(lambda: self.seen.total() >= enough, SECONDS)

    def _run(self) -> None:
        while not self._end.is_set():
            try:
                with socket.create_connection(self._address, timeout=SECONDS) as client:
                    client.sendall(self._request + b"Connection: close\r\n\r\n")
                    self.seen[b"".join(iter(lambda: client.recv(1 << 16), b""))[:12].decode() or "no answer"] += 1
            except OSError as error:
                self.seen[type(error).__name__] += 1
            time.sleep(0.01)


@contextmanager
def ended(process: subprocess.Popen[bytes]) -> Iterator[list[int]]:
    """See that it and its successors, whose ids are added, end with the block."""
    pids = [process.pid]
    try:
        yield pids
    finally:
        for pid in pids:
            with suppress(ProcessLookupError, psutil.NoSuchProcess):
                os.kill(pid, signal.SIGTERM)
        process.wait(SECONDS)
        await_(lambda: all(map(gone, pids)), SECONDS)


def gone(pid: int) -> bool:
    """Whether a process has ended, even if nobody asked how."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.mark.parametrize("workers", [1, 2])
def test_a_server_is_replaced_under_load_and_no_client_notices(
    new_database: Callable[..., str], tmp_path: Path, workers: int
) -> None:
    database_url, port = new_database(), free_port()
    path = tmp_path / "notify"
    with psycopg.connect(database_url, autocommit=True) as conn:
        token = signed_up(conn, "agent")[3]
    command = [*SERVE, "--port", str(port), "--workers", str(workers)]
    with (
        Notified(path) as notified,
        subprocess.Popen(command, env=environment(database_url, NOTIFY_SOCKET=str(path))) as process,
        ended(process) as pids,
    ):
        assert notified.next("READY") == "1"
        with Load(port, token) as load:
            load.await_more(100)
            process.send_signal(signal.SIGHUP)
            assert notified.next("RELOADING") == "1"
            pids.append(int(notified.next("MAINPID")))
            assert notified.passed_over == [], "systemd warns of what others than the main process say"
            assert process.wait(SECONDS) == 0
            load.await_more(100)
            # And once more, as what a successor inherits is passed on.
            os.kill(pids[-1], signal.SIGHUP)
            pids.append(int(notified.next("MAINPID")))
            await_(lambda: gone(pids[1]), SECONDS)
            load.await_more(100)
    assert load.seen.keys() == {"HTTP/1.1 200"}
    assert load.seen.total() > 300


@pytest.mark.parametrize("workers", [1, 2])
def test_nothing_is_imported_from_the_current_directory(
    new_database: Callable[..., str], tmp_path: Path, workers: int
) -> None:
    """Neither by a successor nor by processes that are started beside it; the installed command does not either."""
    for name in ("orjson", "socket", "redis"):
        (tmp_path / f"{name}.py").write_text(f"raise SystemExit('shadowed {name}')")
    database_url, port = new_database(), free_port()
    path = tmp_path / "notify"
    command = [COMMAND, "serve", "--port", str(port), "--workers", str(workers)]
    with (
        Notified(path) as notified,
        subprocess.Popen(command, cwd=tmp_path, env=environment(database_url, NOTIFY_SOCKET=str(path))) as process,
        ended(process) as pids,
    ):
        assert notified.next("READY") == "1"
        process.send_signal(signal.SIGHUP)
        pids.append(int(notified.next("MAINPID")))
        assert process.wait(SECONDS) == 0
        assert answers(f"http://127.0.0.1:{port}")


def test_a_successor_that_does_not_start_changes_nothing(new_database: Callable[..., str], tmp_path: Path) -> None:
    database_url, port = new_database(), free_port()
    path = tmp_path / "notify"
    python_path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    env = environment(database_url, NOTIFY_SOCKET=str(path), PYTHONPATH=python_path)
    with (
        Notified(path) as notified,
        subprocess.Popen([*SERVE, "--port", str(port)], env=env) as process,
        ended(process),
    ):
        assert notified.next("READY") == "1"
        # The release that was installed meanwhile is broken.
        (tmp_path / "uvicorn.py").write_text("raise SystemExit(1)")
        process.send_signal(signal.SIGHUP)
        assert notified.next("RELOADING") == "1"
        assert notified.next("READY") == "1"
        assert answers(f"http://127.0.0.1:{port}")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_successor_that_cannot_be_started_changes_nothing(
    new_database: Callable[..., str], tmp_path: Path, workers: int
) -> None:
    """As while its virtual environment is being made anew, or when there can be no more processes."""
    database_url, port = new_database(), free_port()
    path = tmp_path / "notify"
    program = (
        "import multiprocessing.spawn, runpy, sys;"
        " sys.executable = '/nowhere/python'; runpy.run_module('ticketing', run_name='__main__')"
    )
    command = [sys.executable, "-c", program, "serve", "--port", str(port), "--workers", str(workers)]
    with (
        Notified(path) as notified,
        subprocess.Popen(command, env=environment(database_url, NOTIFY_SOCKET=str(path))) as process,
        ended(process),
    ):
        assert notified.next("READY") == "1"
        files = psutil.Process(process.pid).num_fds()
        for _ in range(6):
            process.send_signal(signal.SIGHUP)
            assert notified.next("RELOADING") == "1"
            assert notified.next("READY") == "1"
        assert answers(f"http://127.0.0.1:{port}")
        assert psutil.Process(process.pid).num_fds() < files + 6, "none of them leaves a file open"


def test_the_sockets_that_systemd_passes_are_served(new_database: Callable[..., str], tmp_path: Path) -> None:
    # As sd_listen_fds(3) has it.
    passing = (
        "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4);"
        "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='2');"
        "os.execv(sys.executable, [sys.executable, '-m', 'ticketing', 'serve'])"
    )
    database_url = new_database()
    with psycopg.connect(database_url, autocommit=True) as conn:
        signed_up(conn, "agent")
    addresses: dict[int, Any] = {socket.AF_INET: ("127.0.0.1", 0), socket.AF_UNIX: str(tmp_path / "socket")}
    with ExitStack() as stack:
        listeners, clients = [], []
        for family, address in addresses.items():
            listeners.append(listener := stack.enter_context(socket.socket(family)))
            listener.bind(address)
            listener.listen()
            # Who comes before the service does waits for it.
            clients.append(client := stack.enter_context(socket.socket(family)))
            client.settimeout(SECONDS)
            client.connect(listener.getsockname())
            client.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        files = [listener.fileno() for listener in listeners]
        process = subprocess.Popen(
            [sys.executable, "-c", passing, *map(str, files)], env=environment(database_url), pass_fds=files
        )
        with ended(process):
            assert [client.recv(12) for client in clients] == [b"HTTP/1.1 200"] * 2


def test_a_worker_is_killed_for_its_silence_only_once_it_has_started(
    new_database: Callable[..., str], tmp_path: Path
) -> None:
    path, written = tmp_path / "notify", tmp_path / "log"
    (tmp_path / "sitecustomize.py").write_text(
        "import sys, time\nif 'spawn_main' in ' '.join(sys.orig_argv): time.sleep(2.5)"
    )
    python_path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    env = environment(new_database(), NOTIFY_SOCKET=str(path), PYTHONPATH=python_path)
    serve = (
        "from ticketing.processes import serve; serve.UVICORN['timeout_worker_healthcheck'] = 1;"
        f"serve.run('127.0.0.1', {free_port()}, 2)"
    )
    with (
        Notified(path) as notified,
        written.open("wb") as log,
        subprocess.Popen([sys.executable, "-c", serve], env=env, stderr=log) as process,
        ended(process),
    ):
        assert notified.next("READY") == "1"
        first = _workers(process.pid)
        assert len(first) == 2
        assert "Worker" not in written.read_text()
        os.kill(min(first), signal.SIGSTOP)
        await_(lambda: gone(min(first)), SECONDS)
        await_(lambda: len(_workers(process.pid)) == 2, SECONDS)
        assert _workers(process.pid) > {max(first)}
        os.kill(max(first), signal.SIGKILL)
        await_(lambda: len(_workers(process.pid) - first) == 2, SECONDS)
    warnings = [line for line in written.read_text().splitlines() if "Worker" in line]
    assert [str(pid) in line for pid, line in zip((min(first), max(first)), warnings, strict=True)] == [True, True]
    assert "has not answered for 1 s" in warnings[0]
    assert "exit code -9" in warnings[1]


def _workers(pid: int) -> set[int]:
    """The processes of a crew that serve, or are about to."""
    return {
        child.pid
        for child in psutil.Process(pid).children()
        if not gone(child.pid) and "spawn_main" in " ".join(child.cmdline())
    }
