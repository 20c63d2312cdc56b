"""The command line: every command, and how errors end it.

A command that fails says so in one sentence on standard error, and exits with 1; with wrong arguments it exits with 2.
Each command imports what it needs when it runs, so that none waits for another's libraries.
"""

from __future__ import annotations

import io
import os
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

from cyclopts import App, CycloptsError, Parameter, validators

from ticketing import __version__
from ticketing.commands.explaining import Explaining
from ticketing.ground.refused import Refused

if TYPE_CHECKING:
    from ticketing.commands import up

Port = Annotated[int, Parameter(validator=validators.Number(gte=0, lte=65535))]
app = App(
    name="ticketing",
    help="""A self-hosted ticketing service whose published OpenAPI contract is the product.

    Settings are read from variables such as TICKETING_DATABASE_URL; `ticketing up` needs none.""",
    version=__version__,
    default_parameter=Parameter(negative=()),
    help_formatter=Explaining(),
    exit_on_error=False,
    print_error=False,
    result_action="return_value",
)
for group, module, purpose in (
    ("user", "commands.users", "Add, list and change people and machines, such as the first admin."),
    ("token", "commands.tokens", "Issue, list and revoke the tokens that users sign in with."),
    ("project", "commands.projects", "Add and list the products that tickets are about."),
    ("jobs", "commands.jobs", "Show background jobs, and intervene."),
    ("search", "commands.search", "Show how current full text is, and read all tickets for it again."),
    ("import", "commands.importing", "Import issues from other systems, with their history."),
):
    app.command(f"ticketing.{module}:app", name=group, help=purpose)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command of the arguments, by default those of the process."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # What a terminal cannot show must not end a command.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        try:
            app(sys.argv[1:] if arguments is None else arguments)
        finally:
            print(end="", flush=True)
    except CycloptsError as error:
        from ticketing.commands import mistakes

        _fail(mistakes.sentence(error), 2)
    except Refused as refusal:
        _fail(str(refusal), 1)
    except BrokenPipeError:
        _leave()
    except OSError as error:
        _fail(f"{error.filename or 'The system'}: {error.strerror or error}.", 1)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        sentence = _said(error)
        if sentence is None:
            raise
        _fail(sentence, 1)


def _said(error: Exception) -> str | None:
    """What is wrong with an argument, or what PostgreSQL or a rule says; None if it is a fault of ours."""
    import psycopg

    from ticketing.commands import console
    from ticketing.contract import Problem
    from ticketing.db import outages

    if isinstance(error, UnicodeEncodeError):
        return "An argument is not UTF-8."
    if isinstance(error, psycopg.Error):
        return f"PostgreSQL cannot be used: {outages.message(error)} {outages.explain(error)}"
    return console.said(error) if isinstance(error, Problem) else None


def _fail(sentence: str, code: int) -> NoReturn:
    print(f"ticketing: {sentence}", file=sys.stderr)
    sys.exit(code)


