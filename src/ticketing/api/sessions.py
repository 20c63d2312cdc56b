"""/session and /sessions"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from ticketing.access import authentication, cookies
from ticketing.access.actors import ANONYMOUS, Actor
from ticketing.access.browsers import recognised
from ticketing.api.answers import gone, listed
from ticketing.contract import Answer, Exchange, InvalidToken
from ticketing.contract.forwarded import UNIX
from ticketing.db import pool, sql
from ticketing.ground import paths
from ticketing.ground.errors import Invalid, SignInRefused
from ticketing.rules import sessions
from ticketing.rules.sessions import Begun, Whence


async def get_session(actor: Actor, exchange: Exchange) -> Answer:
    if actor.id is None:
        return Answer(sessions.NOBODY, headers=cookies.clearing(exchange))
    async with pool.connection() as conn:
        return Answer(await sessions.current(conn, actor))


async def delete_session(actor: Actor, exchange: Exchange) -> Answer:
    if actor.token_id is not None:
        async with pool.transaction() as conn:
            await sessions.sign_out(conn, actor)
    return Answer(None, 204, cookies.clearing(exchange))


async def create_session(body: dict[str, Any], exchange: Exchange) -> Answer:
    before = await _signed_in(exchange)
    async with pool.transaction() as conn:
        begun = await _begun(conn, body, _whence(exchange))
        if begun is not None and before.token_id is not None:
            await sessions.sign_out(conn, before)
    if begun is None:  # Only now, so that the attempt counts.
        raise SignInRefused(
            "This code is wrong, was used, was tried too often, or is too old. Follow the link of its mail, or ask for"
            " another one."
        )
    headers = {"Location": f"{paths.API}/session", "Set-Cookie": cookies.keeping(exchange, begun.secret)}
    return Answer(begun.told, 201, headers)


async def _begun(conn: sql.Connection, body: Mapping[str, Any], whence: Whence) -> Begun | None:
    match body:
        case {"sign_in_code_id": code_id, "code": code, **rest} if not rest:
            return await sessions.begin_with_code(conn, UUID(code_id), code, whence)
        case {"invitation": invitation, **rest} if rest.keys() <= {"name"}:
            return await sessions.begin_by_invitation(conn, invitation, body.get("name"), whence)
        case {"demo_user_id": user_id, **rest} if not rest:
            return await sessions.begin_as_demo(conn, UUID(user_id), whence)
    raise Invalid.at(
        "#",
        "incompatible",
        "Say in one way who you are: by sign_in_code_id and code, by an invitation and a name, or by a demo_user_id.",
    )


async def list_sessions(actor: Actor, limit: int = 25, cursor: str | None = None) -> Answer:
    async with pool.connection() as conn:
        page = await sessions.list_(conn, actor, limit=limit, cursor=cursor)
    return listed(page, "/sessions", limit=limit)


async def end_session(session_id: str, actor: Actor) -> Answer:
    async with pool.transaction() as conn:
        await sessions.end_own(conn, actor, UUID(session_id))
    return gone()


async def end_other_sessions(actor: Actor) -> Answer:
    async with pool.transaction() as conn:
        await sessions.end_own(conn, actor)
    return gone()


async def _signed_in(exchange: Exchange) -> Actor:
    """Who is signed in in the browser already: that session ends with the new one."""
    if (secret := cookies.secret_in(exchange)) is None:
        return ANONYMOUS
    try:
        return await authentication.authenticate_session(secret)
    except InvalidToken:
        return ANONYMOUS


def _whence(exchange: Exchange) -> Whence:
    address = exchange.origin.address
    browser = recognised(exchange.headers.get(b"user-agent", b"").decode("latin-1"))
    return Whence(browser, None if address == UNIX else address, cookies.is_local(exchange))
