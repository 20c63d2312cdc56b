"""What happened: the events of an import."""

from __future__ import annotations

from datetime import datetime

from ticketing.sources.issues import Issue
from ticketing.sources.loading.changes import Change, status_of
from ticketing.sources.loading.people import People
from ticketing.sources.loading.rows import Row

STILL_OPEN: Row = {"status": "open", "resolution": "none", "resolved_at": None, "closed_at": None}


def opened(issue: Issue, number: int, people: People) -> Row:
    """The event of an issue's creation."""
    return {
        "type": "ticket.created",
        "occurred_at": issue.created_at,
        "actor_id": people[issue.author.lower()],
        "ticket": number,
        "was": STILL_OPEN | {"updated_at": issue.created_at},
        "previous": {},
    }


def commented(comment: Row) -> Row:
    """The event of a new comment."""
    return {
        "type": "comment.created",
        "occurred_at": comment["created_at"],
        "actor_id": comment["author_id"],
        "ticket": comment["ticket"],
        "comment": comment["id"],
        "was": {},
        "previous": {},
    }


def closed(number: int, closed_at: datetime) -> Row:
    """The event of closing; the file does not say who closed the issue."""
    return {
        "type": "ticket.closed",
        "occurred_at": closed_at,
        "ticket": number,
        "was": {"updated_at": closed_at},
        "previous": STILL_OPEN,
    }


def moved(change: Change, event: str) -> Row:
    """The event of a new status; the file does not say when an issue was reopened."""
    ticket: Row = {**change.ticket}
    now = status_of(change)
    return {
        "type": event,
        "occurred_at": change.issue.closed_at or change.issue.updated_at,
        "ticket": ticket["number"],
        "was": {},
        "previous": {name: ticket[name] for name, value in now.items() if value != ticket[name]},
    }


def edited(change: Change, row: Row) -> Row:
    """The event of an edit; the file does not say who edited it, or when."""
    before: Row = {**change.ticket}
    names = ["title", "description", "tags", "environment", "resolution", "resolved_at", "closed_at"]
    if change.event:
        names = names[:4]
    previous = {name: before[name] for name in names if before[name] != row[name]}
    if before["assignee_id"] != row["assignee_id"]:
        previous["assignee"] = before["assignee"]
    status = ("status", "resolution", "resolution_note", "resolved_at", "closed_at")
    return {
        "type": "ticket.updated",
        "occurred_at": change.issue.updated_at,
        "ticket": before["number"],
        "was": {name: before[name] for name in status} if change.event else {},
        "previous": previous,
    }


def reworded(change: Change, said: Row) -> Row:
    """The event of a comment's edit."""
    return {
        "type": "comment.updated",
        "occurred_at": change.issue.updated_at,
        "ticket": change.ticket["number"],
        "comment": said["id"],
        "was": {},
        "previous": {"body": said["body"]},
    }
