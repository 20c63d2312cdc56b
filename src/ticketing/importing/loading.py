"""Writes issues: tickets, comments, people and events as if they had been here all along, a batch a transaction.

A batch is here as a whole or not at all, so an import that was killed goes on where it stopped. Issues that are here
already are only brought up to date:

* Comments that are not here yet are added.
* What was closed there is closed, unless somebody reopened it here since; what was reopened there is reopened, unless
  it was closed here.
* Titles, texts, tags and assignees belong to whoever works on the ticket here, and stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from typing import Any
from uuid import UUID

import orjson
import psycopg
import uuid_utils.compat as uuids
from psycopg.types.json import Jsonb

from ticketing import sql
from ticketing.importing.issues import Bad, Comment, Issue, Notes, Source

BATCH_ISSUES = 100
BATCH_CHARACTERS = 4_000_000
"""Of texts: however long they are, a statement's parameters stay far below what PostgreSQL takes (1 GB)."""

Row = dict[str, Any]
#: Ids of users by their names in the source. (A column that may be null is the key; ours never are.)
People = dict[str | None, UUID]


@dataclass(slots=True)
class Loaded:
    """What was, or in a dry run would be, written."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    comments: int = 0
    people: set[str] = field(default_factory=set)
    bad: list[Bad] = field(default_factory=list)
    notes: Notes = field(default_factory=Notes)

    def add(self, other: Loaded) -> None:
        """Count what is in the other as well."""
        self.created += other.created
        self.updated += other.updated
        self.unchanged += other.unchanged
        self.comments += other.comments
        self.people |= other.people
        self.bad += other.bad
        self.notes.extend(other.notes)


@dataclass(frozen=True, slots=True)
class Change:
    """An issue that has moved on since it was imported: what was said, and to which status it went, if to another."""

    issue: Issue
    ticket: sql.ImportedTicket
    comments: list[Comment]
    event: str | None


@dataclass(slots=True)
class Plan:
    """What is to be done with a batch, and the ids of those people who are known."""

    new: list[Issue] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    unchanged: int = 0
    bad: list[Bad] = field(default_factory=list)
    known: People = field(default_factory=dict)

    def people(self) -> set[str]:
        """Everyone who is needed."""
        people = {issue.author for issue in self.new} | {issue.assignee for issue in self.new if issue.assignee}
        return people | {comment.author for comment in self.comments()}

    def comments(self) -> Iterator[Comment]:
        """Every comment that is to be added."""
        each: Iterable[Issue | Change] = chain(self.new, self.changes)
        return chain.from_iterable(part.comments for part in each)

    def outcome(self) -> Loaded:
        """What the plan comes to."""
        return Loaded(
            created=len(self.new),
            updated=len(self.changes),
            unchanged=self.unchanged,
            comments=sum(1 for _ in self.comments()),
            people=self.people() - self.known.keys(),
            bad=self.bad,
        )


async def load(
    conn: sql.Connection,
    issues: Sequence[Issue],
    source: Source,
    project: str,
    *,
    dry_run: bool = False,
    advance: Callable[[int], object] = lambda _: None,
) -> Loaded:
    """Write issues into a project, over a connection in autocommit; `advance` is told how many more are done."""
    loaded = Loaded()
    for batch in batches(issues):
        if dry_run:
            loaded.add((await _plan(conn, source, project, batch)).outcome())
        else:
            loaded.add(await _write(conn, source, project, batch))
        advance(len(batch))
    return loaded


def batches(issues: Iterable[Issue]) -> Iterator[list[Issue]]:
    """The issues in portions of a size that one statement takes with ease."""
    batch: list[Issue] = []
    characters = 0
    for issue in issues:
        size = len(issue.title) + len(issue.description) + sum(len(comment.body) for comment in issue.comments)
        if batch and (len(batch) == BATCH_ISSUES or characters + size > BATCH_CHARACTERS):
            yield batch
            batch, characters = [], 0
        batch.append(issue)
        characters += size
    if batch:
        yield batch


async def _write(conn: sql.Connection, source: Source, project: str, batch: list[Issue]) -> Loaded:
    try:
        async with conn.transaction():
            await sql.imports.lock_source(conn, source=source.system)
            plan = await _plan(conn, source, project, batch)
            await _carry_out(conn, source, project, plan)
            return plan.outcome()
    except _Overtaken:
        return await _write(conn, source, project, batch)
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        if len(batch) == 1:
            reason = f"PostgreSQL says: {error.diag.message_primary or error}"
            return Loaded(bad=[Bad(batch[0].index, batch[0].id, reason)])
    # One of them is to blame, and the others shall not suffer for it.
    loaded = Loaded()
    for issue in batch:
        loaded.add(await _write(conn, source, project, [issue]))
    return loaded


class _Overtaken(Exception):
    """Somebody moved a ticket between plan and deed."""


# What to do -----------------------------------------------------------------------------------------------------


async def _plan(conn: sql.Connection, source: Source, project: str, batch: list[Issue]) -> Plan:
    ids = [issue.id for issue in batch]
    tickets = await sql.imports.list_imported_tickets(conn, source=source.name, external_ids=ids)
    known = {ticket["external_id"]: ticket for ticket in tickets}
    plan = Plan()
    for issue in batch:
        ticket = known.get(issue.id)
        if ticket is None:
            plan.new.append(issue)
        elif ticket["project"] != project:
            reason = f"it was imported from {source.name} into the project {ticket['project']} before"
            plan.bad.append(Bad(issue.index, issue.id, reason))
        elif change := _change(issue, ticket):
            plan.changes.append(change)
        else:
            plan.unchanged += 1
    if people := plan.people():
        rows = await sql.imports.list_imported_users(conn, source=source.system, external_ids=list(people))
        plan.known = {row["external_id"]: row["id"] for row in rows}
    return plan


def _change(issue: Issue, ticket: sql.ImportedTicket) -> Change | None:
    here = set(ticket["comments"] or ())
    comments = [comment for comment in issue.comments if comment.name not in here]
    event = None
    if issue.closed_at is None:
        if ticket["status"] == "closed" and ticket["closed_there"]:
            event = "ticket.reopened"
    elif ticket["status"] != "closed":
        reopened_at = ticket["reopened_at"]
        if reopened_at is None or reopened_at < issue.closed_at:
            event = "ticket.closed"
    return Change(issue, ticket, comments, event) if comments or event else None


# How to do it ---------------------------------------------------------------------------------------------------


async def _carry_out(conn: sql.Connection, source: Source, project: str, plan: Plan) -> None:
    people = await _add_people(conn, source, plan)
    said: list[Row] = []
    opened: list[Row] = []
    closed: list[Row] = []
    if plan.new:
        rows = [_ticket_row(issue, source, project, people) for issue in plan.new]
        tickets = await sql.imports.insert_tickets(conn, rows=_json(rows))
        for issue, ticket in zip(plan.new, tickets, strict=True):
            opened.append(_opened(issue, ticket["number"], people))
            said += _comment_rows(issue.comments, ticket["number"], people)
            if issue.closed_at is not None:
                closed.append(_closed(ticket["number"], issue.closed_at))
    if plan.changes:
        rows = [_status_row(change) for change in plan.changes]
        if await sql.imports.update_tickets(conn, rows=_json(rows)) < len(rows):
            raise _Overtaken
        for change in plan.changes:
            said += _comment_rows(change.comments, change.ticket["number"], people)
            if change.event is not None:
                closed.append(_moved(change, change.event))
    if said:
        await sql.imports.insert_comments(conn, rows=_json(said))
    # Ids that rise in this order put what happened in the same second into its natural order.
    events = [{"id": uuids.uuid7(), **event} for event in (*opened, *map(_said, said), *closed)]
    if events:
        await sql.imports.insert_events(conn, rows=_json(events))


async def _add_people(conn: sql.Connection, source: Source, plan: Plan) -> People:
    """The ids of everyone who is needed; those not known yet become users without a way to sign in."""
    added: People = {name: uuids.uuid7() for name in sorted(plan.people() - plan.known.keys())}
    rows = [
        {
            "id": id_,
            "event_id": uuids.uuid7(),
            "name": name,
            "role": "requester",
            "service_account": False,
            "external_source": source.system,
            "external_id": name,
            "created_at": datetime.now(UTC),
        }
        for name, id_ in added.items()
    ]
    if rows:
        await sql.imports.insert_users(conn, rows=_json(rows))
    return plan.known | added


def _ticket_row(issue: Issue, source: Source, project: str, people: People) -> Row:
    return {
        "type": issue.type,
        "project": project,
        "title": issue.title,
        "description": issue.description,
        "status": "open" if issue.closed_at is None else "closed",
        "resolution": issue.resolution,
        "priority": "normal",
        "severity": "none",
        "tags": issue.tags,
        "environment": issue.environment,
        "channel": "import",
        "requester_id": people[issue.author],
        "assignee_id": people[issue.assignee] if issue.assignee else None,
        "external_source": source.name,
        "external_id": issue.id,
        "created_at": issue.created_at,
        "updated_at": issue.updated_at,
        "resolved_at": issue.closed_at,
        "closed_at": issue.closed_at,
    }


def _comment_rows(comments: Iterable[Comment], number: int, people: People) -> list[Row]:
    return [
        {
            "id": uuids.uuid7(),
            "ticket": number,
            "author_id": people[comment.author],
            "body": comment.body,
            "visibility": comment.visibility,
            "external_id": comment.name,
            "created_at": comment.created_at,
            "updated_at": comment.created_at,
        }
        for comment in comments
    ]


def _status_row(change: Change) -> Row:
    return {
        "number": change.ticket["number"],
        "status_before": change.ticket["status"],
        "updated_at": change.issue.updated_at,
        **_status(change),
    }


def _status(change: Change) -> Row:
    """The status of a ticket and what goes with it, as the change leaves it."""
    names = ("status", "resolution", "resolution_note", "resolved_at", "closed_at")
    now: Row = {name: change.ticket[name] for name in names}  # type: ignore[literal-required]
    if change.event == "ticket.reopened":
        return dict.fromkeys(names) | {"status": "open", "resolution": "none"}
    if change.event == "ticket.closed":
        if now["status"] != "resolved":
            now |= {"resolution": change.issue.resolution, "resolved_at": change.issue.closed_at}
        now |= {"status": "closed", "closed_at": change.issue.closed_at}
    return now


def _json(rows: list[Row]) -> Jsonb:
    """Moments and ids included, which the standard library does not encode."""
    return Jsonb(rows, dumps=orjson.dumps)


# What happened --------------------------------------------------------------------------------------------------

STILL_OPEN: Row = {"status": "open", "resolution": "none", "resolved_at": None, "closed_at": None}


def _opened(issue: Issue, number: int, people: People) -> Row:
    return {
        "type": "ticket.created",
        "occurred_at": issue.created_at,
        "actor_id": people[issue.author],
        "ticket": number,
        "was": STILL_OPEN | {"updated_at": issue.created_at},
        "previous": {},
    }


def _said(comment: Row) -> Row:
    return {
        "type": "comment.created",
        "occurred_at": comment["created_at"],
        "actor_id": comment["author_id"],
        "ticket": comment["ticket"],
        "comment": comment["id"],
        "was": {},
        "previous": {},
    }


def _closed(number: int, closed_at: datetime) -> Row:
    """Who closed an issue is not in the file."""
    return {
        "type": "ticket.closed",
        "occurred_at": closed_at,
        "ticket": number,
        "was": {"updated_at": closed_at},
        "previous": STILL_OPEN,
    }


def _moved(change: Change, event: str) -> Row:
    """Neither is when it was reopened."""
    ticket: Row = {**change.ticket}
    return {
        "type": event,
        "occurred_at": change.issue.closed_at or change.issue.updated_at,
        "ticket": ticket["number"],
        "was": {},
        "previous": {name: ticket[name] for name, value in _status(change).items() if value != ticket[name]},
    }
