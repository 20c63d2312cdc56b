"""What is logged of a request, and as whom it is seen behind a proxy."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest

from conftest import Person, await_, environment
from ticketing.access import bearer

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


class Log:
    """A service whose only proxy is on this machine, and the request lines that it has written."""

    def __init__(self, url: str, path: Path) -> None:
        self.url = url
        self._path = path

    def line(self, request_id: str) -> dict[str, Any]:
        """The line of a request."""
        await_(lambda: bool(self._of(request_id)))
        (line,) = self._of(request_id)
        return line

    def _of(self, request_id: str) -> list[dict[str, Any]]:
        written = self._path.read_text().splitlines()
        return [json.loads(line) for line in written if f'"request_id":"{request_id}"' in line]


@contextmanager
def logging_service(database_url: str, path: Path, **settings: str) -> Iterator[Log]:
    """Run `ticketing serve`, its log in a file."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "ticketing", "serve", "--port", str(port)]
    env = environment(database_url, **settings) | {"TICKETING_LOG_LEVEL": "info"}
    with path.open("wb") as file, subprocess.Popen(command, env=env, stderr=file) as process:
        log = Log(f"http://127.0.0.1:{port}", path)
        try:
            await_(lambda: _live(log.url))
            yield log
        finally:
            process.terminate()


def _live(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/live").is_success
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def log(database_url: str, tmp_path_factory: pytest.TempPathFactory, slowly: None) -> Iterator[Log]:
    path = tmp_path_factory.mktemp("log") / "requests"
    with logging_service(database_url, path, TICKETING_TRUSTED_PROXIES="127.0.0.0/8") as log:
        yield log


def test_a_line_has_the_path_the_client_and_the_trace(log: Log) -> None:
    headers = {
        "X-Request-Id": "behind-a-proxy",
        "X-Forwarded-For": "203.0.113.9",
        "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01",
    }
    httpx.get(f"{log.url}/api/v1/tickets/%37?token=secret", headers=headers)
    line = log.line("behind-a-proxy")
    assert (line["path"], line["client"], line["trace_id"]) == ("/api/v1/tickets/%37", "203.0.113.9", TRACE)
    assert (line["operation"], line["method"], line["status"], line["level"]) == ("get_ticket", "GET", 401, "info")
    assert "secret" not in json.dumps(line)


def test_a_line_says_no_more_than_there_is(log: Log) -> None:
    httpx.get(f"{log.url}/nowhere/{'x' * 500}", headers={"X-Request-Id": "direct"})
    line = log.line("direct")
    assert (line["path"], line["client"]) == (f"/nowhere/{'x' * 191}", "127.0.0.1")
    assert "trace_id" not in line


def test_a_line_says_why_a_token_was_refused_and_the_client_is_told_what_it_can_see_for_itself(
    log: Log, db: psycopg.Connection[dict[str, Any]], sign_in: Callable[..., Person]
) -> None:
    people = {name: sign_in("requester") for name in ("expired", "revoked", "deactivated")}
    db.execute("update tokens set expires_at = now() where user_id = %s", [people["expired"].id])
    db.execute("update tokens set revoked_at = now() where user_id = %s", [people["revoked"].id])
    db.execute("update users set active = false where id = %s", [people["deactivated"].id])
    given: dict[str, str | None] = {name: f"Bearer {person.token}" for name, person in people.items()}
    given |= {"unknown": f"Bearer {bearer.new_token()}", "malformed": "Bearer tkt_x", "missing": None}
    told = {}
    for reason, header in given.items():
        headers = {"X-Request-Id": f"is-{reason}"} | ({"Authorization": header} if header else {})
        answer = httpx.get(f"{log.url}/api/v1/me", headers=headers)
        assert answer.status_code == 401
        assert log.line(f"is-{reason}")["reason"] == reason
        told[reason] = answer.json()["detail"]
    assert len({told.pop("missing"), told.pop("malformed")}) == 2
    assert len(set(told.values())) == 1
    httpx.get(f"{log.url}/api/v1/me", headers={"X-Request-Id": "basic", "Authorization": "Basic eDp5"})
    assert log.line("basic")["reason"] == "malformed"


def test_what_no_client_may_ask_of_a_server_is_no_fault_of_ours(log: Log) -> None:
    with socket.create_connection((urlsplit(log.url).hostname, urlsplit(log.url).port or 80), timeout=10) as client:
        client.sendall(
            b"POST /api/v1/tickets HTTP/1.1\r\nHost: x\r\nX-Request-Id: encoded\r\nTransfer-Encoding: gzip\r\n\r\n"
        )
        assert client.recv(1000).startswith(b"HTTP/1.1 501 ")
    assert (log.line("encoded")["status"], log.line("encoded")["level"]) == (501, "info")


@pytest.mark.parametrize("path", ["/docs", "/health/live", "/problems/not-found", "/api/v1/openapi.json"])
def test_what_is_served_beside_the_api_is_logged_too(log: Log, path: str) -> None:
    request_id = f"page{path.replace('/', '-')}"
    answer = httpx.get(log.url + path, headers={"X-Request-Id": request_id})
    assert answer.headers["x-request-id"] == request_id
    line = log.line(request_id)
    assert (line["operation"], line["path"], line["status"]) == ("page", path, 200)


@pytest.mark.slow
def test_a_request_that_cannot_be_answered_just_now_is_a_warning(
    new_database: Callable[..., str], tmp_path: Path
) -> None:
    with logging_service(new_database("template0"), tmp_path / "log") as log:
        httpx.get(f"{log.url}/health/ready", headers={"X-Request-Id": "unready"})
        line = log.line("unready")
    assert (line["status"], line["level"]) == (503, "warning")
