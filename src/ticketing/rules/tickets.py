"""Tickets: the rules. The API calls them, and so does whatever else opens or changes tickets."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from ticketing.access import filters, policy
from ticketing.access.actors import Actor
from ticketing.contract import Fault
from ticketing.db import sql
from ticketing.ground import links, moments
from ticketing.ground.errors import ChangedMeanwhile, Invalid, found
from ticketing.rules import users
from ticketing.writing import paging, patches, preconditions
from ticketing.writing.idempotency import Claim

ENDED = ("resolved", "closed")


async def create(
    conn: sql.Connection,
    actor: Actor,
    *,
    claim: Claim,
    type: sql.TicketType,
    project: str,
    title: str,
    description: str,
    severity: sql.TicketSeverity = "none",
    category: str | None = None,
    tags: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    priority: sql.TicketPriority | None = None,
    requester: Mapping[str, str] | None = None,
    channel: sql.TicketChannel = "api",
) -> dict[str, Any]:
    """Open a ticket and record `ticket.created`, in one statement.

    Agents may set the priority and open it for another requester, `{"id": …}` or `{"email": …, "name": …}`; the
    latter needs a transaction, as it may add a user. Raises Forbidden, Invalid, ChangedMeanwhile.
    """
    if not actor.writes_in(project):
        raise Invalid.at("#/project", "unknown", f"There is no project {project!r} that takes tickets from your token.")
    given = {"priority": priority, "requester": requester}
    policy.require_staff_for(actor, project, (name for name, value in given.items() if value is not None))
    requester_id = await users.find_or_add(conn, actor, **requester) if requester else actor.user_id
    ticket: dict[str, Any] | None = await sql.tickets.insert_ticket(
        conn,
        **claim.parameters(),
        actor_id=actor.user_id,
        **actor.staffing(),
        type=type,
        project=project,
        title=title,
        description=description,
        severity=severity,
        category=category,
        tags=list(tags),
        environment=Jsonb(environment or {}),
        priority=priority or "normal",
        channel=channel,
        requester_id=requester_id,
    )
    if ticket:
        return ticket
    raise await _no_place(conn, actor, type, project, category, requester_id)


async def _no_place(
    conn: sql.Connection,
    actor: Actor,
    type: sql.TicketType,
    project: str,
    category: str | None,
    requester_id: UUID,
) -> Exception:
    """Why a ticket could not be opened."""
    place = await sql.projects.get_project(conn, key=project, **actor.staffing())
    if place is None or place["archived"]:
        return Invalid.at("#/project", "unknown", f"There is no project {project!r} that takes tickets from you.")
    if type not in place["ticket_types"]:
        takes = ", ".join(place["ticket_types"])
        return Invalid.at(
            "#/type",
            "not_allowed",
            f"The project {project!r} does not take this type; it takes {takes}.",
            values=place["ticket_types"],
        )
    if category is not None:
        listed = await sql.categories.get_category(conn, project=project, key=category, **actor.staffing())
        if listed is None or listed["archived"]:
            return Invalid.at("#/category", "unknown", f"The project {project!r} has no category {category!r} in use.")
    requester = await sql.users.get_user(conn, user_id=requester_id)
    if requester is None or not requester["active"]:
        return Invalid.at("#/requester", "unknown", "This requester is not active.")
    return ChangedMeanwhile("The project changed while the ticket was opened. Send the request again.")


async def get(conn: sql.Connection, actor: Actor, number: int) -> sql.Ticket:
    """One ticket that the actor may see. Raises NotFound."""
    return found(await sql.tickets.get_ticket(conn, number=number, **actor.viewer()), f"ticket {number}")


async def update(
    conn: sql.Connection, actor: Actor, number: int, patch: Mapping[str, Any], *, if_match: str | None = None
) -> sql.Ticket:
    """Apply a merge patch (RFC 7396) in a transaction, and record one event if anything changes.

    Raises NotFound, PreconditionFailed, Forbidden, TicketClosed, InvalidTransition, Invalid.
    """
    ticket = found(await sql.tickets.lock_ticket(conn, number=number, **actor.viewer()), f"ticket {number}")
    policy.require_change(actor, ticket)
    matched = preconditions.match(if_match, ticket, EDITED, patch)
    patch = patches.changeable(patch, {**ticket, "html_url": links.of_resource(ticket)}, FIELDS, matched=matched)
    wanted = _patched(ticket, patch)
    if policy.closes_own(actor, ticket, wanted["status"]) and wanted["resolution"] == "none":
        wanted["resolution"] = "withdrawn"
    changed = {name for name, value in wanted.items() if value != _current(ticket, name)}
    if not changed:
        return ticket
    policy.check_fields(actor, ticket, _asked(patch, changed, wanted), wanted["status"])
    policy.check_status(actor, ticket, wanted["status"])
    _check_fields(ticket, wanted)
    updated: sql.Ticket | None = await sql.tickets.update_ticket(
        conn,
        event_id=Claim().event_id,
        event_type=_event_type(ticket["status"], wanted["status"]),
        actor_id=actor.user_id,
        previous=Jsonb(_previous(ticket, changed, wanted)),
        number=number,
        reassigned="assignee_id" in changed,
        **{**wanted, "environment": Jsonb(wanted["environment"])},
    )
    if updated is None:
        raise await _unusable_reference(conn, ticket, wanted)
    return updated


def _patched(ticket: sql.Ticket, patch: Mapping[str, Any]) -> dict[str, Any]:
    """Every column that a patch can touch, as it shall be."""
    wanted = {name: _current(ticket, name) for name in CHANGEABLE}
    wanted |= {name: value for name, value in patch.items() if name not in ("assignee", "environment")}
    if "assignee" in patch:
        wanted["assignee_id"] = UUID(patch["assignee"]["id"]) if patch["assignee"] else None
    if "environment" in patch:
        merged = {**ticket["environment"], **patch["environment"]}
        wanted["environment"] = {name: value for name, value in merged.items() if value is not None}
    if wanted["status"] not in ENDED and ticket["status"] in ENDED:
        # What was read and is sent back as it was asks for nothing.
        asked = {name for name in policy.RESOLUTION_FIELDS & patch.keys() if patch[name] != _current(ticket, name)}
        wanted |= CLEARED | {name: patch[name] for name in asked}
    return wanted


def _asked(patch: Mapping[str, Any], changed: set[str], wanted: Mapping[str, Any]) -> set[str]:
    """The fields that a patch asks to change. What reopening clears is not asked for, but follows from the status."""
    follows = {} if wanted["status"] in ENDED else CLEARED
    return {_property(name) for name in changed if (name, wanted[name]) not in follows.items()} & patch.keys()


CLEARED: dict[str, Any] = {"resolution": "none", "resolution_note": None}
"""What reopening a ticket makes of its resolution."""

CHANGEABLE = (
    "title",
    "description",
    "severity",
    "category",
    "tags",
    "environment",
    "priority",
    "status",
    "resolution",
    "resolution_note",
    "assignee_id",
)
FIELDS = frozenset(CHANGEABLE) - {"assignee_id"} | {"assignee"}
EDITED = FIELDS - {"assignee"} | {"assignee.id"}
"""What the first part of a ticket's version is made of: the assignee's name is changed elsewhere."""


def _property(column: str) -> str:
    return "assignee" if column == "assignee_id" else column


def _current(ticket: sql.Ticket, name: str) -> Any:
    if name == "assignee_id":
        return UUID(ticket["assignee"]["id"]) if ticket["assignee"] else None
    return ticket[name]  # type: ignore[literal-required]


def _check_fields(ticket: sql.Ticket, wanted: Mapping[str, Any]) -> None:
    """The rules between fields, which constraints of the table hold as well."""
    faults = []
    if wanted["severity"] != "none" and ticket["type"] != "bug":
        faults.append(Fault("not_allowed", "Only bugs have a severity.", ONLY_NONE, pointer="#/severity"))
    ended = wanted["status"] in ENDED
    if ended and wanted["resolution"] == "none":
        detail = f"A ticket that is {wanted['status']} needs a resolution."
        faults.append(Fault("required", detail, pointer="#/resolution"))
    if not ended and wanted["resolution"] != "none":
        detail = "Only a resolved or closed ticket has a resolution."
        faults.append(Fault("not_allowed", detail, ONLY_NONE, pointer="#/resolution"))
    if wanted["resolution_note"] is not None and wanted["resolution"] == "none":
        faults.append(Fault("incompatible", "A note needs a resolution.", pointer="#/resolution_note"))
    if len(wanted["environment"]) > MAX_ENVIRONMENT:
        detail, most = f"At most {MAX_ENVIRONMENT} entries.", {"max": MAX_ENVIRONMENT}
        faults.append(Fault("too_many", detail, most, pointer="#/environment"))
    if faults:
        raise Invalid(faults[0].detail, errors=faults)


MAX_ENVIRONMENT = 30
ONLY_NONE = {"values": ["none"]}


def _event_type(before: str, after: str) -> str:
    if before == after:
        return "ticket.updated"
    if after in ENDED:
        return f"ticket.{after}"
    return "ticket.reopened" if before in ENDED else "ticket.updated"


def _previous(ticket: sql.Ticket, changed: set[str], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The changed fields of the resource as they were, including the moments that follow from the status."""
    names = {_property(name) for name in changed}
    if (ticket["resolved_at"] is not None) != (wanted["status"] in ENDED):
        names.add("resolved_at")
    if (ticket["closed_at"] is not None) != (wanted["status"] == "closed"):
        names.add("closed_at")
    return {name: value for name, value in ticket.items() if name in names}


