"""`ticketing work`: the composition root of the worker, as one process or several."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress

import structlog
import uvloop

import ticketing.background  # noqa: F401 (so that all kinds of jobs are known)
from ticketing import metrics, probes, sampling, serve, tracing
from ticketing.config import Settings, settings
from ticketing.jobs import worker
from ticketing.webhooks import endpoints

RESTART_SECONDS = 1.0
LAST_SECONDS = 30.0
"""What a process that has lost its leash, and everything else with it, gets to end by itself."""

log = structlog.get_logger()


def run(*, processes: int, threads: int, queues: Sequence[str], address: tuple[str, int] | None, leashed: bool) -> None:
    """Do jobs until told to stop by SIGINT or SIGTERM; figures and health are served at the address, if any."""
    chosen = settings()
    metrics.configure_logging(chosen)
    endpoints.check_settings(chosen)
    logging.getLogger("dramatiq").setLevel(logging.ERROR)
    if chosen.outbound == "off":
        log.warning("nothing is sent", setting="TICKETING_OUTBOUND")
    if leashed:
        threading.Thread(target=_end_with_parent, daemon=True).start()
    with ExitStack() as stack:
        stack.enter_context(serve.shared_metrics(processes))
        if address:
            stack.enter_context(probes.answered(chosen, address))
        if processes == 1:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(_work(chosen, threads, queues))
        else:
            options = ["--threads", str(threads), *(["--queues", ",".join(queues)] if queues else [])]
            with crew(processes, options):
                _await_signal()


async def _work(chosen: Settings, threads: int, queues: Sequence[str]) -> None:
    stopping = asyncio.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(each, stopping.set)
    async with sampling.sampled():
        tracing.start(chosen, "work")
        await worker.work(chosen, stopping, threads=threads, queues=queues)
        await asyncio.to_thread(tracing.stop)


def _await_signal() -> None:
    told = threading.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda *_: told.set())
    told.wait()


def _end_with_parent() -> None:
    """Nothing is ever written to our standard input. It closes when whoever started us ends, however they end."""
    # Not by sys.stdin: at exit Python would wait for its lock, which this thread has.
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(LAST_SECONDS)
    os._exit(1)


# Several processes ----------------------------------------------------------------------------------------------------


@contextmanager
def crew(count: int, options: Sequence[str]) -> Iterator[None]:
    """Keep so many workers running as children, for as long as the block or this process lasts."""
    children = [_Child(options) for _ in range(count)]
    try:
        yield
    finally:
        for child in children:
            child.stop()
        for child in children:
            child.join()


class _Child(threading.Thread):
    """A worker process, started again whenever it dies."""

    def __init__(self, options: Sequence[str]) -> None:
        super().__init__(daemon=True)
        self._command = [sys.executable, "-m", "ticketing", "work", "--leashed", *options]
        self._stopping = threading.Event()
        self._starting = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def run(self) -> None:
        while (process := self._spawned()) is not None:
            # One that ends with 0 was told to, like us by Ctrl-C.
            if process.wait() == 0:
                return
            if not self._stopping.wait(RESTART_SECONDS):
                log.error("a worker died and is started again", status=process.returncode)

    def stop(self) -> None:
        """Let it end, and start none after it."""
        self._stopping.set()
        with self._starting, suppress(ProcessLookupError):
            if self._process is not None:
                self._process.terminate()

    def _spawned(self) -> subprocess.Popen[bytes] | None:
        with self._starting:
            if self._stopping.is_set():
                return None
            self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE)
            return self._process
