"""The composition root of the web process: settings in, ASGI application out."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import ticketing.reactions.background  # noqa: F401 (so that all kinds of jobs are known)
from ticketing import api, contract, mail
from ticketing.access import authentication, cookies, stream_passes
from ticketing.access.actors import ANONYMOUS
from ticketing.api.shaped import shaped
from ticketing.contract.engine import build
from ticketing.db import bell, outages, pool
from ticketing.ground import links, metrics, paths, release, texts
from ticketing.ground.config import Settings, settings
from ticketing.log import streams
from ticketing.monitoring import files, readiness, sampling, tracing
from ticketing.reactions.webhooks import endpoints
from ticketing.web import pages

log = logging.getLogger(__name__)
UNSAFE = frozenset({"POST", "PATCH", "PUT", "DELETE"})
REQUESTS_A_CONNECTION = 16
"""How many requests are worked on at once, per connection to PostgreSQL: more would only wait, some 0.2 s."""
SWITCH_SECONDS = 0.0005
"""How soon the event loop gets the interpreter back from a thread that works on a body. A request waits for it several
times, so Python's 5 ms would add up.
"""

_leaving = False


def create(settings_: Settings | None = None) -> Any:
    """The application, as `uvicorn ticketing.app:create --factory` runs it."""
    chosen = settings_ or settings()
    sys.setswitchinterval(SWITCH_SECONDS)
    metrics.configure_logging(chosen)
    endpoints.check_settings(chosen)
    mail.check_settings(chosen)
    tracing.start(chosen, "serve")
    if shortage := files.allow(chosen):
        log.warning(shortage)
    documents = {path: contract.load(file) for path, file in paths.DOCUMENTS.items()}
    problems = contract.load(paths.SPEC / "problems.yaml")
    faults = contract.load(paths.SPEC / "faults.yaml")

    ready = pages.Shared(obstacle)
    handlers = shaped({name: getattr(api, name) for name in api.__all__}, documents.values())

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        url = chosen.database_url
        async with (
            pool.connected(url, chosen.pool_size),
            sampling.sampled(lambda: engine.in_flight, ready),
            bell.ringing(url),
            streams.serving(chosen),
        ):
            yield
        await asyncio.to_thread(tracing.stop)

    engine = build(
        documents,
        problems,
        handlers={name: pool.repeated(handler) for name, handler in handlers.items()},
        authenticators={
            "bearer": authentication.authenticate,
            "session": authentication.authenticate_session,
            "stream_pass": stream_passes.find,
        },
        anonymous=ANONYMOUS,
        genuine={"csrf": cookies.genuine},
        secure=cookies.is_secure(chosen),
        spend={"stream_pass": stream_passes.use},
        authorize=authentication.authorize,
        observe=observe,
        lifespan=lifespan,
        at_once=REQUESTS_A_CONNECTION * chosen.pool_size,
        always=pages.ALWAYS,
        proxies=contract.Proxies(chosen.trusted_proxies, chosen.prefix),
        forms=texts.FORMS,
        beside=lambda api: pages.site(api, documents, problems, faults, ready, chosen),
        body_seconds=chosen.body_seconds,
        origins=chosen.cors_origins,
        derived=links.DERIVED,
        always_said=(release.LINE,),
    )
    return tracing.requests(engine)


def leave() -> None:
    """Stop being ready, and end open streams, because this process is about to end."""
    global _leaving
    _leaving = True
    streams.leave()


def observe(**request: Any) -> None:
    """Measure an answered request, and ring the bell: what it may have changed is committed by now."""
    metrics.observe(**request)
    tracing.tell(request)
    if request["method"] in UNSAFE and request["status"] < 300:
        bell.ring()


async def obstacle() -> str | None:
    """Why this process is not ready, or None."""
    if _leaving:
        return "This process is about to end."
    try:
        async with pool.connection() as conn:
            return await readiness.obstacle(conn)
    except contract.Problem as problem:
        return outages.sentence() or problem.detail
