"""Tickets like one that is being written: who writes sees what there is already, of what they may see."""

from __future__ import annotations

from typing import Any

from ticketing.access.actors import Actor
from ticketing.db import sql
from ticketing.ground.errors import Invalid
from ticketing.search import similar

MOST = 5


async def find(
    conn: sql.Connection,
    actor: Actor,
    *,
    title: str,
    description: str = "",
    project: str | None = None,
    type: sql.TicketType | None = None,
) -> list[dict[str, Any]]:
    """The tickets most like a draft that the actor may see. Raises Invalid."""
    if project is not None and await sql.projects.get_project(conn, key=project, **actor.staffing()) is None:
        raise Invalid.at("#/project", "unknown", f"There is no project {project!r} that you may see.")
    return await similar.find(
        conn, actor.viewer(), title=title, description=description, project=project, type=type, most=MOST
    )
