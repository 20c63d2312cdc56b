"""Ways to sign in, as alternatives: which one is judged, what is refused, and who stays anonymous."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from contract.asking import LIBRARIAN, Chunks, ask, exchange, get, http_scope
from contract.sample import library

from ticketing.contract import InvalidToken

BOOK = b'{"title": "x", "kind": "novel"}'
READER = {"Cookie": "session=s-reader"}
LIBRARIANS = {"Cookie": "session=s-librarian"}
READER_HERE = {**READER, "X-Library": "here, reader"}
LIBRARIAN_HERE = {**LIBRARIANS, "X-Library": "here, librarian"}
JSON = {"Content-Type": "application/json"}
ENDED = "session=s-nobody"


def reader(headers: dict[str, str], target: str = "/desk") -> Any:
    reply = get(target, headers)
    assert reply.status == 200, reply.body
    return reply.json()["reader"]


def test_each_way_leads_in() -> None:
    assert reader(LIBRARIAN) == "librarian"
    assert reader(READER) == "reader"
    assert reader({}, "/news?pass=p-reader") == "reader"
    assert reader({}, "/news?topic=books&pass=p-reader") == "reader"


def test_without_a_credential_one_is_anonymous_only_where_the_operation_says_so() -> None:
    assert reader({}) is None
    assert reader({"Cookie": "lamp=on; other=x"}) is None
    assert get("/news", {}).status == 401
    assert ask("PUT", "/desk", JSON, BOOK).status == 401


BAD = [
    {"Authorization": "Bearer wrong"},
    {"Authorization": "Bearer "},
    {"Authorization": "Bearer"},
    {"Authorization": ""},
    {"Authorization": "Basic bGlicmFyaWFuOng="},
    {"Cookie": ENDED},
    {"Cookie": "session=nonsense"},
    {"Cookie": "session="},
    {"Cookie": "session"},
    {"Cookie": 'session="s-reader"'},
    {"Cookie": "session=s-reader, x"},
    {"Cookie": "session=s-reader; session=s-librarian"},
    {"Cookie": "session=s-reader; session=s-reader"},
]


@pytest.mark.parametrize("bad", BAD, ids=[next(iter(each.values())) for each in BAD])
def test_a_bad_credential_is_401_and_never_anonymous(bad: dict[str, str]) -> None:
    for method, headers in (("GET", {}), ("HEAD", {}), ("PUT", {"X-Library": "here, reader", **JSON})):
        reply = ask(method, "/desk", {**headers, **bad}, BOOK if method == "PUT" else b"")
        assert reply.status == 401
        assert reply.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("query", ["pass=wrong", "pass=", "pass", "pass=p-reader&pass=p-reader", "pass=%00"])
def test_nor_is_a_bad_key_in_the_address(query: str) -> None:
    assert get(f"/news?{query}", {}).status == 401


def test_an_address_that_cannot_be_read_is_400() -> None:
    assert get("/news?pass=%FF", {}).status == 400


def test_of_two_credentials_the_more_deliberate_one_is_judged() -> None:
    """The token before the key in the address, and both before the cookie, which a browser sends by itself."""
    assert reader({**LIBRARIAN, **READER}) == "librarian"
    assert reader({**LIBRARIAN, "Cookie": ENDED}) == "librarian"
    assert get("/desk", {"Authorization": "Bearer wrong", **READER}).status == 401
    assert reader(LIBRARIAN, "/news?pass=p-reader") == "librarian"
    assert reader(LIBRARIAN, "/news?pass=wrong") == "librarian"
    assert get("/news?pass=p-reader", {"Authorization": "Bearer wrong"}).status == 401


def test_a_token_that_cannot_be_used_does_not_make_anonymous() -> None:
    """Whoever names themselves is not nobody, even where only cookies are taken."""
    document = library.document()
    document["paths"]["/desk"]["get"]["security"] = [{"session": []}]
    application = library.application(document=document)
    assert get("/desk", LIBRARIAN, application=application).status == 401
    assert get("/desk", {**LIBRARIAN, **READER}, application=application).json()["reader"] == "reader"
    assert get("/desk", {}, application=application).json()["reader"] is None


def test_a_key_in_the_address_is_unknown_where_it_leads_nowhere() -> None:
    assert get("/books?pass=p-reader").faults() == {"pass": "There is no parameter of this name."}
    assert "pass" not in get("/news?pass=p-reader", {}).json()


@pytest.mark.parametrize(
    ("method", "target", "challenges"),
    [
        ("GET", "/books", "Bearer"),
        ("PUT", "/desk", 'Bearer, Cookie name="session"'),
        ("DELETE", "/desk", 'Cookie name="session"'),
        ("GET", "/news", 'Bearer, Query name="pass"'),
    ],
)
def test_who_is_refused_is_told_what_would_be_taken(method: str, target: str, challenges: str) -> None:
    reply = ask(method, target, {})
    assert (reply.status, reply.headers["www-authenticate"]) == (401, challenges)
    assert reply.json()["detail"].startswith("There is no ")


def test_scopes_are_those_of_the_way_that_is_used() -> None:
    assert ask("DELETE", "/desk", LIBRARIAN_HERE).status == 204
    assert ask("DELETE", "/desk", READER_HERE).status == 403


# What another site makes a browser send


@pytest.mark.parametrize(("method", "target", "status"), [("PUT", "/desk", 200), ("DELETE", "/desk", 204)])
def test_a_write_that_is_signed_in_by_a_cookie_has_to_be_genuine(method: str, target: str, status: int) -> None:
    kind = JSON if method == "PUT" else {}
    body = BOOK if method == "PUT" else b""
    for wrong in ({}, {"X-Library": ""}, {"X-Library": "here, reader"}, {"X-Library": "s\xfcd"}):
        refused = ask(method, target, {**LIBRARIANS, **kind, **wrong}, body)
        assert (refused.status, refused.code) == (403, "cross_site")
    twice = [*LIBRARIAN_HERE.items(), *kind.items(), ("X-Library", "here, librarian")]
    assert ask(method, target, twice, body).status == 403
    assert ask(method, target, {**LIBRARIAN_HERE, **kind}, body).status == status


@pytest.mark.parametrize("bad", [*BAD[5:], {"Cookie": "session=x; session=y"}], ids=lambda bad: bad["Cookie"])
def test_where_a_lapsed_cookie_is_forgiven_it_counts_as_none(bad: dict[str, str]) -> None:
    application = forgiving()
    reply = get("/desk", {**bad, "Accept": "application/json"}, application=application)
    assert (reply.status, reply.json()["reader"]) == (200, None)
    assert get("/desk", {**LIBRARIAN, **bad}, application=application).json()["reader"] == "librarian"


def test_all_else_is_not_forgiven() -> None:
    application = forgiving()
    assert get("/desk", READER, application=application).json()["reader"] == "reader"
    assert get("/desk", {"Authorization": "Bearer wrong"}, application=application).status == 401
    assert get("/desk", {"Authorization": "Bearer wrong", **READER}, application=application).status == 401
    assert get("/desk", {"Authorization": "Basic x"}, application=application).status == 401


def forgiving() -> Any:
    document = library.document()
    document["paths"]["/desk"]["get"]["x-anonymous"] = "lapsed"
    return library.application(document=document)


def test_a_cookie_has_another_name_for_plain_http_unless_there_is_only_https() -> None:
    plain = {"Cookie": "plain-session=s-reader"}
    assert reader(plain) == "reader"
    assert reader({"Cookie": "plain-session=s-reader; session=s-librarian"}) == "librarian"
    assert get("/desk", {"Cookie": "plain-session=s-reader; session=x"}).status == 401
    assert get("/desk", plain, application=library.application(secure=True)).json()["reader"] is None


def test_reading_and_tokens_are_genuine_as_they_are() -> None:
    assert reader(READER) == "reader"
    assert ask("HEAD", "/desk", READER).status == 200
    assert ask("PUT", "/desk", {**LIBRARIAN, **JSON}, BOOK).status == 200
    assert ask("PUT", "/desk", {**LIBRARIAN, **READER, **JSON}, BOOK).status == 200


def test_it_is_refused_before_its_body_is_read() -> None:
    chunks = Chunks([BOOK])
    assert ask("PUT", "/desk", {**READER, **JSON}, chunks).status == 403
    assert chunks.taken == 0


def test_a_session_that_ends_while_a_body_comes_does_not_write() -> None:
    lives = ["s-reader"]

    async def session(value: str) -> str:
        if value not in lives:
            raise InvalidToken("ended")
        return "reader"

    class Ending(Chunks):
        def message(self) -> dict[str, Any]:
            lives.clear()
            return super().message()

    application = library.application(authenticators={**library.AUTHENTICATORS, "session": session})
    reply = ask("PUT", "/desk", {**READER_HERE, **JSON}, Ending([BOOK[:5], BOOK[5:]]), application=application)
    assert reply.status == 401


def test_what_is_noted_of_a_refusal() -> None:
    seen: list[dict[str, Any]] = []
    application = library.application(observe=lambda **what: seen.append(what))
    for headers in ({}, {"Cookie": ENDED}, READER, {"Cookie": "session=x"}):
        scope = http_scope("GET", b"/api/v1/desk", b"", list(headers.items()))
        asyncio.run(exchange(application, scope, b""))
    assert [(what["status"], what["actor"], what["reason"]) for what in seen] == [
        (200, None, None),
        (401, None, "ended"),
        (200, "reader", None),
        (401, None, "malformed"),
    ]
