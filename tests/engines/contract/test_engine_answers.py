"""Answers: entity tags, HEAD, Accept, request ids, what is observed, and what goes wrong."""

from __future__ import annotations

import asyncio
import logging
import re
from typing import Any

import pytest
from contract.asking import JSON, LIBRARIAN, MERGE_PATCH, Chunks, ask, get, http_scope, post
from contract.sample import library
from hypothesis import given
from hypothesis import strategies as st

from ticketing import contract
from ticketing.contract import Answer

BOOK = b'{"title": "x", "kind": "novel"}'
READER = {"Authorization": "Bearer reader"}


def test_a_tag_is_that_of_the_resource_whatever_the_order_of_its_members() -> None:
    reply = get("/books/1")
    assert reply.headers["etag"] == contract.etag(reply.json(), library.EDITED)
    assert contract.etag({"a": 1, "b": 2}) == contract.etag({"b": 2, "a": 1}) != contract.etag({"a": 1, "b": 3})


def test_a_tag_says_apart_what_clients_can_change() -> None:
    def tag(**members: Any) -> tuple[str, ...]:
        return tuple(contract.etag({"title": "a", "votes": 1, **members}, {"title"}).strip('"').split("."))

    edit, rest = tag()
    assert tag(votes=2)[0] == edit and tag(votes=2)[1] != rest
    assert tag(followers=[])[0] == edit and tag(followers=[])[1] != rest
    assert tag(title="b")[0] != edit and tag(title="b")[1] == rest
    assert re.fullmatch(r'"[0-9a-f]{16}\.[0-9a-f]{16}"', contract.etag({"title": "a"}, {"title"}))
    assert re.fullmatch(r'"[0-9a-f]{16}"', contract.etag({"title": "a"}))


def test_of_what_is_changed_elsewhere_only_the_id_is_an_edit() -> None:
    def tag(lender: Any) -> list[str]:
        return contract.version({"title": "a", "lender": lender}, {"title", "lender.id"}).split(".")

    edit, rest = tag({"id": 1, "name": "Ada"})
    assert tag({"id": 1, "name": "Ada L."})[0] == edit and tag({"id": 1, "name": "Ada L."})[1] != rest
    assert tag({"id": 2, "name": "Ada"})[0] != edit != tag(None)[0]


#: Few letters: to draw from all of Unicode takes seconds to prepare.
TEXT = st.text("ab\u00e9\u0301 \U0001f600", max_size=3)
VALUES = st.none() | st.integers(0, 3) | TEXT | st.dictionaries(st.sampled_from(["id", "name"]), st.integers(0, 3))
PEOPLE = st.none() | st.fixed_dictionaries({"id": st.integers(0, 2), "name": TEXT})
BODIES = st.fixed_dictionaries(
    {}, optional={"lender": PEOPLE, **dict.fromkeys(("title", "kind", "pages", "votes", "version"), VALUES)}
)


@given(BODIES, BODIES, st.randoms())
def test_two_bodies_have_one_version_only_if_they_are_the_same(one: Any, other: Any, order: Any) -> None:
    """Whatever the order of their members, and whatever version they hold."""
    edited = {"title", "pages", "lender.id"}
    mixed = list(one.items())
    order.shuffle(mixed)
    assert contract.version({**dict(mixed), "version": "x"}, edited) == contract.version(one, edited)
    same = {**one, "version": 0} == {**other, "version": 0}
    assert (contract.version(one, edited) == contract.version(other, edited)) == same


def test_a_version_stands_in_the_body_also_of_what_a_page_holds() -> None:
    book, (first, second) = get("/books/1"), get("/books").json()["items"]
    assert book.headers["etag"] == f'"{book.json()["version"]}"'
    assert first == second == book.json()
    assert post(BOOK).json()["version"] == post(BOOK).headers["etag"].strip('"')


def test_what_is_derived_of_a_resource_is_part_of_its_version() -> None:
    moved = library.application(derived={"isbn": lambda _: "none"})
    one, other = get("/books/1").json(), get("/books/1", application=moved).json()
    assert (one["isbn"], other["isbn"]) == ("978-1", "none")
    assert one["version"].split(".")[0] == other["version"].split(".")[0] and one["version"] != other["version"]


