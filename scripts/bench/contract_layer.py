"""The cost of the contract: CPU time per request of our engine and of FastAPI, with handlers that return constants.

Both are called in process as ASGI applications: no socket, no HTTP parser, no database, no log. What remains is
routing, the token, parameters, validation, and making the answer.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import json
import statistics
import time
from collections.abc import Callable
from datetime import datetime
from types import SimpleNamespace
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, FastAPI, Query
from rich.table import Table

import rival
from load import BODIES
from ticketing import api, contract
from ticketing.access import authentication, cookies
from ticketing.contract import engine
from ticketing.ground import paths

REQUESTS = 300
PERSON = {"id": "0198c2a4-7d10-7cc1-9f3e-6b1f6f0f5a11", "name": "Ada Person"}
TICKET: dict[str, Any] = {
    **BODIES["create"],
    "number": 1042,
    "status": "in_progress",
    "resolution": "none",
    "resolution_note": None,
    "priority": "normal",
    "channel": "api",
    "requester": PERSON,
    "assignee": PERSON,
    "external_reference": None,
    "created_at": "2026-11-24T10:00:00.000Z",
    "updated_at": "2026-11-24T12:30:00.500Z",
    "resolved_at": None,
    "closed_at": None,
}
PAGE = {"items": [TICKET] * 25, "next": "WyJhIl0="}
CALLS = {
    "get": ("GET", "/api/v1/tickets/1042", b"", b""),
    "list": ("GET", "/api/v1/tickets", b"limit=25", b""),
    "create": ("POST", "/api/v1/tickets", b"", json.dumps(BODIES["create"]).encode()),
}


def compare(rounds: int) -> dict[str, dict[str, float]]:
    """The µs of CPU time of each, by kind of request: the median of rounds in which they take turns."""
    return asyncio.run(_compare(rounds))


async def _compare(rounds: int) -> dict[str, dict[str, float]]:
    apps = {"ours": ours(), "fastapi": fastapi()}
    found = {}
    for kind in CALLS:
        times: dict[str, list[float]] = {name: [] for name in apps}
        for app in apps.values():
            await _microseconds(app, kind)
        for _ in range(rounds * 3):
            for name, app in apps.items():
                times[name].append(await _microseconds(app, kind))
        found[kind] = {name: statistics.median(each) for name, each in times.items()}
    return found


def ours() -> Any:
    """Our engine with the whole contract and constant handlers."""
    answers = {
        "get_ticket": contract.Answer(TICKET),
        "list_tickets": contract.Answer(PAGE),
        "create_ticket": contract.Answer(TICKET, 201, {"Location": "/api/v1/tickets/1042"}),
    }
    actor = SimpleNamespace(id=PERSON["id"], scopes=frozenset({"tickets:read", "tickets:write"}))

    async def authenticate(_token: str) -> Any:
        return actor

    return engine.build(
        {path: contract.load(file) for path, file in paths.DOCUMENTS.items()},
        contract.load(paths.SPEC / "problems.yaml"),
        handlers={name: _constant(getattr(api, name), answers.get(name)) for name in api.__all__},
        authenticators={"bearer": authenticate, "session": authenticate, "stream_pass": authenticate},
        genuine={"csrf": cookies.genuine},
        authorize=authentication.authorize,
        anonymous=actor,
        derived={"html_url": lambda ticket: f"http://127.0.0.1/support/tickets/{ticket['number']}"},
    )


def _constant(handler: Callable[..., Any], answer: contract.Answer | None) -> Callable[..., Any]:
    @functools.wraps(handler)
    async def same(**_: Any) -> Any:
        return answer

    return same


def fastapi() -> Any:
    """FastAPI with the rival's models and constant handlers. Values have the types that a database driver returns."""
    person = {**PERSON, "id": UUID(PERSON["id"])}
    moments = {name: datetime.fromisoformat(TICKET[name]) for name in ("created_at", "updated_at")}
    ticket = {**TICKET, **moments, "requester": person, "assignee": person}
    page = {**PAGE, "items": [ticket] * 25}

    async def signed_in(_: Annotated[Any, Depends(rival.bearer)]) -> Any:
        return person

    app = FastAPI(dependencies=[Depends(signed_in)])

    @app.get("/api/v1/tickets/{number}", response_model=rival.Ticket)
    async def get_ticket(number: rival.Number) -> Any:  # noqa: ARG001
        return ticket

    @app.get("/api/v1/tickets", response_model=rival.TicketPage)
    async def list_tickets(limit: Annotated[int, Query(ge=1, le=100)] = 25) -> Any:  # noqa: ARG001
        return page

    @app.post("/api/v1/tickets", response_model=rival.Ticket, status_code=201)
    async def create_ticket(new: rival.NewTicket) -> Any:  # noqa: ARG001
        return ticket

    return app


async def _microseconds(app: Any, kind: str) -> float:
    gc.collect()
    began = time.process_time()
    for _ in range(REQUESTS):
        status = await _call(app, *CALLS[kind])
        assert status in (200, 201), f"{kind} was answered with {status}"
    return (time.process_time() - began) / REQUESTS * 1e6


async def _call(app: Any, method: str, path: str, query: bytes, body: bytes) -> int:
    status = 0

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        nonlocal status
        status = message.get("status", status)

    await app(_scope(method, path, query, body), receive, send)
    return status


def _scope(method: str, path: str, query: bytes, body: bytes) -> dict[str, Any]:
    headers = [(b"host", b"127.0.0.1"), (b"accept", b"application/json"), (b"authorization", b"Bearer tkt_constant")]
    if body:
        headers += [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "scheme": "http",
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 40000),
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query,
        "headers": headers,
    }


def table(found: dict[str, dict[str, float]]) -> Table:
    """The comparison, for people."""
    shown = Table(title="Contract layer alone: µs of CPU per request", title_justify="left")
    shown.add_column("")
    for heading in ("ours", "FastAPI", "ours / FastAPI"):
        shown.add_column(heading, justify="right")
    for kind, each in found.items():
        ratio = each["ours"] / each["fastapi"]
        style = "green" if ratio <= 1 else "red"
        shown.add_row(kind, f"{each['ours']:.0f}", f"{each['fastapi']:.0f}", f"[{style}]{ratio:.2f}[/{style}]")
    return shown
