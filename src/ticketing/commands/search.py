"""`ticketing search`: how current full text is, and reading tickets for it again."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from cyclopts import App
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ticketing.access.actors import OPERATOR
from ticketing.commands.console import connected, print_one, print_table
from ticketing.db import sql
from ticketing.ground.refused import Refused
from ticketing.search import documents, rebuilding

TURN_SECONDS = 0.05
"""How often is looked whether a worker that writes has finished its batch."""
REBUILDS = 10

app = App(name="search")


@app.command(name="status")
async def show_status(*, json: bool = False) -> None:
    """Show how far full text is behind, and what is left to be read again.

    For example:

        ticketing search status

    Parameters
    ----------
    json
        Print a JSON object.
    """
    async with connected(statement_timeout="60s") as conn:
        late = await sql.doctor.get_search_lateness(conn)
        rebuilds = await sql.documents.list_search_rebuilds(conn, page_size=REBUILDS)
    seconds = round(max(0.0, (late and late["late_seconds"]) or 0.0), 1)
    if json:
        print_one({"late_seconds": seconds, "rebuilds": [dict(row) for row in rebuilds]}, json=True)
        return
    if seconds:
        print(f"What was written {seconds} s ago is not found yet.")
    else:
        print("All that was written is found.")
    if rebuilds:
        shown = [{**row, "project": row["project"] or "all"} for row in rebuilds]
        print_table(shown, ("id", "project", "requested_at", "written", "remaining", "finished_at"))


@app.command(name="rebuild")
async def rebuild_documents(*, project: str | None = None) -> None:
    """Read tickets for full text again, while the service runs.

    The service does so by itself when it has to: after an upgrade that reads texts in another way, and when a project
    gets another language. Nothing stops meanwhile; each ticket is found by its old words until it is read. A worker and
    this command do it together. If this command is ended, a worker does the rest, and it can be run again at any time.

    For example:

        ticketing search rebuild
        ticketing search rebuild --project media-server

    Parameters
    ----------
    project
        Only tickets of the project with this key. By default all.
    """
    async with connected(own=True) as conn:
        if project is not None and await sql.projects.get_project(conn, key=project, **OPERATOR.staffing()) is None:
            raise Refused(f"There is no project {project!r}. `ticketing project list` shows which there are.")
        rebuild_id = await sql.documents.find_search_rebuild(conn, project=project)
        if rebuild_id is None:
            rebuild_id = await sql.documents.insert_search_rebuild(conn, project=project)
        if rebuild_id is None:
            print("There are no tickets.")
            return
        total = await sql.documents.count_tickets_of(conn, project=project) or 0
        with _progress(total) as progress:
            while (written := await sql.documents.get_rebuilt_tickets(conn, rebuild_id=rebuild_id)) is not None:
                progress.show(written)
                if not await rebuilding.write_batch(conn, write=documents.write):
                    await asyncio.sleep(TURN_SECONDS)
    print(f"Read {total} ticket{'s' * (total != 1)} again.")


class _Shown(Protocol):
    def show(self, done: int) -> None: ...


@contextmanager
def _progress(total: int) -> Iterator[_Shown]:
    """A progress bar on standard error, or a line now and then if that is no terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("Tickets", total=total)

        class Shown:
            tenth = 0

            def show(self, done: int) -> None:
                progress.update(task, completed=done)
                if not console.is_terminal and total and done * 10 // total > self.tenth:
                    self.tenth = done * 10 // total
                    print(f"{done} of {total} tickets", file=sys.stderr)

        yield Shown()
