"""Idempotency-Key: a POST sent twice is done once and answered twice alike (draft-ietf-httpapi-idempotency-key-header).

The key is claimed by the transaction that makes the change: by its one statement (`claim_idempotency_key`), or by
`writing.change`. It points at the event that the change records, and the event's `data` is the stored answer. So a key
costs no extra round trip, and there is no moment in which the change exists and the key does not, or the other way
round.

No rule asks whether a key was used. A request with a used key cannot change anything, so it ends in a refusal, or finds
nothing to change; `api.once` then looks the key up, before anybody is told.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar
from uuid import UUID

import orjson
import uuid_utils.compat as uuids
from psycopg.errors import LockNotAvailable

from ticketing.access.actors import Caller
from ticketing.db import sql
from ticketing.ground.errors import AnswerNotKept, KeyInFlight, KeyReused

T = TypeVar("T")


@dataclass(slots=True)
class Claim:
    """The event that a request will record, and the key under which it may be sent again."""

    event_id: UUID = field(default_factory=uuids.uuid7)
    key: str | None = None
    fingerprint: bytes | None = None
    #: There was nothing to change, so the key stays free.
    unused: bool = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, _: object, error: BaseException | None, __: object) -> None:
        """Say so to a request that waited in vain for another one with its key."""
        if isinstance(error, LockNotAvailable) and "claim_idempotency_key" in (error.diag.context or ""):
            raise KeyInFlight(
                "Another request with this Idempotency-Key is still being worked on. Send it again in a moment.",
                headers={"Retry-After": "1"},
            ) from error

    def parameters(self) -> dict[str, Any]:
        """What every `insert_…` statement takes of it."""
        return {"event_id": self.event_id, "idempotency_key": self.key, "fingerprint": self.fingerprint}

    def unchanged(self, resource: T) -> T:
        """The resource, of which nothing had to be changed."""
        self.unused = True
        return resource


def claim(key: str | None, operation: str, *payload: object, limits: frozenset[str] | None = None) -> Claim:
    """The claim of a request: its header (bare or as a quoted string) and all that makes it this request.

    That includes the projects that its token is limited to, as another token of the same user may be limited more.
    """
    if key is None:
        return Claim()
    canonical = orjson.dumps([operation, *payload], option=orjson.OPT_SORT_KEYS)
    if limits is not None:
        # JSON holds no NUL, so this is the fingerprint of no other request.
        canonical += b"\0" + orjson.dumps(sorted(limits))
    return Claim(key=_bare(key), fingerprint=hashlib.sha256(canonical).digest())


def _bare(key: str) -> str:
    return key[1:-1] if len(key) > 2 and key[0] == key[-1] == '"' else key


def done(row: T | None) -> T:
    """The row that a statement wrote, where only a used key keeps it from writing. Raises KeyInFlight."""
    if row is None:
        raise KeyInFlight("This Idempotency-Key was used just now. Send the request again.")
    return row


async def stored(conn: sql.Connection, actor: Caller, claim: Claim) -> dict[str, Any] | None:
    """What this very request was answered when it was first sent, or None if its key is free.

    Raises KeyReused if the key was used for another request or with other limits, AnswerNotKept if its answer is gone.
    The retention of events takes none: it keeps them for longer than a key holds.
    """
    if claim.key is None or actor.id is None:
        return None
    row = await sql.idempotency_keys.get_idempotency_key(conn, user_id=actor.id, key=claim.key)
    if row is None:
        return None
    if row["fingerprint"] != claim.fingerprint:
        raise KeyReused("This Idempotency-Key was used for another request. Use a new key for a new request.")
    if row["answer"] is None or row["event_id"] is None:
        raise AnswerNotKept("The request with this Idempotency-Key was done, but its answer is no longer kept.")
    claim.event_id = row["event_id"]
    whole = row["project"] is None or actor.staffs(row["project"])
    return {**row["answer"], **((whole and row["staff"]) or {})}
