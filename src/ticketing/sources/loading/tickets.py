"""The tickets that issues become."""

from __future__ import annotations

from dataclasses import dataclass

from ticketing.sources.issues import Issue
from ticketing.sources.loading.links import Links
from ticketing.sources.loading.people import People
from ticketing.sources.loading.rows import Row


@dataclass(frozen=True, slots=True)
class Target:
    """Where issues go: the project, the tickets that texts refer to, and whether edits there are applied here."""

    project: str
    links: Links
    update: bool


def row_of(issue: Issue, people: People, target: Target) -> Row:
    """The ticket of an issue as it is there."""
    return {
        "number": target.links.numbers[issue.id],
        "type": issue.type,
        "project": target.project,
        "title": issue.title,
        "description": target.links.text(issue.description, issue.id),
        "status": "open" if issue.closed_at is None else "closed",
        "resolution": issue.resolution,
        "priority": "normal",
        "severity": "none",
        "tags": issue.tags,
        "environment": issue.environment,
        "channel": "import",
        "requester_id": people.get(issue.author.lower()),
        "assignee_id": people.get(issue.assignee.lower()) if issue.assignee else None,
        "external_source": target.links.source.name,
        "external_id": issue.id,
        "created_at": issue.created_at,
        "updated_at": issue.updated_at,
        "resolved_at": issue.closed_at,
        "closed_at": issue.closed_at,
    }
