"""Tickets: the rules. The API calls them, and so does whatever else opens or changes tickets."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple, NotRequired
from uuid import UUID

import orjson
import uuid_utils.compat as uuids
from psycopg.types.json import Jsonb

from ticketing.access import filters, policy
from ticketing.access.actors import Actor
from ticketing.contract import Fault, Problem
from ticketing.db import sql
from ticketing.ground import links, moments
from ticketing.ground.errors import ChangedMeanwhile, Invalid, found
from ticketing.log import versions as completion
from ticketing.query import compiling, fields, fulltext, hits, matches, names, parsing, sugar, titles
from ticketing.query.compiling import Reader
from ticketing.query.hits import Asked
from ticketing.query.matches import Match
from ticketing.query.tree import Query
from ticketing.rules import users
from ticketing.writing import paging, patches, preconditions
from ticketing.writing.change import changing
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
    channel: sql.TicketChannel | None = None,
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
        channel=channel or ("portal" if actor.session else "api"),
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
    edit = _edit(actor, ticket, patch, if_match)
    if edit is None:
        return ticket
    updated = await _written(conn, actor, [edit], Claim())
    if number not in updated:
        raise await _unusable_reference(conn, edit)
    return updated[number]


@dataclass(frozen=True, slots=True)
class _Edit:
    """A ticket, every column of it as it shall be, and those that change."""

    ticket: sql.Ticket
    wanted: Mapping[str, Any]
    changed: Collection[str]

    @property
    def reassigned(self) -> bool:
        return "assignee_id" in self.changed

    def row(self) -> dict[str, Any]:
        """What the statement takes of it."""
        before, after = self.ticket["status"], self.wanted["status"]
        return {
            **self.wanted,
            "number": self.ticket["number"],
            "reassigned": self.reassigned,
            "event_type": _event_type(before, after),
            "previous": _previous(self.ticket, self.changed, self.wanted),
        }


def _edit(actor: Actor, ticket: sql.Ticket, patch: Mapping[str, Any], if_match: str | None) -> _Edit | None:
    """What a merge patch makes of a locked ticket; None if nothing.

    Raises PreconditionFailed, Forbidden, TicketClosed, InvalidTransition, Invalid.
    """
    policy.require_change(actor, ticket)
    matched = preconditions.match(if_match, ticket, EDITED, patch)
    patch = patches.changeable(patch, {**ticket, "html_url": links.of_resource(ticket)}, FIELDS, matched=matched)
    wanted = _patched(ticket, patch)
    if policy.closes_own(actor, ticket, wanted["status"]) and wanted["resolution"] == "none":
        wanted["resolution"] = "withdrawn"
    changed = {name for name, value in wanted.items() if value != _current(ticket, name)}
    if not changed:
        return None
    policy.check_fields(actor, ticket, _asked(patch, changed, wanted), wanted["status"])
    policy.check_status(actor, ticket, wanted["status"])
    _check_fields(ticket, wanted)
    return _Edit(ticket, wanted, changed)


async def _written(conn: sql.Connection, actor: Actor, edits: Sequence[_Edit], claim: Claim) -> dict[int, sql.Ticket]:
    """Those of the tickets that could be written, by their numbers; the first event has the claim's id."""
    event_ids = [claim.event_id, *(uuids.uuid7() for _ in edits[1:])]
    rows = Jsonb([edit.row() for edit in edits], dumps=orjson.dumps)
    written = await sql.tickets.update_tickets(conn, actor_id=actor.user_id, event_ids=event_ids, edits=rows)
    return {row["ticket"]: row["data"] for row in written if row["ticket"] is not None}


