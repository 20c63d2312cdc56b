"""Asking the library: raw ASGI, so that a test can send what no client would, and a judge for every answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, unquote

from contract.sample import library
from openapi_core import Config, OpenAPI
from openapi_core.testing import MockRequest, MockResponse

HOST = "http://library.test"
LIBRARIAN = {"Authorization": "Bearer librarian"}
JSON = {**LIBRARIAN, "Content-Type": "application/json"}
MERGE_PATCH = {**LIBRARIAN, "Content-Type": "application/merge-patch+json"}

Headers = Mapping[str, str] | list[tuple[str, str]]


@dataclass(frozen=True)
class Reply:
    status: int
    lines: list[tuple[str, str]]
    body: bytes

    @property
    def headers(self) -> dict[str, str]:
        return dict(self.lines)

    def all(self, name: str) -> list[str]:
        """The values of a header that stands more than once."""
        return [value for each, value in self.lines if each == name]

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The type of problem that it is."""
        code = self.json()["code"]
        assert isinstance(code, str)
        return code

    def faults(self) -> dict[str, str]:
        """What is wrong by where it is wrong."""
        return {fault.get("pointer") or fault["parameter"]: fault["detail"] for fault in self.json()["errors"]}


class Chunks:
    """A body in pieces that counts what is taken of it."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces: Iterator[bytes] = iter(pieces)
        self.taken = 0

    def message(self) -> dict[str, Any]:
        piece = next(self._pieces, None)
        self.taken += len(piece or b"")
        return {"type": "http.request", "body": piece or b"", "more_body": piece is not None}


@cache
def app() -> Any:
    return library.application()


def get(target: str, headers: Headers = LIBRARIAN, **options: Any) -> Reply:
    return ask("GET", target, headers, **options)


def post(body: bytes | Chunks, headers: Headers = JSON, **options: Any) -> Reply:
    """POST /books."""
    return ask("POST", "/books", headers, body, **options)


def ask(
    method: str, target: str, headers: Headers = LIBRARIAN, body: bytes | Chunks = b"", application: Any = None
) -> Reply:
    """One request and its answer, which must keep what the contract and the engine promise."""
    raw_path, _, query = target.partition("?")
    pairs = list(headers.items() if isinstance(headers, Mapping) else headers)
    if isinstance(body, Chunks):
        pairs.append(("Transfer-Encoding", "chunked"))
    elif body:
        pairs.append(("Content-Length", str(len(body))))
    scope = http_scope(method, b"/api/v1" + raw_path.encode("latin-1"), query.encode("latin-1"), pairs)
    reply = asyncio.run(exchange(application or app(), scope, body))
    check(reply, method)
    if reply.status not in (204, 405, 500, 503) and method not in ("HEAD", "OPTIONS") and "%" not in target:
        judge(method, raw_path, query, reply)
    return reply


def http_scope(method: str, raw_path: bytes, query: bytes, pairs: list[tuple[str, str]]) -> dict[str, Any]:
    return {
        "type": "http",
        "http_version": "1.1",
        "scheme": "http",
        "method": method,
        "path": unquote(raw_path.decode("latin-1")),
        "raw_path": raw_path,
        "root_path": "",
        "query_string": query,
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in pairs],
    }


async def exchange(application: Any, scope: dict[str, Any], body: bytes | Chunks) -> Reply:
    """What the application sends."""
    sent: list[Any] = []
    is_sent = False

    async def receive() -> dict[str, Any]:
        nonlocal is_sent
        if is_sent:
            await asyncio.Event().wait()
        message = body.message() if isinstance(body, Chunks) else {"type": "http.request", "body": body}
        is_sent = not message.get("more_body", False)
        return message

    async def send(message: Any) -> None:
        sent.append(message)

    await application(scope, receive, send)
    head, *pieces = sent
    assert head["type"] == "http.response.start"
    assert {message["type"] for message in pieces} == {"http.response.body"}
    assert [message.get("more_body", False) for message in pieces] == [True] * (len(pieces) - 1) + [False]
    lines = [(name.decode(), value.decode("latin-1")) for name, value in head["headers"]]
    twice = {name for name, _ in lines if [each for each, _ in lines].count(name) > 1}
    assert twice <= {"set-cookie", "vary"}, "a header stands twice"
    return Reply(head["status"], lines, b"".join(message["body"] for message in pieces))


def check(reply: Reply, method: str) -> None:
    """What holds of every answer."""
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert reply.headers["cache-control"] == ("private" if "last-modified" in reply.headers else "no-store")
    assert reply.headers["x-request-id"]
    if method != "HEAD" and reply.body:
        assert int(reply.headers["content-length"]) == len(reply.body)
    if reply.status >= 400 and method != "HEAD":
        assert reply.headers["content-type"] == "application/problem+json"
        problem = reply.json()
        assert problem["status"] == reply.status
        assert problem["request_id"] == reply.headers["x-request-id"]
        assert problem["type"] == "/problems/" + problem["code"].replace("_", "-")
        assert len(reply.body) < 60_000


@cache
def _document() -> OpenAPI:
    document = library.document()
    json_like: dict[str, Callable[..., Any]] = dict.fromkeys(
        ("application/problem+json", "application/merge-patch+json"), json.loads
    )
    json_like |= dict.fromkeys(("image/*", "text/csv"), lambda body, **_: body.decode("latin-1"))
    return OpenAPI.from_dict(
        {**document, "servers": [{"url": f"{HOST}/api/v1"}]}, config=Config(extra_media_type_deserializers=json_like)
    )


def judge(method: str, path: str, query: str, reply: Reply) -> None:
    """openapi-core's opinion of an answer; it must know the path. Of nothing it has none."""
    if (reply.status == 200 and not reply.body) or (
        reply.status == 404 and reply.json()["detail"] == "There is nothing at this address."
    ):
        return
    asked = MockRequest(HOST, method.lower(), f"/api/v1{path}", args=dict(parse_qsl(query)))
    answered = MockResponse(
        reply.body,
        headers=reply.headers,
        status_code=reply.status,
        content_type=reply.headers.get("content-type", "application/json"),
    )
    _document().validate_response(asked, answered)
