"""Who may do what, an action a line. Who may see what is one predicate in SQL (`may_see`).

| action                                          | who may                                                            |
|-------------------------------------------------|--------------------------------------------------------------------|
| see a ticket, and what is public on it          | its requester, colleagues who see their organization's tickets,    |
|                                                 | staff of its project; everybody, if ticket and project are public  |
| see what is internal on a ticket                | staff of its project                                               |
| see a project and its categories                | staff of it, and everybody if it is public                         |
| open a ticket                                   | users who see the project                                          |
| set its priority, open it for another requester | staff of the project                                               |
| comment on a ticket                             | users who see it; once it is closed, staff of its project          |
| comment internally                              | staff of its project                                               |
| reword a comment                                | its author                                                         |
| delete a comment                                | its author, admins                                                 |
| change what a ticket says, close it, reopen it  | its requester, staff of its project                                |
| change anything else of a ticket                | staff of its project                                               |
| be assigned to a ticket                         | staff of its project                                               |
| see who else is at a ticket                     | staff of its project                                               |
| see users                                       | each themselves; staff of any project all of them                  |
| see preferences                                 | each their own                                                     |
| change their name and preferences               | each their own                                                     |
| see and use a view                              | its owner; a shared one staff of any project                       |
| share a view                                    | its owner, while they are staff of any project                     |
| change or delete a view                         | its owner, and admins a shared one                                 |
| configure and operate everything else           | admins                                                             |

A token that is limited to some projects has its user's rights as staff in these. Beyond that it reads what is public,
and writes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from ticketing.access.actors import Actor, Caller
from ticketing.access.scopes import OF_ROLE
from ticketing.contract import Fault
from ticketing.db import sql
from ticketing.ground.config import settings
from ticketing.ground.errors import Forbidden, InsufficientScope, Invalid, InvalidTransition, TicketClosed

REQUESTER_FIELDS = frozenset({"title", "description", "severity", "tags", "environment", "status"})
RESOLUTION_FIELDS = frozenset({"resolution", "resolution_note"})
STAFF_FIELDS = frozenset({"priority", "category", "assignee"})

#: From a status to those that may follow it. `closed` is final.
TRANSITIONS: dict[str, tuple[sql.TicketStatus, ...]] = {
    "open": ("in_progress", "pending", "resolved", "closed"),
    "in_progress": ("open", "pending", "resolved", "closed"),
    "pending": ("open", "in_progress", "resolved", "closed"),
    "resolved": ("open", "closed"),
    "closed": (),
}


def may_change(actor: Actor, ticket: sql.Ticket) -> bool:
    """Its requester and staff may change a ticket; others who see it may only comment."""
    return is_requester(actor, ticket) or actor.staffs(ticket["project"])


def may_comment(actor: Actor, ticket: sql.Ticket) -> bool:
    """Whoever sees a ticket may comment until it is closed, staff also then."""
    return ticket["status"] != "closed" or actor.staffs(ticket["project"])


def may_edit(actor: Actor, comment: sql.Comment) -> bool:
    """Only its author may reword a comment."""
    return bool(comment["author"]["id"] == str(actor.id))


def may_delete(actor: Actor, comment: sql.Comment) -> bool:
    """Its author may delete a comment, and so may an admin."""
    return may_edit(actor, comment) or actor.admin


def is_requester(actor: Actor, ticket: sql.Ticket) -> bool:
    """Whether a ticket is the actor's own."""
    return bool(ticket["requester"]["id"] == str(actor.requester_id))


def require_admin(actor: Caller) -> None:
    """Refuse everyone but admins, and whoever has the command line."""
    if not actor.admin:
        raise Forbidden("Only admins may do this.")


def require_staff(actor: Caller) -> None:
    """Refuse everyone but agents and admins, and whoever has the command line."""
    if not actor.staffs_any:
        raise Forbidden("Only agents and admins may do this.")


def require_unlimited(actor: Actor) -> None:
    """Refuse a token that is limited to some projects."""
    if actor.limits is not None:
        raise Forbidden("Your own token is limited to some projects, so it cannot do this.")


def require_change(actor: Actor, ticket: sql.Ticket) -> None:
    """Refuse those who see a ticket that is neither their own nor in a project of theirs. Raises Forbidden."""
    if not may_change(actor, ticket):
        raise Forbidden("Only its requester and the agents of its project may change this ticket.")


def require_staffing(actor: Actor, ticket: sql.Ticket) -> None:
    """Refuse those who see a ticket but do not staff its project. Raises Forbidden."""
    if not actor.staffs(ticket["project"]):
        raise Forbidden("Only the agents of its project may do this.")


def require_writing(actor: Actor, ticket: sql.Ticket) -> None:
    """Refuse a token that is limited to other projects than a ticket's. Raises Forbidden."""
    if not actor.writes_in(ticket["project"]):
        raise Forbidden("Your own token is limited to other projects than this ticket's.")


def promoted(before: sql.UserRole, after: sql.UserRole) -> bool:
    """Whether a role has more rights than the one before it."""
    roles = ["unknown", *OF_ROLE]
    return roles.index(after) > roles.index(before if before in roles else "unknown")


def check_scopes(actor: Caller, role: sql.UserRole, scopes: Sequence[str]) -> None:
    """Refuse a new token, of a user with this role, that could do more than the one that asks for it, or than its user.

    Raises Forbidden and Invalid.
    """
    for scope in scopes:
        if isinstance(actor, Actor) and scope not in actor.scopes:
            detail = "A token cannot give away more than it may do itself."
            fault = Fault("beyond_rights", detail, {"scope": scope}, pointer="#/scopes")
            raise Forbidden(f"Your own token does not have the scope {scope}.", errors=[fault])
        if scope not in OF_ROLE.get(role, ()):
            raise Invalid.at(
                "#/scopes", "beyond_rights", f"Only the tokens of admins can hold the scope {scope}.", scope=scope
            )