async def change(
    conn: sql.Connection,
    actor: Actor,
    *,
    claim: Claim,
    numbers: Sequence[int],
    patch: Mapping[str, Any],
    versions: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Apply one patch to several tickets in a transaction, to each as `update` would; tell what became of each.

    `add_tags` and `remove_tags` of the patch go by the tags that a ticket has. `versions` are what was read, by number.
    Raises Invalid, KeyInFlight.
    """
    strangers = sorted((versions or {}).keys() - {str(number) for number in numbers})
    if strangers:
        raise Invalid.at("#/versions", "unknown", f"The tickets to change do not include {strangers[0]}.")
    outcomes: dict[int, dict[str, Any]] = {}
    edits: list[_Edit] = []
    async with changing(conn, actor, claim) as change:
        rows = await sql.tickets.lock_tickets(conn, numbers=list(numbers), **actor.viewer())
        locked = {row["number"]: row for row in rows}
        for number in numbers:
            try:
                ticket = found(locked.get(number), f"ticket {number}")
                edit = _edit(actor, ticket, _retagged(ticket, patch), (versions or {}).get(str(number)))
            except Problem as problem:
                outcomes[number] = _outcome("refused", problem=problem)
                continue
            if edit is None:
                outcomes[number] = _outcome("unchanged", ticket)
            else:
                edits.append(edit)
        written = await _written(conn, actor, edits, claim) if edits else {}
        outcomes |= {number: _outcome("changed", ticket) for number, ticket in written.items()}
        outcomes |= await _unwritten(conn, [edit for edit in edits if edit.ticket["number"] not in written])
        told = {"items": [{"number": number, **outcomes[number]} for number in numbers]}
        if not written:
            claim.unchanged(told)
        else:
            await change.answered(told)
    return told


def _retagged(ticket: sql.Ticket, patch: Mapping[str, Any]) -> dict[str, Any]:
    """The patch for one ticket: the tags that it has, without some, and with others after them."""
    more, less = patch.get("add_tags", ()), patch.get("remove_tags", ())
    fields = {name: value for name, value in patch.items() if name not in ("add_tags", "remove_tags")}
    if more or less:
        fields["tags"] = [*dict.fromkeys([*(tag for tag in ticket["tags"] if tag not in less), *more])]
    return fields


def _outcome(outcome: str, ticket: sql.Ticket | None = None, problem: Problem | None = None) -> dict[str, Any]:
    version = completion.completed("ticket.updated", ticket)["version"] if ticket else None
    return {"outcome": outcome, "version": version, "problem": problem.told() if problem else None}


async def _unwritten(conn: sql.Connection, edits: Sequence[_Edit]) -> dict[int, dict[str, Any]]:
    """Why tickets could not be written: asked once for all of a project that the same holds of."""
    reasons: dict[tuple[str, bool], Problem] = {}
    outcomes = {}
    for edit in edits:
        key = (edit.ticket["project"], edit.reassigned)
        if key not in reasons:
            reasons[key] = await _unusable_reference(conn, edit)
        outcomes[edit.ticket["number"]] = _outcome("refused", problem=reasons[key])
    return outcomes


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
    if len(wanted["tags"]) > max(MAX_TAGS, len(ticket["tags"])):
        faults.append(Fault("too_many", f"At most {MAX_TAGS} tags.", {"max": MAX_TAGS}, pointer="#/tags"))
    if faults:
        raise Invalid(faults[0].detail, errors=faults)


MAX_ENVIRONMENT = 30
MAX_TAGS = 20
ONLY_NONE = {"values": ["none"]}


def _event_type(before: str, after: str) -> str:
    if before == after:
        return "ticket.updated"
    if after in ENDED:
        return f"ticket.{after}"
    return "ticket.reopened" if before in ENDED else "ticket.updated"


def _previous(ticket: sql.Ticket, changed: Collection[str], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The changed fields of the resource as they were, including the moments that follow from the status."""
    names = {_property(name) for name in changed}
    if (ticket["resolved_at"] is not None) != (wanted["status"] in ENDED):
        names.add("resolved_at")
    if (ticket["closed_at"] is not None) != (wanted["status"] == "closed"):
        names.add("closed_at")
    return {name: value for name, value in ticket.items() if name in names}


async def _unusable_reference(conn: sql.Connection, edit: _Edit) -> Problem:
    assignee_id, project, category = edit.wanted["assignee_id"], edit.ticket["project"], edit.wanted["category"]
    if (
        edit.reassigned
        and assignee_id is not None
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
    title: str | None = None,
    escalated: bool | None = None,
    created_since: str | None = None,
    created_before: str | None = None,
    updated_since: str | None = None,
    updated_before: str | None = None,
    q: str | None = None,
    sort: str | None = None,
    include: Sequence[str] | None = None,
    limit: int = 25,
    cursor: str | None = None,
) -> paging.Page:
    """A page of the tickets the actor may see that match every filter; values of one filter are alternatives.

    People are ids or `me`. `none` among categories, assignees or external references stands for tickets without one.
    A `title` has words that begin with the given ones, or is the number of a ticket. Moments are RFC 3339. `q` is in
    the query language, and its sort goes before `sort`. Without either, the newest come first, or what has the text of
    `q` best.
    Raises InvalidCursor, and InvalidParameter for a query with a fault, and for a project, category or user that is not
    there for the actor.
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
        **_titled(title),
        "escalated": escalated,
        **_references(external_reference),
        "no_reference": NONE in (external_reference or ()),
    }
    query = parsing.parse(q or "")
    walk = _Walk(wanted, query, _sort(query, sort), limit, cursor, [] if q is None else [str(query)])
    people = await names.people(conn, actor, query)
    reader = await names.reader(conn, actor, query, people)
    looks_for_text = bool(fulltext.sought(query))
    page = await (_found if looks_for_text else _listed)(conn, actor, walk, reader)
    if cursor is None:
        unsure = [*_named(wanted, borne=page["items"]), *names.named(query, borne=page["items"])]
        await filters.check_visible(conn, actor, unsure, absent=people.nobody)
    if q is None:
        return page
    told = MatchingPage(items=page["items"], next=page["next"], q=str(query))
    if looks_for_text and include:
        told["matches"] = await matches.of_page(conn, actor, query, page["items"])
    return told


class MatchingPage(paging.Page):
    """A page of what matches a query, with its canonical form, and on request where its texts were found."""

    q: str
    matches: NotRequired[list[Match]]


class _Walk(NamedTuple):
    """How far through which list."""

    wanted: Mapping[str, Any]
    query: Query
    sort: str
    limit: int
    cursor: str | None
    written: list[str]
    """The query as it is part of a cursor."""

    @property
    def listing(self) -> list[Any]:
        """What the cursor is of."""
        return ["tickets", self.sort, self.wanted, *self.written]

    def after(self) -> compiling.Place:
        """The place at which the page begins, unless it is the first."""
        _, place_type = PLACES[self.sort.lstrip("-")]
        key, number = paging.opened(self.cursor, self.listing, place_type, paging.bigint)
        return None if self.cursor is None else (key, number)

    def page(self, rows: Sequence[sql.TicketRow]) -> paging.Page:
        """The page of these tickets, which are sorted by a column."""
        column, _ = PLACES[self.sort.lstrip("-")]
        return paging.bounded(rows, self.limit, self.listing, lambda row: [row[column], row["number"]])


def _sort(query: Query, sort: str | None) -> str:
    """What a list is sorted by: what is relevant to nothing by time."""
    sort = query.sort or sort or fields.RELEVANCE
    return "-created" if sort == fields.RELEVANCE and not fulltext.sought(query) else sort


async def _listed(conn: sql.Connection, actor: Actor, walk: _Walk, reader: Reader) -> paging.Page:
    """A page of what matches the filters and the query, which looks for no text."""
    rows = await read(
        conn, actor, walk.wanted, walk.query, reader, sort=walk.sort, after=walk.after(), page_size=walk.limit + 1
    )
    return walk.page(rows)


async def _found(conn: sql.Connection, actor: Actor, walk: _Walk, reader: Reader) -> paging.Page:
    """A page of what matches the filters and the query, and has its texts."""
    whole = Query((*sugar.clauses(walk.wanted), *walk.query.clauses))
    asked = Asked(actor, whole, reader, _title(walk.wanted))
    if walk.sort == fields.RELEVANCE:
        begun = hits.FIRST
        if walk.cursor is not None:
            begun = hits.window(paging.opened(walk.cursor, walk.listing, *_WINDOW))
        part = await hits.by_rank(conn, asked, limit=walk.limit, begun=begun)
    elif walk.sort.lstrip("-") == "created":
        part = await hits.by_time(conn, asked, sort=walk.sort, limit=walk.limit, after=walk.after())
    else:
        return await _found_and_sorted(conn, walk, asked)
    rows = await sql.query.list_tickets_in_order(conn, numbers=part.numbers, **actor.viewer(), page_bytes=paging.BYTES)
    ends_early = bool(rows) and rows[-1]["more"]
    for row in rows:
        row.pop("more")  # type: ignore[misc]
    return paging.ending(rows, walk.listing, part.after(int(rows[-1]["number"] or 0)) if ends_early else part.rest)


async def _found_and_sorted(conn: sql.Connection, walk: _Walk, asked: Asked) -> paging.Page:
    """The same in an order that documents do not have: all hits are sorted, or the list is walked if they are many."""
    after = walk.after()
    numbers = await hits.all_of(conn, asked)
    if numbers is None:
        rows = await read(
            conn,
            asked.actor,
            walk.wanted,
            walk.query,
            asked.reader,
            sort=walk.sort,
            after=after,
            page_size=walk.limit + 1,
        )
    else:
        rows = await sql.query.list_seen_tickets(
            conn,
            **asked.actor.viewer(),
            project=None,
            requester_ids=None,
            condition=compiling.among(numbers, walk.sort, after),
            own_order=compiling.own_order(walk.sort),
            **compiling.orders(walk.sort),
            page_size=walk.limit + 1,
            page_bytes=paging.BYTES,
        )
    return walk.page(rows)


def _or_none(type_: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda part: None if part is None else type_(part)


def _is(type_: type) -> Callable[[Any], Any]:
    def checked(part: Any) -> Any:
        if type(part) is not type_:
            raise ValueError(part)
        return part

    return checked


_WINDOW = (
    *(_or_none(moments.parse), _or_none(paging.bigint)) * 2,
    _is(bool),
    _or_none(_is(float)),
    paging.bigint,
)
"""The types of what a cursor by relevance holds: the parts of a window (`hits.Window`)."""


def _title(wanted: Mapping[str, Any]) -> compiling.Title | None:
    return None if wanted["words"] is None else compiling.Title(wanted["words"], wanted["numbered"])


async def read(
    conn: sql.Connection,
    actor: Actor,
    wanted: Mapping[str, Any],
    query: Query,
    reader: Reader,
    *,
    sort: str,
    after: compiling.Place = None,
    page_size: int,
) -> list[sql.TicketRow]:
    """The tickets of a page that match the filters as well as the query."""
    whole = Query((*sugar.clauses(wanted), *query.clauses))
    title = _title(wanted)
    page = {"page_size": page_size, "page_bytes": paging.BYTES}
    if actor.everywhere:
        person = None if title else compiling.one_person(whole, sort)
        condition = compiling.condition(whole, reader, sort, after, title=title, person=person)
        return await sql.query.list_all_tickets(conn, condition=condition, **compiling.orders(sort, person), **page)
    condition = compiling.condition(whole, reader, sort, after, title=title)
    return await sql.query.list_seen_tickets(
        conn,
        **actor.viewer(),
        project=wanted["project"],
        requester_ids=wanted["requester_ids"],
        # Which plan is good depends on how much the viewer sees of what matches.
        condition=replace(condition, steady=condition.steady and not whole.clauses),
        own_order=compiling.own_order(sort),
        **compiling.orders(sort),
        **page,
    )


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


def _titled(title: str | None) -> dict[str, str | int | None]:
    """A query for titles with words that begin with each of these (PostgreSQL, 12.3.2), and the number that it is."""
    if title is None:
        return {"words": None, "numbered": None}
    return {"words": titles.beginning(title), "numbered": titles.number(title)}


def _people(actor: Actor, words: Sequence[str] | None) -> list[UUID | None] | None:
    return [actor.id if word == "me" else UUID(word) for word in _but_none(words) or ()] or None


PLACES: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "created": ("created_at", moments.parse),
    "updated": ("updated_at", moments.parse),
    "priority": ("priority", paging.one_of(fields.PRIORITIES)),
}
"""By the key of a sort: the member of a ticket that is a place in that order, and how a cursor's is read."""
