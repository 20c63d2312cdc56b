"""`ticketing import`: tickets from other systems, with their history."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, BinaryIO, Literal, NoReturn

import orjson
import psycopg
from cyclopts import App, Parameter
from psycopg.conninfo import conninfo_to_dict
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ticketing.access.actors import OPERATOR
from ticketing.commands.console import connected, print_table
from ticketing.db import outages, sql
from ticketing.sources import github, labels, repositories
from ticketing.sources.files import FIELDS, NAME, Unreadable
from ticketing.sources.github.fields import NEEDED
from ticketing.sources.issues import Issues, Rules, Source
from ticketing.sources.loading import Loading, Mismatch, Occupied
from ticketing.sources.people import Introduction, UnknownPerson, introductions
from ticketing.sources.report import Report
from ticketing.sources.reversion import NotRevertible, revert

# Also for locks, because another import may be running; but not for ever, so that a forgotten transaction is noticed.
PATIENCE = {"statement_timeout": "120s", "lock_timeout": "60s", "idle_in_transaction_session_timeout": "60s"}

app = App(name="import")


@app.command(name="github")
async def import_github(
    file: Annotated[Path, Parameter(allow_leading_hyphen=True)],
    /,
    *,
    project: str,
    repository: str | None = None,
    without: list[str] = [],  # noqa: B006 - it is only read
    default_type: Literal["bug", "feature_request", "support"] = "support",
    update: bool = False,
    people: Path | None = None,
    map: Path | None = None,
    database_url: str | None = None,
    dry_run: bool = False,
    json: bool = False,
) -> None:
    """Import the issues of a GitHub repository.

    In a clone of the repository, this makes the FILE:

        gh issue list --state all --limit 1000000 --json number,title,body,state,stateReason,labels,author,assignees,createdAt,updatedAt,closedAt,comments,milestone,reactionGroups,url > issues.json

    It also reads answers of GitHub's REST API, `--slurp`, `--paginate`, one object per line, and gzip; `-` is standard
    input.

    Issues become tickets with the same people and timestamps. An endpoint gets webhooks only for what happened after it
    was made: none for old issues, but for newer ones in a later run. The number on GitHub stays as the external
    reference. Labels become tags; some also set the type (bug, enhancement, question, …) or the resolution (duplicate,
    invalid, wontfix, …). A closed issue that gives no reason counts as fixed, shipped or answered.

    The report names what was changed or left out, and what was edited there and stays different here.
    docs/importing.md has the details.

    Run it again with a newer file: it adds new comments and applies what was closed or reopened since. After an
    interruption it continues where it stopped.

    Exits with 0 if all went well, with 1 if there were bad entries or comments or the database failed, and with 2,
    having written nothing, if the file, the project or the repository is not clear.

    For example:

        ticketing import github issues.json --project media-server --dry-run
        ticketing import github issues.json --project media-server --repository octo/cat --without stateReason

    Parameters
    ----------
    file
        The file, or `-`.
    project
        The key of the project that takes the issues.
    repository
        Such as `owner/name`, or its URL; needed if the file has no `url` that gives it.
    without
        Fields that may be missing from the whole file: separated by commas, or repeat the option.
    default_type
        The type of issues whose labels do not give one. If the project does not take it, one that it takes.
    update
        Apply what was edited there since the last import, unless it was changed here as well.
    people
        A file that maps logins to users, in lines like `octocat,ada@example.com`.
    map
        A file to write: which issue became which ticket, as lines of `repository,issue,ticket`.
    database_url
        PostgreSQL, as a postgresql:// URL, in place of `TICKETING_DATABASE_URL`.
    dry_run
        Only report what would happen.
    json
        Report in one line of JSON.
    """  # noqa: E501 - the command cannot be broken
    missing = _fields(without)
    if map and not dry_run:
        _check_writable(map)
    try:
        async with _connected(database_url, writes=not dry_run) as conn:
            rules = await _rules(conn, project, default_type)
            with _opened(file) as opened:
                reading = github.read(
                    opened,
                    rules,
                    without=missing,
                    repository=repositories.canonical(repository or ""),
                    name=NAME if str(file) == "-" else _utf8(str(file)),
                )
            source = repositories.source(_repository(file, repository, reading))
            introduced: Sequence[Introduction] = ()
            if people:
                with _opened(people) as opened:
                    introduced = await introductions(conn, opened.read().decode())
            with _progress(len(reading.issues)) as advance:
                loading = Loading(
                    conn,
                    source,
                    project,
                    update=update,
                    introduced=introduced,
                    dry_run=dry_run,
                )
                loaded = await loading.load(reading.issues, _utf8(file.name), advance)
            numbers = await _numbers(conn, source) if map and not dry_run else {}
    except UnknownPerson as error:
        _fail(f"{people} cannot be used. {error}", 2)
    except Occupied as error:
        _fail(str(error), 1)
    except UnicodeDecodeError:
        _fail(f"{people} cannot be used. It is not UTF-8.", 2)
    except (Unreadable, github.Missing, Mismatch) as error:
        _fail(f"{file} cannot be imported. {error}", 2)
    if map and not dry_run:
        _write_map(map, source, reading.issues, numbers)
    report = Report(reading, loaded, source.name, dry_run)
    if json:
        sys.stdout.buffer.write(report.json() + b"\n")
    else:
        print(_utf8(report.text()))
    sys.exit(1 if report.bad() else 0)


def _check_writable(file: Path) -> None:
    try:
        file.open("a").close()
    except OSError as error:
        _fail(f"{file} cannot be written: {error.strerror}.", 2)


async def _numbers(conn: sql.Connection, source: Source) -> dict[str, int]:
    """The ticket numbers of a source's issues."""
    rows = await sql.imports.list_imported_issues(conn, source=source.name)
    return {row["id"]: row["ticket"] for row in rows if row["imported"]}


