"""A key is used up by a request that changes something, and by no other, whatever it is refused for."""

from __future__ import annotations

import re
import secrets
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from test_authorization import DOCUMENT
from test_jobs import NewJob, new_job

from conftest import Person

__all__ = ["new_job"]
Db = psycopg.Connection[dict[str, Any]]

KEYLESS = {
    "/events/stream-passes",
    "/markdown-previews",
    "/sessions",
    "/sign-in-codes",
    "/tickets/similar",
    "/tickets/{number}/presences",
}
POSTS = {
    operation["operationId"]: path
    for path, item in DOCUMENT["paths"].items()
    if (operation := item.get("post")) is not None and path not in KEYLESS
}
REFUSED: dict[str, dict[str, Any] | None] = {
    "create_ticket: project": {"type": "bug", "project": "no-such", "title": "x", "description": "x"},
    "create_ticket: category": {"type": "bug", "category": "no-such", "title": "x", "description": "x"},
    "create_comment": {"body": "x"},
    "change_tickets": {"numbers": [1], "patch": {"priority": "high"}, "versions": {"2": "x"}},
    "create_view": {"name": "x", "q": "statsu:open"},
    "create_project": {"name": "x"},
    "create_category": {"key": "music", "name": "x"},
    "create_category: project": {"key": "music", "name": "x"},
    "create_user": {"name": "x"},
    "create_invitation": {"name": "x"},
    "resend_invitation": None,
    "create_token": {"name": "x", "scopes": ["tickets:read"], "expires_at": "2001-01-01T00:00:00.000Z"},
    "create_user_token": {"name": "x", "scopes": ["tickets:read"]},
    "create_webhook_endpoint": {"url": "http://127.0.0.1/", "projects": ["no-such"]},
    "ping_webhook_endpoint": None,
    "ping_webhook_endpoint: disabled": None,
    "redeliver_webhooks: delivery": {"delivery_id": str(uuid4())},
    "redeliver_webhooks: event": {"events_after": str(uuid4())},
    "redeliver_webhooks: disabled": {"events_since": "2026-01-01T00:00:00.000Z"},
    "rotate_webhook_secret": None,
    "retry_job": None,
    "retry_job: completed": None,
    "cancel_job": None,
    "cancel_job: completed": None,
    "cancel_job: asked before": None,
}


def test_every_post_is_tried() -> None:
    assert {case.partition(":")[0] for case in REFUSED} == set(POSTS)


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_leaves_its_key_free(case: str, admin: Person, project: str, new_job: NewJob, db: Db) -> None:
    operation, _, why = case.partition(": ")
    body, path = REFUSED[case], POSTS[operation]
    if operation == "create_ticket" and why == "category":
        body = {**(body or {}), "project": project}
    if operation == "create_project":
        body = {**(body or {}), "key": project}
    if operation in ("create_user", "create_invitation"):
        email = f"{secrets.token_hex(6)}@lumen.example"
        assert admin.post("/users", json={"name": "x", "email": email}).status_code == 201
        body = {**(body or {}), "email": email}
    if operation == "create_user_token":
        user = admin.post("/users", json={"name": "x", "email": f"{secrets.token_hex(6)}@lumen.example"}).json()["id"]
        db.execute("update users set active = false where id = %s", (user,))
        path = f"/users/{user}/tokens"
    if "{endpoint_id}" in path:
        endpoint = str(uuid4())
        if why:
            answer = admin.post("/webhook-endpoints", json={"url": "http://127.0.0.1:9/"})
            assert answer.status_code == 201, answer.text
            endpoint = answer.json()["id"]
        if why == "disabled":
            disable = "update webhook_endpoints set state = 'disabled', disabled_at = now() where id = %s"
            db.execute(disable, (endpoint,))
        path = path.replace("{endpoint_id}", endpoint)
    if why == "asked before":
        path = path.replace("{job_id}", new_job("running"))
        assert admin.post(path).status_code == 202
    path = path.replace("{job_id}", new_job("completed") if why else str(uuid4()))
    path = path.replace("{project_key}", "no-such" if why else project).replace("{number}", "99999999")
    path = path.replace("{invitation_id}", str(uuid4()))
    key = secrets.token_hex(8)
    answer = admin.post(path, json=body, headers={"Idempotency-Key": key})
    assert answer.status_code == 202 if why == "asked before" else 400 <= answer.status_code < 500, answer.text
    assert "Idempotency-Key" not in answer.json().get("detail", "")
    assert db.execute("select from idempotency_keys where key = %s", (key,)).fetchall() == []


def test_no_statement_claims_a_key_beside_another_condition() -> None:
    """PostgreSQL evaluates conditions of one query in the order that it likes."""
    claims = 0
    for path in (Path(__file__).parents[2] / "sql" / "queries").glob("*.sql"):
        text = " ".join(path.read_text().split())
        claims += text.count(" claim_idempotency_key(")
        for found in re.finditer(r"claim_idempotency_key\(:", text):
            before, after = text[: found.start()], text[found.start() :]
            if re.search(r"name: claim_key\(.{,250} select $", before):  # A statement of its own.
                continue
            assert before.endswith("where :idempotency_key::text is null or "), before[-120:]
            assert re.match(r"[^)]*\) (\)|returning )", after), after[:120]
            source = re.search(r"from (\w+) where :idempotency_key::text is null or $", before)
            assert source is None or re.search(rf"\b{source[1]} as materialized \(", before), before[-300:]
    assert claims
