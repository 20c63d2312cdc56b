"""`ticketing user`: people and machines, such as the first admin."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from cyclopts import App

from ticketing.access.actors import OPERATOR
from ticketing.commands.console import Limit, connected, judged, print_one, print_page, user_named
from ticketing.ground.refused import Refused
from ticketing.rules import invitations, users
from ticketing.writing.idempotency import Claim

# As in sql.pyi, which does not exist at run time.
Role = Literal["requester", "agent", "admin"]

app = App(name="user")


@app.command(name="create")
async def create_user(
    *,
    name: str,
    email: str | None = None,
    role: Role = "requester",
    service_account: bool = False,
    json: bool = False,
) -> None:
    """Add a user, and print their id.

    For example:

        ticketing user create --name "Ada Okonkwo" --email ada@example.com --role admin

    Parameters
    ----------
    name
        The name that others see.
    email
        Where mail reaches them. Only service accounts may have none.
    role
        Requesters see their own tickets, agents all of them; admins also manage users and projects.
    service_account
        The user is a machine.
    json
        Print the user as a JSON object.
    """
    given = judged("UserCreate", name=name, email=email, role=role, service_account=service_account)
    async with connected() as conn:
        user = await users.create(conn, OPERATOR, claim=Claim(), **given)
    if json:
        print_one(user, json=True)
    else:
        print(user["id"])


@app.command(name="invite")
async def invite_user(
    *,
    name: str,
    email: str,
    role: Role = "requester",
    project: list[str] | None = None,
    locale: str | None = None,
    json: bool = False,
) -> None:
    """Invite somebody by mail, and print the link that the mail holds.

    For example:

        ticketing user invite --name "Lena Vogt" --email lena@example.com --role agent --project media-server

    Parameters
    ----------
    name
        The name that others see, until they choose another.
    email
        Where the mail goes.
    role
        Requesters see their own tickets, agents all of them; admins also manage users and projects.
    project
        A project that the agent is to staff; may be repeated. Without it, all of them.
    locale
        The language of the mail: en, de or ar.
    json
        Print the invitation as a JSON object.
    """
    given = judged("InvitationCreate", name=name, email=email, role=role, projects=project, locale=locale)
    async with connected() as conn, conn.transaction():
        invitation, link = await invitations.create(conn, OPERATOR, claim=Claim(), **given)
    if json:
        print_one(invitation, json=True)
    else:
        print(link)


@app.command(name="list")
async def list_users(
    *,
    role: Role | None = None,
    name: str | None = None,
    email: str | None = None,
    limit: Limit = 50,
    json: bool = False,
) -> None:
    """List users, in the order in which they were added.

    For example:

        ticketing user list --role admin

    Parameters
    ----------
    role
        Only users with this role.
    name
        Only users whose name or e-mail address contains this.
    email
        Only the user with this e-mail address.
    limit
        How many at most.
    json
        Print a JSON array.
    """
    async with connected() as conn:
        page = await users.list_(conn, OPERATOR, role=[role] if role else None, name=name, email=email, limit=limit)
    print_page(page, ("id", "name", "email", "role", "service_account", "active"), json=json)


@app.command(name="show")
async def show_user(user: str, *, json: bool = False) -> None:
    """Show a user.

    For example:

        ticketing user show ada@example.com

    Parameters
    ----------
    user
        The user's e-mail address, or id.
    json
        Print a JSON object.
    """
    async with connected() as conn:
        print_one(await user_named(conn, user), json=json)


@app.command(name="update")
async def update_user(
    user: str,
    *,
    name: str | None = None,
    email: str | None = None,
    role: Role | None = None,
    json: bool = False,
) -> None:
    """Change a user's name, e-mail address or role.

    An admin who gets another role loses the tokens that hold the scope admin.

    For example:

        ticketing user update ada@example.com --role agent

    Parameters
    ----------
    user
        The user's e-mail address, or id.
    name
        Another name.
    email
        Another e-mail address.
    role
        Another role.
    json
        Print a JSON object.
    """
    if name is None and email is None and role is None:
        raise Refused("Say what is to change: --name, --email or --role.")
    await _update(user, json=json, name=name, email=email, role=role)


@app.command(name="deactivate")
async def deactivate_user(user: str, *, json: bool = False) -> None:
    """Stop a user from signing in, and revoke their tokens for good. Their tickets and comments stay.

    For example:

        ticketing user deactivate ada@example.com

    Parameters
    ----------
    user
        The user's e-mail address, or id.
    json
        Print a JSON object.
    """
    await _update(user, json=json, active=False)


@app.command(name="activate")
async def activate_user(user: str, *, json: bool = False) -> None:
    """Let a user sign in again, with new tokens.

    For example:

        ticketing user activate ada@example.com

    Parameters
    ----------
    user
        The user's e-mail address, or id.
    json
        Print a JSON object.
    """
    await _update(user, json=json, active=True)


async def _update(user: str, *, json: bool, **fields: str | bool | None) -> None:
    patch = judged("UserPatch", **fields)
    async with connected() as conn, conn.transaction():
        found = await user_named(conn, user)
        changed = await users.update(conn, OPERATOR, UUID(str(found["id"])), patch)
    print_one(changed, json=json)
