"""The audit log: all that happened, newest first, for who looks for something in it."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from ticketing.access import filters, policy
from ticketing.access.actors import Actor
from ticketing.db import sql
from ticketing.ground import moments
from ticketing.log import feed
from ticketing.log.places import Reader
from ticketing.writing import paging

SCAN = 5000
"""How many events a page looks at: of a log in which little passes its filters, it makes many short pages."""
NONE = "none"
"""What stands for the service itself, which is nobody."""
LAST, FIRST = datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)


async def list_(
    conn: sql.Connection,
    admin: Actor,
    *,
    type: list[str] | None = None,
    actor: list[str] | None = None,
    ticket_number: list[int] | None = None,
    project: list[str] | None = None,
    timestamp_since: str | None = None,
    timestamp_before: str | None = None,
    limit: int = 25,
    cursor: str | None = None,
) -> paging.Page:
    """A page of the events that match every filter, newest first; admins only.

    An admin reads what the feed would tell them. Actors are ids, `me`, or `none` for what the service did by itself. A
    page may be short or empty and yet have a `next`, as it looks at no more than SCAN events.
    Raises Forbidden, InvalidCursor, and InvalidParameter for a project or user that is not there, or a type that the
    token has no scope for.
    """
    policy.require_admin(admin)
    reader = Reader(admin, type, project)
    people = [admin.user_id if word == "me" else UUID(word) for word in actor or () if word != NONE]
    asked = {"type": type, "project": project, "actor": people, "ticket": ticket_number}
    listing = ["audit", admin.id, asked, NONE in (actor or ()), timestamp_since, timestamp_before]
    after, after_id = paging.opened(cursor, listing, moments.parse, UUID)
    before = moments.parse(timestamp_before) if timestamp_before else LAST
    rows = await sql.events.list_event_log(
        conn,
        type=type,
        actor_ids=people or None,
        no_actor=NONE in (actor or ()),
        ticket=ticket_number,
        project=project,
        scopes=sorted(admin.scopes),
        upper=after or before,
        upper_id=after_id or UUID(int=0),
        since=moments.parse(timestamp_since) if timestamp_since else FIRST,
        scan=SCAN if type or people or actor or project else limit + 1,
        page_size=limit + 1,
        page_bytes=feed.SCAN_BYTES,
    )
    entries = [row for row in rows if row["id"] is not None][:limit]
    if cursor is None:
        await feed.check_named(conn, reader, borne=entries)
        borne = (entry["actor"]["id"] for entry in entries if entry["actor"])
        await filters.check_visible(conn, admin, filters.named("actor", "user", map(str, people), borne=borne))
    items = [feed.as_seen_by(entry, view) for entry in entries if (view := reader.view(entry))]
    place = None
    if entries and entries[-1]["more"]:
        place = [entries[-1]["timestamp"], entries[-1]["id"]]
    elif rows[0]["until_full"]:
        place = [rows[0]["until_timestamp"], rows[0]["until_id"]]
    return paging.ending(items, listing, place)
