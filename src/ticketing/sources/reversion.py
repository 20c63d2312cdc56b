"""Reverting an import: removes what a run made, unless somebody here has touched it since."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import orjson
import psycopg
import uuid_utils.compat as uuids

from ticketing.db import sql
from ticketing.sources.loading import Occupied
from ticketing.sources.report import counted

AT_ONCE = 100
"""Tickets per transaction."""


class NotRevertible(Exception):
    """There is nothing to revert; the message says why."""


@dataclass(slots=True)
class Reversion:
    """The outcome of reverting an import."""

    run: sql.ImportRun
    removed: int = 0
    comments: int = 0
    #: Why tickets are kept.
    kept: dict[int, str] = field(default_factory=dict)
    #: Comments on other tickets that are kept because they were changed here, by ticket.
    kept_comments: dict[int, int] = field(default_factory=dict)

    @property
    def partly(self) -> bool:
        """Whether something was kept."""
        return bool(self.kept or self.kept_comments)

    def json(self) -> bytes:
        """The outcome in one line, for machines."""
        return orjson.dumps(
            {
                "run": self.run["number"],
                "source": self.run["source"],
                "status": "partly reverted" if self.partly else "reverted",
                "removed": self.removed,
                "comments": self.comments,
                "kept": [{"ticket": ticket, "reason": reason} for ticket, reason in self.kept.items()],
                "kept_comments": [{"ticket": ticket, "count": n} for ticket, n in self.kept_comments.items()],
            }
        )

    def text(self) -> str:
        """The outcome in sentences, for people."""
        removed = counted(self.removed, "ticket", "tickets")
        comments = counted(self.comments, "comment", "comments")
        lines = [
            f"Run {self.run['number']} of {self.run['source']} is {'partly ' if self.partly else ''}reverted.",
            f"Removed: {removed}, and {comments} on tickets of earlier runs.",
            *(f"  Ticket {ticket} is kept: {reason}." for ticket, reason in self.kept.items()),
            *(
                f"  Kept on ticket {ticket}: {counted(count, 'comment', 'comments')}, changed here."
                for ticket, count in self.kept_comments.items()
            ),
        ]
        if self.run["updated"]:
            lines.append("What it closed, reopened or edited on tickets of earlier runs stays so.")
        if self.partly:
            lines.append("Run it again when nothing keeps the rest any more.")
        lines.append("The people that it added are kept; the next import finds them.")
        return "\n".join(lines)


async def revert(conn: sql.Connection, number: int, *, advance: Callable[[int], object] = lambda _: None) -> Reversion:
    """Revert an import, over a connection in autocommit; after an interruption it can be called again.

    What was kept can be reverted later, when nothing keeps it any more. Raises NotRevertible and Occupied.
    """
    found = await sql.imports.list_runs(conn, run=number) if 0 < number < 2**63 else []
    if not found:
        raise NotRevertible(f"There is no run {number}. `ticketing import list` lists them.")
    (run,) = found
    if run["status"] == "running":
        raise NotRevertible(f"Run {number} is still running. Revert it when it has ended, or stop it first.")
    if not await sql.imports.try_to_occupy_source(conn, source=str(run["source"])):
        raise Occupied(str(run["source"]))
    if run["status"] == "reverted":
        raise NotRevertible(f"Run {number} was reverted at {run['reverted_at']}.")
    reversion = Reversion(run)
    tickets = [row["ticket"] for row in await sql.imports.list_tickets_of_run(conn, run=number)]
    for start in range(0, len(tickets), AT_ONCE):
        batch = tickets[start : start + AT_ONCE]
        await _remove(conn, batch, reversion)
        advance(len(batch))
    for said in await sql.imports.list_comments_of_run(conn, run=number):
        await _take_back(conn, said, reversion)
    await sql.imports.end_reversion(conn, run=number)
    return reversion


async def _remove(conn: sql.Connection, tickets: list[int], reversion: Reversion) -> None:
    run = reversion.run["number"]
    try:
        async with conn.transaction():
            locked = {row["number"] for row in await sql.imports.lock_tickets_of_run(conn, run=run, tickets=tickets)}
            touched = await sql.imports.list_touched_tickets(conn, run=run, tickets=list(locked))
            kept = {row["ticket"]: str(row["reason"]) for row in touched}
            gone = sorted(locked - kept.keys())
            await sql.imports.delete_tickets(conn, tickets=gone, event_ids=[uuids.uuid7() for _ in gone])
    except psycopg.errors.ForeignKeyViolation as error:
        if len(tickets) == 1:
            reversion.kept[tickets[0]] = f"something refers to it ({error.diag.table_name})"
            return
        # One of them is to blame.
        for ticket in tickets:
            await _remove(conn, [ticket], reversion)
        return
    reversion.kept |= kept
    reversion.removed += len(gone)


async def _take_back(conn: sql.Connection, said: sql.CommentOfRun, reversion: Reversion) -> None:
    async with conn.transaction():
        locked = await sql.imports.lock_comment_of_run(conn, run=reversion.run["number"], comment_id=said["id"])
        if not locked:
            reversion.kept_comments[said["ticket"]] = reversion.kept_comments.get(said["ticket"], 0) + 1
            return
        await sql.comments.delete_comment(conn, event_id=uuids.uuid7(), actor_id=None, comment_id=said["id"])
        await sql.imports.forget_comment(conn, comment_id=said["id"], pristine=bool(locked[0]["pristine"]))
    reversion.comments += 1
