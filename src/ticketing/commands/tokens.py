"""`ticketing token`: the tokens that users sign in with."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

from cyclopts import App

from ticketing.access.actors import OPERATOR
from ticketing.access.scopes import Scope
from ticketing.commands.console import Limit, connected, judged, print_one, print_page, user_named
from ticketing.db import sql
from ticketing.ground.refused import Refused
from ticketing.rules import tokens
from ticketing.writing.idempotency import Claim

UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}

app = App(name="token")


@app.command(name="create")
async def create_token(
    *,
    user: str,
    name: str,
    scope: list[Scope] | None = None,
    expires: str | None = None,
    json: bool = False,
) -> None:
    """Issue a token for a user, and print it; it cannot be looked up again.

    For example:

        ticketing token create --user ada@example.com --name laptop --scope tickets:read --expires 30d

    Parameters
    ----------
    user
        The user's e-mail address, or id.
    name
        What it is for.
    scope
        What it may do; repeat the option for several. By default tickets:read and tickets:write. Only an admin's token
        can hold admin.
    expires
        When it stops working: minutes, hours or days from now, such as 45m, 12h or 30d, or a time such as
        2027-01-31T12:00:00Z. By default, never.
    json
        Print a JSON object, with the secret as token.
    """
    given = judged(
        "TokenCreate", name=name, scopes=scope or ["tickets:read", "tickets:write"], expires_at=_moment(expires)
    )
    async with connected() as conn:
        owner = await user_named(conn, user)
        token = await tokens.create_for(conn, OPERATOR, UUID(str(owner["id"])), claim=Claim(), **given)
    if json:
        print_one(token, json=True)
    else:
        print(token["token"])


@app.command(name="list")
async def list_tokens(*, user: str, limit: Limit = 50, json: bool = False) -> None:
    """List a user's tokens, oldest first, without their secrets.

    For example:

        ticketing token list --user ada@example.com

    Parameters
    ----------
    user
        The user's e-mail address, or id.
    limit
        How many at most.
    json
        Print a JSON array.
    """
    async with connected() as conn:
        owner = await user_named(conn, user)
        page = await tokens.list_(conn, OPERATOR, UUID(str(owner["id"])), limit=limit)
    print_page(page, ("id", "name", "prefix", "scopes", "expires_at", "last_used_at", "revoked_at"), json=json)


@app.command(name="revoke")
async def revoke_token(token_id: UUID, *, children: bool = False, json: bool = False) -> None:
    """Revoke a token at once, whoever it belongs to. This cannot be undone.

    If it has leaked, revoke its children too: whoever had it may have made others with it.

    For example:

        ticketing token revoke 01a20cff-7d00-7869-8c3a-f015e6294ff6 --children

    Parameters
    ----------
    token_id
        Its id, as in `ticketing token list`.
    children
        Also revoke the tokens that were made with it, and with those in turn.
    json
        Print a JSON object with how many were revoked.
    """
    async with connected() as conn, conn.transaction():
        owner = await sql.tokens.get_token_owner(conn, token_id=token_id)
        if owner is None:
            raise Refused(f"There is no token {token_id}.")
        count = await tokens.revoke(conn, OPERATOR, token_id, owner, children=children)
    if json:
        print_one({"revoked": count}, json=True)
    else:
        print(f"Revoked {count} {'token' if count == 1 else 'tokens'}." if count else "It had been revoked before.")


def _moment(expires: str | None) -> str | None:
    """The end of a time that starts now, such as `30d`; a timestamp is returned unchanged."""
    span = re.fullmatch(r"([0-9]{1,6})([mhd])", expires or "")
    if span:
        return (datetime.now(UTC) + int(span[1]) * UNITS[span[2]]).isoformat(timespec="milliseconds")
    if expires is not None and not re.match(r"[0-9]{4}-", expires):
        raise Refused(f"--expires: {expires!r} is not a time. Write 45m, 12h, 30d, or 2027-01-31T12:00:00Z.")
    return expires
