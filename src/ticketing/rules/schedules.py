"""Schedules: which jobs come by the clock."""

from __future__ import annotations

from ticketing.access import policy
from ticketing.access.actors import Caller
from ticketing.db import sql
from ticketing.rules.queues import job_name
from ticketing.writing import paging


async def list_(conn: sql.Connection, actor: Caller, *, limit: int = 25, cursor: str | None = None) -> paging.Page:
    """A page of schedules by name. Raises Forbidden, InvalidCursor."""
    policy.require_admin(actor)
    (after,) = paging.opened(cursor, ["schedules"], job_name)
    rows = await sql.schedules.list_schedules(conn, after=after, page_size=limit + 1)
    return paging.page(rows, limit, ["schedules"], lambda row: [row["name"]])
