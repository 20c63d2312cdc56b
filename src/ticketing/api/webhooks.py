"""/webhook-endpoints and /webhook-deliveries"""

from typing import Any
from uuid import UUID

from ticketing.access.actors import Actor
from ticketing.api.answers import accepted, created, gone, listed, sent
from ticketing.contract import Answer
from ticketing.db import pool
from ticketing.ground.errors import Invalid
from ticketing.reactions.webhooks import deliveries, endpoints
from ticketing.writing import idempotency


async def create_webhook_endpoint(body: dict[str, Any], actor: Actor, idempotency_key: str | None = None) -> Answer:
    claim = idempotency.claim(idempotency_key, "create_webhook_endpoint", body)
    try:
        await endpoints.check_url(actor, body["url"])
    except Invalid:
        async with pool.connection() as conn:
            if (endpoint := await endpoints.created(conn, actor, claim)) is None:
                raise
    else:
        async with pool.connection() as conn, claim:
            endpoint = await endpoints.create(conn, actor, claim=claim, **body)
    return created(endpoint, f"/webhook-endpoints/{endpoint['id']}", claim)


async def list_webhook_endpoints(
    actor: Actor, state: str | None = None, limit: int = 25, cursor: str | None = None
) -> Answer:
    given = sent(state=state, limit=limit)
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


async def rotate_webhook_secret(endpoint_id: str, actor: Actor, idempotency_key: str | None = None) -> Answer:
    claim = idempotency.claim(idempotency_key, "rotate_webhook_secret", endpoint_id)
    async with pool.transaction() as conn, claim:
        endpoint = await endpoints.rotate_secret(conn, actor, UUID(endpoint_id), claim=claim)
    return accepted(endpoint, 200, claim)


async def ping_webhook_endpoint(endpoint_id: str, actor: Actor, idempotency_key: str | None = None) -> Answer:
    claim = idempotency.claim(idempotency_key, "ping_webhook_endpoint", endpoint_id)
    async with pool.connection() as conn, claim:
        event = await endpoints.ping(conn, actor, UUID(endpoint_id), claim=claim)
    return accepted(event, 202, claim)


async def redeliver_webhooks(
    endpoint_id: str, body: dict[str, Any], actor: Actor, idempotency_key: str | None = None
) -> Answer:
    claim = idempotency.claim(idempotency_key, "redeliver_webhooks", endpoint_id, body)
    async with pool.connection() as conn, claim:
        redelivery = await deliveries.redeliver(conn, actor, UUID(endpoint_id), claim=claim, **body)
    return accepted(redelivery, 202, claim)


async def list_deliveries(
    actor: Actor,
    endpoint_id: str | None = None,
    event_id: str | None = None,
    status: str | None = None,
    type: str | None = None,
    limit: int = 25,
    cursor: str | None = None,
) -> Answer:
    given = sent(endpoint_id=endpoint_id, event_id=event_id, status=status, type=type, limit=limit)
    async with pool.connection() as conn:
        page = await deliveries.list_(conn, actor, cursor=cursor, **given)
    return listed(page, "/webhook-deliveries", **given)


async def get_delivery(delivery_id: str, actor: Actor) -> Answer:
    async with pool.connection() as conn:
        return Answer(await deliveries.get(conn, actor, UUID(delivery_id)))