def _write_map(file: Path, source: Source, issues: Issues, numbers: dict[str, int]) -> None:
    """Write which issue of the file became which ticket: all of it, or nothing."""
    repository = source.name.removeprefix("github:")
    lines = [f"{repository},{issue.id},{numbers[issue.id]}\n" for issue in issues.heads if issue.id in numbers]
    text = "".join(["repository,issue,ticket\n", *lines])
    if not file.is_file():  # Such as /dev/stdout: there is nothing to replace.
        file.write_text(text, encoding="utf-8")
        return
    file = file.resolve()
    written = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        written.write_text(text, encoding="utf-8")
        written.chmod(stat.S_IMODE(file.stat().st_mode))
        written.replace(file)
    except OSError as error:
        written.unlink(missing_ok=True)
        _fail(f"{file} cannot be written: {error.strerror}. The import is done; run it again for the map.", 1)


def _fields(without: list[str]) -> set[str]:
    """The fields that may be missing."""
    named = {name.strip() for each in without for name in each.split(",")}
    possible = [name for name in FIELDS.split(",") if name not in NEEDED]
    if unknown := sorted(named - set(possible)):
        _fail(f"--without cannot leave out {', '.join(unknown)}. It can: {', '.join(possible)}.", 2)
    return named


def _repository(file: Path, given: str | None, reading: github.Reading) -> str:
    """The name of the issues' repository, from the file or the option."""
    found = sorted(reading.repositories)
    if len(found) > 1:
        _fail(
            f"{file} holds issues of several repositories, {', '.join(found)}. Import each from a file of its own.", 2
        )
    some = ", ".join(reading.homeless[:3]) + (" and others" if len(reading.homeless) > 3 else "")
    if given is None:
        if found and reading.homeless:
            _fail(
                f"{file} holds issues of {found[0]}, but issue {some} has no url that says where it is from. If all "
                f"are of this repository, say so: --repository {found[0]}",
                2,
            )
        if not found:
            _fail(
                f"{file} does not say which repository its issues are from. Name it: --repository owner/name. "
                "A file with the field url needs no option.",
                2,
            )
        return found[0]
    repository = repositories.canonical(given)
    if repository is None:
        _fail(f"{given!r} is not a repository. Name it like --repository owner/name, or by its URL.", 2)
    if found and found != [repository]:
        _fail(f"{file} holds issues of {found[0]}, not of {repository}, which --repository names.", 2)
    if found:
        for issue in reading.homeless:
            reading.notes.add("no url tells the repository, so that --repository does", issue)
    return repository


