"""Browser sessions: how a person signs in, and how that ends."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple, TypedDict
from uuid import UUID

import uuid_utils.compat as uuids

from ticketing.access import authentication, bearer, cookies, scopes
from ticketing.access.actors import Actor
from ticketing.access.browsers import Browser
from ticketing.db import sql
from ticketing.ground.config import settings
from ticketing.ground.errors import SignInRefused
from ticketing.rules import acceptance


class Whence(NamedTuple):
    """Where a request to sign in comes from."""

    browser: Browser
    address: str | None
    is_local: bool
    """Whether the browser runs on this very machine, and knows it by a name that no other site can have."""


class CurrentSession(TypedDict):
    """Who is signed in in a browser, and what its pages send with what changes something."""

    session: Mapping[str, Any] | None
    """The contract's Session."""
    user: sql.User | None
    csrf_token: str | None


class Begun(NamedTuple):
    """A session that has just begun, with the secret that its browser alone keeps."""

    secret: str
    told: CurrentSession


NOBODY: CurrentSession = {"session": None, "user": None, "csrf_token": None}


def demo_users() -> list[UUID]:
    """As whom anybody may sign in: nobody, but where `ticketing up` runs."""
    return [UUID(each) for each in settings().demo_users.split(",") if each]


async def list_demo_accounts(conn: sql.Connection) -> list[sql.DemoAccount]:
    """Those of them who are active, in the order of the setting."""
    return await sql.sessions.list_demo_accounts(conn, user_ids=demo_users())


async def begin_as_demo(conn: sql.Connection, user_id: UUID, whence: Whence) -> Begun:
    """Begin a session of one of the demo's people, for a browser on this machine. Raises SignInRefused.

    A page elsewhere whose name leads to this machine (DNS rebinding) sends that name, and is refused.
    """
    if user_id not in demo_users() or not whence.is_local:
        raise SignInRefused("Nobody may sign in here without showing who they are.")
    return await begin(conn, user_id, whence)


async def begin_by_invitation(conn: sql.Connection, invitation: str, name: str | None, whence: Whence) -> Begun:
    """Accept an invitation in a transaction, and begin a session of who was invited. Raises SignInRefused."""
    user = await acceptance.accept(conn, invitation, name=name)
    return await begin(conn, user["id"], whence)


async def begin(conn: sql.Connection, user_id: UUID, whence: Whence) -> Begun:
    """Begin a session of a user, in a transaction. Raises SignInRefused for a user who may not sign in."""
    user = await sql.users.get_user(conn, user_id=user_id)
    secret = bearer.new_token(bearer.SESSION)
    row = user and await sql.sessions.insert_session(
        conn,
        token_id=uuids.uuid7(),
        user_id=user_id,
        name=whence.browser.words,
        hash=bearer.hash_token(secret),
        # Of an API token that is its beginning. A session's secret is never shown, so it needs none to be known by.
        prefix=bearer.SESSION,
        scopes=list(scopes.OF_ROLE.get(user["role"], ())),
        role=user["role"],
        idle_days=settings().session_idle_days,
        days=settings().session_days,
        browser=whence.browser.name,
        platform=whence.browser.platform,
        address=whence.address,
    )
    if user is None or row is None:
        raise SignInRefused("This user cannot sign in.")
    return Begun(secret, _current(row, user, authentication.seed_of(secret)))


async def current(conn: sql.Connection, actor: Actor) -> CurrentSession:
    """Who has signed in with this session."""
    assert actor.token_id
    row = await sql.sessions.get_session(conn, session_id=actor.token_id)
    user = await sql.users.get_user(conn, user_id=actor.user_id)
    return NOBODY if row is None or user is None else _current(row, user, actor.seed)


def _current(row: sql.SessionRow, user: sql.User, seed: bytes) -> CurrentSession:
    return {"session": {**row, "current": True}, "user": user, "csrf_token": cookies.csrf_token(seed)}


async def end(conn: sql.Connection, session_ids: Collection[UUID]) -> int:
    """End these sessions; how many had not ended."""
    ended = await sql.sessions.end_sessions(conn, session_ids=list(session_ids))
    authentication.forget(frozenset(session_ids))
    return len(ended)
