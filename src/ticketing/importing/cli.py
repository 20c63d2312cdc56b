"""`ticketing import`: what people wrote elsewhere, brought here with its history."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import orjson
import psycopg
from cyclopts import App, Parameter
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ticketing import migrate, sql
from ticketing.checks import sentence
from ticketing.config import settings
from ticketing.importing import github
from ticketing.importing.issues import Bad, Rules, Source
from ticketing.importing.loading import Loaded, load

# Also of a lock, as another import may be running; but not for ever, so that a forgotten transaction is noticed.
PATIENCE = "-c statement_timeout=120s -c lock_timeout=60s -c idle_in_transaction_session_timeout=60s"

app = App(name="import", help="Bring issues here from elsewhere, with their history.")


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a file."""

    reading: github.Reading
    loaded: Loaded
    dry_run: bool

    def bad(self) -> list[Bad]:
        """What was not imported, in the order of the file."""
        return sorted(self.reading.bad + self.loaded.bad, key=lambda bad: bad.index)

    def figures(self) -> dict[str, int]:
        """How many entries became what."""
        loaded = self.loaded
        return {"created": loaded.created, "updated": loaded.updated, "unchanged": loaded.unchanged}

    def json(self) -> bytes:
        """In one line, for machines."""
        return orjson.dumps(
            {
                "dry_run": self.dry_run,
                "issues": self._entries(),
                **self.figures(),
                "comments": self.loaded.comments,
                "people": len(self.loaded.people),
                "bad": self.bad(),
                "notes": sorted(self.reading.notes),
            }
        )

    def text(self) -> str:
        """In sentences, for people."""
        bad, notes = self.bad(), sorted(self.reading.notes)
        figures = {**self.figures(), "bad": len(bad)}
        lines = [
            f"{self._entries():,} issues: {', '.join(f'{count:,} {what}' for what, count in figures.items())}.",
            f"{self.loaded.comments:,} comments and {len(self.loaded.people):,} people added.",
        ]
        if bad:
            lines.append("Bad entries, by their position in the file, from 0 on:")
            lines += [f"  {each.index} (issue {each.number or 'unknown'}): {each.reason}." for each in bad]
        if notes:
            lines.append("What did not fit:")
            lines += [f"  {note[0].upper()}{note[1:]}." for note in notes]
        if self.dry_run:
            lines.append("This was a dry run: nothing was written.")
        return "\n".join(lines)

    def _entries(self) -> int:
        return len(self.reading.issues) + len(self.reading.bad)


@app.command(name="github")
async def import_github(
    file: Annotated[Path, Parameter(allow_leading_hyphen=True)],
    /,
    *,
    project: str,
    repository: str | None = None,
    default_type: Literal["bug", "feature_request", "support"] = "support",
    database_url: str | None = None,
    dry_run: bool = False,
    json: bool = False,
) -> None:
    """Import the issues of a GitHub repository.

    FILE is what `gh issue list --state all --limit 100000 --json
    number,title,body,state,stateReason,labels,author,assignees,createdAt,updatedAt,closedAt,comments` prints, gzipped
    or not; `-` reads standard input. `stateReason` may be missing.

    Issues become tickets with the same people and moments; nobody is notified. The number on GitHub stays as the
    external reference. Labels become tags; some also tell the type (bug, enhancement, question, …) or the resolution
    (duplicate, invalid, wontfix, …). A closed issue that says no more counts as fixed, shipped or answered.

    Run again with a newer file, it adds the new comments and takes over what was closed or reopened since; interrupted,
    it goes on where it stopped. Ends with 1 if there were bad entries, which it reports, or if the database failed.

    Parameters
    ----------
    file
        The file, or `-`.
    project
        The key of the project that takes the issues.
    repository
        Such as `owner/name`; needed if issues of several repositories are imported, to tell their numbers apart.
    default_type
        The type of issues whose labels do not tell. If the project does not take it, one that it takes.
    database_url
        PostgreSQL, as a postgresql:// URL, in place of `TICKETING_DATABASE_URL`.
    dry_run
        Only report what would happen.
    json
        Report in one line of JSON.
    """
    source = Source("github", f"github:{repository}" if repository else "github")
    data = _data(file)
    try:
        async with await AsyncConnection.connect(_patient(database_url or settings().database_url)) as conn:
            await conn.set_autocommit(True)
            reading = github.read(data, await _rules(conn, project, default_type))
            with _progress(len(reading.issues)) as advance:
                loaded = await load(conn, reading.issues, source, project, dry_run=dry_run, advance=advance)
    except github.Unreadable as error:
        _fail(f"{file} cannot be imported. {error}", 2)
    except psycopg.OperationalError as error:
        _fail(
            f"PostgreSQL cannot be used: {sentence(error)} What is imported stays; the next run goes on from there.", 1
        )
    report = Report(reading, loaded, dry_run)
    if json:
        sys.stdout.buffer.write(report.json() + b"\n")
    else:
        print(report.text())
    sys.exit(1 if report.bad() else 0)


def _fail(text: str, code: int) -> NoReturn:
    print(f"ticketing: {text}", file=sys.stderr)
    sys.exit(code)


def _data(file: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        _fail(f"{file} cannot be read: {error.strerror}.", 2)


def _patient(url: str) -> str:
    try:
        options = conninfo_to_dict(url).get("options") or ""
    except psycopg.ProgrammingError:
        _fail("The URL of the database cannot be read. Give it as postgresql://user:password@host/name.", 2)
    return make_conninfo(url, application_name="ticketing", options=f"{PATIENCE} {options}".rstrip())


async def _rules(conn: sql.Connection, project: str, default_type: sql.TicketType) -> Rules:
    if await migrate.pending(conn):
        _fail("The database lacks migrations. Run `ticketing migrate` first.", 1)
    place = await sql.projects.get_project(conn, key=project, staff=True)
    if place is None:
        _fail(f"There is no project {project!r}. Create it first, or name another with --project.", 2)
    types = place["ticket_types"]
    taken = [type_ for type_ in (default_type, *github.TYPES) if type_ in types]
    return Rules(types=types, default_type=taken[0])


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], object]]:
    """A bar on standard error, if that is a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("Issues", total=total)
        yield lambda count: progress.advance(task, count)
