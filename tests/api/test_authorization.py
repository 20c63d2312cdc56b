"""Who may do what: every operation of the contract by every kind of caller, in one table."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import httpx
import psycopg
import pytest

from conftest import ORGANIZATION, Browser, Person, staff
from judged import PREFIX, Judged, whole
from working import index

DOCUMENT = whole()
OPERATIONS = {
    operation["operationId"]: (method.upper(), path, operation["security"][0]["bearer"])
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
    if method in ("get", "post", "patch", "delete", "put") and "bearer" in next(iter(operation["security"]), ())
}
UNSAFE = [operation_id for operation_id, (method, _, _) in OPERATIONS.items() if method != "GET"]
READ, WRITE, ADMIN = "tickets:read", "tickets:write", "admin"
CANARY = "canary-5d1c"
WITH, LESS = "200, and the canary is in it", "200, without the canary"
CHANGED, REFUSED = "200, and it was changed", "200, and it was refused"

# The scope that an operation needs, and what it answers to the owner of what it is about, a colleague who sees the
# tickets of the owner's organization, another requester, an agent who staffs another project, one who staffs this one,
# one who staffs all, and an admin. What comes after a colon is said by SPECIAL below.
# fmt: off
MATRIX: dict[str, tuple[str, Any, Any, Any, Any, Any, Any, Any]] = {
    #                                            scope  owner  collea strang elsewh here   agent  admin
    "get_me":                                   (READ,  200,   200,   200,   200,   200,   200,   200),
    "update_me":                                (WRITE, 200,   200,   200,   200,   200,   200,   200),
    "list_users":                               (READ,  403,   403,   403,   200,   200,   200,   200),
    "create_user":                              (ADMIN, 403,   403,   403,   403,   403,   403,   201),
    "get_user":                                 (READ,  200,   404,   404,   200,   200,   200,   200),
    "update_user":                              (ADMIN, 403,   403,   403,   403,   403,   403,   200),

    "list_invitations":                         (ADMIN, 403,   403,   403,   403,   403,   403,   200),
    "create_invitation":                        (ADMIN, 403,   403,   403,   403,   403,   403,   201),
    "get_invitation":                           (ADMIN, 403,   403,   403,   403,   403,   403,   200),
    "revoke_invitation":                        (ADMIN, 403,   403,   403,   403,   403,   403,   204),
    "resend_invitation":                        (ADMIN, 403,   403,   403,   403,   403,   403,   202),

    "list_tokens":                              (READ,  WITH,  LESS,  LESS,  LESS,  LESS,  LESS,  LESS),
    "create_token":                             (WRITE, 201,   201,   201,   201,   201,   201,   201),
    "get_token":                                (READ,  200,   404,   404,   404,   404,   404,   404),
    "revoke_token":                             (WRITE, 204,   404,   404,   404,   404,   404,   404),
    "list_sessions":                            (READ,  200,   200,   200,   200,   200,   200,   200),
    "end_session":                              (WRITE, 204,   404,   404,   404,   404,   404,   404),
    "end_other_sessions":                       (WRITE, 204,   204,   204,   204,   204,   204,   204),
    "list_user_tokens":                         (ADMIN, 403,   403,   403,   403,   403,   403,   WITH),
    "create_user_token":                        (ADMIN, 403,   403,   403,   403,   403,   403,   201),
    "create_user_token: a person's":            (ADMIN, 403,   403,   403,   403,   403,   403,   409),
    "create_user_token: beyond a role":         (ADMIN, 403,   403,   403,   403,   403,   403,   422),
    "get_user_token":                           (ADMIN, 403,   403,   403,   403,   403,   403,   200),
    "revoke_user_token":                        (ADMIN, 403,   403,   403,   403,   403,   403,   204),

    "list_projects":                            (READ,  200,   200,   200,   200,   200,   200,   200),
    "list_projects: private":                   (READ,  LESS,  LESS,  LESS,  LESS,  WITH,  WITH,  WITH),
    "create_project":                           (ADMIN, 403,   403,   403,   403,   403,   403,   201),
    "get_project":                              (READ,  200,   200,   200,   200,   200,   200,   200),
    "get_project: private":                     (READ,  404,   404,   404,   404,   200,   200,   200),
    "update_project":                           (ADMIN, 403,   403,   403,   403,   403,   403,   200),
    "update_project: private":                  (ADMIN, 404,   404,   404,   404,   403,   403,   200),

    "list_categories":                          (READ,  200,   200,   200,   200,   200,   200,   200),
    "list_categories: private":                 (READ,  404,   404,   404,   404,   WITH,  WITH,  WITH),
    "create_category":                          (ADMIN, 403,   403,   403,   403,   403,   403,   201),
    "create_category: private":                 (ADMIN, 404,   404,   404,   404,   403,   403,   201),
    "get_category":                             (READ,  200,   200,   200,   200,   200,   200,   200),
    "get_category: private":                    (READ,  404,   404,   404,   404,   200,   200,   200),
    "update_category":                          (ADMIN, 403,   403,   403,   403,   403,   403,   200),
    "update_category: private":                 (ADMIN, 404,   404,   404,   404,   403,   403,   200),

    "list_tickets":                             (READ,  WITH,  WITH,  LESS,  LESS,  WITH,  WITH,  WITH),
    "list_tickets: created":                    (READ,  WITH,  WITH,  LESS,  LESS,  WITH,  WITH,  WITH),
    "list_tickets: updated":                    (READ,  WITH,  WITH,  LESS,  LESS,  WITH,  WITH,  WITH),
    "list_tickets: -updated":                   (READ,  WITH,  WITH,  LESS,  LESS,  WITH,  WITH,  WITH),
    "list_tickets: priority":                   (READ,  WITH,  WITH,  LESS,  LESS,  WITH,  WITH,  WITH),
    "list_tickets: -priority":                  (READ,  WITH,  WITH,  LESS,  LESS,  WITH,  WITH,  WITH),
    "list_tickets: q":                          (READ,  WITH,  WITH,  LESS,  LESS,  WITH,  WITH,  WITH),
    "list_tickets: q, its requester":           (READ,  WITH,  WITH,  400,   LESS,  WITH,  WITH,  WITH),
    "list_tickets: q, public":                  (READ,  WITH,  WITH,  WITH,  WITH,  WITH,  WITH,  WITH),
    "list_tickets: public":                     (READ,  WITH,  WITH,  WITH,  WITH,  WITH,  WITH,  WITH),
    "create_ticket":                            (WRITE, 201,   201,   201,   201,   201,   201,   201),
    "create_ticket: private":                   (WRITE, 422,   422,   422,   422,   201,   201,   201),
    "create_ticket: archived":                  (WRITE, 422,   422,   422,   422,   422,   422,   422),
    "create_ticket: archived category":         (WRITE, 422,   422,   422,   422,   422,   422,   422),
    "create_ticket: priority":                  (WRITE, 403,   403,   403,   403,   201,   201,   201),
    "create_ticket: for another":               (WRITE, 403,   403,   403,   403,   201,   201,   201),
    "create_ticket: for a newcomer":            (WRITE, 403,   403,   403,   403,   201,   201,   201),
    "get_ticket":                               (READ,  200,   200,   404,   404,   200,   200,   200),
    "get_ticket: public":                       (READ,  200,   200,   200,   200,   200,   200,   200),
    "get_ticket: public, of a private project": (READ,  200,   200,   404,   404,   200,   200,   200),
    "update_ticket":                            (WRITE, 200,   403,   404,   404,   200,   200,   200),
    "update_ticket: priority":                  (WRITE, 403,   403,   404,   404,   200,   200,   200),
    "update_ticket: category":                  (WRITE, 403,   403,   404,   404,   200,   200,   200),
    "update_ticket: archived category":         (WRITE, 403,   403,   404,   404,   422,   422,   422),
    "update_ticket: assignee":                  (WRITE, 403,   403,   404,   404,   200,   200,   200),
    "update_ticket: assign requester":          (WRITE, 403,   403,   404,   404,   422,   422,   422),
    "update_ticket: assign inactive":           (WRITE, 403,   403,   404,   404,   422,   422,   422),
    "update_ticket: assign elsewhere":          (WRITE, 403,   403,   404,   404,   422,   422,   422),
    "update_ticket: status":                    (WRITE, 409,   403,   404,   404,   200,   200,   200),
    "update_ticket: resolution":                (WRITE, 403,   403,   404,   404,   200,   200,   200),
    "update_ticket: resolution_note":           (WRITE, 403,   403,   404,   404,   200,   200,   200),
    "update_ticket: closed":                    (WRITE, 409,   403,   404,   404,   200,   200,   200),
    "update_ticket: close":                     (WRITE, 200,   403,   404,   404,   200,   200,   200),
    "update_ticket: close, saying why":         (WRITE, 200,   403,   404,   404,   200,   200,   200),
    "create_presence":                          (WRITE, 403,   403,   404,   404,   201,   201,   201),
    "create_presence: public":                  (WRITE, 403,   403,   403,   403,   201,   201,   201),
    "delete_presence":                          (WRITE, 403,   403,   404,   404,   204,   204,   204),
    "delete_presence: public":                  (WRITE, 403,   403,   403,   403,   204,   204,   204),
    "change_tickets":                           (WRITE, CHANGED, REFUSED, REFUSED, REFUSED, CHANGED, CHANGED, CHANGED),
    "change_tickets: priority":                 (WRITE, REFUSED, REFUSED, REFUSED, REFUSED, CHANGED, CHANGED, CHANGED),
    "update_ticket: public":                    (WRITE, 200,   403,   403,   403,   200,   200,   200),

    "list_views":                               (READ,  WITH,  LESS,  LESS,  LESS,  LESS,  LESS,  LESS),
    "create_view":                              (WRITE, 201,   201,   201,   201,   201,   201,   201),
    "create_view: shared":                      (WRITE, 403,   403,   403,   201,   201,   201,   201),
    "get_view":                                 (READ,  200,   404,   404,   404,   404,   404,   404),
    "get_view: shared":                         (READ,  404,   404,   404,   200,   200,   200,   200),
    "get_view: preset":                         (READ,  200,   200,   200,   200,   200,   200,   200),
    "get_view: preset for staff":               (READ,  404,   404,   404,   200,   200,   200,   200),
    "update_view":                              (WRITE, 200,   404,   404,   404,   404,   404,   404),
    "update_view: shared":                      (WRITE, 404,   404,   404,   403,   200,   403,   200),
    "update_view: share":                       (WRITE, 403,   404,   404,   404,   404,   404,   404),
    "update_view: preset":                      (WRITE, 403,   403,   403,   403,   403,   403,   403),
    "delete_view":                              (WRITE, 204,   404,   404,   404,   404,   404,   404),
    "delete_view: shared":                      (WRITE, 404,   404,   404,   403,   204,   403,   204),
    "delete_view: preset":                      (WRITE, 403,   403,   403,   403,   403,   403,   403),
    "get_view_counts":                          (READ,  200,   200,   200,   200,   200,   200,   200),

    "list_comments":                            (READ,  200,   200,   404,   404,   200,   200,   200),
    "list_comments: internal, rendered":        (READ,  LESS,  LESS,  404,   404,   WITH,  WITH,  WITH),
    "list_comments: internal":                  (READ,  LESS,  LESS,  404,   404,   WITH,  WITH,  WITH),
    "list_comments: staff's cursor":            (READ,  400,   400,   400,   400,   400,   200,   200),
    "list_comments: internal, public":          (READ,  LESS,  LESS,  LESS,  LESS,  WITH,  WITH,  WITH),
    "create_comment":                           (WRITE, 201,   201,   404,   404,   201,   201,   201),
    "create_comment: internal":                 (WRITE, 403,   403,   404,   404,   201,   201,   201),
    "create_comment: closed":                   (WRITE, 409,   409,   404,   404,   201,   201,   201),
    "create_comment: owner's key":              (WRITE, 201,   201,   404,   404,   201,   201,   201),
    "create_comment: public":                   (WRITE, 201,   201,   201,   201,   201,   201,   201),
    "create_comment: internal, public":         (WRITE, 403,   403,   403,   403,   201,   201,   201),
    "get_comment":                              (READ,  200,   200,   404,   404,   200,   200,   200),
    "get_comment: internal":                    (READ,  404,   404,   404,   404,   200,   200,   200),
    "get_comment: internal, public":            (READ,  404,   404,   404,   404,   200,   200,   200),
    "update_comment":                           (WRITE, 200,   403,   404,   404,   403,   403,   403),
    "update_comment: internal":                 (WRITE, 404,   404,   404,   404,   403,   200,   403),
    "update_comment: closed":                   (WRITE, 409,   403,   404,   404,   403,   403,   403),
    "update_comment: public":                   (WRITE, 200,   403,   403,   403,   403,   403,   403),
    "delete_comment":                           (WRITE, 204,   403,   404,   404,   403,   403,   204),
    "delete_comment: closed":                   (WRITE, 409,   403,   404,   404,   403,   403,   204),
    "delete_comment: internal":                 (WRITE, 404,   404,   404,   404,   403,   204,   204),
    "delete_comment: public":                   (WRITE, 204,   403,   403,   403,   403,   403,   204),

    "list_ticket_events":                       (READ,  200,   200,   404,   404,   200,   200,   200),
    "list_ticket_events: internal":             (READ,  LESS,  LESS,  404,   404,   WITH,  WITH,  WITH),
    "list_ticket_events: internal, public":     (READ,  LESS,  LESS,  LESS,  LESS,  WITH,  WITH,  WITH),
    "list_ticket_events: staff's cursor":       (READ,  400,   400,   400,   400,   400,   200,   200),
    "list_events":                              (READ,  200,   200,   200,   200,   200,   200,   200),
    "list_event_log":                           (ADMIN, 403,   403,   403,   403,   403,   403,   200),
    "stream_events":                            (READ,  200,   200,   200,   200,   200,   200,   200),
    "create_stream_pass":                       (READ,  201,   201,   201,   201,   201,   201,   201),
    "find_similar_tickets":                     (READ,  200,   200,   200,   200,   200,   200,   200),
    "create_markdown_preview":                  (WRITE, 201,   201,   201,   201,   201,   201,   201),

    "list_webhook_endpoints":                   (ADMIN, 403,   403,   403,   403,   403,   403,   200),
    "create_webhook_endpoint":                  (ADMIN, 403,   403,   403,   403,   403,   403,   201),
    "get_webhook_endpoint":                     (ADMIN, 403,   403,   403,   403,   403,   403,   200),
    "update_webhook_endpoint":                  (ADMIN, 403,   403,   403,   403,   403,   403,   200),
    "delete_webhook_endpoint":                  (ADMIN, 403,   403,   403,   403,   403,   403,   204),
    "rotate_webhook_secret":                    (ADMIN, 403,   403,   403,   403,   403,   403,   201),
    "ping_webhook_endpoint":                    (ADMIN, 403,   403,   403,   403,   403,   403,   202),
    "redeliver_webhooks":                       (ADMIN, 403,   403,   403,   403,   403,   403,   202),
    "list_deliveries":                          (ADMIN, 403,   403,   403,   403,   403,   403,   200),
    "get_delivery":                             (ADMIN, 403,   403,   403,   403,   403,   403,   200),

    "get_health":                               (ADMIN, 403,   403,   403,   403,   403,   403,   200),
    "list_jobs":                                (ADMIN, 403,   403,   403,   403,   403,   403,   200),
    "get_job":                                  (ADMIN, 403,   403,   403,   403,   403,   403,   200),
    "retry_job":                                (ADMIN, 403,   403,   403,   403,   403,   403,   202),
    "cancel_job":                               (ADMIN, 403,   403,   403,   403,   403,   403,   202),
    "list_mails":                               (ADMIN, 403,   403,   403,   403,   403,   403,   200),
    "get_mail":                                 (ADMIN, 403,   403,   403,   403,   403,   403,   200),
    "list_queues":                              (ADMIN, 403,   403,   403,   403,   403,   403,   200),
    "get_queue":                                (ADMIN, 403,   403,   403,   403,   403,   403,   200),
    "update_queue":                             (ADMIN, 403,   403,   403,   403,   403,   403,   200),
    "list_schedules":                           (ADMIN, 403,   403,   403,   403,   403,   403,   200),
}
# fmt: on
#: Who begins or ends a session, or looks who has one, has none or one of their own; tests/api/test_sessions.py.
WITHOUT_A_TOKEN = {"get_api", "get_session", "delete_session", "create_session", "create_sign_in_code"}
ROLES = ("requester", "colleague", "stranger", "agent_elsewhere", "agent_here", "agent", "admin")
SPECIAL: dict[str, Callable[[World], dict[str, Any]]] = {
    "list_tokens": lambda world: {"token_id": world.token_id},
    "list_user_tokens": lambda world: {"token_id": world.token_id},
    "create_user_token": lambda world: {"user_id": world.machine_id},
    "create_user_token: a person's": lambda world: {"user_id": world.owner.id},
    "create_user_token: beyond a role": lambda world: {
        "user_id": world.machine_id,
        "body": {"name": "x", "scopes": [ADMIN]},
    },
    "list_projects: private": lambda world: {"project_key": world.private, "query": {"limit": 100}},
    "get_project: private": lambda world: {"project_key": world.private},
    "update_project: private": lambda world: {"project_key": world.private},
    "list_categories: private": lambda world: {"project_key": world.private},
    "create_category: private": lambda world: {"project_key": world.private},
    "get_category: private": lambda world: {"project_key": world.private},
    "update_category: private": lambda world: {"project_key": world.private},
    "list_tickets": lambda world: world.listed("-created"),
    "list_tickets: created": lambda world: world.listed("created"),
    "list_tickets: updated": lambda world: world.listed("updated"),
    "list_tickets: -updated": lambda world: world.listed("-updated"),
    "list_tickets: priority": lambda world: world.listed("priority"),
    "list_tickets: -priority": lambda world: world.listed("-priority"),
    "list_tickets: q": lambda world: world.queried(),
    "list_tickets: q, its requester": lambda world: world.queried(f'requester:"{world.owner.name}"'),
    "list_tickets: q, public": lambda world: world.queried(visibility="public"),
    "create_ticket: private": lambda world: {"body": world.ticket(project=world.private)},
    "create_ticket: archived": lambda world: {"body": world.ticket(project=world.archived)},
    "create_ticket: archived category": lambda world: {"body": world.ticket(category=world.archived_category)},
    "create_ticket: priority": lambda world: {"body": world.ticket(priority="high")},
    "create_ticket: for another": lambda world: {"body": world.ticket(requester={"id": world.admin.id})},
    "create_ticket: for a newcomer": lambda world: {
        "body": world.ticket(requester={"email": f"{secrets.token_hex(6)}@lumen.example"})
    },
    "update_ticket: priority": lambda _: {"body": {"priority": "high"}},
    "update_ticket: category": lambda _: {"body": {"category": "music"}},
    "update_ticket: archived category": lambda world: {"body": {"category": world.archived_category}},
    "update_ticket: assignee": lambda world: {"body": {"assignee": {"id": world.agent.id}}},
    "update_ticket: assign requester": lambda world: {"body": {"assignee": {"id": world.owner.id}}},
    "update_ticket: assign inactive": lambda world: {"body": {"assignee": {"id": world.inactive_agent_id}}},
    "update_ticket: status": lambda _: {"body": {"status": "in_progress"}},
    "update_ticket: resolution": lambda _: {"body": {"status": "resolved", "resolution": "fixed"}},
    "update_ticket: resolution_note": lambda _: {
        "body": {"status": "resolved", "resolution": "fixed", "resolution_note": "x"}
    },
    "update_ticket: closed": lambda world: {"number": world.closed},
    "update_ticket: close": lambda _: {"body": {"status": "closed", "resolution": "fixed"}},
    "update_ticket: close, saying why": lambda _: {
        "body": {"status": "closed", "resolution": "answered", "resolution_note": "x"}
    },
    "create_presence: public": lambda world: {"number": world.public},
    "delete_presence: public": lambda world: {"number": world.public},
    "change_tickets: priority": lambda world: {"body": {"numbers": [world.number], "patch": {"priority": "high"}}},
    "update_ticket: assign elsewhere": lambda world: {"body": {"assignee": {"id": world.agent_elsewhere.id}}},
    "list_tickets: public": lambda world: world.listed("-created", visibility="public"),
    "get_ticket: public": lambda world: {"number": world.public},
    "get_ticket: public, of a private project": lambda world: {"number": world.public_of_private},
    "update_ticket: public": lambda world: {"number": world.public},
    "list_views": lambda world: {"view_id": world.view_id},
    "create_view: shared": lambda _: {"body": {"name": "x", "q": "", "visibility": "shared"}},
    "get_view: shared": lambda world: {"view_id": world.shared_view},
    "get_view: preset": lambda _: {"view_id": "01900000-0000-7000-8000-000000000006"},
    "get_view: preset for staff": lambda _: {"view_id": "01900000-0000-7000-8000-000000000001"},
    "update_view: shared": lambda world: {"view_id": world.shared_view},
    "update_view: share": lambda _: {"body": {"visibility": "shared"}},
    "update_view: preset": lambda _: {"view_id": "01900000-0000-7000-8000-000000000006"},
    "delete_view: shared": lambda world: {"view_id": world.shared_view},
    "delete_view: preset": lambda _: {"view_id": "01900000-0000-7000-8000-000000000006"},
    "list_comments: internal, public": lambda world: world.about(world.internal_on_public),
    "create_comment: public": lambda world: {"number": world.public},
    "create_comment: internal, public": lambda world: {
        "number": world.public,
        "body": {"body": "x", "visibility": "internal"},
    },
    "get_comment: internal, public": lambda world: world.about(world.internal_on_public),
    "update_comment: public": lambda world: world.about(world.said_in_public),
    "delete_comment: public": lambda world: world.about(world.said_in_public),
    "list_ticket_events: internal, public": lambda world: world.about(world.internal_on_public),
    "list_comments: internal": lambda world: {"comment_id": world.internal},
    "list_comments: internal, rendered": lambda world: {"comment_id": world.internal, "query": {"render": "html"}},
    "list_comments: staff's cursor": lambda world: {"query": {"cursor": world.cursor("comments")}},
    "create_comment: internal": lambda _: {"body": {"body": "x", "visibility": "internal"}},
    "create_comment: closed": lambda world: {"number": world.closed},
    "create_comment: owner's key": lambda world: {"headers": {"Idempotency-Key": world.used_key}},
    "get_comment: internal": lambda world: {"comment_id": world.internal},
    "update_comment: internal": lambda world: {"comment_id": world.internal},
    "update_comment: closed": lambda world: {"comment_id": world.said_before_the_end},
    "delete_comment: closed": lambda world: {"comment_id": world.said_before_the_end},
    "delete_comment: internal": lambda world: {"comment_id": world.internal},
    "list_ticket_events: internal": lambda world: {"comment_id": world.internal},
    "list_ticket_events: staff's cursor": lambda world: {"query": {"cursor": world.cursor("events")}},
}


@dataclass
class World:
    """One of each thing, made when it is first asked for; the owner's where things have owners."""

    owner: Person
    agent_here: Person
    agent_elsewhere: Person
    agent: Person
    admin: Person
    db: psycopg.Connection[dict[str, Any]]
    category_key = "music"
    queue_name = "default"

    @property
    def user_id(self) -> str:
        return self.owner.id

    def call(self, row: str, by: httpx.Client, headers: dict[str, str] | None = None) -> httpx.Response:
        """Make the request of a row of the matrix."""
        operation_id = row.partition(":")[0]
        method, template, _ = OPERATIONS[operation_id]
        special = SPECIAL[row](self) if row in SPECIAL else {}
        places = {name: special.get(name, getattr(self, name)) for name in re.findall(r"\{(\w+)\}", template)}
        body = special.get("body") or self.body(operation_id)
        headers = {**(headers or {}), **special.get("headers", {})}
        if method == "PATCH":
            headers["Content-Type"] = "application/merge-patch+json"
        return by.request(
            method,
            template.format(**places),
            params=special.get("query"),
            headers=headers,
            **({"json": body} if body else {}),
        )

    def body(self, operation_id: str) -> Any:
        """What is sent unless a row says otherwise."""
        bodies: dict[str, Callable[[], Any]] = {
            "create_user": lambda: {"name": "x", "email": f"{secrets.token_hex(6)}@lumen.example"},
            "update_me": lambda: {"preferences": {"time_zone": "UTC"}},
            "update_user": lambda: {"active": True},
            "create_invitation": self.invitation,
            "create_token": lambda: {"name": "x", "scopes": [READ]},
            "create_user_token": lambda: {"name": "x", "scopes": [READ]},
            "create_project": lambda: {"key": _key(), "name": "x"},
            "update_project": lambda: {"name": "y"},
            "create_category": lambda: {"key": _key(), "name": "x"},
            "update_category": lambda: {"name": "y"},
            "create_ticket": self.ticket,
            "update_ticket": lambda: {"title": "y"},
            "create_view": lambda: {"name": "x", "q": "status:open"},
            "update_view": lambda: {"name": "y"},
            "create_presence": lambda: {"activity": "viewing"},
            "change_tickets": lambda: {"numbers": [self.number], "patch": {"status": "closed", "resolution": "fixed"}},
            "create_comment": lambda: {"body": "x"},
            "update_comment": lambda: {"body": "y"},
            "create_markdown_preview": lambda: {"text": "x"},
            "find_similar_tickets": lambda: {"title": "x"},
            "create_webhook_endpoint": lambda: {"url": "https://127.0.0.1/"},
            "update_queue": lambda: {"paused": False},
            "update_webhook_endpoint": lambda: {"url": "https://127.0.0.2/"},
            "redeliver_webhooks": lambda: {"delivery_id": self.delivery_id},
        }
        return bodies[operation_id]() if operation_id in bodies else None

    def ticket(self, **fields: Any) -> dict[str, Any]:
        """A new ticket's body."""
        return {"project": self.project_key, "type": "support", "title": "x", "description": ""} | fields

    @cached_property
    def project_key(self) -> str:
        return self._project("public")

    @cached_property
    def private(self) -> str:
        return self._project("private")

    @cached_property
    def archived(self) -> str:
        key = self._project("public")
        _made(_patch(self.admin, f"/projects/{key}", archived=True))
        return key

    @cached_property
    def archived_category(self) -> str:
        path = f"/projects/{self.project_key}/categories"
        _made(self.admin.post(path, json={"key": "records", "name": "x"}))
        _made(_patch(self.admin, f"{path}/records", archived=True))
        return "records"

    def _project(self, visibility: str) -> str:
        body = {"key": _key(), "name": CANARY if visibility == "private" else "x", "visibility": visibility}
        key: str = _made(self.admin.post("/projects", json=body))["key"]
        _made(self.admin.post(f"/projects/{key}/categories", json={"key": "music", "name": CANARY}))
        staff(self.db, self.agent_here, key)
        return key

    def listed(self, sort: str, visibility: str = "private") -> dict[str, Any]:
        """How to list the tickets of a project in which the owner has one."""
        self._open(visibility, title=CANARY)
        return {"query": {"project": self.project_key, "sort": sort}}

    def queried(self, more: str = "", visibility: str = "private") -> dict[str, Any]:
        """How to ask for the same by a query."""
        self._open(visibility, title=CANARY)
        index()
        return {"query": {"q": f"project:{self.project_key} {CANARY.partition('-')[0]} {more} sort:-updated"}}

    @cached_property
    def number(self) -> int:
        return self._open()

    def _open(self, visibility: str = "private", **fields: str) -> int:
        return self._kept(self.owner.post("/tickets", json=self.ticket(**fields)), visibility)

    def _kept(self, opened: httpx.Response, visibility: str) -> int:
        """The number of a new ticket, which is now its owner's organization's."""
        number = int(_made(opened)["number"])
        self.db.execute(
            "update tickets set organization = %s, visibility = %s where number = %s",
            (ORGANIZATION, visibility, number),
        )
        return number

    @cached_property
    def public(self) -> int:
        return self._open("public")

    @cached_property
    def public_of_private(self) -> int:
        body = self.ticket(project=self.private, requester={"id": self.owner.id})
        return self._kept(self.admin.post("/tickets", json=body), "public")

    @cached_property
    def internal_on_public(self) -> str:
        return self._comment(self.agent, number=self.public, body=CANARY, visibility="internal")

    @cached_property
    def said_in_public(self) -> str:
        return self._comment(self.owner, number=self.public, body="x")

    def about(self, comment_id: str) -> dict[str, Any]:
        """Where a comment on the public ticket is."""
        return {"number": self.public, "comment_id": comment_id}

    @cached_property
    def closed(self) -> int:
        number = self._open()
        _made(_patch(self.agent, f"/tickets/{number}", status="closed", resolution="fixed"))
        return number

    @cached_property
    def comment_id(self) -> str:
        return self._comment(self.owner, body="x")

    @cached_property
    def said_before_the_end(self) -> str:
        comment_id = self.comment_id
        _made(_patch(self.agent, f"/tickets/{self.number}", status="closed", resolution="fixed"))
        return comment_id

    @cached_property
    def internal(self) -> str:
        return self._comment(self.agent, body=CANARY, visibility="internal")

    def _comment(self, by: Person, number: int | None = None, **body: str) -> str:
        comment_id: str = _made(by.post(f"/tickets/{number or self.number}/comments", json=body))["id"]
        return comment_id

    def cursor(self, of: str) -> str:
        """Where an agent's list goes on."""
        for _ in range(2):
            self._comment(self.owner, body="x")
        cursor: str = _made(self.agent.get(f"/tickets/{self.number}/{of}", params={"limit": 1}))["next"]
        return cursor

    @cached_property
    def used_key(self) -> str:
        key = secrets.token_hex(8)
        _made(
            self.owner.post(
                f"/tickets/{self.number}/comments",
                json=self.body("create_comment"),
                headers={"Idempotency-Key": key},
            )
        )
        return key

    @cached_property
    def token_id(self) -> str:
        token_id: str = _made(self.owner.post("/tokens", json={"name": CANARY, "scopes": [READ]}))["id"]
        return token_id

    @cached_property
    def view_id(self) -> str:
        return str(_made(self.owner.post("/views", json={"name": CANARY, "q": ""}))["id"])

    @cached_property
    def shared_view(self) -> str:
        body = {"name": "x", "q": "", "visibility": "shared"}
        return str(_made(self.agent_here.post("/views", json=body))["id"])

    def invitation(self) -> dict[str, Any]:
        """A new invitation's body."""
        return {"name": "x", "email": f"{secrets.token_hex(6)}@lumen.example", "role": "agent"}

    @cached_property
    def invitation_id(self) -> str:
        return str(_made(self.admin.post("/invitations", json=self.invitation()))["id"])

    @cached_property
    def session_id(self) -> str:
        with closing(Browser(str(self.owner.base_url), self.owner)) as browser:
            return browser.session_id

    @cached_property
    def machine_id(self) -> str:
        body = {"name": "machine", "service_account": True, "role": "agent"}
        return str(_made(self.admin.post("/users", json=body))["id"])

    @cached_property
    def endpoint_id(self) -> str:
        return str(_made(self.admin.post("/webhook-endpoints", json={"url": "https://127.0.0.1/"}))["id"])

    @cached_property
    def delivery_id(self) -> str:
        insert = (
            "insert into deliveries (id, endpoint_id, event_id, type)"
            " values (gen_random_uuid(), %s, gen_random_uuid(), 'ticket.created') returning id"
        )
        return str(self._only(insert, self.endpoint_id))

    @cached_property
    def job_id(self) -> str:
        return str(self._only("select enqueue_job('test.nothing', '{}', run_at => now() + interval '1 day') as id"))

    @cached_property
    def mail_id(self) -> str:
        insert = (
            "insert into mails (id, template, locale, to_name, to_email, subject, body, html_body, status, settled_at)"
            " values (gen_random_uuid(), 'invitation', 'en', '', 'a@b.example', 'Come', '', '', 'captured', now())"
            " returning id"
        )
        return str(self._only(insert))

    def _only(self, statement: str, *parameters: Any) -> Any:
        row = self.db.execute(statement.encode(), parameters).fetchone()
        assert row
        return row["id"]

    @cached_property
    def inactive_agent_id(self) -> str:
        user = _made(self.admin.post("/users", json=self.body("create_user") | {"role": "agent"}))
        _made(_patch(self.admin, f"/users/{user['id']}", active=False))
        return str(user["id"])


