"""What has changed of an issue since it was imported, and its ticket's row after that."""

from __future__ import annotations

from dataclasses import dataclass, field

from ticketing.db import sql
from ticketing.sources import fields
from ticketing.sources.issues import Comment, Issue
from ticketing.sources.loading import tickets
from ticketing.sources.loading.people import People
from ticketing.sources.loading.rows import Row
from ticketing.sources.loading.tickets import Target


@dataclass(slots=True)
class Change:
    """An issue that has changed since it was imported.

    It holds the new comments, the new status if there is one, the fields and comments to apply, and the fields that
    differ from those last seen.
    """

    issue: Issue
    ticket: sql.ImportedTicket
    comments: list[Comment] = field(default_factory=list)
    event: str | None = None
    applied: set[str] = field(default_factory=set)
    reworded: list[tuple[Row, Comment]] = field(default_factory=list)
    differs: bool = False

    def __bool__(self) -> bool:
        return bool(self.comments or self.event or self.applied or self.reworded)


def row_of(change: Change, people: People, target: Target) -> Row:
    """A ticket's row after the change."""
    ticket, wanted = change.ticket, tickets.row_of(change.issue, people, target)
    names = ("number", "version", "title", "description", "tags", "type", "assignee_id", "environment")
    row: Row = {name: ticket[name] for name in names}  # type: ignore[literal-required]
    row |= {name: wanted[name] for name in ("title", "description", "tags") if name in change.applied}
    if "assignee" in change.applied:
        row["assignee_id"] = wanted["assignee_id"]
    environment = {**ticket["environment"]}
    for name in change.applied & set(fields.ENVIRONMENT):
        environment[name] = change.issue.environment.get(name, "")
    row["environment"] = {name: value for name, value in environment.items() if value}
    return row | status_of(change) | {"updated_at": change.issue.updated_at}


def status_of(change: Change) -> Row:
    """The status of a ticket, and the fields that depend on it, after the change."""
    names = ("status", "resolution", "resolution_note", "resolved_at", "closed_at")
    now: Row = {name: change.ticket[name] for name in names}  # type: ignore[literal-required]
    closed_at = fields.moment(change.issue.closed_at)
    if change.event == "ticket.reopened":
        return dict.fromkeys(names) | {"status": "open", "resolution": "none"}
    if change.event == "ticket.closed":
        if now["status"] != "resolved":
            now |= {"resolution": change.issue.resolution, "resolved_at": closed_at}
        now |= {"status": "closed", "closed_at": closed_at}
    if "resolution" in change.applied:
        now["resolution"] = change.issue.resolution
    if "closed_at" in change.applied:
        now |= {"closed_at": closed_at, "resolved_at": closed_at}
    return now
