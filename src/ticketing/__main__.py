"""The command line: every command, and how its errors end.

What a command cannot do it says in one sentence on standard error. It ends with 1 then, and with 2 if it was not
called rightly.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, get_args

import psycopg
import uuid_utils.compat as uuids
from cyclopts import App, CycloptsError, Parameter
from psycopg.errors import UniqueViolation
from redis.asyncio import Redis
from redis.exceptions import RedisError
from rich.console import Console

from ticketing import auth, db, migrate, serve, sql, tokens, up
from ticketing.config import InvalidSetting, settings
from ticketing.contract import Problem
from ticketing.embedded import EmbeddedError
from ticketing.idempotency import Claim
from ticketing.importing.cli import app as import_app
from ticketing.migrate import MigrationError

UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
LONGEST_NAME = 200

app = App(
    name="ticketing",
    help="A self-hosted ticketing service whose published OpenAPI contract is the product.",
    help_epilogue="Settings are read from TICKETING_* variables; `ticketing up` needs none.",
    version=version("ticketing"),
    exit_on_error=False,
    print_error=False,
    result_action="return_value",
)
user_app = App(name="user", help="Add people and machines, the first admin among them.")
token_app = App(name="token", help="Issue tokens, which users sign in with.")
for group in (user_app, token_app, import_app):
    app.command(group)


class Refused(Exception):
    """A command cannot do what it was asked; the message says why."""


def main() -> None:
    """Run the command that the arguments name."""
    try:
        app()
    except CycloptsError as error:
        _fail(f"{error} See `ticketing --help`.", 2)
    except (InvalidSetting, MigrationError, EmbeddedError, up.CannotStart, serve.CannotServe, Refused) as error:
        _fail(str(error), 1)
    except Problem as problem:
        _fail(problem.detail, 1)
    except psycopg.OperationalError as error:
        _fail(f"PostgreSQL cannot be used: {_first_line(error)}", 1)
    except KeyboardInterrupt:
        sys.exit(130)
