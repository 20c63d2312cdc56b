"""`ticketing project`: the products that tickets are about."""

from __future__ import annotations

from typing import Literal

from cyclopts import App

from ticketing.access.actors import OPERATOR
from ticketing.commands.console import Limit, connected, judged, print_one, print_page
from ticketing.rules import projects
from ticketing.writing.idempotency import Claim

# As in sql.pyi, which does not exist at run time.
Visibility = Literal["public", "private"]
TicketType = Literal["bug", "feature_request", "support"]

app = App(name="project")


@app.command(name="create")
async def create_project(
    *,
    key: str,
    name: str,
    description: str | None = None,
    visibility: Visibility = "private",
    ticket_type: list[TicketType] | None = None,
    language: str | None = None,
    json: bool = False,
) -> None:
    """Add a project, and print its key.

    For example:

        ticketing project create --key media-server --name "Media server" --visibility public

    Parameters
    ----------
    key
        Its name in addresses: lower-case letters, digits and hyphens.
    name
        The name that people see.
    description
        What it is.
    visibility
        Who sees it: everybody, or only agents and admins.
    ticket_type
        A type of ticket that it takes; repeat the option for several. By default all.
    language
        The language that its tickets are mostly written in, as `de`, by which search finds words in all their forms;
        `other` for one that has no rules here. By default `en`.
    json
        Print the project as a JSON object.
    """
    given = judged(
        "ProjectCreate",
        key=key,
        name=name,
        description=description,
        visibility=visibility,
        ticket_types=ticket_type,
        language=language,
    )
    async with connected() as conn:
        project = await projects.create(conn, OPERATOR, claim=Claim(), **given)
    if json:
        print_one(project, json=True)
    else:
        print(project["key"])


@app.command(name="list")
async def list_projects(*, limit: Limit = 50, json: bool = False) -> None:
    """List the projects by key.

    For example:

        ticketing project list

    Parameters
    ----------
    limit
        How many at most.
    json
        Print a JSON array.
    """
    async with connected() as conn:
        page = await projects.list_(conn, OPERATOR, limit=limit)
    print_page(page, ("key", "name", "visibility", "ticket_types", "archived"), json=json)
