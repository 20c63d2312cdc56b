"""People of a source: who they are here, and those who are new."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import uuid_utils.compat as uuids

from ticketing.db import sql
from ticketing.sources.github.logins import BOT
from ticketing.sources.loading.rows import Row, as_json
from ticketing.sources.people import Introduction

#: Ids of users by their logins in the source, in lower case. (The key's column may be null, but never is here.)
People = dict[str | None, UUID]


async def known(conn: sql.Connection, system: str, logins: Iterable[str]) -> People:
    """Who people of a system are here, as far as they are known."""
    rows = await sql.imports.list_people(conn, system=system, logins=list(set(logins)))
    return {row["login"]: row["user_id"] for row in rows}


async def introduce(conn: sql.Connection, system: str, introduced: Sequence[Introduction]) -> None:
    """Store the mapping of people, and add the new ones as users with an e-mail address."""
    rows = []
    for each in introduced:
        user_id = each.user_id
        if user_id is None:
            new = _row(each.name, email=each.email, service_account=each.login.endswith(BOT))
            await sql.imports.insert_users(conn, rows=as_json([new]))
            # Not the id above: the address may occur twice, or may have been added meanwhile.
            user = await sql.users.get_user_by_email(conn, email=each.email)
            user_id = user["id"] if user else new["id"]
        rows.append({"login": each.login, "user_id": user_id})
    if rows:
        await sql.imports.insert_people(conn, system=system, rows=as_json(rows))


async def add(conn: sql.Connection, system: str, names: Mapping[str, str]) -> People:
    """Add people, named by their logins in lower case, as users without a way to sign in; their ids."""
    rows = [
        _row(
            names[login],
            service_account=login.endswith(BOT),
            external_source=system,
            external_id=login,
        )
        for login in sorted(names)
    ]
    if rows:
        await sql.imports.insert_users(conn, rows=as_json(rows))
        remembered = [{"login": row["external_id"], "user_id": row["id"]} for row in rows]
        await sql.imports.insert_people(conn, system=system, rows=as_json(remembered))
    return {row["external_id"]: row["id"] for row in rows}


def _row(name: str, **columns: Any) -> Row:
    """The row of a user who cannot sign in."""
    ids = {"id": uuids.uuid7(), "event_id": uuids.uuid7()}
    return {**ids, "name": name, "role": "requester", "created_at": datetime.now(UTC), **columns}
