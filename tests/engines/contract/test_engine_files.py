"""Answers that are not JSON: files, whole, in part or not at all; other bytes; redirects; several headers of a name."""

from __future__ import annotations

import asyncio
import os
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from contract.asking import LIBRARIAN, ask, get, http_scope
from contract.sample import library
from contract.sample.library import COVER

from ticketing.contract import Answer, File, Networks, Proxies, Redirect, files

SIZE = len(COVER)
MODIFIED = "Tue, 24 Nov 2026 10:00:00 GMT"
LATER, EARLIER = "Tue, 24 Nov 2026 10:00:01 GMT", "Tue, 24 Nov 2026 09:59:59 GMT"


def cover(method: str = "GET", number: str = "1", **headers: str) -> Any:
    return ask(method, f"/books/{number}/cover", {name.replace("_", "-"): value for name, value in headers.items()})


def test_a_file_is_sent_whole() -> None:
    reply = cover()
    assert (reply.status, reply.body) == (200, COVER)
    assert reply.headers["content-type"] == "image/png"
    assert reply.headers["content-length"] == str(SIZE)
    assert reply.headers["accept-ranges"] == "bytes"
    assert reply.headers["last-modified"] == MODIFIED
    assert reply.headers["etag"].startswith('"')


def test_head_is_get_without_the_bytes() -> None:
    whole, head = cover(), cover("HEAD", Range="bytes=0-9")
    assert (head.status, head.body) == (200, b"")
    assert {**head.headers, "x-request-id": ""} == {**whole.headers, "x-request-id": ""}


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-999", 0, 1000),
        ("bytes=999-1000", 999, 1001),
        ("bytes=500-", 500, SIZE),
        (f"bytes={SIZE - 1}-", SIZE - 1, SIZE),
        (f"bytes=10-{SIZE}", 10, SIZE),
        ("bytes=10-999999999999999999", 10, SIZE),
        ("bytes=-1", SIZE - 1, SIZE),
        ("bytes=-1000", SIZE - 1000, SIZE),
        (f"bytes=-{SIZE + 1}", 0, SIZE),
        ("Bytes = 0 - 4", 0, 5),
        ("bytes=00-04", 0, 5),
    ],
)
def test_a_part_is_sent_that_is_asked_for(asked: str, start: int, end: int) -> None:
    reply = cover(Range=asked)
    assert (reply.status, reply.body) == (206, COVER[start:end])
    assert reply.headers["content-range"] == f"bytes {start}-{end - 1}/{SIZE}"
    assert reply.headers["content-length"] == str(end - start)


@pytest.mark.parametrize("asked", [f"bytes={SIZE}-", f"bytes={SIZE}-{SIZE}", "bytes=999999999999999999-", "bytes=-0"])
def test_a_part_that_there_is_not_is_416(asked: str) -> None:
    reply = cover(Range=asked)
    assert (reply.status, reply.code) == (416, "range_not_satisfiable")
    assert reply.headers["content-range"] == f"bytes */{SIZE}"


@pytest.mark.parametrize(
    "asked",
    [
        "bytes=0-1,3-4",
        "bytes=0-1, 3-4",
        "bytes=5-4",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=0-1-2",
        "bytes=+0-1",
        "bytes=٣-",
        "bytes=0-" + "9" * 99,
        "items=0-1",
        "bytes 0-1",
        "x",
    ],
)
def test_several_parts_or_what_is_no_range_are_the_whole(asked: str) -> None:
    reply = cover(Range=asked.encode().decode("latin-1") if not asked.isascii() else asked)
    assert reply.status in (200, 400)
    if reply.status == 200:
        assert reply.body == COVER
    assert (reply.status == 400) == (not asked.isascii() or len(asked) > 100)


def test_of_nothing_there_is_no_part() -> None:
    assert (cover(number="100").status, cover(number="100").headers["content-length"]) == (200, "0")
    assert cover(number="100", Range="bytes=0-").status == 416
    assert cover(number="100", Range="bytes=-5").status == 200


