"""What a reader may do with a ticket, as the answer says it and as a patch is judged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import psycopg
from test_ticket_changes import STATES, new_tickets
from test_tickets import New

from conftest import Person, staff
from ticketing.access import policy
from ticketing.access.actors import Actor
from ticketing.contract import Problem
from ticketing.rules import tickets

__all__ = ["new_tickets"]
Db = psycopg.Connection[dict[str, Any]]
ACTIONS = {"include": "actions"}
OTHER: dict[str, Any] = {
    "title": "y",
    "description": "y",
    "severity": "low",
    "category": "music",
    "tags": ["y"],
    "environment": {"y": "y"},
    "priority": "urgent",
    "resolution": "wont_fix",
    "resolution_note": "y",
    "assignee": None,
}
"""Another value of each field."""


def judged(actor: Actor, ticket: Any, **patch: Any) -> bool:
    """Whether the rules let the actor do this."""
    try:
        return tickets._edit(actor, ticket, patch, None) is not None
    except Problem:
        return False


def test_what_is_said_is_what_is_allowed(
    requester: Person,
    agent: Person,
    agent_here: Person,
    agent_elsewhere: Person,
    stranger: Person,
    project: str,
    new_ticket: New,
    new_tickets: Callable[[int], list[int]],
    db: Db,
) -> None:
    """Of everyone, in every state, for each status and field; with a resolution where one is needed."""
    staff(db, agent_here, project)
    scopes = frozenset({"tickets:read", "tickets:write"})
    callers = {
        requester: Actor(id=UUID(requester.id), requester_id=UUID(requester.id), scopes=scopes),
        stranger: Actor(id=UUID(stranger.id), requester_id=UUID(stranger.id), scopes=scopes),
        agent: Actor(id=UUID(agent.id), requester_id=UUID(agent.id), everywhere=True, scopes=scopes),
        agent_here: Actor(id=UUID(agent_here.id), projects=frozenset({project}), scopes=scopes),
        agent_elsewhere: Actor(id=UUID(agent_elsewhere.id), projects=frozenset({"elsewhere"}), scopes=scopes),
    }
    numbers = [*new_tickets(len(STATES)), new_ticket(type="support", description="x")["number"]]
    db.execute("update tickets set assignee_id = %s where number = any(%s)", (agent.id, numbers))
    assert OTHER.keys() == tickets.FIELDS - {"status"}
    for number in numbers:
        for person, actor in callers.items():
            ticket = agent.get(f"/tickets/{number}", params=ACTIONS).json()
            ticket.pop("actions")
            said = policy.actions(actor, ticket)
            read = person.get(f"/tickets/{number}", params=ACTIONS)
            assert read.status_code == 404 or read.json()["actions"] == said
            for status in policy.TRANSITIONS:
                ends = {"resolution": "fixed"} if status in tickets.ENDED and ticket["resolution"] == "none" else {}
                assert judged(actor, ticket, status=status, **ends) == (status in said["statuses"]), (said, status)
            for field, value in OTHER.items():
                together: dict[str, Any] = {}
                if field.startswith("resolution") and ticket["resolution"] == "none":
                    together = {"status": "closed", "resolution": "wont_fix"}
                allowed = judged(actor, ticket, **{**together, field: value})
                assert allowed == (field in said["fields"]), (ticket["status"], said, field)
            assert said["comment"] == policy.may_comment(actor, ticket)


def test_it_is_there_only_on_request_and_no_part_of_the_version(requester: Person, new_ticket: New) -> None:
    ticket = new_ticket()
    answer = requester.get(f"/tickets/{ticket['number']}", params={**ACTIONS, "render": "html"})
    actions = answer.json()["actions"]
    assert actions["statuses"] == ["closed"]
    assert actions["comment"] and not actions["internal_comment"]
    assert answer.headers["etag"] == f'"{ticket["version"]}"'
    assert "actions" not in requester.get(f"/tickets/{ticket['number']}").json()
    assert requester.get(f"/tickets/{ticket['number']}", params={"include": "x"}).status_code == 400


def test_a_token_that_cannot_write_may_do_nothing(sign_in: Callable[..., Person], new_ticket: New) -> None:
    reader = sign_in("agent", scopes=("tickets:read",))
    answer = reader.get(f"/tickets/{new_ticket()['number']}", params=ACTIONS)
    assert answer.json()["actions"] == {"statuses": [], "fields": [], "comment": False, "internal_comment": False}