def _key() -> str:
    return f"p-{secrets.token_hex(6)}"


def _patch(by: Person, path: str, **fields: Any) -> httpx.Response:
    return by.request("PATCH", path, json=fields, headers={"Content-Type": "application/merge-patch+json"})


def _made(response: httpx.Response) -> Any:
    assert response.is_success, response.text
    return response.json()


@pytest.fixture
def world(
    requester: Person,
    colleague: Person,
    agent_here: Person,
    agent_elsewhere: Person,
    agent: Person,
    admin: Person,
    db: psycopg.Connection[dict[str, Any]],
) -> World:
    # Nobody has so many views that they may make no other one.
    people = (requester, colleague, agent_here, agent_elsewhere, agent, admin)
    db.execute("delete from views where owner_id = any(%s)", ([each.id for each in people],))
    return World(requester, agent_here, agent_elsewhere, agent, admin, db)


@pytest.fixture(scope="session")
def shared_world(
    requester: Person,
    colleague: Person,
    agent_here: Person,
    agent_elsewhere: Person,
    agent: Person,
    admin: Person,
    db: psycopg.Connection[dict[str, Any]],
) -> World:
    """One world for all requests that must be refused: they change nothing in it."""
    return World(requester, agent_here, agent_elsewhere, agent, admin, db)


