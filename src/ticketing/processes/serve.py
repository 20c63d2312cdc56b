"""`ticketing serve`: the web process in production, one worker or several on one socket."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import signal
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from ipaddress import ip_address
from typing import Any

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import multiprocess

from ticketing.ground import metrics
from ticketing.ground.config import InvalidSetting, settings
from ticketing.processes import crew, listening, succession
from ticketing.processes.succession import Inheritance, Successor

log = logging.getLogger(__name__)

BACKLOG = 2048
DRAIN_SECONDS = 1.0
"""How long a server that was told to stop still takes requests, so that clients and balancers can move elsewhere."""
LAST_SECONDS = 0.2
"""How long it still takes requests on connections that it accepted just before it stopped listening."""
METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
UNREAD_SECONDS = 30
"""How long sent bytes may stay unacknowledged before the kernel drops the connection, even if we have closed it."""
RECEIVED_BYTES = 64 * 1024
"""How many bytes the kernel receives ahead of us per connection."""
SENT_BYTES = 128 * 1024
"""How many bytes of an answer the kernel buffers; it doubles this number. The default would be megabytes."""
UVICORN: dict[str, Any] = {
    "app": "ticketing.app:create",
    "factory": True,
    "loop": "uvloop",
    "http": "ticketing.web.wire:Protocol",
    "ws": "none",
    "lifespan": "on",
    "log_config": None,  # The application configures logging, uvicorn's included, and logs requests itself.
    "access_log": False,
    "server_header": False,
    "proxy_headers": False,  # The edge reads them: `contract/forwarded.py`.
    "timeout_graceful_shutdown": 10,
    "timeout_worker_healthcheck": 60,  # Seconds of silence after which a worker is killed.
}


def run(host: str, port: int, workers: int) -> None:
    """Serve until SIGINT or SIGTERM, then let running requests finish; or, after SIGHUP, until a successor serves on
    the same sockets. Sockets passed by systemd or a predecessor are served instead of the address.
    """
    inheritance = Inheritance()
    private = () if METRICS_FOLDER in os.environ else (METRICS_FOLDER,)
    listeners = [_patient(each) for each in inheritance.listeners] or [listen(host, port)]
    with ExitStack() as stack:
        for listener in listeners:
            stack.enter_context(listener)
        check_demo(listeners)
        stack.enter_context(shared_metrics(workers))
        config = uvicorn.Config(**UVICORN, workers=workers)
        if workers > 1:
            metrics.configure_logging(settings())
            # For our child processes, which would otherwise look for libraries in the current directory first.
            os.environ["PYTHONSAFEPATH"] = "1"
            # uvicorn has no other way to choose the class of its workers.
            multiprocess.Process = _Worker  # type: ignore[misc]
            _Crew(config, listeners, inheritance, private).run()
            return
        # uvicorn raises the signal that ended it again, which would kill us.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with suppress(KeyboardInterrupt):
            _OnlyServer(config, listeners, inheritance, private).run(listeners)


def check_demo(listeners: Sequence[socket.socket]) -> None:
    """Refuse to let anybody sign in without a code from elsewhere than this machine. Raises InvalidSetting."""
    if settings().demo_users and not all(map(_is_loopback, listeners)):
        raise InvalidSetting(
            "TICKETING_DEMO_USERS lets anybody sign in, so it goes with --host 127.0.0.1 alone. Take it away, or listen"
            " there."
        )


def _is_loopback(listener: socket.socket) -> bool:
    return listener.family != socket.AF_UNIX and ip_address(listener.getsockname()[0].partition("%")[0]).is_loopback


def listen(host: str, port: int) -> socket.socket:
    """The socket that the API is served on; port 0 is any free one. Raises CannotListen."""
    return _patient(listening.listen(host, port, BACKLOG))


def _patient(listener: socket.socket) -> socket.socket:
    # Its connections inherit all three options. Otherwise unread bytes would take megabytes of each.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVED_BYTES)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SENT_BYTES)
    # On systems without this option, connections whose client does not read stay until it goes.
    if listener.family != socket.AF_UNIX and hasattr(socket, "TCP_USER_TIMEOUT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_SECONDS * 1000)
    return listener


@contextmanager
def shared_metrics(workers: int) -> Iterator[None]:
    """A folder in which several workers keep their counters, so that any of them can report the sum."""
    if workers == 1 or METRICS_FOLDER in os.environ:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="ticketing-metrics-", ignore_cleanup_errors=True) as folder:
        os.environ[METRICS_FOLDER] = folder
        yield


class _Server(uvicorn.Server):
    """A server that shuts down gracefully: it still answers requests, and closes their connections after the answer.

    Otherwise a request that arrives on an idle connection while that is being closed would get no answer at all.
    After SIGHUP a successor listens on its sockets, so new connections are left to that at once.
    """

    _succeeded = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and not succession.at_a_terminal():
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self.hang_up)

    def hang_up(self) -> None:
        """Leave the sockets to a successor."""
        self._succeeded = self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        from ticketing import app  # noqa: PLC0415 - loaded by now, and slow to load for commands that need it not

        app.leave()
        self.server_state.default_headers = [*self.server_state.default_headers, (b"connection", b"close")]
        if not self._succeeded:
            await asyncio.sleep(DRAIN_SECONDS)
        for server in self.servers:
            server.close()
        await asyncio.sleep(DRAIN_SECONDS if self._succeeded else LAST_SECONDS)
        await super().shutdown(sockets)


class _OnlyServer(_Server):
    """The server of a service with one process."""

    def __init__(
        self, config: uvicorn.Config, listeners: list[socket.socket], inheritance: Inheritance, private: Sequence[str]
    ) -> None:
        super().__init__(config)
        self._listeners, self._inheritance, self._private = listeners, inheritance, private
        self._successor: Successor | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._inheritance.ready()

    def hang_up(self) -> None:
        """Start a successor."""
        if self._successor:
            self._successor.wanted_again()
        else:
            self._successor = Successor.started(self._listeners, self._private)

    async def on_tick(self, counter: int) -> bool:
        if self._successor and (came := self._successor.came()) is not None:
            self._successor = None
            if came:
                super().hang_up()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._successor:
            self._successor.give_up()
        if not self._succeeded:
            succession.notify("STOPPING=1")
        await super().shutdown(sockets)


class _Crew(multiprocess.Multiprocess):
    """Several processes on the same sockets, and the one that keeps them running."""

    def __init__(
        self, config: uvicorn.Config, listeners: list[socket.socket], inheritance: Inheritance, private: Sequence[str]
    ) -> None:
        super().__init__(config, listeners)
        self._inheritance, self._private = inheritance, private
        self._successor: Successor | None = None
        self._complete = False
        self._succeeded = False

    def handle_hup(self) -> None:
        """Start a successor, or end with the terminal."""
        if succession.at_a_terminal():
            self.should_exit.set()
        elif self._successor:
            self._successor.wanted_again()
        else:
            self._successor = Successor.started(self.sockets, self._private)

    def keep_subprocess_alive(self) -> None:
        super().keep_subprocess_alive()
        if not self._complete and all(process.is_ready() for process in self.processes):
            self._complete = True
            self._inheritance.ready()
        if self._successor and (came := self._successor.came()) is not None:
            self._successor = None
            self._succeeded = came
            if came:
                self.should_exit.set()

    def terminate_all(self) -> None:
        if self._successor:
            self._successor.give_up()
        if self._succeeded:
            for pid in [process.pid for process in self.processes if process.pid]:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGHUP)
            time.sleep(LAST_SECONDS)
        else:
            succession.notify("STOPPING=1")
        super().terminate_all()


class _Worker(multiprocess.Process):
    """One of several processes on a socket.

    uvicorn blocks for the answer of each, and takes one that is only starting for dead. We poll for an answer, so that
    signals are handled meanwhile, and give a worker that has not started yet all the time it needs.
    """

    _ready = False
    _asked: float | None = None

    def is_ready(self, timeout: float = 0) -> bool:  # noqa: ARG002 - nothing is waited for
        """Whether it has reported that it serves."""
        with suppress(OSError, EOFError):  # It has just ended.
            if self._asked is not None and self.parent_conn.poll():
                self._ready = self.parent_conn.recv()
                self._asked = None
            if self._asked is None:
                self.parent_conn.send(b"ping")
                self._asked = time.monotonic()
        return self._ready

    def is_alive(self, timeout: float = 0) -> bool:
        """Whether it runs and, once it has started, has not been silent for `timeout` seconds."""
        if not self.process.is_alive():
            return False
        return not self.is_ready() or self._asked is None or time.monotonic() - self._asked < timeout

    def kill(self) -> None:
        """Kill a worker that is not alive."""
        if self.exitcode is None:
            seconds = self.config.timeout_worker_healthcheck
            log.warning(
                "Worker %s has not answered for %s s. It is killed, and another one is started.", self.pid, seconds
            )
        elif self.exitcode != STARTUP_FAILURE:
            log.warning("Worker %s has ended with exit code %s: another one is started.", self.pid, self.exitcode)
        super().kill()

    def target(self, sockets: list[socket.socket] | None = None) -> None:
        parent = multiprocessing.parent_process()
        assert parent is not None
        crew.end_with_parent(parent.sentinel)
        self._server = _Server(self.config)
        super().target(sockets)
