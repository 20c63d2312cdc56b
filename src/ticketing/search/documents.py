"""From the event log to documents: each ticket as it is now, whoever reads the log and however often it is killed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
import structlog
from prometheus_client import Counter
from psycopg import errors

from ticketing import jobs
from ticketing.db import outages, pool, sql
from ticketing.search import rebuilding

FORM = 1
"""Of what form documents are. Raise it with a change of `document`: the next worker writes all of them again."""
PAGE_EVENTS = 200
"""Events read at once."""
ALONE_SECONDS = 60
"""Seconds for one ticket's texts."""
PAGE_BYTES = 4 * 1024 * 1024
"""Bytes that the texts written at once may have, unless it is those of one ticket alone: a statement that reads as much
takes a fifth of the time that it has."""
OF_THE_TEXT = (
    psycopg.DataError,
    psycopg.IntegrityError,
    errors.DataCorrupted,
    errors.InternalError_,
    errors.OutOfMemory,
    errors.ProgramLimitExceeded,
    errors.QueryCanceled,
    errors.RaiseException,
    errors.StatementTooComplex,
)
"""What a text may be to blame for; all else, an outage above all, is not for want of another way to read it."""

WRITTEN = Counter("ticketing_search_documents", "Tickets whose words were read for full text.")

log = structlog.get_logger()


@jobs.loop("search.documents")
async def follow() -> bool:
    """Write on from where the last one stopped. One worker at a time does; the others find the place locked."""
    async with pool.connection() as conn:
        if not await sql.documents.has_documents_to_write(conn, form=FORM):
            return False
    try:
        return await _write_on()
    except (psycopg.Error, pool.Unavailable) as error:
        cause = error if isinstance(error, psycopg.Error) else error.__cause__
        if not isinstance(cause, OF_THE_TEXT):
            raise
        # Whatever it is about one of these tickets, all others would wait for it.
        log.error("tickets are read one by one for full text", error=outages.message(cause))
        for _ in range(PAGE_EVENTS):
            if not await _write_on(alone=True):
                return False
        return True


async def _write_on(*, alone: bool = False) -> bool:
    """Write a page of the log, and a batch of a rebuild; gives whether there is more.

    With `alone`, each is of one ticket, and one that cannot be read is left out. Each has a transaction of its own: who
    has counted the words of one ticket and then locks another's document waits for somebody who takes its text away,
    and who waits for the words.
    """
    async with pool.connection() as conn:
        async with conn.transaction():
            if (progress := await sql.documents.lock_search_progress(conn)) is None:
                return False
            if progress["form"] < FORM or progress["missed"]:
                await sql.documents.insert_search_rebuild(conn, project=None)
                await sql.documents.note_search_form(conn, form=FORM)
            if progress["missed"]:
                await sql.documents.skip_expired_events(conn)
            behind = await _write_page(conn, alone=alone)
        if alone:
            unfinished = await rebuilding.write_batch(conn, write=write_if_readable, most=1)
        else:
            unfinished = await rebuilding.write_batch(conn, write=write)
    return behind or unfinished


async def _write_page(conn: sql.Connection, *, alone: bool) -> bool:
    page_size = 1 if alone else PAGE_EVENTS
    events: Sequence[Mapping[str, Any]] = await sql.documents.list_events_to_document(conn, page_size=page_size)
    if not events:
        return False
    tickets: set[int] = set()
    last = events[0]
    left = PAGE_BYTES
    for event in events:
        if event["ticket"] is not None and event["ticket"] not in tickets:
            left -= event["bytes"]
            if left < 0 and tickets:
                break
            tickets.add(event["ticket"])
        if event["project"] is not None:
            await sql.documents.insert_search_rebuild(conn, project=event["project"])
        last = event
    await (write_if_readable if alone else write)(conn, [*tickets])
    await sql.documents.move_search_progress(conn, transaction_id=last["transaction_id"], position=last["position"])
    return last is not events[-1] or bool(last["more"])


async def write(conn: sql.Connection, tickets: list[int]) -> None:
    """Write the documents of these tickets in the caller's transaction, which has the lock of `search_progress`."""
    if tickets:
        gone = await sql.documents.write_documents(conn, tickets=tickets)
        if gone:
            await sql.documents.forget_words(conn, words=gone)
        WRITTEN.inc(len(tickets))


async def write_if_readable(conn: sql.Connection, tickets: list[int]) -> None:
    """Write the document of a ticket, unless it cannot be read. A slow machine has much longer for it than else."""
    try:
        async with conn.transaction():
            await sql.query.limit_time(conn, milliseconds=str(ALONE_SECONDS * 1000))
            await write(conn, tickets)
    except OF_THE_TEXT as error:
        log.error("a ticket cannot be read for full text", ticket=tickets[0], error=outages.message(error))
