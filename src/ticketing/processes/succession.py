"""Replacing a server without refusing a connection: inherited sockets, a successor, and systemd's protocols
(sd_listen_fds(3), sd_notify(3)).
"""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Self

import structlog

FIRST_FD = 3
HANDED_OVER = "SERVE_HANDED_OVER"
"""Descriptors that a successor inherits, separated by commas: the one to report readiness on, then the sockets."""
START_SECONDS = 60.0
"""Seconds that a successor has to get ready. After that it is ended, and its predecessor goes on."""

log = structlog.get_logger()


class Inheritance:
    """What this process inherited: open sockets, if any, and a predecessor that waits for us to be ready."""

    def __init__(self) -> None:
        self._waiting: int | None = None
        self.listeners: list[socket.socket] = []
        if given := os.environ.pop(HANDED_OVER, None):
            self._waiting, *files = map(int, given.split(","))
            os.set_inheritable(self._waiting, False)
        else:
            files = _from_systemd()
        for file in files:
            os.set_inheritable(file, False)
            self.listeners.append(socket.socket(fileno=file))

    def ready(self) -> None:
        """Report that we answer requests: to our predecessor, who tells systemd, or to systemd itself."""
        if self._waiting is None:
            notify("READY=1")
            return
        with suppress(OSError):
            os.write(self._waiting, b"1")
        os.close(self._waiting)
        self._waiting = None


def _from_systemd() -> list[int]:
    pid, count = os.environ.pop("LISTEN_PID", ""), os.environ.pop("LISTEN_FDS", "")
    os.environ.pop("LISTEN_FDNAMES", None)
    return [FIRST_FD + n for n in range(int(count))] if pid == str(os.getpid()) and count.isdigit() else []


class Successor:
    """The same command, started again on the same sockets, with the code installed now."""

    def __init__(self, listeners: Sequence[socket.socket], private: Sequence[str]) -> None:
        """Start it without the environment variables in `private`, which are this process's alone. Raises OSError."""
        notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
        self._readable, writable = os.pipe()
        files = [writable, *(listener.fileno() for listener in listeners)]
        environment = {name: value for name, value in os.environ.items() if name not in private}
        self._begun = time.monotonic()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "ticketing", *sys.argv[1:]],
                env=environment | {HANDED_OVER: ",".join(map(str, files))},
                pass_fds=files,
            )
        except OSError:
            os.close(self._readable)
            notify("READY=1")
            raise
        finally:
            os.close(writable)

    @classmethod
    def started(cls, listeners: Sequence[socket.socket], private: Sequence[str]) -> Self | None:
        """A successor, or None, and a log line, if none can be started."""
        try:
            successor = cls(listeners, private)
        except OSError as error:
            log.error("SIGHUP: no successor can be started, so this process goes on", reason=str(error))
            return None
        log.info("SIGHUP: a successor is being started; this process serves until it answers", pid=successor.pid)
        return successor

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self._process.pid

    def wanted_again(self) -> None:
        """Log that a further SIGHUP changes nothing."""
        log.info("SIGHUP: a successor is being started already", pid=self.pid, seconds=self._seconds())

    def _seconds(self) -> float:
        return round(time.monotonic() - self._begun, 1)

    def came(self) -> bool | None:
        """Whether it answers requests by now; None while it may still start. Poll it until it is not None."""
        if not select.select([self._readable], [], [], 0)[0]:
            if time.monotonic() < self._begun + START_SECONDS:
                return None
            self._process.kill()
        came = bool(os.read(self._readable, 1))
        os.close(self._readable)
        if came:
            log.info(
                "the successor serves; this process finishes its requests and ends",
                pid=self.pid,
                seconds=self._seconds(),
            )
            notify(f"MAINPID={self.pid}", "READY=1")
        else:
            status = self._process.wait()
            log.error("the successor did not start, so this process goes on", status=status, seconds=self._seconds())
            notify("READY=1")
        return came

    def give_up(self) -> None:
        """End it, because this process is told to end."""
        self._process.terminate()


def notify(*states: str) -> None:
    """Notify systemd, if it asked for that."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address[:1] not in ("/", "@"):
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifying:
        notifying.sendto("\n".join(states).encode(), address.replace("@", "\0", 1) if address[0] == "@" else address)


def at_a_terminal() -> bool:
    """Whether SIGHUP only means that our terminal was closed."""
    return sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()
