"""What stands beside the demo's tickets: tokens, a session, endpoints, jobs, an invitation, views, a mail."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from ticketing import sealing
from ticketing.access import bearer, scopes
from ticketing.access.browsers import Browser
from ticketing.db import sql
from ticketing.ground.config import settings
from ticketing.mail import wording
from ticketing.reactions.webhooks import endpoints, signing
from ticketing.rules import invitations, tokens
from ticketing.writing.idempotency import Claim

Demo = Mapping[str, Any]
Began = Callable[[Mapping[str, Any]], datetime]
"""When an entry of the demo began, by its age."""

ATTEMPTS = 20
"""How often a job is tried, as by default."""


async def load(
    conn: sql.Connection, demo: Demo, people: Mapping[str, Mapping[str, str]], admin_id: UUID, began: Began
) -> None:
    """Write what `demo.yaml` says of these, for these people by their keys. Without a secret key no endpoints."""
    await _add_tokens(conn, demo, people)
    await _add_sessions(conn, demo, people)
    if sealing.first_key():
        await _add_endpoints(conn, demo, admin_id, began)
    await sql.demo.insert_jobs(conn, rows=Jsonb(list(_jobs(demo, began))))
    await _add_invitations(conn, demo, admin_id)
    await _add_mails(conn, demo)
    await _add_views(conn, demo, people)


async def _add_tokens(conn: sql.Connection, demo: Demo, people: Mapping[str, Mapping[str, str]]) -> None:
    roles = {person["key"]: person["role"] for person in demo["people"]}
    for token in demo["tokens"]:
        secret = bearer.new_token()
        await sql.tokens.insert_token(
            conn,
            **Claim().parameters(),
            actor_id=None,
            token_id=UUID(token["id"]),
            user_id=UUID(people[token["owner"]]["id"]),
            role=roles[token["owner"]],
            created_by=None,
            name=token["name"],
            hash=bearer.hash_token(secret),
            prefix=secret[: tokens.PREFIX_LENGTH],
            scopes=token["scopes"],
            expires_at=None,
            sealed=None,
        )


async def _add_sessions(conn: sql.Connection, demo: Demo, people: Mapping[str, Mapping[str, str]]) -> None:
    roles = {person["key"]: person["role"] for person in demo["people"]}
    for session in demo["sessions"]:
        browser = Browser(session["browser"], session["platform"])
        await sql.sessions.insert_session(
            conn,
            token_id=UUID(session["id"]),
            user_id=UUID(people[session["owner"]]["id"]),
            name=browser.words,
            hash=bearer.hash_token(bearer.new_token(bearer.SESSION)),
            prefix=bearer.SESSION,
            scopes=list(scopes.OF_ROLE[roles[session["owner"]]]),
            role=roles[session["owner"]],
            idle_days=settings().session_idle_days,
            days=settings().session_days,
            browser=browser.name,
            platform=browser.platform,
            address=None,
        )


async def _add_endpoints(conn: sql.Connection, demo: Demo, admin_id: UUID, began: Began) -> None:
    ids = [UUID(entry["id"]) for entry in demo["webhook_endpoints"]]
    for endpoint_id, entry in zip(ids, demo["webhook_endpoints"], strict=True):
        await sql.webhooks.insert_webhook_endpoint(
            conn,
            **Claim().parameters(),
            **endpoints.sealed(signing.new_secret(), endpoint_id),
            actor_id=admin_id,
            endpoint_id=endpoint_id,
            url=entry["url"],
            description=entry["description"],
            event_types=entry.get("event_types", []),
            projects=entry.get("projects", []),
            include_internal=False,
            format=entry.get("format", "standard"),
        )
    await sql.demo.pause_webhook_endpoints(conn, ids=ids)
    sent = [{**entry, "created_at": _written(began(entry))} for entry in demo["deliveries"]]
    await sql.demo.insert_deliveries(conn, rows=Jsonb(sent))


async def _add_invitations(conn: sql.Connection, demo: Demo, admin_id: UUID) -> None:
    for entry in demo["invitations"]:
        await sql.invitations.insert_invitation(
            conn,
            invitation_id=UUID(entry["id"]),
            hash=bearer.hash_token(invitations.new_secret()),
            created_by=admin_id,
            days=settings().invitation_days,
            **{name: entry[name] for name in ("email", "name", "role", "projects", "locale")},
        )


async def _add_views(conn: sql.Connection, demo: Demo, people: Mapping[str, Mapping[str, str]]) -> None:
    for entry in demo["views"]:
        await sql.views.insert_view(
            conn,
            view_id=UUID(entry["id"]),
            owner_id=UUID(people[entry["owner"]]["id"]),
            **{name: entry[name] for name in ("name", "q", "columns", "visibility")},
        )


async def _add_mails(conn: sql.Connection, demo: Demo) -> None:
    people = {person["key"]: person for person in demo["people"]}
    rows = []
    for entry in demo["mails"]:
        words = wording.word(entry["template"], entry["locale"], entry["values"])
        rows.append(
            {
                **{name: entry[name] for name in ("id", "template", "locale")},
                "to_name": people[entry["to"]]["name"],
                "to_email": people[entry["to"]]["email"],
                "subject": words.subject,
                "body": words.text,
                "html_body": words.html,
            }
        )
    await sql.demo.insert_captured_mails(conn, rows=Jsonb(rows))


def _jobs(demo: Demo, began: Began) -> Iterator[dict[str, Any]]:
    for entry in demo["jobs"]:
        moment = _written(began(entry))
        ended = entry["state"] == "discarded"
        yield {
            **{name: entry[name] for name in ("id", "kind", "state")},
            "queue": "upkeep",
            "priority": 2,
            "args": {"slot": moment},
            "shown": ["slot"],
            "attempt": ATTEMPTS if ended else 0,
            "max_attempts": ATTEMPTS,
            "run_at": moment if ended else _written(datetime.now(UTC) + timedelta(days=365)),
            "started_at": moment if ended else None,
            "finished_at": moment if ended else None,
            "errors": [{"attempt": ATTEMPTS, "at": moment, "error": entry["error"]}] if ended else [],
            "created_at": moment,
        }


def _written(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")
