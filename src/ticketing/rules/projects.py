"""Projects: the products that tickets are about, and the settings of each.

No actor: whoever has the command line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import uuid_utils.compat as uuids
from psycopg.errors import UniqueViolation
from psycopg.types.json import Jsonb

from ticketing.access import policy
from ticketing.access.actors import Actor, Caller
from ticketing.contract import Fault
from ticketing.db import sql
from ticketing.ground.errors import AlreadyExists, Invalid, found
from ticketing.writing import idempotency, paging, patches, preconditions
from ticketing.writing.idempotency import Claim

FIELDS = ("name", "description", "visibility", "ticket_types", "language", "archived")
"""What of it can be changed."""

RESERVED = ("me", "none")
"""What stands for something else in filters, and so cannot be the key of a project or category."""

TICKET_TYPES: tuple[sql.TicketType, ...] = ("bug", "feature_request", "support")


async def create(
    conn: sql.Connection,
    actor: Caller,
    *,
    claim: Claim,
    key: str,
    name: str,
    description: str = "",
    visibility: sql.Visibility = "private",
    ticket_types: Sequence[sql.TicketType] = TICKET_TYPES,
    language: str = "en",
) -> sql.Project:
    """Add a project and record `project.created`; admins only. Raises Forbidden, Invalid, AlreadyExists."""
    policy.require_admin(actor)
    check_key(key)
    try:
        project = await sql.projects.insert_project(
            conn,
            **claim.parameters(),
            actor_id=actor.id,
            key=key,
            name=name,
            description=description,
            visibility=visibility,
            ticket_types=list(ticket_types),
            language=language,
        )
    except UniqueViolation:
        raise AlreadyExists(f"There is a project {key!r}.") from None
    return idempotency.done(project)


def check_key(key: str) -> None:
    """Refuse a key by which a filter could not find what it names. Raises Invalid."""
    if key in RESERVED:
        detail = f"{key!r} stands for something else in filters of lists. Choose another key."
        raise Invalid.at("#/key", "not_allowed", detail)


async def list_(conn: sql.Connection, actor: Caller, *, limit: int = 25, cursor: str | None = None) -> paging.Page:
    """A page of the projects that the actor may see, by key. Raises InvalidCursor."""
    listing = ["projects"]
    (after,) = paging.opened(cursor, listing, paging.key)
    rows = await sql.projects.list_projects(conn, **actor.staffing(), after=after, page_size=limit + 1)
    return paging.page(rows, limit, listing, lambda row: [row["key"]])


async def get(conn: sql.Connection, actor: Actor, key: str) -> sql.Project:
    """One project that the actor may see. Raises NotFound."""
    return found(await sql.projects.get_project(conn, key=key, **actor.staffing()), f"project {key!r}")


async def update(
    conn: sql.Connection, actor: Actor, key: str, patch: Mapping[str, Any], *, if_match: str | None = None
) -> sql.Project:
    """Apply a merge patch in a transaction and record `project.updated`; admins only.

    Raises NotFound, Forbidden, PreconditionFailed.
    """
    await get(conn, actor, key)
    policy.require_admin(actor)
    project = found(await sql.projects.lock_project(conn, key=key), f"project {key!r}")
    matched = preconditions.match(if_match, project, FIELDS, patch)
    patch = patches.changeable(patch, project, FIELDS, matched=matched)
    changed = {name for name, value in patch.items() if value != project[name]}  # type: ignore[literal-required]
    if not changed:
        return project
    updated = await sql.projects.update_project(
        conn,
        event_id=uuids.uuid7(),
        actor_id=actor.user_id,
        previous=Jsonb({name: project[name] for name in changed}),  # type: ignore[literal-required]
        **{name: value for name, value in {**project, **patch}.items() if name not in ("created_at", "updated_at")},
    )
    return found(updated, f"project {key!r}")


async def check_keys(conn: sql.Connection, keys: Sequence[str]) -> None:
    """Refuse the member `projects` of a body for each of its keys that is no project's. Raises Invalid."""
    # No race: projects are archived, never deleted.
    if keys and (unknown := await sql.projects.list_unknown_projects(conn, keys=list(keys))):
        faults = [
            Fault("unknown", f"There is no project {row['key']}.", pointer=f"#/projects/{row['place']}")
            for row in unknown
        ]
        raise Invalid(faults[0].detail, errors=faults)