@pytest.mark.parametrize(
    ("conditions", "status"),
    [
        ({"If_None_Match": "{}"}, 304),
        ({"If_None_Match": 'W/{}, "x"'}, 304),
        ({"If_None_Match": "*"}, 304),
        ({"If_None_Match": '"x"'}, 200),
        ({"If_Modified_Since": MODIFIED}, 304),
        ({"If_Modified_Since": LATER}, 304),
        ({"If_Modified_Since": EARLIER}, 200),
        ({"If_Modified_Since": "yesterday"}, 200),
        ({"If_Modified_Since": "Tue, 99 Nov 2026 10:00:00 GMT"}, 200),
        ({"If_Modified_Since": f"Tue, 24 Nov {'9' * 30} 10:00:00 GMT"}, 200),
        ({"If_Modified_Since": f"Tue, 24 Nov 2026 10:00:00 +{'9' * 30}"}, 200),
        ({"If_None_Match": '"x"', "If_Modified_Since": MODIFIED}, 200),
        ({"If_None_Match": "{}", "If_Modified_Since": EARLIER}, 304),
        ({"If_None_Match": "{}", "Range": "bytes=0-1"}, 304),
        ({"If_Range": "{}", "Range": "bytes=0-1"}, 206),
        ({"If_Range": "W/{}", "Range": "bytes=0-1"}, 200),
        ({"If_Range": '"x"', "Range": "bytes=0-1"}, 200),
        ({"If_Range": '"x"', "Range": f"bytes={SIZE}-"}, 200),
        ({"If_Range": MODIFIED, "Range": "bytes=0-1"}, 206),
        ({"If_Range": LATER, "Range": "bytes=0-1"}, 200),
        ({"If_Range": "yesterday", "Range": "bytes=0-1"}, 200),
        ({"If_Range": f"Tue, 24 Nov {'9' * 30} 10:00:00 GMT", "Range": "bytes=0-1"}, 200),
        ({"If_Range": '"x"'}, 200),
    ],
)
def test_a_client_that_has_it_is_told_so(conditions: dict[str, str], status: int) -> None:
    tag = cover().headers["etag"]
    given = {name: value.format(tag) for name, value in conditions.items()}
    for method in ("GET", "HEAD"):
        reply = cover(method, "1", **given)
        assert reply.status == (200 if method == "HEAD" and status == 206 else status)
        assert reply.headers["etag"] == tag
        if status == 304:
            assert (reply.body, reply.headers["last-modified"]) == (b"", MODIFIED)
            assert not {"content-type", "content-length", "accept-ranges"} & reply.headers.keys()


@pytest.mark.parametrize(
    ("conditions", "status"),
    [
        ({"If_Match": "{}"}, 200),
        ({"If_Match": '"x", {}'}, 200),
        ({"If_Match": "*"}, 200),
        ({"If_Match": '"x"'}, 412),
        ({"If_Match": "W/{}"}, 412),
        ({"If_Match": '"x"', "Range": "bytes=0-1"}, 412),
        ({"If_Match": '"x"', "Range": f"bytes={SIZE}-"}, 412),
        ({"If_Match": '"x"', "If_None_Match": "{}"}, 412),
        ({"If_Match": "{}", "If_None_Match": "{}"}, 304),
        ({"If_Match": "{}", "Range": "bytes=0-1"}, 206),
        ({"If_Unmodified_Since": MODIFIED, "Range": "bytes=0-1"}, 206),
        ({"If_Unmodified_Since": LATER}, 200),
        ({"If_Unmodified_Since": EARLIER}, 412),
        ({"If_Unmodified_Since": "yesterday"}, 200),
        ({"If_Match": "{}", "If_Unmodified_Since": EARLIER}, 200),
    ],
)
def test_a_client_that_goes_on_reading_is_told_that_the_bytes_are_others(
    conditions: dict[str, str], status: int
) -> None:
    """Otherwise it would put the end of one file behind the beginning of another."""
    tag = cover().headers["etag"]
    given = {name: value.format(tag) for name, value in conditions.items()}
    reply = cover(**given)
    assert reply.status == status
    assert status != 412 or reply.code == "precondition_failed"
    assert cover("HEAD", "1", **given).status == (200 if status == 206 else status)


def test_a_file_that_is_not_there_is_refused_as_ever() -> None:
    assert cover(number="404").status == 404
    assert cover("HEAD", number="404", Range="bytes=0-1").status == 404


@pytest.mark.parametrize(
    ("accept", "status"),
    [("image/*", 200), ("image/webp, */*;q=0.1", 200), ("image/png", 200), ("text/html", 406), ("image/*;q=0", 406)],
)
def test_accept_must_leave_room_for_it(accept: str, status: int) -> None:
    assert cover(Accept=accept).status == status


