"""`ticketing serve`: the web process as production runs it, one worker or several on one socket."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import uvicorn
from uvicorn.supervisors import multiprocess

BACKLOG = 2048
DRAIN_SECONDS = 1.0
"""How long a server that was told to stop still takes requests, so that clients and balancers learn to go elsewhere."""
UNREAD_SECONDS = 30
"""How long what is sent may go unread before the connection is given up, as one may be that is closed already."""
UVICORN: dict[str, Any] = {
    "app": "ticketing.app:create",
    "factory": True,
    "loop": "uvloop",
    "http": "ticketing.wire:Protocol",
    "ws": "none",
    "lifespan": "on",
    "log_config": None,  # The application sets up logging, uvicorn's included, and logs requests itself.
    "access_log": False,
    "server_header": False,
    "proxy_headers": False,  # The edge reads them: `contract/forwarded.py`.
    "timeout_graceful_shutdown": 10,
}


class CannotServe(Exception):
    """The address is not to be had; the message says why."""


def run(host: str, port: int, workers: int) -> None:
    """Serve until told to stop by SIGINT or SIGTERM, then let running requests finish."""
    with listen(host, port) as listener, shared_metrics(workers):
        config = uvicorn.Config(**UVICORN, workers=workers)
        if workers > 1:
            # uvicorn has no other way to be told which server its workers shall be.
            multiprocess.Process = _Worker  # type: ignore[misc]
            multiprocess.Multiprocess(config, [listener]).run()
            return
        # uvicorn raises the signal that ended it once more; left alone, it would kill us.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with suppress(KeyboardInterrupt):
            _Server(config).run([listener])


def listen(host: str, port: int) -> socket.socket:
    """The socket of an address; port 0 is any free one. Raises CannotServe."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except (OSError, OverflowError) as error:
        if getattr(error, "errno", None) == errno.EADDRINUSE:
            raise CannotServe(f"Port {port} is in use. Choose another with --port; 0 takes any free one.") from None
        raise CannotServe(f"There is no listening on {host}, port {port}: {error}.") from None
    # Its connections inherit it. Where there is no such option, those that do not read stay until the client goes.
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_SECONDS * 1000)
    return listener


@contextmanager
def shared_metrics(workers: int) -> Iterator[None]:
    """A folder in which several workers keep their counters, so that whichever is asked tells the sum of all."""
    if workers == 1 or "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="ticketing-metrics-", ignore_cleanup_errors=True) as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        yield


class _Server(uvicorn.Server):
    """A server that leaves in order: whoever still asks is answered, and told that the connection ends with that.

    Without this, a request that is on its way on an idle connection while that is being closed gets no answer at all.
    """

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        from ticketing import app  # noqa: PLC0415 - loaded by now, and slow to load for commands that need it not

        app.leave()
        self.server_state.default_headers = [*self.server_state.default_headers, (b"connection", b"close")]
        await asyncio.sleep(DRAIN_SECONDS)
        await super().shutdown(sockets)


class _Worker(multiprocess.Process):
    """One of several processes on a socket."""

    def target(self, sockets: list[socket.socket] | None = None) -> None:
        self._server = _Server(self.config)
        super().target(sockets)