def test_a_copy_may_be_named_by_its_version() -> None:
    book = get("/books/1").json()
    for given_, status in ((book["version"], 304), (f'"x", {book["version"]}', 304), ("x", 200), ("", 200)):
        assert get("/books/1", {**LIBRARIAN, "If-None-Match": given_ or '""'}).status == status


def test_the_contract_says_what_clients_can_change() -> None:
    current = get("/books/1").headers["etag"]
    assert current == contract.etag(get("/books/1").json(), library.EDITED)
    edit, rest = current.split(".")
    assert contract.same_edit(f'{edit}.other"', current)
    for other in (f'{edit}"', f"{rest}", '"other"', "", f"{edit}other.{rest}"):
        assert not contract.same_edit(other, current), other
    for tag, status in ((f"{edit}.{rest}", 304), (f'{edit}.other"', 200), (f'{edit}"', 200)):
        assert get("/books/1", {**LIBRARIAN, "If-None-Match": tag}).status == status


def test_only_answers_that_promise_a_tag_have_one() -> None:
    assert "etag" not in get("/books").headers
    assert "etag" in post(BOOK).headers


@pytest.mark.parametrize("form", ["{}", "W/{}", '"x", {}', "*"])
def test_a_current_copy_is_answered_304(form: str) -> None:
    tag = get("/books/1").headers["etag"]
    for method in ("GET", "HEAD"):
        reply = ask(method, "/books/1", {**LIBRARIAN, "If-None-Match": form.format(tag)})
        assert (reply.status, reply.body, reply.headers["etag"]) == (304, b"", tag)
        assert "content-type" not in reply.headers


def test_another_copy_is_answered_200() -> None:
    assert get("/books/1", {**LIBRARIAN, "If-None-Match": '"x"'}).status == 200
    assert ask("PATCH", "/books/1", {**MERGE_PATCH, "If-None-Match": "*"}, b'{"title": "y"}').status == 200


def test_head_is_get_without_the_body() -> None:
    whole, head = get("/books/1"), ask("HEAD", "/books/1")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == str(len(whole.body))
    assert head.headers["etag"] == whole.headers["etag"]
    assert ask("HEAD", "/books/404").body == b""


def test_an_answer_without_a_body_has_no_type_or_length() -> None:
    reply = ask("DELETE", "/books/1")
    assert (reply.status, reply.body) == (204, b"")
    assert not {"content-type", "content-length"} & reply.headers.keys()


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("*/*", 200),
        ("application/*", 200),
        ("text/html, application/JSON;q=0.1", 200),
        ("application/problem+json", 200),
        ("", 200),
        ("text/html", 406),
        ("application/json;q=0", 406),
        ("text/*, image/png", 406),
        ("\xff", 406),
    ],
)
def test_accept_must_leave_room_for_json(accept: str, status: int) -> None:
    assert get("/books", {**LIBRARIAN, "Accept": accept}).status == status


@pytest.mark.parametrize("path", ["/books", "/books/1", "/books/1/label", "/books/1/cover"])
def test_whoever_takes_only_problems_is_answered(path: str) -> None:
    """Every operation may answer a problem, so the header rules nothing out."""
    for accept in ("application/problem+json", "application/*;q=0.1"):
        assert get(path, {**LIBRARIAN, "Accept": accept}).status == 200
    assert get("/books/1/label", {**LIBRARIAN, "Accept": "application/problem+json;q=0, text/html"}).status == 406


PATCHES = "application/merge-patch+json, application/json"
BOOK_PATCH = ("PATCH", "/books/1", b"{}")
PICTURE = ("PUT", "/books/1/cover", b"x")


