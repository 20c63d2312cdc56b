"""`ticketing import`: what people wrote elsewhere, brought here with its history."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import orjson
from cyclopts import App, Parameter
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ticketing import db, sql
from ticketing.config import settings
from ticketing.contract import Problem
from ticketing.importing import github
from ticketing.importing.issues import Bad, Rules, Source
from ticketing.importing.loading import Loaded, load

# A batch takes longer than a request may, and waits for an import that is running already.
PATIENCE = "-c statement_timeout=120s -c lock_timeout=60s -c idle_in_transaction_session_timeout=60s"

app = App(name="import", help="Bring issues here from elsewhere, with their history.")


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a file."""

    issues: int
    loaded: Loaded
    bad: list[Bad]
    notes: list[str]
    dry_run: bool

    def json(self) -> bytes:
        """In one line, for machines."""
        counts = {name: getattr(self.loaded, name) for name in ("created", "updated", "unchanged", "comments")}
        return orjson.dumps(
            {
                "dry_run": self.dry_run,
                "issues": self.issues,
                **counts,
                "people": len(self.loaded.people),
                "bad": self.bad,
                "notes": self.notes,
            }
        )

    def text(self) -> str:
        """In sentences, for people."""
        loaded = self.loaded
        counts = {
            "created": loaded.created,
            "updated": loaded.updated,
            "unchanged": loaded.unchanged,
            "bad": len(self.bad),
        }
        lines = [
            f"{self.issues:,} issues: {', '.join(f'{count:,} {what}' for what, count in counts.items())}.",
            f"{loaded.comments:,} comments and {len(loaded.people):,} people added.",
        ]
        if self.bad:
            lines.append("Bad entries, by their position in the file, from 0 on:")
            lines += [f"  {bad.index} (issue {bad.number or 'unknown'}): {bad.reason}." for bad in self.bad]
        if self.notes:
            lines.append("What did not fit:")
            lines += [f"  {note[0].upper()}{note[1:]}." for note in self.notes]
        if self.dry_run:
            lines.append("This was a dry run: nothing was written.")
        return "\n".join(lines)


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
    data = _data(file)
    url = database_url or settings().database_url
    source = Source("github", f"github:{repository}" if repository else "github")
    try:
        report = await _import(data, url, source, project, default_type, dry_run)
    except github.Unreadable as error:
        _fail(f"{file} cannot be imported. {error}", 2)
    except _NoProject:
        _fail(f"There is no project {project!r}. Create it first, or name another with --project.", 2)
    except Problem as problem:
        _fail(f"{problem.detail} Run the same command again: it goes on where it stopped.", 1)
    if json:
        sys.stdout.buffer.write(report.json() + b"\n")
    else:
        print(report.text())
    sys.exit(1 if report.bad else 0)


class _NoProject(Exception):
    """The project does not exist."""


def _fail(sentence: str, code: int) -> NoReturn:
    print(f"ticketing: {sentence}", file=sys.stderr)
    sys.exit(code)


def _data(file: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        _fail(f"{file} cannot be read: {error.strerror}.", 2)


async def _import(
    data: bytes, url: str, source: Source, project: str, default_type: sql.TicketType, dry_run: bool
) -> Report:
    async with db.connected(_patient(url), size=1):
        reading = github.read(data, await _rules(project, default_type))
        with _progress(len(reading.issues)) as advance:
            loaded = await load(reading.issues, source=source, project=project, dry_run=dry_run, advance=advance)
    bad = sorted(reading.bad + loaded.bad, key=lambda bad: bad.index)
    return Report(len(reading.issues) + len(reading.bad), loaded, bad, sorted(reading.notes), dry_run)


def _patient(url: str) -> str:
    options: Any = conninfo_to_dict(url).get("options") or ""
    return make_conninfo(url, options=f"{PATIENCE} {options}".rstrip())


async def _rules(project: str, default_type: sql.TicketType) -> Rules:
    async with db.connection() as conn:
        place = await sql.projects.get_project(conn, key=project, staff=True)
    if place is None:
        raise _NoProject
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
