"""The demo: a media company's people, products and tickets from `demo.yaml`, with months of history."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

import uuid_utils.compat as uuids
import yaml
from psycopg.types.json import Jsonb

from ticketing.access import bearer, scopes
from ticketing.access.actors import OPERATOR
from ticketing.commands import programs
from ticketing.db import sql
from ticketing.rules import tokens
from ticketing.writing.idempotency import Claim

FILE = Path(__file__).with_name("demo.yaml")
ROLES: tuple[sql.UserRole, ...] = ("admin", "agent", "requester")
ENDED = ("resolved", "closed")
AGE = re.compile(r"(?:(?P<days>\d+)d)? ?(?:(?P<hours>\d+)h)?")
SOON = timedelta(hours=1)
"""The longest time from a ticket's creation to its assignment, and from its last comment to its end."""

Entry = Mapping[str, Any]
People = Mapping[str, dict[str, str]]
"""The demo's people as answers show them, by their keys in the demo."""


async def load(conn: sql.Connection) -> bool:
    """Write the demo in one transaction, unless there is a project already; return whether it did."""
    async with conn.transaction():
        if await sql.projects.list_projects(conn, **OPERATOR.staffing(), after=None, page_size=1):
            return False
        people = await _add_people(conn)
        await _add_projects(conn, people)
        await _add_tickets(conn, people)
        admin_id = UUID(people[_first("admin")]["id"])
        await programs.load(conn, _demo(), people, admin_id, lambda entry: datetime.now(UTC) - _age(entry))
    return True


async def sign_in(conn: sql.Connection, kept: Mapping[str, str]) -> dict[str, str]:
    """A token for each role: the one kept from last time if it is still valid, or a new one.

    A role that no active person of the demo has any more gets none.
    """
    signed_in: dict[str, str] = {}
    for role in ROLES:
        secret = kept.get(role, "")
        if not await _holds(conn, secret, role):
            secret = await _issue(conn, role)
        if secret:
            signed_in[role] = secret
    return signed_in


async def _holds(conn: sql.Connection, secret: str, role: sql.UserRole) -> bool:
    found = await sql.tokens.list_identities(conn, hashes=[bearer.hash_token(secret)])
    return [each["role"] for each in found if each["refusal"] is None] == [role]


async def _issue(conn: sql.Connection, role: sql.UserRole) -> str:
    if (user := await _somebody(conn, role)) is None:
        return ""
    token = await tokens.create_for(conn, OPERATOR, user["id"], claim=Claim(), name="demo", scopes=scopes.OF_ROLE[role])
    return str(token["token"])


async def accounts(conn: sql.Connection) -> list[UUID]:
    """Whom one may try the portal as: somebody of each role that an active person of the demo still has."""
    found = [await _somebody(conn, role) for role in ROLES]
    return [user["id"] for user in found if user]


async def _somebody(conn: sql.Connection, role: sql.UserRole) -> sql.User | None:
    """The first active person of the demo with a role."""
    for person in _demo()["people"]:
        user = await sql.users.get_user_by_email(conn, email=person["email"]) if "email" in person else None
        if user and user["active"] and user["role"] == role:
            return user
    return None


@cache
def _demo() -> Any:
    return yaml.load(FILE.read_bytes(), yaml.CSafeLoader)


# What is written -----------------------------------------------------------------------------------------------------


async def _add_people(conn: sql.Connection) -> People:
    entries = _demo()["people"]
    # A requester is older than their tickets.
    since = datetime.now(UTC) - _age(_demo()["tickets"][0]) - timedelta(days=1)
    rows = [
        {
            "id": _fixed_id(entry),
            "event_id": uuids.uuid7(),
            "name": entry["name"],
            "email": entry.get("email"),
            "role": entry["role"],
            "service_account": "email" not in entry,
            "created_at": since,
        }
        for entry in entries
    ]
    await sql.imports.insert_users(conn, rows=Jsonb(rows))
    people = {}
    for entry, row in zip(entries, rows, strict=True):
        # Not the ids above: an e-mail address may belong to a user already.
        known = await sql.users.get_user_by_email(conn, email=entry["email"]) if "email" in entry else None
        people[entry["key"]] = {"id": str(known["id"] if known else row["id"]), "name": entry["name"]}
    return people


async def _add_projects(conn: sql.Connection, people: People) -> None:
    admin_id = UUID(people[_first("admin")]["id"])
    for entry in _demo()["projects"]:
        project = {name: value for name, value in entry.items() if name != "categories"}
        await sql.projects.insert_project(conn, **Claim().parameters(), actor_id=admin_id, **project)
        for category in entry["categories"]:
            await sql.categories.insert_category(
                conn, **Claim().parameters(), actor_id=admin_id, project=entry["key"], **category
            )


async def _add_tickets(conn: sql.Connection, people: People) -> None:
    now = datetime.now(UTC)
    entries = _demo()["tickets"]
    place, named = next((place, entry["number"]) for place, entry in enumerate(entries) if "number" in entry)
    await sql.demo.number_tickets_from(conn, first=named - place)
    stories = [_Story(entry, people, now) for entry in entries]
    added = await sql.imports.insert_tickets(conn, rows=Jsonb([story.ticket() for story in stories]))
    comments: list[dict[str, Any]] = []
    events: list[dict[str, Any]] = []
    for story, row in zip(stories, added, strict=True):
        comments += story.comments(row["number"])
        events += story.events(row["number"])
    await sql.imports.insert_comments(conn, rows=Jsonb(comments))
    await sql.imports.insert_events(conn, rows=Jsonb(events))


