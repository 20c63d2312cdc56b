"""A change of several rows: one transaction, the key claimed first, rows locked in order, all events by one insert.

    async with pool.transaction() as conn, changing(conn, actor, claim) as change:
        tickets = await sql.tickets.lock_tickets(conn, numbers=numbers)
        …
        change.record("ticket.updated", ticket, previous={"status": "open"}, ticket=ticket["number"])

Whoever else changes the same rows locks them in the same order, by number or id, and so waits instead of deadlocking.
Beside it there is the form of one statement, which writes its event and claims its key itself: for what is asked so
often that round trips count, such as opening a ticket.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson
import uuid_utils.compat as uuids
from psycopg.types.json import Jsonb

from ticketing.access.actors import Caller
from ticketing.db import sql
from ticketing.writing import idempotency
from ticketing.writing.idempotency import Claim


@dataclass(slots=True)
class Change:
    """What is being changed, and the events that will tell of it."""

    conn: sql.Connection
    actor: Caller
    claim: Claim = field(default_factory=Claim)
    _events: list[dict[str, Any]] = field(default_factory=list)
    _answered: bool = False

    def record(
        self,
        type: str,
        data: Mapping[str, Any],
        *,
        internal: bool,
        previous: Mapping[str, Any] | None = None,
        ticket: int | None = None,
        project: str | None = None,
    ) -> None:
        """Tell of one thing: the resource after the change, and what the changed fields held before.

        `internal` events are for staff alone, whoever else may see those of this type.
        Events are written in this order. The `data` of the first is what the request's key answers.
        """
        event = {"id": self._next_id(), "type": type, "ticket": ticket, "project": project, "internal": internal}
        self._events.append({**event, "data": data, "previous": previous or {}})

    def _next_id(self) -> UUID:
        return uuids.uuid7() if self._events else self.claim.event_id

    async def answered(self, answer: Mapping[str, Any]) -> None:
        """Keep what the key answers, where a statement has written the events, the first under the claim's id."""
        self._answered = True
        if self.claim.key is not None:
            await sql.idempotency_keys.keep_answer(
                self.conn,
                user_id=self.actor.id,
                key=self.claim.key,
                event_id=self.claim.event_id,
                answer=Jsonb(answer, dumps=orjson.dumps),
            )

    async def begin(self) -> None:
        """Claim the key. Raises KeyInFlight."""
        if self.claim.key is not None:
            claimed = await sql.idempotency_keys.claim_key(self.conn, **self.claim.parameters(), actor_id=self.actor.id)
            idempotency.done(claimed or None)

    async def end(self) -> None:
        """Write the events. If there are none, nothing was changed, and the key is free again."""
        if self._events:
            events = Jsonb(self._events, dumps=orjson.dumps)
            await sql.events.insert_events(self.conn, actor_id=self.actor.id, events=events)
        elif self.claim.key is not None and not self._answered:
            key, event_id = self.claim.key, self.claim.event_id
            await sql.idempotency_keys.release_key(self.conn, user_id=self.actor.id, key=key, event_id=event_id)


@asynccontextmanager
async def changing(conn: sql.Connection, actor: Caller, claim: Claim | None = None) -> AsyncIterator[Change]:
    """Change several rows in the transaction of this connection. Raises KeyInFlight if the claim's key was used."""
    change = Change(conn, actor, claim or Claim())
    await change.begin()
    yield change
    await change.end()
