"""Presences: who looks at a ticket or replies to it, so that two agents do not answer at once."""

from __future__ import annotations

from typing import Literal, TypedDict

from ticketing.access import policy
from ticketing.access.actors import Actor
from ticketing.db import sql
from ticketing.rules import tickets


class Presences(TypedDict):
    """Who else is there."""

    items: list[sql.Presence]


async def note(
    conn: sql.Connection, actor: Actor, number: int, *, activity: Literal["viewing", "replying"]
) -> Presences:
    """Say that the actor is at a ticket, for half a minute, and see who else is. Raises NotFound, Forbidden."""
    there = await sql.presences.put_presence(
        conn, actor_id=actor.user_id, activity=activity, number=number, **actor.viewer()
    )
    if not there:
        ticket = await tickets.get(conn, actor, number)
        policy.require_staffing(actor, ticket)
    return {"items": [each for each in there if each["user"]["id"] != str(actor.user_id)]}


async def end(conn: sql.Connection, actor: Actor, number: int) -> None:
    """Say that the actor has left a ticket. Raises NotFound, Forbidden."""
    if await sql.presences.delete_presence(conn, actor_id=actor.user_id, number=number, **actor.viewer()) is None:
        ticket = await tickets.get(conn, actor, number)
        policy.require_staffing(actor, ticket)