@pytest.mark.parametrize(
    ("request_", "headers", "expected"),
    [
        (("POST", "/books", BOOK), {"Content-Type": "text/plain"}, {"accept": "application/json"}),
        (("POST", "/books", BOOK), {}, {"accept": "application/json"}),
        (BOOK_PATCH, {"Content-Type": "text/plain"}, {"accept": PATCHES, "accept-patch": PATCHES}),
        (BOOK_PATCH, {"Content-Type": "application/json;charset=x"}, {"accept": PATCHES, "accept-patch": PATCHES}),
        (PICTURE, {"Content-Type": "text/plain"}, {"accept": "image/*, application/octet-stream"}),
        (BOOK_PATCH, {**MERGE_PATCH, "Content-Encoding": "gzip"}, {"accept-encoding": "identity"}),
    ],
)
def test_an_unsupported_media_type_is_told_what_is_taken(
    request_: tuple[str, str, bytes], headers: dict[str, str], expected: dict[str, str]
) -> None:
    """RFC 9110, 15.5.16; RFC 5789, 2.2."""
    method, path, body = request_
    refused = ask(method, path, {**LIBRARIAN, **headers}, body)
    assert refused.status == 415
    assert {name: value for name, value in refused.headers.items() if name.startswith("accept")} == expected


def test_options_tell_what_patch_takes() -> None:
    """RFC 5789, 3.1."""
    assert ask("OPTIONS", "/books/1").headers["accept-patch"] == PATCHES
    assert "accept-patch" not in ask("OPTIONS", "/books").headers


def test_a_patch_means_the_same_in_either_media_type() -> None:
    for media_type in PATCHES.split(", "):
        headers = {**LIBRARIAN, "Content-Type": media_type}
        assert ask("PATCH", "/books/1", headers, b'{"title": "y"}').json()["title"] == "y"
        assert ask("PATCH", "/books/1", headers, b'{"number": 7}').faults().keys() == {"#/number"}


@pytest.mark.parametrize("given", ["portal-7f3c2a", "A.b_c-1", "x" * 128])
def test_a_request_id_comes_back(given: str) -> None:
    for headers in ({**LIBRARIAN, "X-Request-Id": given}, {"X-Request-Id": given}):
        reply = get("/books", headers)
        assert reply.headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "x" * 129, "a b", "a\r\nSet-Cookie: x", "\xe9", "<script>"])
def test_a_request_id_that_could_do_harm_is_replaced(given: str) -> None:
    assert get("/books", {**LIBRARIAN, "X-Request-Id": given}).headers["x-request-id"] not in (given, "")


def test_request_ids_differ() -> None:
    assert get("/books").headers["x-request-id"] != get("/books").headers["x-request-id"]


def test_checks_come_in_order() -> None:
    wrong = {"Authorization": "Bearer wrong", "Content-Type": "text/plain", "Accept": "text/html"}
    assert ask("POST", "/shelves?x=1", wrong, b"{").status == 404
    assert ask("POST", "/books?x=1", wrong, b"{").status == 401
    assert ask("POST", "/books?x=1", {**wrong, **READER}, b"{").status == 403
    assert ask("POST", "/books?x=1", {**wrong, **LIBRARIAN}, b"{").code == "invalid_parameter"
    assert ask("POST", "/books", {**wrong, **LIBRARIAN}, b"{").status == 406
    assert ask("POST", "/books", {"Content-Type": "text/plain", **LIBRARIAN}, b"{").status == 415
    assert post(b"{").status == 400
    assert post(b"{}").status == 422
    assert post(BOOK).status == 201


def test_a_body_is_not_read_before_all_else_is_well() -> None:
    for headers in ({}, READER, {**LIBRARIAN, "Content-Type": "text/plain"}):
        chunks = Chunks([b"x"])
        assert post(chunks, headers).status in (401, 403, 415)
        assert chunks.taken == 0


def test_an_optional_body_may_be_missing_and_a_compressed_one_is_refused() -> None:
    assert ask("PATCH", "/books/1", LIBRARIAN).status == 200
    assert ask("PATCH", "/books/1", MERGE_PATCH).status == 200
    assert ask("PATCH", "/books/1", MERGE_PATCH, b"{}").status == 422
    assert post(BOOK, {**JSON, "Content-Encoding": "gzip"}).status == 415
    assert post(BOOK, {**JSON, "Content-Encoding": "identity"}).status == 201