def test_the_table_is_complete() -> None:
    assert {row.partition(":")[0] for row in MATRIX} == OPERATIONS.keys() <= MATRIX.keys()
    assert {row for row in MATRIX if ":" in row} <= SPECIAL.keys() <= MATRIX.keys()
    for row, (scope, *_) in MATRIX.items():
        assert OPERATIONS[row.partition(":")[0]][2] == [scope]
    everything = {
        operation["operationId"]: (method, operation["security"])
        for item in DOCUMENT["paths"].values()
        for method, operation in item.items()
        if "operationId" in operation
    }
    assert everything.keys() - OPERATIONS.keys() == WITHOUT_A_TOKEN
    for operation_id, (method, security) in everything.items():
        if operation_id in OPERATIONS:
            scopes = OPERATIONS[operation_id][2]
            by_session = {"session": scopes} if method == "get" else {"session": scopes, "csrf": []}
            assert security[:2] == [{"bearer": scopes}, by_session], operation_id


@pytest.mark.parametrize("row", MATRIX)
@pytest.mark.parametrize(("column", "role"), list(enumerate(ROLES, 1)))
def test_role(
    request: pytest.FixtureRequest,
    world: World,
    new_events: Callable[[], list[dict[str, Any]]],
    row: str,
    column: int,
    role: str,
) -> None:
    by = request.getfixturevalue(role)
    response = world.call(row, by)
    expected = MATRIX[row][column]
    outcome = LOOK[expected](response, by) if expected in LOOK else response.status_code
    assert outcome == expected, response.text
    for event in new_events():
        assert event["internal"] == _internal(event, world.db)


