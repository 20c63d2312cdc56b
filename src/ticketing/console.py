"""`ticketing jobs`: what an operator sees and does of background work, on the command line."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal
from uuid import UUID

import orjson
from cyclopts import App, Parameter, validators
from psycopg import AsyncConnection
from psycopg.types.json import set_json_loads

from ticketing import operations, sql
from ticketing.config import settings
from ticketing.idempotency import Claim

# As in sql.pyi, which does not exist at run time.
State = Literal["available", "running", "completed", "cancelled", "discarded"]
Limit = Annotated[int, Parameter(validator=validators.Number(gte=1, lte=10_000))]

app = App(name="jobs", help="See what is done in the background, and step in.")


@app.command(name="list")
async def list_jobs(
    *,
    state: State | None = None,
    kind: str | None = None,
    queue: str | None = None,
    limit: Limit = 50,
    json: bool = False,
) -> None:
    """List jobs, newest first.

    For example: ticketing jobs list --state discarded --kind webhooks.deliver

    Parameters
    ----------
    state
        Only jobs in this state.
    kind
        Only jobs of this kind.
    queue
        Only jobs in this queue.
    limit
        How many at most.
    json
        Print a JSON array.
    """
    async with _connected() as conn:
        page = await operations.list_jobs(conn, None, state=state, kind=kind, queue=queue, limit=limit)
    _print(page["items"], ("id", "kind", "queue", "state", "attempt", "run_at", "error"), json=json)


@app.command(name="show")
async def show_job(job_id: UUID, *, json: bool = False) -> None:
    """Show a job with what went wrong in each attempt.

    For example: ticketing jobs show 01a20d1c-6380-7c51-9c5f-5a6f0f2f6d11

    Parameters
    ----------
    job_id
        The job's id.
    json
        Print a JSON object.
    """
    async with _connected() as conn:
        _print_one(await operations.get_job(conn, None, job_id), json=json)


@app.command(name="retry")
async def retry_job(job_id: UUID, *, json: bool = False) -> None:
    """Let a job that was discarded or cancelled, or that waits for later, run now with all its attempts.

    For example: ticketing jobs retry 01a20d1c-6380-7c51-9c5f-5a6f0f2f6d11

    Parameters
    ----------
    job_id
        The job's id.
    json
        Print a JSON object.
    """
    async with _connected() as conn:
        _print_one(await operations.retry_job(conn, None, job_id, claim=Claim()), json=json)


@app.command(name="cancel")
async def cancel_job(job_id: UUID, *, json: bool = False) -> None:
    """End a job that waits; one that runs is told to end within some seconds.

    For example: ticketing jobs cancel 01a20d1c-6380-7c51-9c5f-5a6f0f2f6d11

    Parameters
    ----------
    job_id
        The job's id.
    json
        Print a JSON object.
    """
    async with _connected() as conn:
        _print_one(await operations.cancel_job(conn, None, job_id, claim=Claim()), json=json)


@app.command(name="queues")
async def list_queues(*, json: bool = False) -> None:
    """List the queues, and how much each has to do.

    For example: ticketing jobs queues

    Parameters
    ----------
    json
        Print a JSON array.
    """
    async with _connected() as conn:
        page = await operations.list_queues(conn, None, limit=1000)
    _print(page["items"], ("name", "paused", "due", "scheduled", "running", "oldest_due_seconds"), json=json)


@app.command(name="pause")
async def pause_queue(queue: str, *, json: bool = False) -> None:
    """Start no more jobs of a queue. Those that run go on, and new ones are kept.

    For example: ticketing jobs pause webhooks

    Parameters
    ----------
    queue
        The queue's name.
    json
        Print a JSON object.
    """
    async with _connected() as conn:
        _print_one(await operations.pause_queue(conn, None, queue, claim=Claim()), json=json)


@app.command(name="resume")
async def resume_queue(queue: str, *, json: bool = False) -> None:
    """Start jobs of a queue again.

    For example: ticketing jobs resume webhooks

    Parameters
    ----------
    queue
        The queue's name.
    json
        Print a JSON object.
    """
    async with _connected() as conn:
        _print_one(await operations.resume_queue(conn, None, queue, claim=Claim()), json=json)


@app.command(name="schedules")
async def list_schedules(*, json: bool = False) -> None:
    """List what is done by the clock.

    For example: ticketing jobs schedules

    Parameters
    ----------
    json
        Print a JSON array.
    """
    async with _connected() as conn:
        page = await operations.list_schedules(conn, None, limit=1000)
    _print(page["items"], ("name", "kind", "cron", "next_run_at", "last_run_at"), json=json)


@asynccontextmanager
async def _connected() -> AsyncIterator[sql.Connection]:
    set_json_loads(orjson.loads)
    async with await AsyncConnection.connect(settings().database_url, autocommit=True) as conn:
        yield conn


def _print(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, json: bool) -> None:
    if json:
        print(orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode())
        return
    # Not a table of rich, which would cut ids to the width of the terminal, so that they cannot be copied.
    head = [column.replace("_", " ") for column in columns]
    body = [[_text(_last_error(row) if column == "error" else row[column]) for column in columns] for row in rows]
    widths = [max(map(len, cells)) for cells in zip(head, *body, strict=True)]
    for line in (head, *body):
        print("  ".join(f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)).rstrip())


def _print_one(row: Mapping[str, Any], *, json: bool) -> None:
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
    return orjson.dumps(value).decode() if isinstance(value, dict) else str(value)
