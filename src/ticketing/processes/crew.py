"""Processes with a parent: one that ends is started again, and none outlives its parent."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import structlog

RESTART_SECONDS = 1.0
SILENT_SECONDS = 5.0
"""How long a silent process still counts as working."""
LAST_SECONDS = 30.0
"""Seconds that a process has to end by itself once its parent is gone."""

log = structlog.get_logger()


class Pulse:
    """Whether a process works: it has reported within SILENT_SECONDS, and has not ended since."""

    def __init__(self) -> None:
        self._beat: float | None = None

    def beat(self) -> None:
        """It works."""
        self._beat = time.monotonic()

    def stop(self) -> None:
        """The process has ended."""
        self._beat = None

    def __bool__(self) -> bool:
        return self._beat is not None and time.monotonic() - self._beat < SILENT_SECONDS


def report() -> None:
    """Tell the parent, at the other end of our standard input, that this process works."""
    with suppress(OSError):  # The parent is busy, has ended, or is of an earlier release, which has only a pipe there.
        leash = socket.socket(fileno=0)
        try:
            leash.send(b"1", socket.MSG_DONTWAIT)
        finally:
            leash.detach()


def end_with_parent(leash: int) -> None:
    """End this process as by SIGTERM when its parent has ended, however that ended.

    The leash is a descriptor to which nothing is written, and whose other end only the parent holds.
    """
    threading.Thread(target=_await_end, args=(leash,), daemon=True).start()


def _await_end(leash: int) -> None:
    # Not by a file object such as sys.stdin: at exit Python would wait for its lock, which this thread holds.
    with suppress(OSError):  # As when the parent ends without having read all our reports.
        os.read(leash, 1)
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(LAST_SECONDS)
    os._exit(1)


@contextmanager
def kept(pulses: Sequence[Pulse], options: Sequence[str]) -> Iterator[None]:
    """Keep a child worker running per pulse, for as long as the block or this process lasts."""
    children = [_Child(pulse, options) for pulse in pulses]
    try:
        yield
    finally:
        for child in children:
            child.stop()
        for child in children:
            child.join()


class _Child(threading.Thread):
    """A worker process, started again whenever it ends unasked."""

    def __init__(self, pulse: Pulse, options: Sequence[str]) -> None:
        super().__init__(daemon=True)
        self._pulse = pulse
        # Without -P, a file in the current directory would shadow a library of the same name.
        self._command = [sys.executable, "-P", "-m", "ticketing", "work", "--leashed", *options]
        self._stopping = threading.Event()
        self._starting = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def run(self) -> None:
        while not self._stopping.is_set():
            ours, its = socket.socketpair()
            with ours:
                with its:
                    process = self._spawned(its)
                if process is None:
                    return
                with suppress(OSError):
                    while ours.recv(64):
                        self._pulse.beat()
                status = process.wait()
            self._pulse.stop()
            if not self._stopping.wait(RESTART_SECONDS):
                with suppress(OSError):  # Nobody may read our log any more, and the worker is needed all the same.
                    log.error("a worker ended and is started again", pid=process.pid, status=status)

    def stop(self) -> None:
        """Let it end, and do not start it again."""
        self._stopping.set()
        with self._starting, suppress(ProcessLookupError):
            if self._process is not None:
                self._process.terminate()

    def _spawned(self, leash: socket.socket) -> subprocess.Popen[bytes] | None:
        with self._starting:
            if self._stopping.is_set():
                return None
            self._process = subprocess.Popen(self._command, stdin=leash.fileno())
            return self._process
