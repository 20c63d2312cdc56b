"""Pages of other origins: those that are listed may read what is answered to them, and no others."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from contract.asking import LIBRARIAN, Reply, ask
from contract.sample import library

from ticketing.contract import Origins

PORTAL = "https://portal.example.org"
LOCAL = "http://localhost:3000"
OTHERS = ["https://portal.example.org.evil.test", "https://example.org", "http://portal.example.org", "null", "*", ""]


@cache
def shared() -> Any:
    return library.application(origins=Origins(f"{PORTAL}, {LOCAL}"))


def asked(method: str, target: str, origin: str | None, application: Any = None, **headers: str) -> Reply:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return ask(
        method, target, given | ({} if origin is None else {"Origin": origin}), application=application or shared()
    )


def preflight(target: str, method: str, origin: str = PORTAL, application: Any = None) -> Reply:
    return asked("OPTIONS", target, origin, application, Access_Control_Request_Method=method)


@pytest.mark.parametrize("origin", [PORTAL, LOCAL])
@pytest.mark.parametrize(
    ("target", "status"), [("/books/1", 200), ("/books/404", 404), ("/nowhere", 404), ("/books?limit=x", 400)]
)
def test_an_origin_that_is_listed_may_read_answers_of_every_status(origin: str, target: str, status: int) -> None:
    reply = asked("GET", target, origin, **LIBRARIAN)
    assert (reply.status, reply.headers["access-control-allow-origin"]) == (status, origin)
    assert reply.headers["vary"] == "Origin"
    exposed = set(reply.headers["access-control-expose-headers"].split(", "))
    assert {"ETag", "Location", "Retry-After", "X-Request-Id"} <= exposed
    assert not [name for name in exposed if name.startswith("RateLimit")], "there is nothing to read"
    assert "access-control-allow-credentials" not in reply.headers


def test_it_may_read_refusals_too() -> None:
    for reply in (asked("GET", "/books", PORTAL), asked("POST", "/books", PORTAL), asked("PUT", "/books/1", PORTAL)):
        assert reply.status in (401, 405)
        assert reply.headers["access-control-allow-origin"] == PORTAL


def test_it_may_read_that_there_is_too_much_to_do() -> None:
    full = library.application(origins=Origins(PORTAL), at_once=0)
    reply = asked("GET", "/opening-hours", PORTAL, full)
    assert (reply.status, reply.headers["access-control-allow-origin"]) == (503, PORTAL)
    assert "Retry-After" in reply.headers["access-control-expose-headers"]


@pytest.mark.parametrize("origin", [*OTHERS, None])
def test_others_are_answered_as_ever_and_their_browsers_keep_it_from_them(origin: str | None) -> None:
    reply = asked("GET", "/books/1", origin, **LIBRARIAN)
    assert (reply.status, reply.headers["vary"]) == (200, "Origin")
    assert not [name for name in reply.headers if name.startswith("access-control-")]


def test_what_is_not_shared_says_nothing_of_it() -> None:
    for reply in (
        ask("GET", "/books/1", {**LIBRARIAN, "Origin": PORTAL}),
        ask("OPTIONS", "/books", {"Origin": PORTAL}),
    ):
        assert not {"vary", "access-control-allow-origin"} & reply.headers.keys()


@pytest.mark.parametrize(
    ("target", "method"),
    [
        ("/books", "POST"),
        ("/books/1", "PATCH"),
        ("/books/1/cover", "PUT"),
        # These exist neither as a path nor as a method, and what is answered to them can be read as well.
        ("/nowhere", "GET"),
        ("/nowhere", "POST"),
        ("/books", "PUT"),
        ("/books/%ff", "GET"),
        ("/", "DELETE"),
    ],
)
def test_a_preflight_allows_what_a_page_needs_to_read_any_answer(target: str, method: str) -> None:
    reply = preflight(target, method)
    assert (reply.status, reply.body) == (204, b"")
    assert reply.headers["access-control-allow-origin"] == PORTAL
    assert method in reply.headers["access-control-allow-methods"].split(", ")
    allowed = set(reply.headers["access-control-allow-headers"].split(", "))
    assert {"Authorization", "Content-Type", "X-Request-Id", "traceparent", "tracestate"} <= allowed
    assert {"Idempotency-Key", "If-Match", "If-None-Match"} <= allowed
    assert reply.headers["vary"] == "Origin"


def test_a_preflight_is_answered_for_pages_within_the_api() -> None:
    async def page(scope: Any, receive: Any, send: Any) -> None:
        await scope["contract.exchange"].respond(405, [], b"")

    application = library.application(origins=Origins(PORTAL), beside=lambda _: page)
    assert preflight("/openapi.json", "GET", application=application).status == 204


def test_options_without_a_method_in_question_is_no_preflight() -> None:
    reply = asked("OPTIONS", "/books", PORTAL)
    assert (reply.status, reply.headers["allow"]) == (204, "GET, HEAD, OPTIONS, POST")
    assert "access-control-allow-methods" not in reply.headers
    assert asked("OPTIONS", "/nowhere", PORTAL).status == 404


@pytest.mark.parametrize("origin", OTHERS)
def test_a_preflight_of_others_is_told_no_more_than_anybody(origin: str) -> None:
    reply = preflight("/books", "POST", origin)
    assert (reply.status, reply.headers["allow"]) == (204, "GET, HEAD, OPTIONS, POST")
    assert not [name for name in reply.headers if name.startswith("access-control-")]


def test_what_is_beside_the_contract_is_not_shared() -> None:
    async def page(scope: Any, receive: Any, send: Any) -> None:
        await scope["contract.exchange"].respond(200, [], b"")

    application = library.application(
        origins=Origins(PORTAL), beside=lambda _: page, documents={"/other": library.document()}
    )
    assert "access-control-allow-origin" not in asked("GET", "/books", PORTAL, application).headers


@pytest.mark.parametrize(
    "text",
    [
        "*",
        "null",
        "https://*.example.org",
        "https://portal.example.org/",
        "https://portal.example.org/path",
        "https://portal.example.org?x",
        "https://Portal.example.org",
        "https://portal.example.org:443",
        "http://portal.example.org:80",
        "https://portal.example.org:0",
        "https://portal.example.org:99999",
        "https://user@portal.example.org",
        "portal.example.org",
        "ftp://portal.example.org",
        "https://",
        "https://pörtal.example.org",
        f"{PORTAL} {LOCAL}",
        f"{PORTAL},*",
    ],
)
def test_what_no_browser_would_write_is_no_origin(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Origins(text)


def test_origins_are_exact() -> None:
    assert Origins(" https://a.test:8443 ,http://[::1]:3000,http://127.0.0.1,").known == {
        b"https://a.test:8443",
        b"http://[::1]:3000",
        b"http://127.0.0.1",
    }
