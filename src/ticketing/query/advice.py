"""What to add to a query that asks for too much."""

from __future__ import annotations

from ticketing.query.parsing import parse
from ticketing.query.tree import Filter

NARROWING = {
    "project": "a project:",
    "status": "status:open,in_progress,pending",
    "assignee": "assignee:me",
    "created": "created:-30d",
}
"""By fields that the database finds few tickets by, what could be added."""


def narrower(text: str) -> str:
    """A sentence about what would narrow a query that can be parsed, of what it does not say yet; or none."""
    said = {clause.name for clause in parse(text).clauses if isinstance(clause, Filter) and not clause.negated}
    more = [example for field, example in NARROWING.items() if field not in said]
    return f" Add to the query, for example, {' or '.join(more)}." if more else ""
