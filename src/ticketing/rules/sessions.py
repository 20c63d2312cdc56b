"""Browser sessions: how a person signs in, and how that ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypedDict
from uuid import UUID

import uuid_utils.compat as uuids

from ticketing.access import authentication, bearer, cookies, policy, scopes
from ticketing.access.actors import Actor
from ticketing.access.browsers import Browser
from ticketing.db import sql
from ticketing.ground.config import settings
from ticketing.ground.errors import SignInRefused, found
from ticketing.rules import acceptance, endings, sign_in_codes
from ticketing.writing import paging
from ticketing.writing.change import changing


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
    user: Any
    preferences: Any
    csrf_token: str | None


class Begun(NamedTuple):
    """A session that has just begun, with the secret that its browser alone keeps."""

    secret: str
    told: CurrentSession


NOBODY: CurrentSession = {"session": None, "user": None, "preferences": None, "csrf_token": None}


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


async def begin_with_code(conn: sql.Connection, code_id: UUID, code: str, whence: Whence) -> Begun | None:
    """Begin a session of who reads the mail of an address; None if the code does not hold.

    That it was tried must be committed.
    """
    user_id = await sign_in_codes.redeem(conn, code_id, code)
    return await begin(conn, user_id, whence) if user_id else None


async def begin(conn: sql.Connection, user_id: UUID, whence: Whence) -> Begun:
    """Begin a session of a user in a transaction, and record `session.created`.

    Raises SignInRefused for a user who may not sign in.
    """
    profile = await sql.users.get_profile(conn, user_id=user_id)
    user = profile and profile["user"]
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
    if profile is None or row is None:
        raise SignInRefused("This user cannot sign in.")
    async with changing(conn, Actor(id=user_id)) as change:
        change.record("session.created", endings.told(row), internal=True)
    return Begun(secret, _current(row, profile, authentication.seed_of(secret)))


async def current(conn: sql.Connection, actor: Actor) -> CurrentSession:
    """Who has signed in with this session."""
    assert actor.token_id
    row = await sql.sessions.get_session(conn, session_id=actor.token_id)
    profile = await sql.users.get_profile(conn, user_id=actor.user_id)
    return NOBODY if row is None or profile is None else _current(row, profile, actor.seed)


def _current(row: sql.SessionRow, profile: sql.Profile, seed: bytes) -> CurrentSession:
    return {
        "session": {**row, "current": True},
        "user": profile["user"],
        "preferences": profile["preferences"],
        "csrf_token": cookies.csrf_token(seed),
    }


async def list_(conn: sql.Connection, actor: Actor, *, limit: int = 25, cursor: str | None = None) -> paging.Page:
    """A page of one's own sessions that have not ended, oldest first. Raises InvalidCursor."""
    listing = ["sessions", actor.user_id]
    (after,) = paging.opened(cursor, listing, UUID)
    rows = await sql.sessions.list_sessions(conn, user_id=actor.user_id, after=after, page_size=limit + 1)
    told = [{**row, "current": str(row["id"]) == str(actor.token_id)} for row in rows]
    return paging.page(told, limit, listing, lambda row: [row["id"]])


async def end_own(conn: sql.Connection, actor: Actor, session_id: UUID | None = None) -> None:
    """End one of one's own sessions in a transaction, or all but the one that asks, and record `session.ended`.

    Raises Forbidden and InsufficientScope for a token that can do less than a session, and NotFound.
    """
    but = None if session_id else actor.token_id
    async with changing(conn, actor) as change:
        locked = await sql.sessions.lock_sessions(conn, user_id=actor.user_id, session_id=session_id, but=but)
        if session_id is not None:
            found(locked or None, f"session {session_id}")
        if locked and actor.role is not None and not actor.session:
            policy.require_no_less(actor, locked[0]["id"], scopes.OF_ROLE[actor.role])
        await endings.end(change, [row["id"] for row in locked])


async def sign_out(conn: sql.Connection, actor: Actor) -> None:
    """End the session that asks, in a transaction, and record `session.ended`."""
    async with changing(conn, actor) as change:
        locked = await sql.sessions.lock_sessions(conn, user_id=actor.user_id, session_id=actor.token_id, but=None)
        await endings.end(change, [row["id"] for row in locked])