@pytest.fixture(scope="session")
def browsers(browse: Callable[[Person], Browser], request: pytest.FixtureRequest) -> dict[str, Browser]:
    """Each in a browser of theirs."""
    return {role: browse(request.getfixturevalue(role)) for role in BROWSING}


BROWSING = ("requester", "agent", "admin")


@pytest.mark.parametrize("row", MATRIX)
@pytest.mark.parametrize("role", BROWSING)
def test_role_by_session(browsers: dict[str, Browser], world: World, row: str, role: str) -> None:
    """A session may do what its user's tokens may, but for what they would need a scope that the role cannot have."""
    response = world.call(row, browsers[role])
    scope, *outcomes = MATRIX[row]
    expected = 403 if scope == ADMIN and role != "admin" else outcomes[ROLES.index(role)]
    outcome = LOOK[expected](response, browsers[role]) if expected in LOOK else response.status_code
    assert outcome == expected, response.text


@pytest.mark.parametrize("operation_id", UNSAFE)
def test_what_another_site_may_have_sent(
    browsers: dict[str, Browser],
    shared_world: World,
    new_events: Callable[[], list[dict[str, Any]]],
    operation_id: str,
) -> None:
    """Without the proof, or with a wrong one, a session does nothing, also where it may do the same with it."""
    owner, admin = browsers["requester"], browsers["admin"]
    own = admin if OPERATIONS[operation_id][2] == [ADMIN] else owner
    other = owner if own is admin else admin
    shared_world.call(operation_id, own, {"X-CSRF-Token": ""})  # It makes what the request is about.
    new_events()
    for wrong in (own.csrf_token[:-1] + "x", other.csrf_token, own.cookie):
        response = shared_world.call(operation_id, own, {"X-CSRF-Token": wrong})
        assert (response.status_code, response.json()["code"]) == (403, "csrf_token_invalid")
    with Judged(base_url=own.base_url, headers={"Cookie": own.cookie}) as without:
        response = shared_world.call(operation_id, without)
        assert (response.status_code, response.json()["code"]) == (403, "csrf_token_invalid")
    assert new_events() == []