class _Story:
    """The history of one ticket: opened, assigned, discussed, and perhaps ended."""

    def __init__(self, entry: Entry, people: People, now: datetime) -> None:
        self.entry = entry
        self.people = people
        self.said = [(_fixed_id(comment), now - _age(comment), comment) for comment in entry["comments"]]
        said_at = [moment for _, moment, _ in self.said]
        self.opened_at = now - _age(entry)
        self.taken_at = _soon(self.opened_at, min(said_at, default=now))
        self.ended_at = _soon(max(said_at, default=self.taken_at), now)

    def ticket(self) -> dict[str, Any]:
        """The row of insert_tickets."""
        entry = self.entry
        return {
            **{name: entry[name] for name in ("type", "project", "title", "description", "tags", "environment")},
            "category": entry.get("category"),
            "severity": entry.get("severity", "none"),
            "channel": "github" if "external_id" in entry else "portal",
            "external_source": entry.get("external_source"),
            "external_id": entry.get("external_id"),
            "requester_id": self._id(entry["requester"]),
            "created_at": self.opened_at,
            **self._now(),
        }

    def comments(self, number: int) -> Iterator[dict[str, Any]]:
        """The rows of insert_comments."""
        for comment_id, moment, comment in self.said:
            yield {
                "id": comment_id,
                "ticket": number,
                "author_id": self._id(comment["author"]),
                "body": comment["body"],
                "visibility": comment["visibility"],
                "created_at": moment,
                "updated_at": moment,
            }

    def events(self, number: int) -> Iterator[dict[str, Any]]:
        """The rows of insert_events."""
        agent = self.entry.get("assignee") or _first("agent")
        new, taken, now = self._new(), self._taken(), self._now()
        opened = self._event("ticket.created", number, self.opened_at, self.entry["requester"], new)
        yield {**opened, "id": self.entry.get("event_id") or opened["id"]}
        if changed := _changed(new, taken):
            yield self._event("ticket.updated", number, self.taken_at, agent, taken, changed)
        for comment_id, moment, comment in self.said:
            event = self._event("comment.created", number, moment, comment["author"])
            yield {**event, "comment": comment_id}
        if changed := _changed(taken, now):
            yield self._event(f"ticket.{now['status']}", number, self.ended_at, agent, now, changed)

    def _event(
        self,
        type: str,
        number: int,
        moment: datetime,
        actor: str,
        was: Entry | None = None,
        previous: Entry | None = None,
    ) -> dict[str, Any]:
        return {
            "id": uuids.uuid7(),
            "type": type,
            "ticket": number,
            "occurred_at": moment,
            "actor_id": self._id(actor),
            "was": was or {},
            "previous": previous or {},
        }

    def _new(self) -> dict[str, Any]:
        """The columns that change during the history, with their first values."""
        return {
            "status": "open",
            "priority": "normal",
            "assignee_id": None,
            "resolution": "none",
            "resolution_note": None,
            "resolved_at": None,
            "closed_at": None,
            "updated_at": self.opened_at,
        }

    def _taken(self) -> dict[str, Any]:
        entry, new = self.entry, self._new()
        taken = {
            **new,
            "status": "open" if entry["status"] in ENDED else entry["status"],
            "priority": entry.get("priority", "normal"),
            "assignee_id": self._id(entry.get("assignee")),
        }
        return {**taken, "updated_at": self.taken_at} if _changed(new, taken) else taken

    def _now(self) -> dict[str, Any]:
        entry, taken = self.entry, self._taken()
        ended = entry["status"] in ENDED
        heard_at = [moment for _, moment, comment in self.said if comment["visibility"] == "public"]
        return {
            **taken,
            "status": entry["status"],
            "resolution": entry.get("resolution", "none"),
            "resolution_note": entry.get("resolution_note"),
            "resolved_at": self.ended_at if ended else None,
            "closed_at": self.ended_at if entry["status"] == "closed" else None,
            "updated_at": self.ended_at if ended else max([taken["updated_at"], *heard_at]),
        }

    def _id(self, key: str | None) -> str | None:
        return self.people[key]["id"] if key else None


def _changed(before: Entry, after: Entry) -> dict[str, Any]:
    """The properties that differ, with their old values, except `updated_at`."""
    return {
        "assignee" if name == "assignee_id" else name: value
        for name, value in before.items()
        if name != "updated_at" and value != after[name]
    }


def _fixed_id(entry: Entry) -> str:
    """The id by which the contract's examples name it, or a new one."""
    return str(entry.get("id") or uuids.uuid7())


def _soon(after: datetime, before: datetime) -> datetime:
    return after + min(SOON, (before - after) / 2)


def _first(role: sql.UserRole) -> str:
    """The key of the first person with a role."""
    return next(str(person["key"]) for person in _demo()["people"] if person["role"] == role)


def _age(entry: Entry) -> timedelta:
    match = AGE.fullmatch(entry["age"])
    assert match, f"{entry['age']!r} is no age"
    return timedelta(**{unit: int(number) for unit, number in match.groupdict(default="0").items()})
