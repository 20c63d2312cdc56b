"""Categories: the parts of a project, e.g. movies, TV and music of a media server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import uuid_utils.compat as uuids
from psycopg.errors import UniqueViolation
from psycopg.types.json import Jsonb

from ticketing.access import policy
from ticketing.access.actors import Actor
from ticketing.db import sql
from ticketing.ground.errors import AlreadyExists, found
from ticketing.rules import projects
from ticketing.writing import idempotency, paging, patches, preconditions
from ticketing.writing.idempotency import Claim

FIELDS = ("name", "description", "archived")
"""What of it can be changed."""


async def create(
    conn: sql.Connection, actor: Actor, project: str, *, claim: Claim, key: str, name: str, description: str = ""
) -> sql.Category:
    """Add a category and record `category.created`; admins only.

    Raises NotFound (the project), Forbidden, Invalid, AlreadyExists.
    """
    await projects.get(conn, actor, project)
    policy.require_admin(actor)
    projects.check_key(key)
    try:
        category = await sql.categories.insert_category(
            conn,
            **claim.parameters(),
            actor_id=actor.id,
            project=project,
            key=key,
            name=name,
            description=description,
        )
    except UniqueViolation:
        raise AlreadyExists(f"The project {project!r} has a category {key!r}.") from None
    return idempotency.done(category)


async def list_(
    conn: sql.Connection, actor: Actor, project: str, *, limit: int = 25, cursor: str | None = None
) -> paging.Page:
    """A page of a project's categories, by key. Raises NotFound, InvalidCursor."""
    await projects.get(conn, actor, project)
    listing = ["categories", project]
    (after,) = paging.opened(cursor, listing, paging.key)
    rows = await sql.categories.list_categories(conn, project=project, after=after, page_size=limit + 1)
    return paging.page(rows, limit, listing, lambda row: [row["key"]])


async def get(conn: sql.Connection, actor: Actor, project: str, key: str) -> sql.Category:
    """One category of a project that the actor may see. Raises NotFound."""
    row = await sql.categories.get_category(conn, project=project, key=key, **actor.staffing())
    return found(row, f"category {key!r} in the project {project!r}")


async def update(
    conn: sql.Connection,
    actor: Actor,
    project: str,
    key: str,
    patch: Mapping[str, Any],
    *,
    if_match: str | None = None,
) -> sql.Category:
    """Apply a merge patch in a transaction and record `category.updated`; admins only.

    Raises NotFound, Forbidden, PreconditionFailed.
    """
    await get(conn, actor, project, key)
    policy.require_admin(actor)
    category = found(await sql.categories.lock_category(conn, project=project, key=key), f"category {key!r}")
    matched = preconditions.match(if_match, category, FIELDS, patch)
    patch = patches.changeable(patch, category, FIELDS, matched=matched)
    changed = {name for name, value in patch.items() if value != category[name]}  # type: ignore[literal-required]
    if not changed:
        return category
    updated = await sql.categories.update_category(
        conn,
        event_id=uuids.uuid7(),
        actor_id=actor.user_id,
        previous=Jsonb({name: category[name] for name in changed}),  # type: ignore[literal-required]
        **{name: value for name, value in {**category, **patch}.items() if name not in ("created_at", "updated_at")},
    )
    return found(updated, f"category {key!r}")
