"""What commands share: a connection, validation by the contract, and output."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any
from uuid import UUID

import orjson
from cyclopts import Parameter, validators
from psycopg.types.json import set_json_loads

from ticketing.contract import Problem
from ticketing.db import migrate, sessions, sql
from ticketing.ground.config import settings
from ticketing.ground.refused import Refused
from ticketing.writing import judging, paging

Limit = Annotated[int, Parameter(validator=validators.Number(gte=1, lte=10_000))]

#: Options whose names differ from the contract's.
OPTIONS = {"scopes": "scope", "projects": "project", "expires_at": "expires", "ticket_types": "ticket-type"}


@asynccontextmanager
async def connected(url: str | None = None, *, own: bool = False, **limits: str) -> AsyncIterator[sql.Connection]:
    """A session (sessions.py) on a database that is up to date, by default that of the settings. Raises Refused."""
    set_json_loads(orjson.loads)
    async with sessions.opened(url or settings().database_url, own=own, **limits) as conn:
        if await migrate.pending(conn):
            raise Refused("The database lacks migrations. Run `ticketing migrate` first.")
        yield conn


def judged(schema: str, **given: Any) -> dict[str, Any]:
    """The given options, normalised and validated by a schema of the contract, as the API does with a body.

    Options that are None were not given. Raises ValidationFailed, Refused.
    """
    body = {name: value for name, value in given.items() if value is not None}
    for name, option in body.items():
        if isinstance(option, str) and any("\ud800" <= character <= "\udfff" for character in option):
            raise Refused(f"{_option(name)}: these bytes are not UTF-8.")
    return judging.judged(schema, body)


def said(problem: Problem) -> str:
    """A problem as the command line prints it: each fault with its option. It acts for no user, and sees everything."""
    faults = [f"{_option(fault.pointer)}: {fault.detail}" for fault in problem.errors if fault.pointer]
    return (" ".join(faults) or problem.detail).replace(" that you may see", "")


def _option(pointer: str) -> str:
    name = pointer.removeprefix("#/").partition("/")[0]
    return "--" + OPTIONS.get(name, name).replace("_", "-")


async def user_named(conn: sql.Connection, name: str) -> sql.User:
    """The user with an id, or with an e-mail address. Raises Refused."""
    try:
        user = await sql.users.get_user(conn, user_id=UUID(name))
    except ValueError:
        user = await sql.users.get_user_by_email(conn, email=name)
    if user is None:
        raise Refused(f"There is no user {name}. `ticketing user list` shows who there is.")
    return user


def confirm(what: str, *, yes: bool) -> None:
    """Continue only if the user confirms at the terminal, or gave --yes. Raises Refused."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise Refused(f"{what} Say --yes to do it.")
    print(f"{what} Do it? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Refused("Nothing was done.")


def print_page(page: paging.Page, columns: Sequence[str], *, json: bool) -> None:
    """Print a page as a table of some columns, or as a JSON array; on standard error, say if there are more items."""
    if page["next"] is not None:
        print("There are more. --limit says how many to show.", file=sys.stderr)
    if json:
        print(orjson.dumps(page["items"], option=orjson.OPT_INDENT_2).decode())
    else:
        print_table(page["items"], columns)


def print_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Print some columns of rows, under their names."""
    # Not a table of rich, which would cut ids to the terminal's width, so that they could not be copied.
    head = [column.replace("_", " ") for column in columns]
    body = [[_text(_last_error(row) if column == "error" else row[column]) for column in columns] for row in rows]
    widths = [max(map(len, cells)) for cells in zip(head, *body, strict=True)]
    for line in (head, *body):
        print("  ".join(f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)).rstrip())


def print_one(row: Mapping[str, Any], *, json: bool) -> None:
    """Print a line per field, or a JSON object."""
    if json:
        print(orjson.dumps(row, option=orjson.OPT_INDENT_2).decode())
        return
    width = max(map(len, row))
    for name, value in row.items():
        if name == "errors":
            continue
        print(f"{name.replace('_', ' '):{width}}  {_text(value)}")
    for error in row.get("errors", ()):
        print(f"attempt {error['attempt']}, {error['at']}: {error['error']}")


def _last_error(row: Mapping[str, Any]) -> str:
    return str(row["errors"][-1]["error"]) if row["errors"] else ""


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " ".join(map(_text, value))
    return orjson.dumps(value).decode() if isinstance(value, dict) else str(value)
