"""`ticketing work`: the composition root of the worker, as one process or several."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack

import structlog
import uvloop

import ticketing.reactions.background  # noqa: F401 (so that all kinds of jobs are known)
from ticketing import mail
from ticketing.ground import metrics
from ticketing.ground.config import Settings, settings
from ticketing.jobs import worker
from ticketing.monitoring import sampling, tracing
from ticketing.processes import crew, probes, serve
from ticketing.reactions.webhooks import endpoints

log = structlog.get_logger()


def run(*, processes: int, threads: int, queues: Sequence[str], address: tuple[str, int] | None, leashed: bool) -> None:
    """Run jobs until told to stop by SIGINT or SIGTERM; serve metrics and health at the address, if any."""
    chosen = settings()
    metrics.configure_logging(chosen)
    endpoints.check_settings(chosen)
    mail.check_settings(chosen)
    logging.getLogger("dramatiq").setLevel(logging.ERROR)
    if chosen.outbound == "off":
        log.warning("nothing is sent", setting="TICKETING_OUTBOUND")
    if leashed:
        for each in (signal.SIGINT, signal.SIGHUP):  # Those of a terminal reach our parent too, which ends us.
            signal.signal(each, signal.SIG_IGN)
        crew.end_with_parent(0)
    pulses = [crew.Pulse() for _ in range(processes)]
    with ExitStack() as stack:
        stack.enter_context(serve.shared_metrics(processes))
        if address:
            stack.enter_context(probes.answered(chosen, address, pulses))
        if processes == 1:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(_work(chosen, threads, queues, crew.report if leashed else pulses[0].beat))
        else:
            options = ["--threads", str(threads), *(["--queues", ",".join(queues)] if queues else [])]
            with crew.kept(pulses, options):
                _await_signal()


async def _work(chosen: Settings, threads: int, queues: Sequence[str], beat: Callable[[], None]) -> None:
    stopping = asyncio.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(each) is not signal.SIG_IGN:
            asyncio.get_running_loop().add_signal_handler(each, stopping.set)
    async with sampling.sampled():
        tracing.start(chosen, "work")
        await worker.work(chosen, stopping, threads=threads, queues=queues, beat=beat)
        await asyncio.to_thread(tracing.stop)


def _await_signal() -> None:
    stop = threading.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda *_: stop.set())
    stop.wait()
