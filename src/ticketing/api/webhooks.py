"""/webhook-endpoints and /webhook-deliveries"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from ticketing.access.actors import Actor
from ticketing.api.answers import gone, listed, sent
from ticketing.api.once import once
from ticketing.contract import Answer
from ticketing.db import pool
from ticketing.reactions.webhooks import deliveries, endpoints
from ticketing.writing.idempotency import Claim


@once(201, "/webhook-endpoints/{id}", restored=endpoints.with_secret)
async def create_webhook_endpoint(body: dict[str, Any], actor: Actor, claim: Claim) -> Mapping[str, Any]:
    await endpoints.check_url(actor, body["url"])
    async with pool.connection() as conn, claim:
        return await endpoints.create(conn, actor, claim=claim, **body)


async def list_webhook_endpoints(
    actor: Actor, status: list[str] | None = None, limit: int = 25, cursor: str | None = None
) -> Answer:
    given = sent(status=status, limit=limit)
    async with pool.connection() as conn:
        page = await endpoints.list_(conn, actor, cursor=cursor, **given)
    return listed(page, "/webhook-endpoints", **given)


async def get_webhook_endpoint(endpoint_id: str, actor: Actor) -> Answer:
    async with pool.connection() as conn:
        return Answer(await endpoints.get(conn, actor, UUID(endpoint_id)))


async def update_webhook_endpoint(
    endpoint_id: str, body: dict[str, Any], actor: Actor, if_match: str | None = None
) -> Answer:
    if "url" in body:
        await endpoints.check_url(actor, body["url"])
    async with pool.transaction() as conn:
        return Answer(await endpoints.update(conn, actor, UUID(endpoint_id), body, if_match=if_match))


async def delete_webhook_endpoint(endpoint_id: str, actor: Actor, if_match: str | None = None) -> Answer:
    async with pool.transaction() as conn:
        await endpoints.delete(conn, actor, UUID(endpoint_id), if_match=if_match)
    return gone()


@once(201, restored=endpoints.with_secret)
async def rotate_webhook_secret(endpoint_id: str, actor: Actor, claim: Claim) -> Mapping[str, Any]:
    async with pool.transaction() as conn, claim:
        return await endpoints.rotate_secret(conn, actor, UUID(endpoint_id), claim=claim)


@once(202, restored=endpoints.as_pinged)
async def ping_webhook_endpoint(endpoint_id: str, actor: Actor, claim: Claim) -> Mapping[str, Any]:
    async with pool.connection() as conn, claim:
        return await endpoints.ping(conn, actor, UUID(endpoint_id), claim=claim)


@once(202)
async def redeliver_webhooks(endpoint_id: str, body: dict[str, Any], actor: Actor, claim: Claim) -> Mapping[str, Any]:
    async with pool.connection() as conn, claim:
        return await deliveries.redeliver(conn, actor, UUID(endpoint_id), claim=claim, **body)


async def list_deliveries(
    actor: Actor,
    endpoint_id: list[str] | None = None,
    event_id: list[str] | None = None,
    status: list[str] | None = None,
    event_type: list[str] | None = None,
    limit: int = 25,
    cursor: str | None = None,
) -> Answer:
    given = sent(endpoint_id=endpoint_id, event_id=event_id, status=status, event_type=event_type, limit=limit)
    async with pool.connection() as conn:
        page = await deliveries.list_(conn, actor, cursor=cursor, **given)
    return listed(page, "/webhook-deliveries", **given)


async def get_delivery(delivery_id: str, actor: Actor) -> Answer:
    async with pool.connection() as conn:
        return Answer(await deliveries.get(conn, actor, UUID(delivery_id)))
