"""Hostile input: always a clear refusal, never a 500, and never a memory that grows with it."""

from __future__ import annotations

import json
import os
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import Person

JSON = "application/json"
GOOD = b'{"type": "support", "project": "nowhere", "title": "x", "description": ""}'


@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [
        (b"", JSON, 400),
        (b"{", JSON, 400),
        (b"\xff\xfe", JSON, 400),
        (b"[" * 900, JSON, 400),
        (b"[" * 100_000, JSON, 413),
        (b'{"a":' * 900, JSON, 400),
        (b'{"a":' * 50_000, JSON, 413),
        (b'{"a": NaN}', JSON, 400),
        (b'{"a": 1, "a": 2}', JSON, 400),
        (b'{"title": "\\ud800"}', JSON, 400),
        (b'{"title": "\\u0000"}', JSON, 400),
        (b'{"a": ' + b"9" * 4300 + b"}", JSON, 400),
        (b"1e999", JSON, 400),
        (b"null", JSON, 422),
        (b"[]", JSON, 422),
        (GOOD, "text/plain", 415),
        (GOOD, "garbage", 415),
        (GOOD, "application/json; charset=latin-1", 415),
        (GOOD, "Application/JSON ; charset=UTF-8", 422),
        (b'{"title": "' + b"x" * 1_100_000 + b'"}', JSON, 413),
    ],
    ids=lambda value: str(value)[:40],
)
def test_bodies(requester: Person, body: bytes, media_type: str, status: int) -> None:
    response = requester.post("/tickets", content=body, headers={"Content-Type": media_type})
    assert response.status_code == status, response.text
    assert len(response.text) < 5_000


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ('{"title": "für"}'.encode("latin-1"), "At line 1, column 13: the byte FC is not UTF-8."),
        ('{\n "日本": "f'.encode() + b'\xfcr"}', "At line 2, column 10: the byte FC is not UTF-8."),
        (b"\xff\xfe{\0}\0", "At line 1, column 1: the byte FF is not UTF-8."),
    ],
)
def test_where_a_body_is_not_utf_8(requester: Person, body: bytes, place: str) -> None:
    response = requester.post("/tickets", content=body, headers={"Content-Type": JSON})
    assert (response.status_code, response.json()["detail"]) == (400, f"The body is not valid JSON. {place}")


HOLDS_NUL, TOO_BIG = "This text holds the character NUL.", "This integer does not fit into 64 bits:"


@pytest.mark.parametrize(
    ("body", "detail", "pointer"),
    [
        (b'{"title": "a\\u0000b"}', HOLDS_NUL, "#/title"),
        (b'{"tags": ["x", ["\\u0000"]]}', HOLDS_NUL, "#/tags/1/0"),
        (b'{"environment": {"a\\u0000": "x"}}', "A name here holds the character NUL.", "#/environment"),
        (b'{"a/b": [0, 123456789012345678901]}', f"{TOO_BIG} 12345678901234567890….", "#/a~1b/1"),
        (b"-99999999999999999999", f"{TOO_BIG} -9999999999999999999….", "#"),
        (b'{"title": "a", "title": "b"}', "An object holds the name 'title' twice.", None),
        (b"[" * 101 + b"]" * 101, "It is nested deeper than 100 levels.", None),
        (b'{"' + b"n" * 500_000 + b'": [' + b"0," * 900 + b'"\\u0000"]}', HOLDS_NUL, f"#/{'n' * 80}/900"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_json_and_yet_not_taken(requester: Person, body: bytes, detail: str, pointer: str | None) -> None:
    response = requester.post("/tickets", content=body, headers={"Content-Type": JSON})
    problem = response.json()
    assert (response.status_code, problem["detail"]) == (400, f"The body is not accepted. {detail}")
    told = [(fault["detail"], fault["pointer"]) for fault in problem.get("errors", ())]
    assert told == ([(detail, pointer)] if pointer else [])


@pytest.mark.parametrize(
    "path",
    [
        "/tickets/abc",
        "/tickets/0",
        "/tickets/-1",
        "/tickets/9223372036854775808",
        "/tickets/" + "9" * 4300,
        "/tickets/%00",
        "/tickets/%FF",
        "/tickets/1_0",
        "/tickets/%D9%A3",
        "/tickets/%2B7",
        "/users/not-a-uuid",
        "/projects/UPPER",
        "/tickets?limit=%D9%A3",
        "/tickets?limit=+7",
        "/tickets?limit=1e1",
        "/tickets?assignee=nobody",
        "/tickets?created_since=yesterday",
        "/tickets?created_since=0000-01-01T00:00:00Z",
        "/tickets?updated_before=9999-12-31T23:59:59-23:59",
        "/tickets?tag=%00",
        "/tickets?tag=%FF",
        "/tickets?cursor=" + "A" * 3000,
        "/tickets?" + "&".join(f"a{n}=1" for n in range(2000)),
    ],
    ids=lambda value: value[:40],
)
def test_paths_and_queries(requester: Person, path: str) -> None:
    response = requester.get(path)
    assert response.status_code == 400, response.text
    assert len(response.text) < 100_000


@pytest.mark.parametrize("path", ["/tickets/", "/nope", "/tickets/1/", "//tickets", "/tickets/1/votes"])
def test_what_is_not_there(requester: Person, path: str) -> None:
    assert requester.get(path).status_code == 404


def test_methods(requester: Person) -> None:
    response = requester.put("/tickets/1")
    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD, OPTIONS, PATCH")
    assert requester.options("/tickets").headers["allow"] == "GET, HEAD, OPTIONS, POST"
    assert requester.request("TRACE", "/tickets").status_code == 405


def _memory_kib() -> int:
    with open(f"/proc/{os.getpid()}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


@pytest.mark.slow
@pytest.mark.parametrize("chunked", [True, False], ids=["chunked", "content-length"])
def test_a_body_of_200_mb_is_refused_without_being_kept(requester: Person, service: str, chunked: bool) -> None:
    address = urlsplit(service)
    before = _memory_kib()
    block = b"x" * 65536
    with socket.create_connection((address.hostname, address.port), timeout=20) as client:
        length = "Transfer-Encoding: chunked" if chunked else "Content-Length: 200000000"
        head = (
            f"POST /api/v1/tickets HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {requester.token}\r\n"
            f"Content-Type: application/json\r\n{length}\r\n\r\n"
        )
        client.sendall(head.encode())
        try:
            for _ in range(200_000_000 // len(block)):
                client.sendall((b"%x\r\n%b\r\n" % (len(block), block)) if chunked else block)
        except OSError:
            pass  # It has answered and hung up.
        try:
            answer = client.recv(65536)
        except OSError:
            answer = b""
    assert answer == b"" or answer.startswith(b"HTTP/1.1 413")
    assert _memory_kib() - before < 20 * 1024


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)
FIELDS = (
    "type",
    "project",
    "title",
    "description",
    "severity",
    "category",
    "tags",
    "environment",
    "requester",
    "priority",
)


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=8), json_values, max_size=6))
def test_whatever_is_sent_is_judged(requester: Person, body: dict[str, Any]) -> None:
    response = requester.post("/tickets", content=json.dumps(body, ensure_ascii=True), headers={"Content-Type": JSON})
    assert response.status_code in (400, 403, 422)
    assert response.json()["detail"]