def _internal(event: dict[str, Any], db: psycopg.Connection[dict[str, Any]]) -> bool:
    """Whether an event is for staff alone, and not for whoever sees what it is about."""
    noun = event["type"].partition(".")[0]
    if noun == "comment":
        return bool(event["data"]["visibility"] == "internal")
    if noun in ("project", "category"):
        row = db.execute("select visibility from projects where key = %s", (event["project"],)).fetchone()
        return not (row and row["visibility"] == "public")
    return bool(noun != "ticket")


def _look(response: httpx.Response, by: Judged) -> int | str:
    """Look for the canary on every page of a list."""
    if response.status_code != 200:
        return response.status_code
    while CANARY not in response.text:
        if "next" not in response.links:
            return LESS
        response = by.get(response.links["next"]["url"].removeprefix(PREFIX))
    return WITH


def _became(response: httpx.Response, _: Judged) -> int | str:
    """What became of the one ticket that was to be changed."""
    if response.status_code != 200:
        return response.status_code
    (item,) = response.json()["items"]
    return CHANGED if item["outcome"] == "changed" else REFUSED


LOOK: dict[Any, Callable[[httpx.Response, Judged], int | str]] = {
    **dict.fromkeys((WITH, LESS), _look),
    **dict.fromkeys((CHANGED, REFUSED), _became),
}


