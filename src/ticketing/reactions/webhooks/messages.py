"""What is told of an event: written once for each format, and kept for as long as a delivery needs it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

import orjson
from psycopg.types.json import Jsonb

from ticketing import jobs
from ticketing.db import pool, sql
from ticketing.reactions.webhooks import payloads
from ticketing.reactions.webhooks.payloads import Event

LONGEST_BYTES = 8 * 1024 * 1024
"""An event with more is not told of: it would be too much for receivers, and is not read here. The API takes no ticket
of which an event has as much as a quarter of that."""


class Message(NamedTuple):
    """The body of an event's message in a format; None for `internal_body` if endpoints with `include_internal` get
    the same. Of an internal event, `body` is empty: whatever becomes of the event, no other endpoint gets it.
    """

    event_id: UUID
    format: str
    body: str
    internal_body: str | None


class Parts(NamedTuple):
    """An event without what is for staff, and whole, if that is something else; and whether all of it is for staff."""

    public: Event
    whole: Event | None
    internal: bool


class Untellable(Exception):
    """No message can be written of an event; this is the sentence that says why."""


def read(public: str | None, whole: str | None, internal: bool | None) -> Parts:
    """The event that the database gives as text. Raises Untellable."""
    if public is None:
        raise Untellable(f"The event has more than {LONGEST_BYTES:,} bytes, and so is not sent.")
    try:
        return Parts(orjson.loads(public), orjson.loads(whole) if whole else None, bool(internal))
    except ValueError as error:
        raise Untellable(f"The event cannot be read: {error}.") from error


def write(event_id: UUID, format: str, event: Parts) -> Message:
    """The message for endpoints of a format. Raises Untellable."""
    try:
        if event.internal:
            return Message(event_id, format, "", payloads.body(format, event.whole or event.public))
        internal = payloads.body(format, event.whole) if event.whole else None
        return Message(event_id, format, payloads.body(format, event.public), internal)
    except Exception as error:
        raise Untellable(f"The event cannot be written as a message: {type(error).__name__}: {error}.") from error


async def keep(conn: sql.Connection, messages: Iterable[Message]) -> None:
    """Keep messages, for whoever sends them."""
    if rows := [message._asdict() for message in messages]:
        await sql.webhooks.insert_messages(conn, rows=Jsonb(rows))


@jobs.handler("webhooks.forget", queue="webhooks", priority=1, shown=("ticket", "comment_id"))
async def forget(job: jobs.Job) -> None:
    """A comment that was taken back is not told of any more: the log has lost its text, and so do the messages."""
    async with job.finish() as conn:
        await sql.webhooks.delete_messages_of_comment(
            conn, ticket=job.args["ticket"], comment_id=job.args["comment_id"]
        )


async def late(event_id: UUID, endpoint_id: UUID, format: sql.WebhookFormat) -> str:
    """Write the message that was not written when the log was read; everybody sends what is kept first.

    Gives the body for this endpoint, which has this format.

    Raises Untellable.
    """
    async with pool.transaction() as conn:
        # Locked: a comment that is taken back meanwhile waits for us, and whoever forgets its messages then finds ours.
        row = await sql.webhooks.lock_event_to_tell(conn, event_id=event_id, longest=LONGEST_BYTES)
        if row is None:
            raise Untellable("The event is not kept any more.")
        await keep(conn, [write(event_id, format, read(row["public"], row["whole"], row["internal"]))])
        body = await sql.webhooks.get_message(conn, event_id=event_id, endpoint_id=endpoint_id)
    if not body:
        raise Untellable("The endpoint is gone, or does not include internal events any more.")
    return body