@app.command(name="list")
async def list_imports(*, database_url: str | None = None, json: bool = False) -> None:
    """List the imports that have run, newest first.

    For example:

        ticketing import list

    Parameters
    ----------
    database_url
        PostgreSQL, as a postgresql:// URL, in place of `TICKETING_DATABASE_URL`.
    json
        Print one line of JSON per import.
    """
    async with _connected(database_url, writes=False) as conn:
        runs = await sql.imports.list_runs(conn, run=None)
    if json:
        sys.stdout.buffer.write(b"".join(orjson.dumps(run) + b"\n" for run in runs))
        return
    print_table(runs, ("number", "status", "source", "project", "file", "started_at", "created", "updated", "comments"))


@app.command(name="revert")
async def revert_import(run: int, /, *, database_url: str | None = None, json: bool = False) -> None:
    """Revert an import: remove the tickets that it made, and the comments that it added to others.

    Whatever somebody here has touched since is kept, and the report says so. The feed has a `ticket.deleted` for each
    removed ticket. What the import closed, reopened or edited on tickets of earlier imports stays so.

    For example:

        ticketing import revert 3

    Parameters
    ----------
    run
        The number of the import, as `ticketing import list` shows it.
    database_url
        PostgreSQL, as a postgresql:// URL, in place of `TICKETING_DATABASE_URL`.
    json
        Report in one line of JSON.
    """
    try:
        async with _connected(database_url) as conn:
            reversion = await revert(conn, run)
    except (NotRevertible, Occupied) as error:
        _fail(str(error), 1)
    if json:
        sys.stdout.buffer.write(reversion.json() + b"\n")
    else:
        print(reversion.text())


@asynccontextmanager
async def _connected(database_url: str | None, *, writes: bool = True) -> AsyncIterator[sql.Connection]:
    """A session on a database that is up to date; one of its own, with locks, if it writes."""
    if database_url is not None:
        _check_url(database_url)
    try:
        async with connected(database_url, own=writes, **PATIENCE) as conn:
            yield conn
    except psycopg.Error as error:
        sentence = f"PostgreSQL cannot be used: {outages.message(error)} {outages.explain(error)}"
        _fail(sentence + " What is done stays; the next run continues from there." * writes, 1)


def _fail(text: str, code: int) -> NoReturn:
    print(f"ticketing: {_utf8(text)}", file=sys.stderr)
    sys.exit(code)


def _utf8(text: str) -> str:
    """A file's name as it can be printed and stored: it may be any bytes."""
    return text.encode(errors="backslashreplace").decode().replace("\0", "\ufffd")


@contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    """A file, or standard input, read as far as needed."""
    try:
        if str(file) == "-":
            if sys.stdin is None:
                _fail("Standard input is closed. Name a file, or redirect one to it.", 2)
            yield sys.stdin.buffer
        else:
            with file.open("rb") as opened:
                yield opened
    except OSError as error:
        _fail(f"{file} cannot be read: {error.strerror}.", 2)


def _check_url(url: str) -> None:
    try:
        conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        _fail("The URL of the database cannot be read. Give it as postgresql://user:password@host/name.", 2)


async def _rules(conn: sql.Connection, project: str, default_type: sql.TicketType) -> Rules:
    place = await sql.projects.get_project(conn, key=project, **OPERATOR.staffing())
    if place is None:
        _fail(f"There is no project {project!r}. Create it first, or name another with --project.", 2)
    if place["archived"]:
        _fail(f"The project {project!r} is archived and takes no tickets. Name another with --project.", 2)
    types = place["ticket_types"]
    usable = [type_ for type_ in (default_type, *labels.TYPES) if type_ in types]
    return Rules(types=types, default_type=usable[0], now=datetime.now(UTC))


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], object]]:
    """A progress bar on standard error, if that is a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("Issues", total=total)
        yield lambda count: progress.advance(task, count)
