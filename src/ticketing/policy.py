"""Who may do what. Visibility is a predicate in SQL; what is left are the one-line functions below."""

from __future__ import annotations

from collections.abc import Iterable

from ticketing import sql
from ticketing.auth import Actor
from ticketing.errors import Forbidden

REQUESTER_FIELDS = frozenset({"title", "description", "severity", "tags", "environment", "status"})

#: From a status to those that may follow it. `closed` is final.
TRANSITIONS: dict[str, tuple[sql.TicketStatus, ...]] = {
    "open": ("in_progress", "pending", "resolved", "closed"),
    "in_progress": ("open", "pending", "resolved", "closed"),
    "pending": ("open", "in_progress", "resolved", "closed"),
    "resolved": ("open", "closed"),
    "closed": (),
}


def require_admin(actor: Actor) -> None:
    """Refuse everyone but admins."""
    if actor.role != "admin":
        raise Forbidden("Only admins may do this.")


def require_staff(actor: Actor) -> None:
    """Refuse everyone but agents and admins."""
    if not actor.staff:
        raise Forbidden("Only agents and admins may do this.")


def require_staff_for(actor: Actor, fields: Iterable[str]) -> None:
    """Refuse requesters who set any of these fields, naming each by its JSON Pointer."""
    given = sorted(fields)
    if given and not actor.staff:
        raise Forbidden(
            f"Only agents and admins may set {', '.join(given)}.",
            errors=[{"detail": "Only agents and admins may set this.", "pointer": f"#/{name}"} for name in given],
        )


def transitions(actor: Actor, status: str, *, reopenable: bool) -> list[sql.TicketStatus]:
    """The statuses that the actor may move a ticket to; requesters only end or reopen what was resolved."""
    allowed = TRANSITIONS[status]
    if actor.staff:
        return list(allowed)
    return [to for to in allowed if status == "resolved" and (to == "closed" or reopenable)]


def may_edit(actor: Actor, comment: sql.Comment) -> bool:
    """Only its author may reword a comment."""
    return bool(comment["author"]["id"] == str(actor.id))


def may_delete(actor: Actor, comment: sql.Comment) -> bool:
    """Its author may delete a comment, and so may an admin."""
    return may_edit(actor, comment) or actor.role == "admin"