def _leave() -> NoReturn:
    """End as by SIGPIPE, because the reader of our output has gone; Python must not try to write the rest."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.exit(128 + signal.SIGPIPE)


# Running it ----------------------------------------------------------------------------------------------------------


@app.command(name="up")
def run_everything(*, port: Port = 8080, home: str | None = None, ephemeral: bool = False, json: bool = False) -> None:
    """Run everything here: PostgreSQL, Valkey, the migrations, demo data, the API, a worker.

    For trying it out and for development; nothing else has to be installed or running. Ctrl-C stops it all, and the
    next start keeps the data.

    `. .ticketing/environment` lets other commands find the running servers. With another folder the line differs; it is
    printed as "Shell".

    For example:

        ticketing up --port 0 --ephemeral

    Parameters
    ----------
    port
        Where the API listens, on this machine only; 0 takes any free port.
    home
        The folder of the data: one that it made before, or an empty or new one. By default $TICKETING_HOME, or
        .ticketing here.
    ephemeral
        Use a temporary folder, deleted at the end.
    json
        Print only one line of JSON once everything runs: url, docs_url, tokens by role, and environment (the file for
        other shells).
    """
    from rich.console import Console

    from ticketing.commands import up

    if ephemeral and home is not None:
        raise Refused("--home and --ephemeral exclude each other.")
    if home is not None and not home.strip():
        raise Refused("--home is empty. Name a folder, or leave it out for the usual one.")
    folder = None if ephemeral else (Path(home).absolute() if home else up.default_home())
    progress = Console(stderr=True, highlight=False, soft_wrap=True)
    up.run(port, folder, say=progress.print, announce=_print_json if json else _print_panel)


def _print_json(ready: up.Ready) -> None:
    import orjson

    print(orjson.dumps(ready, default=str).decode(), flush=True)


def _print_panel(ready: up.Ready) -> None:
    from rich.console import Console
    from rich.panel import Panel
    from rich.table import Table

    from ticketing.commands.up import HOME

    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    table.add_column(no_wrap=True, overflow="ignore")
    inside = ready.environment.is_relative_to(Path.cwd() / HOME)
    file = ready.environment.relative_to(Path.cwd()) if inside else ready.environment
    rows = {"URL": ready.url, "Docs": ready.docs_url, **ready.tokens, "Shell": f". {shlex.quote(str(file))}"}
    for label, text in rows.items():
        table.add_row(label, text)
    Console(highlight=False).print(Panel.fit(table, title="Ticketing is ready", subtitle="Ctrl-C stops it"))


@app.command(name="serve")
def run_api(
    *,
    host: str = "127.0.0.1",
    port: Port = 8080,
    workers: Annotated[int, Parameter(validator=validators.Number(gte=1, lte=256))] = 1,
) -> None:
    """Run the API against the servers that the settings name.

    SIGTERM lets running requests finish. SIGHUP starts the same command again on the same socket, and ends this process
    once that serves: no connection is refused. A socket passed by systemd is served instead of the address.

    For example:

        ticketing serve --host 0.0.0.0 --workers 4

    Parameters
    ----------
    host
        The address to listen on.
    port
        The port to listen on.
    workers
        How many processes share the work; one per core is a good start.
    """
    from ticketing.ground.config import settings
    from ticketing.processes import serve

    settings()
    serve.run(host, port, workers)


@app.command(name="work")
def run_worker(
    *,
    processes: Annotated[int, Parameter(validator=validators.Number(gte=1, lte=256))] = 1,
    threads: Annotated[int, Parameter(validator=validators.Number(gte=1, lte=256))] = 8,
    queues: str | None = None,
    host: str = "127.0.0.1",
    port: Port | None = None,
    leashed: Annotated[bool, Parameter(show=False)] = False,
) -> None:
    """Run background jobs, from the servers that the settings name.

    SIGTERM lets running jobs finish; those that take too long are given back. Any number of workers may run.

    For example:

        ticketing work --processes 2 --port 8081

    Parameters
    ----------
    processes
        How many processes share the work; one per core at most.
    threads
        How many jobs of a queue each process runs at once.
    queues
        Only these queues, separated by commas, such as default,webhooks.
    host
        The address to serve health and metrics on.
    port
        The port to serve /health/live, /health/ready and /metrics on; by default none.
    leashed
        End when standard input closes.
    """
    from ticketing.jobs import kinds
    from ticketing.processes import work

    chosen = queues.split(",") if queues else []
    if unknown := sorted(set(chosen) - set(kinds.queues())):
        raise Refused(f"There is no queue {unknown[0]!r}. There are {', '.join(kinds.queues())}.")
    address = None if port is None else (host, port)
    work.run(processes=processes, threads=threads, queues=chosen, address=address, leashed=leashed)


@app.command(name="migrate")
async def run_migrations(*, finish: bool = False, status: bool = False) -> None:
    """Migrate the database's schema to this release, and repair the event log of a restored database.

    It is safe to run several at once, and to run it again. Processes of the release before go on meanwhile. Once the
    last of them has stopped, run it with --finish.

    For example:

        ticketing migrate --status
        ticketing migrate --finish

    Parameters
    ----------
    finish
        Also remove what only processes of an older release need.
    status
        Only show what is applied and what is pending; exits with 1 if anything is pending.
    """
    from ticketing.db import migrate, sessions
    from ticketing.ground.config import settings
    from ticketing.log import upkeep

    said = []

    def say(sentence: str) -> None:
        said.append(sentence)
        print(sentence, flush=True)  # So that a log shows which step is under way.

    url = settings().database_url
    if not status:
        await migrate.migrate(url, finish=finish, say=say)
    async with sessions.opened(url) as conn:
        if not status and await upkeep.mend(conn):
            say("Mended the event log, as this database was restored.")
        current, pending = await migrate.current(conn), await migrate.pending(conn)
        unfinished = await migrate.unfinished(conn)
    if status:
        say(f"Applied up to {current}." if current else "Nothing is applied.")
        for sentence in [f"Pending: {name}." for name in pending] or ["Nothing is pending."]:
            say(sentence)
    if unfinished and not pending:
        say("Once no process of an older release runs, `ticketing migrate --finish` removes what only those need.")
    if not said:
        say("The database is up to date.")
    sys.exit(1 if pending else 0)


@app.command(name="doctor")
async def check_everything(*, mail: bool = False, json: bool = False) -> None:
    """Check the settings, PostgreSQL, the schema, Redis and more, with remedies; exits with 1 if anything is wrong.

    It changes nothing. It checks this machine's view: run it wherever a process of the service runs.

    For example:

        ticketing doctor --json

    Parameters
    ----------
    mail
        Connect to the mail server and sign in, too. Nothing is sent.
    json
        Print one line of JSON for each check: what, passed and finding.
    """
    import orjson

    from ticketing.commands import doctor

    healthy = True
    async for check in doctor.run(mail_server=mail):
        healthy &= check.passed
        if json:
            print(orjson.dumps({"what": check.what, "passed": check.passed, "finding": check.sentences}).decode())
        else:
            print(f"{'ok   ' if check.passed else 'WRONG'}  {check.what}: {check.sentences}")
    sys.exit(0 if healthy else 1)


if __name__ == "__main__":
    main()
