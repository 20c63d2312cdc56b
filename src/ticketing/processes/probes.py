"""The port of a worker: `/health/live`, `/health/ready` and `/metrics`, served from threads.

As in the API, the last two are for `TICKETING_OPERATORS`. Any number of clients costs no more than some threads for
some seconds, and one query to PostgreSQL a second.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Generic, TypeVar

import psycopg
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from ticketing.db import outages, pool
from ticketing.db.watched import WatchedConnection
from ticketing.ground import metrics
from ticketing.ground.config import Settings
from ticketing.monitoring import readiness
from ticketing.processes import listening
from ticketing.processes.crew import Pulse

T = TypeVar("T")
AT_ONCE = 64
"""How many requests are answered at once; others wait in the kernel's queue."""
SILENCE_SECONDS = 5.0
"""How long a client may send nothing, or read nothing."""
OPEN_SECONDS = 15.0
"""How long a connection may be open: longer than a query takes to fail when PostgreSQL does not answer."""
KEPT_SECONDS = 1.0
"""How long an answer is cached for other requests."""
TEXT = "text/plain; charset=utf-8"

log = logging.getLogger(__name__)


@contextmanager
def answered(chosen: Settings, address: tuple[str, int], pulses: Sequence[Pulse]) -> Iterator[None]:
    """Serve at the address while the block runs, for processes with these pulses. Raises CannotListen."""
    try:
        server = _Server(address, _handler(chosen, pulses))
    except (OSError, UnicodeError) as error:
        raise listening.refused(*address, error) from None
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    """A server with a limited number of threads, each limited in time."""

    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._room = threading.Semaphore(AT_ONCE)
        self._open: dict[Any, float] = {}
        self.address_family = listening.family(address[0])
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        while not self._room.acquire(timeout=0.5):
            self.service_actions()
        self._open[request] = time.monotonic()
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        if self._open.pop(request, None) is not None:
            self._room.release()
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Close connections that have been open for too long."""
        for request, since in list(self._open.items()):
            if time.monotonic() - since > OPEN_SECONDS:
                with suppress(OSError):
                    request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is not our fault."""
        error = sys.exception()
        if not isinstance(error, OSError):
            log.error("a request to the worker's port failed", exc_info=error)


class _Kept(Generic[T]):
    """A value that is made at most once in KEPT_SECONDS, however many threads ask for it."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._making = threading.Lock()
        self._kept: tuple[float, T] | None = None

    def get(self) -> T:
        with self._making:
            if self._kept is None or time.monotonic() - self._kept[0] > KEPT_SECONDS:
                made = self._make()
                self._kept = (time.monotonic(), made)
            return self._kept[1]


def _handler(chosen: Settings, pulses: Sequence[Pulse]) -> type[BaseHTTPRequestHandler]:
    obstacle = _Kept(lambda: asyncio.run(_obstacle(chosen)) or _silence(pulses))
    exposition = _Kept(lambda: _exposition(pulses))

    class Handler(BaseHTTPRequestHandler):
        timeout = SILENCE_SECONDS

        def do_GET(self) -> None:
            operator = chosen.operators.include(self.client_address[0])
            if self.path == "/health/live":
                self._answer(HTTPStatus.OK, TEXT, b"ok\n")
            elif self.path == "/health/ready" and operator:
                problem = obstacle.get()
                status = HTTPStatus.SERVICE_UNAVAILABLE if problem else HTTPStatus.OK
                self._answer(status, TEXT, f"{problem or 'ok'}\n".encode())
            elif self.path == "/metrics" and operator:
                self._answer(HTTPStatus.OK, *exposition.get())
            else:
                self._answer(HTTPStatus.NOT_FOUND, TEXT, b"There is no such thing.\n")

        def _answer(self, status: HTTPStatus, media_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Keep quiet."""

    return Handler


async def _obstacle(chosen: Settings) -> str | None:
    """Why jobs cannot run just now, or None. An outage of Redis is no reason."""
    try:
        async with await WatchedConnection.connect(**pool.parameters(chosen.database_url)) as conn:
            obstacle = await readiness.obstacle(conn)
            outages.answered()
            return obstacle
    except psycopg.Error as error:
        outages.note(error)
        return outages.sentence() or outages.message(error)


def _silence(pulses: Sequence[Pulse]) -> str | None:
    """Why not all processes work, or None."""
    working = sum(map(bool, pulses))
    if working == len(pulses):
        return None
    return f"{working} of {len(pulses)} worker processes work; the others are starting, hang, or die (see the log)."


def _exposition(pulses: Sequence[Pulse]) -> tuple[str, bytes]:
    media_type, figures = metrics.exposition()
    own = CollectorRegistry()
    own.register(Processes(pulses))
    return media_type, figures + generate_latest(own)


class Processes(Collector):
    """Metrics of the processes, from the one that has the port: a process that hangs reports nothing."""

    def __init__(self, pulses: Sequence[Pulse]) -> None:
        self._pulses = pulses

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """How many processes work just now."""
        yield GaugeMetricFamily(
            "ticketing_worker_processes", "Worker processes that work.", value=sum(map(bool, self._pulses))
        )