def test_a_public_operation_asks_nobody() -> None:
    assert get("/opening-hours", {}).status == 200
    assert get("/opening-hours", {"Authorization": "Bearer wrong"}).status == 200


def test_a_missing_parameter_is_said() -> None:
    assert get("/books/1/loans/2").faults() == {"unit": "This parameter is required."}


def test_an_unexpected_exception_is_logged_once_and_told_to_nobody(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        reply = get("/books/500")
    assert (reply.status, reply.code) == (500, "internal_error")
    assert "secret" not in reply.body.decode()
    (record,) = caplog.records
    assert reply.headers["x-request-id"] in record.getMessage()
    assert record.exc_info


def test_a_refusal_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        get("/books/404")
        get("/books", {})
        post(b"{")
    assert not caplog.records


def test_a_problem_may_carry_more() -> None:
    class TooLate(contract.Problem):
        slug = "unavailable"

    async def get_book(number: int, actor: str) -> Answer:
        raise TooLate("Closed.", headers={"Retry-After": "5"}, opens="tomorrow")

    application = library.application(handlers={**library.HANDLERS, "get_book": get_book})
    reply = get("/books/newest", application=application)
    assert reply.status == 200
    scope = http_scope("GET", b"/api/v1/books/1", b"", list(LIBRARIAN.items()))
    sent = asyncio.run(messages(application, scope))
    assert sent[0]["status"] == 503
    assert (b"retry-after", b"5") in sent[0]["headers"]
    assert b'"opens":"tomorrow"' in sent[1]["body"]


def test_what_json_cannot_say_is_an_internal_error(caplog: pytest.LogCaptureFixture) -> None:
    async def get_book(number: int, actor: str) -> Answer:
        return Answer({"number": object()})

    assert (
        get("/books/1", application=library.application(handlers={**library.HANDLERS, "get_book": get_book})).status
        == 500
    )


def test_each_request_is_observed_once() -> None:
    seen: list[dict[str, Any]] = []
    application = library.application(observe=lambda **what: seen.append(what))
    get("/books/1", {**LIBRARIAN, "X-Request-Id": "mine"}, application=application)
    get("/nowhere", {}, application=application)
    ask("HEAD", "/books/404", READER, application=application)
    assert all(what.pop("seconds") > 0 for what in seen)
    assert seen[0] == {
        "operation_id": "get_book",
        "method": "GET",
        "status": 200,
        "request_id": "mine",
        "actor": "librarian",
        "path": "/api/v1/books/1",
        "client": "unix",
        "reason": None,
        "trace_id": None,
    }
    assert (seen[1]["operation_id"], seen[1]["status"], seen[1]["actor"]) == (None, 404, None)
    assert (seen[2]["operation_id"], seen[2]["method"], seen[2]["status"]) == ("get_book", "HEAD", 404)


def test_a_client_that_hangs_up_is_not_answered() -> None:
    seen: list[int] = []
    application = library.application(observe=lambda *, status, **_: seen.append(status))
    scope = http_scope("POST", b"/api/v1/books", b"", list(JSON.items()))
    sent = asyncio.run(messages(application, scope, [{"type": "http.request", "body": b"{", "more_body": True}]))
    assert (sent, seen) == ([], [499])


def test_an_answer_that_breaks_off_is_not_followed_by_another(caplog: pytest.LogCaptureFixture) -> None:
    async def receive() -> Any: ...

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            raise OSError("the cable is cut")

    scope = http_scope("GET", b"/api/v1/books/1", b"", list(LIBRARIAN.items()))
    with pytest.raises(OSError, match="cable"):
        asyncio.run(library.application()(scope, receive, send))


async def messages(application: Any, scope: Any, incoming: list[Any] | None = None) -> list[Any]:
    """What is sent, to a client that sends no more than `incoming`."""
    sent: list[Any] = []
    left = iter(incoming or [])

    async def receive() -> Any:
        return next(left, {"type": "http.disconnect"})

    async def send(message: Any) -> None:
        sent.append(message)

    await application(scope, receive, send)
    return sent
