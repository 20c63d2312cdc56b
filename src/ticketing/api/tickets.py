"""/tickets"""

from collections.abc import Mapping
from typing import Any, Literal

from ticketing.access import policy
from ticketing.access.actors import Actor
from ticketing.api.answers import listed
from ticketing.api.once import once
from ticketing.api.rendered import Render, rendered
from ticketing.contract import Answer
from ticketing.db import pool
from ticketing.rules import tickets
from ticketing.writing.idempotency import Claim


@once(201, "/tickets/{number}")
async def create_ticket(body: dict[str, Any], actor: Actor, claim: Claim) -> Mapping[str, Any]:
    opened = pool.transaction if "requester" in body else pool.connection
    async with opened() as conn, claim:
        return await tickets.create(conn, actor, claim=claim, **body)


@once(200)
async def change_tickets(body: dict[str, Any], actor: Actor, claim: Claim) -> Mapping[str, Any]:
    async with pool.transaction() as conn, claim:
        return await tickets.change(conn, actor, claim=claim, **body)


async def list_tickets(
    actor: Actor,
    project: list[str] | None = None,
    type: list[str] | None = None,
    status: list[str] | None = None,
    resolution: list[str] | None = None,
    priority: list[str] | None = None,
    severity: list[str] | None = None,
    channel: list[str] | None = None,
    category: list[str] | None = None,
    tag: list[str] | None = None,
    assignee: list[str] | None = None,
    requester: list[str] | None = None,
    external_reference: list[str] | None = None,
    title: str | None = None,
    escalated: bool | None = None,
    created_since: str | None = None,
    created_before: str | None = None,
    updated_since: str | None = None,
    updated_before: str | None = None,
    q: str | None = None,
    sort: str | None = None,
    include: list[Literal["matches"]] | None = None,
    limit: int = 25,
    cursor: str | None = None,
) -> Answer:
    given = {name: value for name, value in locals().items() if name not in ("actor", "cursor") and value is not None}
    async with pool.connection() if q is None else pool.asking() as conn:
        page = await tickets.list_(conn, actor, cursor=cursor, **given)
    return listed(page, "/tickets", **given)


async def get_ticket(
    number: int, actor: Actor, render: Render = None, include: list[Literal["actions"]] | None = None
) -> Answer:
    async with pool.connection() as conn:
        ticket = await tickets.get(conn, actor, number)
    await rendered(render, ticket)
    return Answer({**ticket, "actions": policy.actions(actor, ticket)} if include else ticket)


async def update_ticket(number: int, body: dict[str, Any], actor: Actor, if_match: str | None = None) -> Answer:
    async with pool.transaction() as conn:
        return Answer(await tickets.update(conn, actor, number, body, if_match=if_match))
