"""Comments: the conversation on a ticket, with internal ones that only staff ever learn of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import uuid_utils.compat as uuids
from psycopg.types.json import Jsonb

from ticketing.access import policy
from ticketing.access.actors import Actor
from ticketing.db import sql
from ticketing.ground import moments
from ticketing.ground.errors import ChangedMeanwhile, CommentDeleted, Forbidden, Invalid, TicketClosed, found
from ticketing.rules import tickets
from ticketing.writing import paging, patches, preconditions
from ticketing.writing.idempotency import Claim

FIELDS = ("body",)
"""What of a comment can be changed."""
SORTS = {"created": sql.comments.list_comments, "-created": sql.comments.list_comments_desc}


async def create(
    conn: sql.Connection,
    actor: Actor,
    number: int,
    *,
    claim: Claim,
    body: str,
    visibility: sql.CommentVisibility = "public",
) -> dict[str, Any]:
    """Comment on a ticket and record `comment.created`, in one statement.

    Raises NotFound, Forbidden (an internal comment by a requester), TicketClosed, ChangedMeanwhile.
    """
    comment: dict[str, Any] | None = await sql.comments.insert_comment(
        conn,
        **claim.parameters(),
        actor_id=actor.user_id,
        **actor.viewer(),
        ticket=number,
        comment_id=uuids.uuid7(),
        body=body,
        visibility=visibility,
    )
    if comment:
        return comment
    ticket = await tickets.get(conn, actor, number)
    policy.require_writing(actor, ticket)
    if visibility == "internal":
        policy.require_staff_for(actor, ticket["project"], ["visibility"])
    if not policy.may_comment(actor, ticket):
        raise TicketClosed("This ticket is closed. Open a new one instead.")
    raise ChangedMeanwhile("The ticket changed while the comment was written. Send the request again.")


async def as_created(conn: sql.Connection, _: Actor, __: Claim, comment: dict[str, Any]) -> Mapping[str, Any]:
    """A comment as it was when it was written, for its author; if it has been deleted since, its tombstone."""
    if comment["body"] is not None:
        return comment
    return await sql.comments.get_deleted_comment(conn, comment_id=UUID(comment["id"])) or comment


async def list_(
    conn: sql.Connection,
    actor: Actor,
    number: int,
    *,
    sort: str = "created",
    limit: int = 25,
    cursor: str | None = None,
) -> paging.Divisible:
    """A page of a ticket's comments that the actor may see. Raises NotFound, InvalidCursor."""
    listing = ["comments", number, actor.staffing(), *paging.unusual(sort, SORTS)]
    after, after_id = paging.opened(cursor, listing, moments.parse, UUID)
    rows: list[sql.CommentRow] = await SORTS[sort](
        conn,
        ticket=number,
        **actor.viewer(),
        after=after,
        after_id=after_id,
        page_size=limit + 1,
        page_bytes=paging.BYTES,
    )
    if not rows:
        await tickets.get(conn, actor, number)
    return paging.divisible(rows, limit, listing, lambda row: [row["created_at"], row["id"]])


async def get(conn: sql.Connection, actor: Actor, number: int, comment_id: UUID) -> sql.Comment:
    """One comment that the actor may see. Raises NotFound."""
    row = await sql.comments.get_comment(conn, ticket=number, comment_id=comment_id, **actor.viewer())
    return found(row, f"comment {comment_id} on ticket {number}")


async def update(
    conn: sql.Connection,
    actor: Actor,
    number: int,
    comment_id: UUID,
    patch: Mapping[str, Any],
    *,
    if_match: str | None = None,
) -> sql.Comment:
    """Reword one's own comment in a transaction.

    Raises NotFound, PreconditionFailed, Forbidden, CommentDeleted, Invalid, TicketClosed.
    """
    comment, matched = await _take(conn, actor, number, comment_id, if_match, patch)
    patch = patches.changeable(patch, comment, FIELDS, matched=matched)
    if not policy.may_edit(actor, comment):
        raise Forbidden("Only its author may change a comment.")
    if patch["body"] == comment["body"]:
        return comment
    if comment["deleted_at"] is not None:
        raise CommentDeleted("This comment is deleted.")
    if patch["body"] is None:
        raise Invalid.at("#/body", "required", "The text of a comment cannot be taken out. Delete the comment.")
    await _check_writable(conn, actor, number)
    reworded: sql.Comment | None = await sql.comments.update_comment(
        conn,
        event_id=Claim().event_id,
        actor_id=actor.user_id,
        comment_id=comment_id,
        body=patch["body"],
        previous=Jsonb({"body": comment["body"]}),
    )
    return found(reworded, f"comment {comment_id}")


async def delete(
    conn: sql.Connection, actor: Actor, number: int, comment_id: UUID, *, if_match: str | None = None
) -> None:
    """Leave a tombstone in place of a comment, in a transaction; again is no change, whatever was read.

    Raises NotFound, PreconditionFailed, Forbidden, TicketClosed.
    """
    comment, _ = await _take(conn, actor, number, comment_id, None)
    if not policy.may_delete(actor, comment):
        raise Forbidden("Only its author or an admin may delete a comment.")
    if comment["deleted_at"] is None:
        preconditions.match(if_match, comment, FIELDS)
        await _check_writable(conn, actor, number)
        await sql.comments.delete_comment(
            conn, event_id=Claim().event_id, actor_id=actor.user_id, comment_id=comment_id
        )


async def _check_writable(conn: sql.Connection, actor: Actor, number: int) -> None:
    """Refuse all but staff any change of what was said on a ticket that is closed. `_take` has locked it.

    Raises TicketClosed, and Forbidden for a token that is limited to other projects.
    """
    if actor.everywhere:
        return
    ticket = await tickets.get(conn, actor, number)
    policy.require_writing(actor, ticket)
    if not policy.may_comment(actor, ticket):
        raise TicketClosed("This ticket is closed, so what was said on it stays. Open a new one instead.")


async def _take(
    conn: sql.Connection,
    actor: Actor,
    number: int,
    comment_id: UUID,
    if_match: str | None,
    patch: Mapping[str, Any] | None = None,
) -> tuple[sql.Comment, bool]:
    """The comment, locked, and whether `if_match` or the patch says what of it was read."""
    row = await sql.comments.lock_comment(conn, ticket=number, comment_id=comment_id, **actor.viewer())
    comment = found(row, f"comment {comment_id} on ticket {number}")
    return comment, preconditions.match(if_match, comment, FIELDS, patch)
