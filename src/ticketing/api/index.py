"""/"""

from __future__ import annotations

from functools import cache

from ticketing import __version__, contract, sealing
from ticketing.api.answers import PREFIX
from ticketing.contract import Answer
from ticketing.ground import paths
from ticketing.ground.config import settings

LINKS = {
    "contract": f"{PREFIX}/openapi.json",
    "contract_yaml": f"{PREFIX}/openapi.yaml",
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
        }
    )


@cache
def _contract_version() -> str:
    version: str = contract.load(paths.SPEC / "dist" / "openapi.json")["info"]["version"]
    return version