async def _unusable_reference(conn: sql.Connection, ticket: sql.Ticket, wanted: Mapping[str, Any]) -> Exception:
    assignee_id = wanted["assignee_id"]
    project, category = ticket["project"], wanted["category"]
    if (
        assignee_id is not None
        and assignee_id != _current(ticket, "assignee_id")
        and not await sql.tickets.is_staff(conn, user_id=assignee_id, project=project)
    ):
        return Invalid.at(
            "#/assignee", "unknown", "Tickets are assigned to active agents of their project, and to admins."
        )
    return Invalid.at("#/category", "unknown", f"The project {project!r} has no category {category!r} in use.")


async def list_(
    conn: sql.Connection,
    actor: Actor,
    *,
    project: list[str] | None = None,
    type: list[sql.TicketType] | None = None,
    status: list[sql.TicketStatus] | None = None,
    resolution: list[sql.TicketResolution] | None = None,
    priority: list[sql.TicketPriority] | None = None,
    severity: list[sql.TicketSeverity] | None = None,
    channel: list[sql.TicketChannel] | None = None,
    category: list[str] | None = None,
    tag: list[str] | None = None,
    assignee: list[str] | None = None,
    requester: list[str] | None = None,
    external_reference: list[str] | None = None,
    created_since: str | None = None,
    created_before: str | None = None,
    updated_since: str | None = None,
    updated_before: str | None = None,
    sort: str = "-created",
    limit: int = 25,
    cursor: str | None = None,
) -> paging.Page:
    """A page of the tickets the actor may see that match every filter; values of one filter are alternatives.

    People are ids or `me`. `none` among categories, assignees or external references stands for tickets without one.
    Moments are RFC 3339. Raises InvalidCursor, and InvalidParameter for a project, category or user that is not there
    for the actor.
    """
    wanted: dict[str, Any] = {
        **actor.viewer(),
        "project": project,
        "type": type,
        "status": status,
        "resolution": resolution,
        "priority": priority,
        "severity": severity,
        "channel": channel,
        "category": _but_none(category),
        "no_category": NONE in (category or ()),
        "tags": tag,
        "assignee_ids": _people(actor, assignee),
        "no_assignee": NONE in (assignee or ()),
        "requester_ids": _people(actor, requester),
        "created_since": _moment(created_since),
        "created_before": _moment(created_before),
        "updated_since": _moment(updated_since),
        "updated_before": _moment(updated_before),
        **_references(external_reference),
        "no_reference": NONE in (external_reference or ()),
    }
    listing = ["tickets", sort, wanted]
    query, column, place_type = SORTS[sort]
    after, after_number = paging.opened(cursor, listing, place_type, paging.bigint)
    rows: list[sql.TicketRow] = await query(
        conn, **wanted, after=after, after_number=after_number, page_size=limit + 1, page_bytes=paging.BYTES
    )
    if cursor is None:
        await filters.check_visible(conn, actor, _named(wanted, borne=rows[:limit]))
    return paging.bounded(rows, limit, listing, lambda row: [row[column], row["number"]])