@pytest.mark.parametrize("operation_id", OPERATIONS)
def test_scope(sign_in: Callable[..., Person], shared_world: World, operation_id: str) -> None:
    """An admin's token without the operation's scope is refused, whatever else it may do."""
    (needed,) = OPERATIONS[operation_id][2]
    others = tuple(scope for scope in ("tickets:read", "tickets:write", "admin") if scope != needed)
    response = shared_world.call(operation_id, sign_in("admin", scopes=others))
    assert (response.status_code, response.json()["code"]) == (403, "insufficient_scope")
    assert f'scope="{needed}"' in response.headers["www-authenticate"]


DEAD = (
    *("none", "unknown", "no bearer", "expired", "revoked", "inactive"),
    *("session expired", "session idle", "session ended", "session as a token", "token as a session"),
)


@pytest.fixture(scope="session")
def dead_tokens(
    admin: Person,
    sign_in: Callable[..., Person],
    browse: Callable[[Person], Browser],
    db: psycopg.Connection[Any],
) -> dict[str, dict[str, str]]:
    """Headers of callers who are nobody: without a token, or with one that holds no more."""
    made = {}
    for kind, change in (
        ("expired", "update tokens set expires_at = now() where user_id = %s"),
        ("revoked", "update tokens set revoked_at = now() where user_id = %s"),
        ("inactive", "update users set active = false where id = %s"),
    ):
        person = sign_in("admin")
        db.execute(change, (person.id,))
        made[kind] = {"Authorization": f"Bearer {person.token}"}
    for kind, change in (
        ("session expired", "update tokens set expires_at = now() where id = %s"),
        ("session idle", "update tokens set created_at = now() - idle, last_used_at = null where id = %s"),
        ("session ended", "update tokens set revoked_at = now() where id = %s"),
    ):
        browser = browse(admin)
        db.execute(change, (browser.session_id,))
        made[kind] = {"Cookie": browser.cookie, "X-CSRF-Token": browser.csrf_token}
    return made | {
        "session as a token": {"Authorization": f"Bearer {browse(admin).cookie.partition('=')[2]}"},
        "token as a session": {"Cookie": f"__Host-ticketing={admin.token}"},
        "none": {},
        "unknown": {"Authorization": f"Bearer {admin.token[:-1]}"},
        "no bearer": {"Authorization": f"Basic {admin.token}"},
    }


@pytest.mark.parametrize("operation_id", OPERATIONS)
@pytest.mark.parametrize("kind", DEAD)
def test_nobody(
    anonymous: Judged, dead_tokens: dict[str, dict[str, str]], shared_world: World, operation_id: str, kind: str
) -> None:
    response = shared_world.call(operation_id, anonymous, dead_tokens[kind])
    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Bearer")
