"""Batches: issues that are written together, by the plan for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import uuid_utils.compat as uuids

from ticketing.db import sql
from ticketing.sources import fields
from ticketing.sources.issues import Comment, Issue
from ticketing.sources.loading import changes, comments, events, people, tickets
from ticketing.sources.loading.people import People
from ticketing.sources.loading.plans import Plan
from ticketing.sources.loading.rows import Row, as_json
from ticketing.sources.loading.tickets import Target

MOST_ISSUES = 100
MOST_CHARACTERS = 4_000_000
"""Most characters of text, so that a statement's parameters stay far below PostgreSQL's limit (1 GB)."""


class Overtaken(Exception):
    """Somebody changed a ticket or a comment between planning and writing."""


def batches(issues: Iterable[Issue]) -> Iterator[list[Issue]]:
    """The issues in batches that one statement takes with ease."""
    batch: list[Issue] = []
    characters = 0
    for issue in issues:
        size = len(issue.title) + len(issue.description) + sum(len(comment.body) for comment in issue.comments)
        if batch and (len(batch) == MOST_ISSUES or characters + size > MOST_CHARACTERS):
            yield batch
            batch, characters = [], 0
        batch.append(issue)
        characters += size
    if batch:
        yield batch


async def write(conn: sql.Connection, run: int, plan: Plan, target: Target) -> None:
    """Carry out a plan, within the caller's transaction. Raises Overtaken."""
    links = target.links
    new = {login: name for login, name in plan.people().items() if login not in plan.known}
    who = plan.known | await people.add(conn, links.source.system, new)
    happened = [*await _open(conn, run, plan, who, target), *await _bring_up_to_date(conn, run, plan, who, target)]
    each: list[tuple[int, list[Comment]]] = [(links.numbers[issue.id], issue.comments) for issue in plan.new]
    each += [(change.ticket["number"], change.comments) for change in plan.changes]
    said = [comments.row_of(comment, number, who, links) for number, added in each for comment in added]
    if said:
        await sql.imports.insert_comments(conn, rows=as_json(said))
        await sql.imports.note_comments(conn, run=run, rows=as_json(said))
    # Ids that rise in this order give what happened in the same second its natural order.
    order = {"ticket.created": 0, "comment.created": 1}
    happened = sorted([*happened, *map(events.commented, said)], key=lambda event: order.get(event["type"], 2))
    if happened:
        rows = [{"id": uuids.uuid7(), **event} for event in happened]
        await sql.imports.insert_events(conn, rows=as_json(rows))


async def _open(conn: sql.Connection, run: int, plan: Plan, who: People, target: Target) -> list[Row]:
    """Add the tickets of new issues, and return their events."""
    if not plan.new:
        return []
    rows = [tickets.row_of(issue, who, target) for issue in plan.new]
    await sql.imports.insert_tickets(conn, rows=as_json(rows))
    notes = [
        {
            "ticket": row["number"],
            "made": True,
            "seen": fields.digests(fields.there(issue, {})),
            "written": fields.digests(fields.here(row)),
        }
        for issue, row in zip(plan.new, rows, strict=True)
    ]
    await sql.imports.note_issues(conn, run=run, rows=as_json(notes))
    numbers = target.links.numbers
    opened = [events.opened(issue, numbers[issue.id], who) for issue in plan.new]
    ended = [events.closed(numbers[issue.id], issue.closed_at) for issue in plan.new if issue.closed_at is not None]
    return [*opened, *ended]


async def _bring_up_to_date(conn: sql.Connection, run: int, plan: Plan, who: People, target: Target) -> list[Row]:
    """Write the tickets and comments of changed issues, and return their events."""
    if not plan.changes:
        return []
    rows = [changes.row_of(change, who, target) for change in plan.changes]
    if await sql.imports.update_tickets(conn, rows=as_json(rows)) < len(rows):
        raise Overtaken
    notes, happened, reworded = [], [], []
    for change, row in zip(plan.changes, rows, strict=True):
        written = fields.digests(fields.here(row))
        now = fields.digests(fields.there(change.issue, change.ticket["seen"] or {}))
        moved = {"resolution", "closed_at"} if change.event else set()
        fresh = change.applied | (moved & now.keys())
        notes.append(
            {
                "ticket": row["number"],
                "made": False,
                "seen": (change.ticket["seen"] or {}) | {name: now[name] for name in fresh},
                "written": (change.ticket["written"] or {})
                | {name: digest for name, digest in written.items() if name in fresh},
            }
        )
        if change.applied:
            happened.append(events.edited(change, row))
        if change.event is not None:
            happened.append(events.moved(change, change.event))
        for said, comment in change.reworded:
            text = target.links.text(comment.body, change.issue.id)
            reworded.append(
                {
                    "id": said["id"],
                    "ticket": row["number"],
                    "version": said["version"],
                    "body": text,
                    "updated_at": change.issue.updated_at,
                    "occasion": said["occasion"],
                    "seen": fields.digest_of_text(comment.body),
                    "written": fields.digest_of_text(text),
                }
            )
            happened.append(events.reworded(change, said))
    await sql.imports.note_issues(conn, run=run, rows=as_json(notes))
    if reworded:
        if await sql.imports.update_comments(conn, rows=as_json(reworded)) < len(reworded):
            raise Overtaken
        await sql.imports.note_comments(conn, run=run, rows=as_json(reworded))
    return happened
