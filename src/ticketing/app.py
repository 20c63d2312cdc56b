"""The composition root of the web process: settings in, ASGI application out. Nothing is put together elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from ticketing import api, auth, contract, db, metrics, migrate, pages, resources
from ticketing.config import Settings, settings

REQUESTS_A_CONNECTION = 16
"""How many requests are worked on at once, for each connection to PostgreSQL: more would only wait, some 0.2 s."""

_leaving = False


def create(settings_: Settings | None = None) -> Any:
    """The application, as `uvicorn ticketing.app:create --factory` runs it."""
    chosen = settings_ or settings()
    metrics.configure_logging(chosen)
    document = contract.load(resources.SPEC / "dist" / "openapi.json")
    problems = contract.load(resources.SPEC / "problems.yaml")

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        async with db.connected(chosen.database_url, chosen.pool_size):
            yield

    engine = contract.build(
        document,
        problems,
        handlers={name: db.repeated(getattr(api, name)) for name in api.__all__},
        authenticate=auth.authenticate,
        authorize=auth.authorize,
        observe=metrics.observe,
        lifespan=lifespan,
        at_once=REQUESTS_A_CONNECTION * chosen.pool_size,
    )
    return pages.site(engine, problems, readiness)


def leave() -> None:
    """Be ready no more, as this process is about to end."""
    global _leaving
    _leaving = True


async def readiness() -> str | None:
    """Why the service cannot work just now, or None: the database must answer, with the schema this code needs."""
    if _leaving:
        return "This process is about to end."
    try:
        async with db.connection() as conn:
            missing = await migrate.pending(conn)
    except contract.Problem as problem:
        return problem.detail
    return f"The database lacks the migrations {', '.join(missing)}." if missing else None
