"""Endpoints: who is told of what, and with which secret it is signed. Only admins see and change them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import uuid_utils.compat as uuids
from psycopg.types.json import Jsonb

from ticketing import outbound, sealing
from ticketing.access import policy
from ticketing.access.actors import Actor
from ticketing.db import sql
from ticketing.ground.config import Settings, settings
from ticketing.ground.errors import EndpointDisabled, Invalid, NotConfigured, SecretNotShown, TooManySecrets, found
from ticketing.reactions.webhooks import signing
from ticketing.rules.projects import check_keys
from ticketing.writing import idempotency, paging, patches, preconditions
from ticketing.writing.change import changing
from ticketing.writing.idempotency import Claim

SECRET_OVERLAP_SECONDS = 24 * 3600.0
MOST_SECRETS = 10
"""Secrets of an endpoint that hold at once, each of which signs every message."""
FIELDS = ("url", "description", "event_types", "projects", "include_internal", "status")


async def check_url(actor: Actor, url: str) -> None:
    """Refuse a URL that nothing would be sent to, as far as that can be seen now; call it without a connection.

    A host that has no address yet is let pass if it could be on the internet, as the guard looks again at each
    delivery. Raises Forbidden, Invalid.
    """
    policy.require_admin(actor)
    allowed = guard()
    try:
        destination = outbound.Destination.of(url)
        try:
            await allowed.addresses(destination)
        except outbound.Unresolved:
            allowed.check_unresolved(destination)
    except outbound.Refused as refusal:
        raise Invalid.at("#/url", "refused_address", str(refusal)) from None


def guard() -> outbound.Guard:
    """What the settings allow to be sent to."""
    return outbound.Guard.from_settings(settings().webhook_allow, settings().webhook_ports)


def check_settings(chosen: Settings) -> None:
    """Let what cannot be read stop the start, and not a request. Raises InvalidSetting."""
    outbound.Guard.from_settings(chosen.webhook_allow, chosen.webhook_ports)
    sealing.keys(chosen.secret_keys)


async def create(
    conn: sql.Connection,
    actor: Actor,
    *,
    claim: Claim,
    url: str,
    description: str = "",
    event_types: Sequence[str] = (),
    projects: Sequence[str] = (),
    include_internal: bool = False,
    format: sql.WebhookFormat = "standard",
) -> dict[str, Any]:
    """Add an endpoint and record `webhook.created`; the answer has its secret. Call `check_url` before.

    Raises Forbidden, Invalid, NotConfigured.
    """
    policy.require_admin(actor)
    await check_keys(conn, projects)
    await _check_types(conn, event_types, include_internal=include_internal)
    endpoint_id, secret = uuids.uuid7(), signing.new_secret()
    endpoint = await sql.webhooks.insert_webhook_endpoint(
        conn,
        **claim.parameters(),
        **sealed(secret, endpoint_id),
        actor_id=actor.user_id,
        endpoint_id=endpoint_id,
        url=url,
        description=description,
        event_types=list(event_types),
        projects=list(projects),
        include_internal=include_internal,
        format=format,
    )
    return {**idempotency.done(endpoint), "secret": signing.written(secret)}


async def list_(
    conn: sql.Connection,
    actor: Actor,
    *,
    status: list[sql.WebhookState] | None = None,
    limit: int = 25,
    cursor: str | None = None,
) -> paging.Page:
    """A page of the endpoints, oldest first. Raises Forbidden, InvalidCursor."""
    policy.require_admin(actor)
    listing = ["webhook_endpoints", {"status": status}]
    (after,) = paging.opened(cursor, listing, UUID)
    rows = await sql.webhooks.list_webhook_endpoints(conn, status=status, after=after, page_size=limit + 1)
    return paging.page(rows, limit, listing, lambda row: [row["id"]])


async def get(conn: sql.Connection, actor: Actor, endpoint_id: UUID) -> sql.WebhookEndpoint:
    """One endpoint. Raises Forbidden, NotFound."""
    policy.require_admin(actor)
    row = await sql.webhooks.get_webhook_endpoint(conn, endpoint_id=endpoint_id)
    return found(row, f"webhook endpoint {endpoint_id}")


async def update(
    conn: sql.Connection, actor: Actor, endpoint_id: UUID, patch: Mapping[str, Any], *, if_match: str | None = None
) -> sql.WebhookEndpoint:
    """Apply a merge patch in a transaction and record `webhook.updated`. Call `check_url` before.

    Raises Forbidden, NotFound, PreconditionFailed, Invalid.
    """
    endpoint, matched = await _take(conn, actor, endpoint_id, if_match, patch)
    patch = patches.changeable(patch, endpoint, FIELDS, matched=matched)
    await check_keys(conn, patch.get("projects", ()))
    old: dict[str, Any] = {**endpoint}
    if {"event_types", "include_internal"} & patch.keys():
        wanted = old | patch
        await _check_types(conn, wanted["event_types"], include_internal=wanted["include_internal"])
    changed = {name for name, value in patch.items() if value != old[name]}
    if not changed:
        return endpoint
    if "status" in changed and old["status"] == "disabled":
        changed |= {name for name in ("failing_since", "disabled_at") if old[name] is not None}
    updated = await sql.webhooks.update_webhook_endpoint(
        conn,
        event_id=uuids.uuid7(),
        actor_id=actor.user_id,
        endpoint_id=endpoint_id,
        previous=Jsonb({name: old[name] for name in changed}),
        **{name: patch.get(name, old[name]) for name in FIELDS},
    )
    return found(updated, f"webhook endpoint {endpoint_id}")


async def delete(conn: sql.Connection, actor: Actor, endpoint_id: UUID, *, if_match: str | None = None) -> None:
    """Remove an endpoint in a transaction and record `webhook.deleted`.

    Raises Forbidden, NotFound, PreconditionFailed.
    """
    await _take(conn, actor, endpoint_id, if_match)
    await sql.webhooks.delete_webhook_endpoint(
        conn, event_id=uuids.uuid7(), actor_id=actor.user_id, endpoint_id=endpoint_id
    )


async def rotate_secret(conn: sql.Connection, actor: Actor, endpoint_id: UUID, *, claim: Claim) -> dict[str, Any]:
    """Give an endpoint another secret in a transaction and record `webhook.rotated`; the old one signs for another day.

    Of two that rotate at once the second waits, and replaces what the first has made: both secrets hold.
    Raises Forbidden, NotFound, NotConfigured, TooManySecrets.
    """
    async with changing(conn, actor, claim) as change:
        endpoint, _ = await _take(conn, actor, endpoint_id, None)
        secret = signing.new_secret()
        replaced = await sql.webhooks.replace_webhook_secret(
            conn,
            **sealed(secret, endpoint_id),
            secret_id=claim.event_id,
            endpoint_id=endpoint_id,
            overlap_seconds=SECRET_OVERLAP_SECONDS,
            most=MOST_SECRETS,
        )
        if not replaced:
            raise TooManySecrets(
                f"{MOST_SECRETS} secrets of this endpoint hold, and no more may. Each that was replaced ends 24 hours"
                " after that: rotate again once the oldest has ended, or make another endpoint."
            )
        change.record("webhook.rotated", endpoint, internal=True)
    return {**endpoint, "secret": signing.written(secret)}


async def ping(conn: sql.Connection, actor: Actor, endpoint_id: UUID, *, claim: Claim) -> sql.WebhookEvent:
    """Record `webhook.pinged`, which is delivered to this endpoint whatever its filters.

    Raises Forbidden, NotFound, EndpointDisabled.
    """
    policy.require_admin(actor)
    event = await sql.webhooks.insert_webhook_ping(
        conn, **claim.parameters(), actor_id=actor.user_id, endpoint_id=endpoint_id
    )
    if event:
        return event
    endpoint = await get(conn, actor, endpoint_id)
    raise EndpointDisabled(f"This endpoint is {endpoint['status']}. Set its `status` to `active` before you ping it.")


async def as_pinged(conn: sql.Connection, _: Actor, claim: Claim, __: dict[str, Any]) -> sql.WebhookEvent:
    """The event of an earlier ping."""
    return found(await sql.webhooks.get_webhook_ping(conn, event_id=claim.event_id), "event of this ping")


async def with_secret(conn: sql.Connection, _: Actor, claim: Claim, endpoint: dict[str, Any]) -> dict[str, Any]:
    """An endpoint as an earlier request was told of it, with the secret that it made.

    Raises SecretNotShown if that has ended.
    """
    secret = await sql.webhooks.get_webhook_secret(conn, secret_id=claim.event_id)
    if secret is None:
        raise SecretNotShown("The request with this Idempotency-Key was done, but its secret does not hold any more.")
    try:
        clear = unsealed(secret["key_id"], secret["sealed"], secret["endpoint_id"])
    except sealing.NoKey:
        raise SecretNotShown(
            "The request with this Idempotency-Key was done, but the key that sealed its secret is no longer in"
            " TICKETING_SECRET_KEYS. Rotate the secret."
        ) from None
    return {**endpoint, "secret": signing.written(clear)}


def sealed(secret: bytes, endpoint_id: UUID) -> dict[str, Any]:
    """A secret as it is kept. Raises NotConfigured."""
    try:
        key_id, box = sealing.seal(secret, _context(endpoint_id))
    except sealing.NoKey as fault:
        raise NotConfigured(str(fault)) from None
    return {"key_id": key_id, "sealed": box}


def unsealed(key_id: str, box: bytes, endpoint_id: UUID) -> bytes:
    """A secret in the clear. Raises sealing.NoKey."""
    return sealing.unseal(key_id, box, _context(endpoint_id))


async def _take(
    conn: sql.Connection,
    actor: Actor,
    endpoint_id: UUID,
    if_match: str | None,
    patch: Mapping[str, Any] | None = None,
) -> tuple[sql.WebhookEndpoint, bool]:
    """The endpoint, locked, and whether `if_match` or the patch says what of it was read."""
    policy.require_admin(actor)
    row = await sql.webhooks.lock_webhook_endpoint(conn, endpoint_id=endpoint_id)
    endpoint = found(row, f"webhook endpoint {endpoint_id}")
    return endpoint, preconditions.match(if_match, endpoint, FIELDS, patch)


async def _check_types(conn: sql.Connection, types: Sequence[str], *, include_internal: bool) -> None:
    """Refuse filters that let nothing pass: types that are for staff alone, without `include_internal`."""
    if not types or include_internal:
        return
    declared = await sql.events.list_event_types(conn, types=list(types))
    if all(row["internal"] for row in declared):
        raise Invalid.at(
            "#/include_internal", "incompatible", f"{', '.join(types)}: only told of with include_internal set to true."
        )


def _context(endpoint_id: UUID) -> bytes:
    """A secret opens only for the endpoint that it was made for, should rows be exchanged in the database."""
    return b"webhook:" + endpoint_id.bytes
