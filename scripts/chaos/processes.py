"""What can be killed, frozen, stopped and started again: servers from wheels, and the service's processes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Protocol

import psutil  # type: ignore[import-untyped]

STOP_SECONDS = 30


class Breakable(Protocol):
    """A part of the stand."""

    name: str

    def start(self) -> None: ...
    def kill(self) -> None: ...
    def freeze(self) -> None: ...
    def thaw(self) -> None: ...
    def stop(self) -> None: ...


class Server:
    """PostgreSQL or Valkey on its own folder: every start has the same data and the same address."""

    def __init__(self, name: str, home: Path, run: Callable[[Path], AbstractContextManager[str]]) -> None:
        self.name = name
        self._data = home / name / "data"
        self._home, self._run = home, run
        self._running = ExitStack()

    def start(self) -> None:
        """Start it, and return when it answers."""
        self.url = self._running.enter_context(self._run(self._home))

    def kill(self) -> None:
        """Kill -9 every process of it."""
        self._signal(signal.SIGKILL)
        self._running.close()

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        """Stop it in an orderly way."""
        self._running.close()

    def _signal(self, number: signal.Signals) -> None:
        for child in psutil.Process().children():
            if _folder_of(child) == self._data:
                # If children were killed first, the parent would see a crash, and restart them.
                for process in (child, *child.children(recursive=True)):
                    with contextlib.suppress(psutil.NoSuchProcess):
                        process.send_signal(number)


def _folder_of(process: psutil.Process) -> Path | None:
    try:
        return Path(process.cwd())
    except psutil.Error:
        return None


class Program:
    """`ticketing …`, with all processes that it starts."""

    def __init__(self, name: str, arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.log = log
        self._command = [sys.executable, "-m", *arguments]
        self._environment = os.environ | environment
        self._process: subprocess.Popen[bytes] | None = None
        self._wanted = False

    def start(self) -> None:
        """Start it without waiting until it is ready."""
        self._wanted = True
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def died(self) -> bool:
        """Whether it ended without being told to."""
        return self._wanted and self._process is not None and self._process.poll() is not None

    @property
    def pid(self) -> int:
        """The id of the running process."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        self._wanted = False
        self._signal(signal.SIGKILL)
        self._ended()

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        """Stop it as a deployment does: SIGTERM, and wait."""
        self._wanted = False
        if self._process is not None:
            self._process.terminate()
            self._ended()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def _ended(self) -> None:
        if self._process is None:
            return
        try:
            self._process.wait(STOP_SECONDS)
        finally:
            self._signal(signal.SIGKILL)
            self._process.wait()
            self._process = None


def await_(condition: Callable[[], bool], what: str, seconds: float = 60) -> float:
    """Wait until the condition holds; return the seconds that took. Raises TimeoutError."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.02)
    return time.monotonic() - began
