"""The composition root of the web process: settings in, ASGI application out. Nothing is put together elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from ticketing import api, auth, contract, db, metrics, migrate, pages, resources
from ticketing.config import Settings, settings
from ticketing.webhooks import endpoints


def create(settings_: Settings | None = None) -> Any:
    """The application, as `uvicorn ticketing.app:create --factory` runs it."""
    chosen = settings_ or settings()
    metrics.configure_logging(chosen)
    endpoints.check_settings(chosen)
    document = contract.load(resources.SPEC / "dist" / "openapi.json")
    problems = contract.load(resources.SPEC / "problems.yaml")

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        async with db.connected(chosen.database_url, chosen.pool_size):
            yield

    engine = contract.build(
        document,
        problems,
        handlers={name: getattr(api, name) for name in api.__all__},
        authenticate=auth.authenticate,
        authorize=auth.authorize,
        observe=metrics.observe,
        lifespan=lifespan,
    )
    return pages.site(engine, problems, readiness)


async def readiness() -> str | None:
    """Why the service cannot work just now, or None: the database must answer, with the schema this code needs."""
    try:
        async with db.connection() as conn:
            missing = await migrate.pending(conn)
    except contract.Problem as problem:
        return problem.detail
    return f"The database lacks the migrations {', '.join(missing)}." if missing else None