def test_a_file_of_this_machine(tmp_path: Path) -> None:
    path = tmp_path / "cover"
    path.write_bytes(COVER * 50)
    os.utime(path, (0, 1_000_000_000))

    async def get_cover(number: int, actor: str) -> File:
        return File.at(path, "image/png", '"t"', {"Cache-Control": "private"})

    application = library.application(handlers={**library.HANDLERS, "get_cover": get_cover})
    whole = get("/books/1/cover", application=application)
    assert (whole.body, whole.headers["last-modified"]) == (path.read_bytes(), "Sun, 09 Sep 2001 01:46:40 GMT")
    part = get("/books/1/cover", {"Range": "bytes=70000-200000"}, application=application)
    assert part.body == path.read_bytes()[70_000:200_001]


def test_it_does_not_wait_for_ever_for_a_client_that_does_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "TAKE_SECONDS", 0.01)

    async def stuck(message: Any) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    assert asyncio.run(observed(stuck)) == [499]


def test_it_is_read_no_further_when_the_client_is_gone() -> None:
    taken = []

    async def left(message: Any) -> None:
        taken.append(message)
        await asyncio.sleep(0)

    assert asyncio.run(observed(left, gone=True)) == [499]
    assert len(taken) < 4


async def observed(send: Any, *, gone: bool = False) -> list[int]:
    seen: list[int] = []
    asked = False

    async def receive() -> Any:
        nonlocal asked
        if asked and not gone:
            await asyncio.Event().wait()
        asked = True
        return {"type": "http.disconnect" if gone else "http.request"}

    application = library.application(observe=lambda *, status, **_: seen.append(status))
    await application(http_scope("GET", b"/api/v1/books/1/cover", b"", []), receive, send)
    return seen


def test_other_bytes_are_answered_as_they_are() -> None:
    reply = get("/books/7/label")
    assert (reply.status, reply.body) == (200, b"number,title\n7,No\n")
    assert reply.headers["content-type"] == "text/csv; charset=utf-8"
    again = get("/books/7/label", {**LIBRARIAN, "If-None-Match": reply.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
    assert ask("HEAD", "/books/7/label").headers["content-length"] == str(len(reply.body))


def test_a_redirect_says_where_to_go() -> None:
    for method in ("GET", "HEAD"):
        reply = ask(method, "/books/1/sequel")
        assert (reply.status, reply.body) == (302, b"")
        assert (reply.headers["location"], reply.headers["content-length"]) == ("/api/v1/books/2", "0")
        assert "content-type" not in reply.headers


def test_several_headers_of_one_name_are_sent_in_a_line_each() -> None:
    reply = ask("POST", "/sessions", {})
    assert (reply.status, reply.headers["location"]) == (303, "/api/v1/desk")
    assert reply.all("set-cookie") == ["session=s-reader; Path=/; HttpOnly; SameSite=Lax", "lamp=on; Path=/"]


@pytest.mark.parametrize("location", ["/a\r\nSet-Cookie: x=y", "/a\nb", "/a\0", "/\x85"])
def test_a_header_cannot_be_broken_out_of(location: str, caplog: pytest.LogCaptureFixture) -> None:
    async def get_sequel(number: int, actor: str) -> Redirect:
        return Redirect(location)

    async def get_book(number: int, actor: str) -> Answer:
        return Answer({}, headers={"X-Wish": location})

    handlers = {**library.HANDLERS, "get_sequel": get_sequel, "get_book": get_book}
    for target in ("/books/1/sequel", "/books/1"):
        assert get(target, application=library.application(handlers=handlers)).status == 500
    assert "control character" in caplog.text


def test_the_prefix_goes_before_addresses_of_ours_alone() -> None:
    application = library.application(proxies=Proxies(Networks("unix"), "/library"))
    assert get("/books/1/sequel", application=application).headers["location"] == "/library/api/v1/books/2"
    assert get("/books/7/sequel", application=application).headers["location"] == "https://elsewhere.test/sequel"


def test_dates_are_written_as_http_has_them() -> None:
    assert format_datetime(library.COVERED_AT.replace(microsecond=0), usegmt=True) == MODIFIED
