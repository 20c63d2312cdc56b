"""Writing documents again, batch by batch beside the worker's reading of the log, and without a pause in service."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ticketing.db import sql

BATCH_TICKETS = 100
"""Tickets written at once. What is new meanwhile waits for them: a fifth of a second."""
BATCH_BYTES = 2 * 1024 * 1024
"""Bytes that their texts may have, unless it is those of one ticket alone."""

Write = Callable[[sql.Connection, list[int]], Awaitable[None]]


async def write_batch(conn: sql.Connection, *, write: Write, most: int = BATCH_TICKETS) -> bool:
    """Write the next batch of the oldest rebuild, if nobody else does; gives whether anything is left of any."""
    async with conn.transaction():
        rebuild = await sql.documents.get_search_rebuild(conn)
        if rebuild is None:
            return False
        if await sql.documents.lock_search_progress(conn) is None:
            return False
        # Somebody else may have moved it until the lock was there.
        if (rebuild := await sql.documents.get_search_rebuild(conn)) is None:
            return False
        rows = await sql.documents.list_tickets_to_document(
            conn, project=rebuild["project"], done=rebuild["done"], last=rebuild["last"], page_size=most
        )
        tickets: list[int] = []
        left = BATCH_BYTES
        for row in rows:
            left -= row["bytes"] or 0
            if left < 0 and tickets:
                break
            tickets.append(row["number"] or 0)
        await write(conn, tickets)
        await sql.documents.move_search_rebuild(
            conn,
            rebuild_id=rebuild["id"],
            done=tickets[-1] if tickets else rebuild["last"],
            written=len(tickets),
            finished=not tickets,
        )
    return True