def _named(wanted: Mapping[str, Any], *, borne: Sequence[sql.TicketRow]) -> list[filters.Named]:
    """What the filters of a list name, but for what its first tickets bear."""
    assignees = (person["id"] for row in borne if (person := row["assignee"]))
    requesters = (person["id"] for row in borne if (person := row["requester"]))
    return [
        *filters.named("project", "project", wanted["project"], borne=(row["project"] for row in borne)),
        *filters.named("category", "category", wanted["category"], borne=(row["category"] for row in borne)),
        *filters.named("assignee", "user", map(str, wanted["assignee_ids"] or ()), borne=assignees),
        *filters.named("requester", "user", map(str, wanted["requester_ids"] or ()), borne=requesters),
    ]


def _moment(text: str | None) -> datetime | None:
    return None if text is None else moments.parse(text)


NONE = "none"
"""What stands for the absence of what a filter compares."""


def _but_none(words: Sequence[str] | None) -> list[str] | None:
    return [word for word in words or () if word != NONE] or None


def _references(texts: Sequence[str] | None) -> dict[str, list[str] | None]:
    """Sources and ids out of texts like `github:octo/cat#12` or `github:octo/cat/12`."""
    if (texts := _but_none(texts)) is None:
        return {"external_sources": None, "external_ids": None}
    pairs = [re.split(r"[#/](?=[^#/]*$)", text, maxsplit=1) for text in texts]
    return {"external_sources": [source.lower() for source, _ in pairs], "external_ids": [id_ for _, id_ in pairs]}


def _people(actor: Actor, words: Sequence[str] | None) -> list[UUID | None] | None:
    return [actor.id if word == "me" else UUID(word) for word in _but_none(words) or ()] or None


PRIORITIES = ("low", "normal", "high", "urgent")
_BY_PRIORITY = paging.one_of(PRIORITIES)

SORTS = {
    "created": (sql.tickets.list_tickets_by_created, "created_at", moments.parse),
    "-created": (sql.tickets.list_tickets_by_created_desc, "created_at", moments.parse),
    "updated": (sql.tickets.list_tickets_by_updated, "updated_at", moments.parse),
    "-updated": (sql.tickets.list_tickets_by_updated_desc, "updated_at", moments.parse),
    "priority": (sql.tickets.list_tickets_by_priority, "priority", _BY_PRIORITY),
    "-priority": (sql.tickets.list_tickets_by_priority_desc, "priority", _BY_PRIORITY),
}
