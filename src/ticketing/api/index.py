"""/"""

from __future__ import annotations

from functools import cache
from typing import Any

from ticketing import __version__, contract, sealing
from ticketing.contract import Answer
from ticketing.db import pool, sql
from ticketing.ground import paths
from ticketing.ground.config import settings
from ticketing.rules import sessions

LINKS = {
    "contract": f"{paths.API}/openapi.json",
    "contract_yaml": f"{paths.API}/openapi.yaml",
    "operations": f"{paths.OPS}/openapi.json",
    "reference": "/docs",
    "problems": "/problems",
}


async def get_api(prefix: str) -> Answer:
    return Answer(
        {
            "release": __version__,
            "contract_version": _contract_version(),
            "links": {name: prefix + path for name, path in LINKS.items()},
            "features": {
                "webhooks": sealing.first_key() is not None,
                "outbound": settings().outbound == "on",
            },
            "sign_in": await _sign_in(),
        }
    )


async def _sign_in() -> dict[str, Any]:
    accounts: list[sql.DemoAccount] = []
    if settings().demo_users:
        async with pool.connection() as conn:
            accounts = await sessions.list_demo_accounts(conn)
    return {"registration": settings().registration.form, "demo_accounts": accounts}


@cache
def _contract_version() -> str:
    version: str = contract.load(paths.DOCUMENTS[paths.API])["info"]["version"]
    return version