def require_no_less(actor: Actor, token_id: UUID, scopes: Sequence[str]) -> None:
    """Refuse to let a token revoke one that can do more: it holds scopes it lacks, or it is not limited as it is."""
    if actor.requester_id is None and token_id != actor.token_id:
        raise Forbidden("Your own token is limited to some projects, so it can end no other.")
    beyond = [scope for scope in scopes if scope not in actor.scopes]
    if beyond:
        raise InsufficientScope.of(
            dict.fromkeys(("tickets:write", *scopes)),
            f"That token holds the scope {beyond[0]}, which yours does not. End it with one that holds it too, or ask"
            " an admin.",
        )


def require_staff_for(actor: Actor, project: str, fields: Iterable[str]) -> None:
    """Refuse all but the staff of a project who set any of these fields, naming each by its JSON Pointer."""
    given = sorted(fields)
    if given and not actor.staffs(project):
        raise Forbidden(
            f"Only agents and admins may set {', '.join(given)}.",
            errors=[Fault("for_staff", "Only agents and admins may set this.", pointer=f"#/{name}") for name in given],
        )


def actions(actor: Actor, ticket: sql.Ticket) -> dict[str, Any]:
    """What the actor may do with a ticket now: the contract's TicketActions. What they may not is refused anyway."""
    writes = "tickets:write" in actor.scopes and actor.writes_in(ticket["project"])
    changes = writes and may_change(actor, ticket)
    return {
        "statuses": _transitions(actor, ticket) if changes else [],
        "fields": sorted(_fields(actor, ticket)) if changes else [],
        "comment": writes and may_comment(actor, ticket),
        "internal_comment": writes and actor.staffs(ticket["project"]),
    }


def _fields(actor: Actor, ticket: sql.Ticket) -> frozenset[str]:
    """The fields but for the status that the actor may change; of a requester those of a resolution when closing it."""
    apart = {"status"} if ticket["type"] == "bug" else {"status", "severity"}
    if actor.staffs(ticket["project"]):
        return (REQUESTER_FIELDS | STAFF_FIELDS | RESOLUTION_FIELDS) - apart
    if ticket["status"] == "closed":
        return frozenset()
    return (REQUESTER_FIELDS | (RESOLUTION_FIELDS if closes_own(actor, ticket, "closed") else frozenset())) - apart


def closes_own(actor: Actor, ticket: sql.Ticket, wanted: sql.TicketStatus) -> bool:
    """Whether a requester ends a ticket that nobody has ended yet; they may then say why."""
    mine = is_requester(actor, ticket) and not actor.staffs(ticket["project"])
    return mine and wanted == "closed" and ticket["status"] not in ("resolved", "closed")


def check_fields(actor: Actor, ticket: sql.Ticket, changed: Collection[str], status: sql.TicketStatus) -> None:
    """Refuse requesters who change what is for staff, naming each field by its JSON Pointer. Raises Forbidden."""
    may_end = closes_own(actor, ticket, "closed")
    require_staff_for(
        actor, ticket["project"], set(changed) - REQUESTER_FIELDS - (RESOLUTION_FIELDS if may_end else frozenset())
    )
    early = sorted(RESOLUTION_FIELDS.intersection(changed)) if may_end and status != "closed" else []
    if early:
        detail = "You may set this only together with the status closed."
        raise Forbidden(
            f"You may set {', '.join(early)} only together with the status closed.",
            errors=[Fault("incompatible", detail, pointer=f"#/{name}") for name in early],
        )


def check_status(actor: Actor, ticket: sql.Ticket, wanted: sql.TicketStatus) -> None:
    """Refuse a status that the actor cannot move the ticket to, and any change of what is closed to them.

    Raises InvalidTransition, which lists the statuses that are possible, and TicketClosed.
    """
    status = ticket["status"]
    if wanted != status:
        allowed = _transitions(actor, ticket)
        if wanted not in allowed:
            raise InvalidTransition(_why_not(status, wanted, allowed), allowed=allowed)
    elif status == "closed" and not actor.staffs(ticket["project"]):
        raise TicketClosed("This ticket is closed. Open a new one instead.")


def _transitions(actor: Actor, ticket: sql.Ticket) -> list[sql.TicketStatus]:
    """The statuses that the actor may move a ticket to; requesters only close it, or reopen what was resolved."""
    allowed = TRANSITIONS[ticket["status"]]
    if actor.staffs(ticket["project"]):
        return list(allowed)
    return [to for to in allowed if to == "closed" or (ticket["status"] == "resolved" and _reopenable(ticket))]


def _why_not(status: str, wanted: str, allowed: Sequence[str]) -> str:
    if status == "closed":
        return "A ticket that is closed stays closed."
    if wanted not in TRANSITIONS[status]:
        why = f"A ticket that is {status} cannot become {wanted}."
    elif status == "resolved":
        why = f"It was resolved more than {settings().reopen_days} days ago, so only agents and admins may reopen it."
    else:
        why = f"Only agents and admins may make a ticket {wanted}."
    return f"{why} You may make it {' or '.join(allowed)}."


def _reopenable(ticket: sql.Ticket) -> bool:
    resolved_at = ticket["resolved_at"]
    window = timedelta(days=settings().reopen_days)
    return resolved_at is not None and datetime.now(UTC) < datetime.fromisoformat(resolved_at) + window
