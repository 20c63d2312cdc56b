"""The demo: a media company's people, products and tickets from `demo.yaml`, written as if they had grown over months."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

import uuid_utils.compat as uuids
import yaml
from psycopg.types.json import Jsonb

from ticketing import auth, sql, tokens
from ticketing.idempotency import Claim

FILE = Path(__file__).with_name("demo.yaml")
SCOPES: dict[sql.UserRole, list[sql.TokenScope]] = {
    "admin": ["tickets:read", "tickets:write", "admin"],
    "agent": ["tickets:read", "tickets:write"],
    "requester": ["tickets:read", "tickets:write"],
}
"""What the token of each role may do."""
ENDED = ("resolved", "closed")
AGE = re.compile(r"(?:(?P<days>\d+)d)? ?(?:(?P<hours>\d+)h)?")
TRIAGE = timedelta(hours=1)
"""How long after its creation, at most, a ticket is looked at, and how long after its last comment it ends."""

Entry = Mapping[str, Any]


async def load(conn: sql.Connection) -> bool:
    """Write the demo in one transaction, unless there is a project already; tells whether it did."""
    async with conn.transaction():
        if await sql.projects.list_projects(conn, staff=True, after=None, page_size=1):
            return False
        people = await _add_people(conn)
        await _add_projects(conn, people)
        await _add_tickets(conn, people)
    return True


async def sign_in(conn: sql.Connection, kept: Mapping[str, str]) -> dict[str, str]:
    """A token for each role: the one kept from last time if it still holds, or a new one.

    A role that no active person of the demo has any more gets none.
    """
    signed_in = {}
    for role, scopes in SCOPES.items():
        secret = kept.get(role, "")
        if not await _holds(conn, secret, role):
            secret = await _issue(conn, role, scopes)
        if secret:
            signed_in[role] = secret
    return signed_in


async def _holds(conn: sql.Connection, secret: str, role: sql.UserRole) -> bool:
    identity = await sql.tokens.get_identity(conn, hash=auth.hash_token(secret))
    return identity is not None and identity["role"] == role


async def _issue(conn: sql.Connection, role: sql.UserRole, scopes: list[sql.TokenScope]) -> str:
    for person in _demo()["people"]:
        user = await sql.users.get_user_by_email(conn, email=person["email"])
        if user and user["active"] and user["role"] == role:
            secret = auth.new_token()
            await tokens.insert(conn, user["id"], secret, claim=Claim(), actor_id=None, name="demo", scopes=scopes)
            return secret
    return ""


@cache
def _demo() -> Any:
    return yaml.load(FILE.read_bytes(), yaml.CSafeLoader)


# People and projects -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class People:
    """The ids of the demo's people by their keys."""

    ids: dict[str, UUID]
    names: dict[str, str]
    admin: str
    agent: str

    def ref(self, key: str | None) -> dict[str, str] | None:
        """How answers name somebody."""
        return {"id": str(self.ids[key]), "name": self.names[key]} if key else None


async def _add_people(conn: sql.Connection) -> People:
    entries = _demo()["people"]
    # Whoever writes a ticket was there before it.
    since = max(_moment(ticket["age"]) for ticket in _demo()["tickets"][:1]) - timedelta(days=1)
    ids = {entry["key"]: uuids.uuid7() for entry in entries}
    rows = [
        {
            "id": ids[entry["key"]],
            "event_id": uuids.uuid7(),
            "name": entry["name"],
            "email": entry["email"],
            "role": entry["role"],
            "service_account": False,
            "created_at": since,
        }
        for entry in entries
    ]
