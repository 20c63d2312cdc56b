"""Bodies that are not JSON: handed on in pieces, forms with files, their limits, and that nothing is left of them."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from contract.asking import LIBRARIAN, Chunks, Reply, ask, http_scope
from contract.sample import library

from ticketing import contract
from ticketing.contract import Answer, Incoming, InvalidToken, arrivals, multipart

PICTURE = bytes(range(256)) * 400
PNG = {**LIBRARIAN, "Content-Type": "image/png"}
BOUNDARY = "----cut-here"
FORM = {**LIBRARIAN, "Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
FORM_DATA = 'Content-Disposition: form-data; name="{}"'
TITLE = (FORM_DATA.format("title"), b"Front")
PAGE = (FORM_DATA.format("page") + '; filename="p.png"\r\nContent-Type: image/png', PICTURE)


def form(*parts: tuple[str, bytes], boundary: str = BOUNDARY, end: str = "--\r\n") -> bytes:
    """A form of these parts, each with its head and what it holds."""
    body = b"".join(f"--{boundary}\r\n{head}\r\n\r\n".encode() + value + b"\r\n" for head, value in parts)
    return body + f"--{boundary}{end}".encode()


def put(body: bytes | Chunks, headers: dict[str, str] = PNG, application: Any = None) -> Reply:
    return ask("PUT", "/books/1/cover", headers, body, application=application)


def scan(body: bytes | Chunks, headers: dict[str, str] = FORM, application: Any = None) -> Reply:
    return ask("POST", "/books/1/scans", headers, body, application=application)


def pieces(body: bytes, size: int) -> Chunks:
    return Chunks([body[start : start + size] for start in range(0, len(body), size)])


# Raw bodies


@pytest.mark.parametrize("size", [1_000, 64 * 1024, 200_000])
def test_a_raw_body_comes_to_its_handler_as_it_was_sent(size: int) -> None:
    for body in (PICTURE, pieces(PICTURE, size)):
        reply = put(body)
        expected = {"media_type": "image/png", "size": len(PICTURE), "digest": sha256(PICTURE).hexdigest()}
        assert (reply.status, reply.json()) == (200, expected)
        assert "connection" not in reply.headers


@pytest.mark.parametrize(
    ("media_type", "status"),
    [
        ("image/png", 200),
        ("IMAGE/SVG+XML; charset=latin-1", 200),
        ("application/octet-stream", 200),
        ("text/plain", 415),
        ("image/*", 415),
        ("image/", 415),
        ("image/a/b", 415),
        ("*/*", 415),
        ("images/png", 415),
        ("", 415),
        ("image/\xff", 415),
    ],
)
def test_a_range_of_media_types_takes_those_in_it(media_type: str, status: int) -> None:
    reply = put(b"x", {**LIBRARIAN, "Content-Type": media_type})
    assert reply.status == status
    if status == 200:
        assert reply.json()["media_type"] == media_type


def test_a_body_that_is_needed_is_not_empty() -> None:
    for body in (b"", Chunks([]), Chunks([b"", b""])):
        assert put(body).code == "malformed_request"
        assert scan(body).code == "malformed_request"


def test_a_body_over_its_cap_is_413_also_while_it_comes() -> None:
    assert put(bytes(200_000)).status == 200
    assert put(bytes(200_001)).status == 413
    chunks = Chunks(bytes(10_000) for _ in range(10_000))
    reply = put(chunks)
    assert (reply.status, reply.headers["connection"]) == (413, "close")
    assert chunks.taken <= 220_000


async def hurried(number: int, body: Incoming, actor: str) -> Answer:
    return Answer({"media_type": body.media_type, "size": 0, "digest": ""})


async def refusing(number: int, body: Incoming, actor: str) -> Answer:
    await anext(body)
    raise library.NotFound("There is no such book.")


@pytest.mark.parametrize(("handler", "status"), [(hurried, 200), (refusing, 404)])
def test_a_connection_ends_with_an_answer_that_does_not_wait_for_the_body(handler: Any, status: int) -> None:
    application = library.application(handlers={**library.HANDLERS, "put_cover": handler})
    chunks = pieces(PICTURE, 1000)
    reply = put(chunks, application=application)
    assert (reply.status, reply.headers["connection"]) == (status, "close")
    assert chunks.taken <= 2000
    assert "connection" not in put(b"x", application=application).headers


def test_no_more_is_read_than_the_handler_takes() -> None:
    chunks = pieces(PICTURE, 1000)
    taken: list[int] = []

    async def put_cover(number: int, body: Incoming, actor: str) -> Answer:
        async for _ in body:
            await asyncio.sleep(0)
            taken.append(chunks.taken)
        return Answer({"media_type": "", "size": body.size, "digest": ""})

    application = library.application(handlers={**library.HANDLERS, "put_cover": put_cover})
    assert put(chunks, application=application).json()["size"] == len(PICTURE)
    assert taken == [min(1000 * (index + 1), len(PICTURE)) for index in range(len(taken))]


@pytest.mark.parametrize("send", [put, scan])
def test_who_may_not_write_any_more_when_the_body_is_here_is_refused(send: Callable[..., Reply]) -> None:
    asked: list[str] = []

    async def authenticate(token: str) -> str:
        asked.append(token)
        if len(asked) > 1:
            raise InvalidToken("revoked")
        return token

    application = library.application(authenticators={**library.AUTHENTICATORS, "bearer": authenticate})
    assert send(pieces(form(TITLE, PAGE), 50_000), application=application).status == 401
    assert len(asked) == 2
    asked.clear()
    assert send(form(TITLE, PAGE), application=application).status in (200, 201)
    assert len(asked) == 1, "it was all here"


@pytest.mark.parametrize("send", [put, scan])
def test_a_body_that_comes_too_slowly_is_408(send: Callable[..., Reply]) -> None:
    async def slow(messages: int) -> int:
        scope = http_scope("POST" if send is scan else "PUT", b"/api/v1/books/1/", b"", list(PNG.items()))
        scope["raw_path"] += b"scans" if send is scan else b"cover"
        scope["headers"] = [
            (name.lower().encode(), value.encode()) for name, value in (FORM if send is scan else PNG).items()
        ]
        left = iter([{"type": "http.request", "body": b"", "more_body": True}] * messages)
        sent: list[Any] = []

        async def receive() -> Any:
            message = next(left, None)
            if message is None:
                await asyncio.Event().wait()
            return message

        async def note(message: Any) -> None:
            sent.append(message)

        await library.application(body_seconds=0.05)(scope, receive, note)
        assert (b"connection", b"close") in sent[0]["headers"]
        status: int = sent[0]["status"]
        return status

    assert asyncio.run(slow(0)) == 408
    assert asyncio.run(slow(3)) == 408


# Forms


def test_a_form_is_judged_by_its_schema_and_its_files_come_whole() -> None:
    extra = (FORM_DATA.format("extras") + '; filename="e.bin"', b"\r\n--\r\n" * 3)
    body = form(
        (FORM_DATA.format("title"), "Süd".encode()),
        (FORM_DATA.format("resolution"), b"300"),
        (FORM_DATA.format("color"), b"true"),
        (FORM_DATA.format("words"), b"a"),
        (FORM_DATA.format("words"), b"b"),
        (FORM_DATA.format("place") + "\r\nContent-Type: application/json", b'{"shelf": 7}'),
        PAGE,
        extra,
        (FORM_DATA.format("extras"), b""),
    )
    for sent in (body, pieces(body, 7), pieces(body, 70_000)):
        reply = scan(sent)
        assert reply.status == 201, reply.body
        assert reply.json() == {
            "title": "Süd",
            "resolution": 300,
            "color": True,
            "words": ["a", "b"],
            "place": {"shelf": 7},
            "page": received("image/png", "p.png", PICTURE),
            "extras": [
                received("application/octet-stream", "e.bin", extra[1]),
                received("application/octet-stream", None, b""),
            ],
        }


def received(media_type: str, filename: str | None, content: bytes) -> dict[str, Any]:
    digest = sha256(content).hexdigest()
    return {"media_type": media_type, "filename": filename, "size": len(content), "digest": digest}


@pytest.mark.parametrize(
    ("parts", "faults"),
    [
        ([PAGE], {"#/title": "This is required."}),
        ([TITLE], {"#/page": "This is required."}),
        ([TITLE, PAGE, (FORM_DATA.format("color"), b"red")], {"#/color": '"red" is not true or false.'}),
        ([(FORM_DATA.format("title"), b""), PAGE], {"#/title": "This must not be blank."}),
        ([TITLE, PAGE, (FORM_DATA.format("resolution"), b"7_2")], {"#/resolution": '"7_2" is not an integer.'}),
        ([TITLE, PAGE, (FORM_DATA.format("place"), b'{"shelf": 0}')], {"#/place/shelf": None}),
        ([TITLE, PAGE, *[(FORM_DATA.format("words"), b"a")] * 4], {"#/words": "This has more than 3 items."}),
        ([TITLE, PAGE, *[(FORM_DATA.format("extras"), b"a")] * 3], {"#/extras": "This has more than 2 items."}),
        ([TITLE, TITLE, PAGE], {"#/title": "This is given twice."}),
        ([TITLE, PAGE, PAGE], {"#/page": "This is given twice."}),
        ([TITLE, PAGE, (FORM_DATA.format("tilte"), b"x")], {"#/tilte": "There is no property of this name here."}),
        ([TITLE, PAGE, (FORM_DATA.format(""), b"x")], {"#/": "There is no property of this name here."}),
        ([TITLE, (FORM_DATA.format("page") + "\r\nContent-Type: text/html", b"x")], {"#/page": None}),
        ([TITLE, (FORM_DATA.format("page"), b"x")], {"#/page": None}),
        ([(FORM_DATA.format("title") + '; filename="t"', b"x"), PAGE], {"#/title": "This is not a file."}),
        ([(FORM_DATA.format("title"), b"a\0b"), PAGE], {"#/title": "This text holds the character NUL."}),
        (
            [(FORM_DATA.format("title") + "\r\nContent-Type: text/plain; charset=latin-1", b"x"), PAGE],
            {"#/title": "The text must be encoded as UTF-8."},
        ),
    ],
)
def test_what_breaks_a_rule_of_the_form_is_422(parts: list[tuple[str, bytes]], faults: dict[str, str | None]) -> None:
    reply = scan(form(*parts))
    assert (reply.status, reply.code) == (422, "validation_failed")
    found = reply.faults()
    assert found.keys() == faults.keys()
    assert all(detail in (None, found[place]) for place, detail in faults.items())


@pytest.mark.parametrize(
    "body",
    [
        b"nonsense",
        form(TITLE, PAGE, end=""),
        form(TITLE, PAGE, end="\r\n"),
        form(TITLE, PAGE)[:-300],
        form(TITLE, PAGE, boundary="other"),
        b"preamble\r\n" + form(TITLE, PAGE),
        form(("X: y", b"Front"), PAGE),
        form(("Content-Disposition: form-data", b"Front"), PAGE),
        form(('Content-Disposition: attachment; name="title"', b"Front"), PAGE),
        form(('Content-Disposition form-data; name="title"', b"Front"), PAGE),
        form((f"{FORM_DATA.format('title')}\r\n{FORM_DATA.format('page')}", b"Front"), PAGE),
        form((FORM_DATA.format("title") + "\r\nContent-Transfer-Encoding: base64", b"RnJvbnQ="), PAGE),
        form((FORM_DATA.format("title"), b"\xff"), PAGE),
        form((FORM_DATA.format("@"), b"")).replace(b"@", b"\xff"),
        form(TITLE, PAGE, (FORM_DATA.format("place"), b'{"shelf": 1, "shelf": 2}')),
        form(TITLE, PAGE, (FORM_DATA.format("place"), b"{")),
        form((FORM_DATA.format("title") + "\r\nX: " + "y" * 5000, b"Front"), PAGE),
        form((FORM_DATA.format("title") + "\r\nX: y".join(str(n) + ": z" for n in range(9)), b"Front"), PAGE),
    ],
)  # fmt: skip
def test_what_is_no_form_is_400(body: bytes) -> None:
    for sent in (body, pieces(body, 11)):
        reply = scan(sent)
        assert (reply.status, reply.code) == (400, "malformed_request"), reply.body


@pytest.mark.parametrize(
    "boundary", ["", "; boundary=", '; boundary=""', "; boundary=" + "x" * 71, "; boundary=é", '; boundary="a "']
)
def test_a_form_needs_a_boundary(boundary: str) -> None:
    reply = scan(form(TITLE, PAGE), {**LIBRARIAN, "Content-Type": f"multipart/form-data{boundary}"})
    assert (reply.status, reply.code) == (400, "malformed_request")
    assert "boundary" in reply.json()["detail"]


def test_a_boundary_may_be_quoted() -> None:
    headers = {**LIBRARIAN, "Content-Type": 'Multipart/Form-Data; Boundary="a b:c"'}
    assert scan(form(TITLE, PAGE, boundary="a b:c"), headers).status == 201


@pytest.mark.parametrize(
    "body",
    [
        form(TITLE, (PAGE[0], bytes(250_001))),
        form((FORM_DATA.format("title"), b"x" * 1601), PAGE),
        form(TITLE, PAGE, (FORM_DATA.format("place"), b"1" * 70_000)),
        form(TITLE, *[(FORM_DATA.format("words"), b"")] * multipart.MOST_PARTS),
        form(TITLE, (PAGE[0], bytes(250_000)), (FORM_DATA.format("extras"), bytes(200_000))),
    ],
    ids=["file", "text", "json", "parts", "all"],
)
def test_a_form_that_is_too_large_in_one_way_or_another_is_413(body: bytes) -> None:
    for sent in (body, pieces(body, 10_000)):
        reply = scan(sent)
        assert (reply.status, reply.code) == (413, "content_too_large")


def test_files_of_any_allowed_length_come_whole() -> None:
    for size in (0, 1, multipart.IN_MEMORY_BYTES, multipart.IN_MEMORY_BYTES + 1, 250_000):
        content = os.urandom(size)
        assert scan(form(TITLE, (PAGE[0], content))).json()["page"]["digest"] == sha256(content).hexdigest()


def test_a_form_is_never_whole_in_memory() -> None:
    document = library.document()
    document["paths"]["/books/{number}/scans"]["post"]["x-max-body-bytes"] = 10**9
    document["components"]["schemas"]["NewScan"]["properties"]["page"]["x-max-bytes"] = 10**9
    application = library.application(document=document)
    start, end = form(TITLE, (PAGE[0], b"")).rsplit(b"\r\n--", 1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def sent() -> Iterator[bytes]:
        yield start
        for _ in range(100):
            yield bytes(1024 * 1024)
        yield b"\r\n--" + end

    assert scan(Chunks(sent()), application=application).json()["page"]["size"] == 100 * 1024 * 1024
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20 * 1024


# What is left


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where files are put meanwhile."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def spooled() -> int:
    """How many files without a name this process has open."""
    gc.collect()
    opened = [each for each in Path("/proc/self/fd").iterdir() if each.is_symlink()]
    return sum("(deleted)" in str(each.readlink()) for each in opened)


def test_nothing_is_left_of_a_form_however_it_ends(folder: Path) -> None:
    before = spooled()
    body = form(TITLE, PAGE)
    assert scan(body).status == 201
    assert scan(form(TITLE, PAGE, TITLE)).status == 422
    assert scan(form(TITLE, PAGE, end="")).status == 400
    assert asyncio.run(broken_off(pieces(body[:-50], 1000))) == [499]
    assert (spooled(), list(folder.iterdir())) == (before, [])


def test_a_handler_learns_that_its_client_has_left() -> None:
    happened: list[str] = []

    @asynccontextmanager
    async def transaction() -> AsyncIterator[None]:
        try:
            yield
            happened.append("kept")
        except contract.exchange.ClientGone:
            happened.append("undone")
            raise

    async def put_cover(number: int, body: Incoming, actor: str) -> Answer:
        async with transaction():
            happened.extend([f"{len(piece)} bytes" async for piece in body])
        return Answer(None, 204)

    application = library.application(
        handlers={**library.HANDLERS, "put_cover": put_cover}, observe=lambda *, status, **_: happened.append(status)
    )
    asyncio.run(broken_off(pieces(PICTURE, 60_000), "PUT", b"/api/v1/books/1/cover", PNG, application))
    assert happened == ["undone", 499]


async def broken_off(
    chunks: Chunks,
    method: str = "POST",
    path: bytes = b"/api/v1/books/1/scans",
    headers: dict[str, str] = FORM,
    application: Any = None,
) -> list[int]:
    """What is observed of a client that leaves after these."""
    seen: list[int] = []
    application = application or library.application(observe=lambda *, status, **_: seen.append(status))

    async def receive() -> Any:
        message = chunks.message()
        return message if message["more_body"] else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        raise AssertionError(message)

    await application(http_scope(method, path, b"", list(headers.items())), receive, send)
    return seen


@pytest.mark.parametrize(("module", "limit"), [(arrivals, "MOST_ARRIVING_BYTES"), (multipart, "MOST_SPOOLED_BYTES")])
def test_what_is_held_of_forms_on_their_way_is_bounded(
    monkeypatch: pytest.MonkeyPatch, module: Any, limit: str
) -> None:
    """Small files count in memory, long ones on disk; beyond the bound a form is refused, and gives it back."""
    monkeypatch.setattr(module, limit, 100_000)
    application = library.application()
    small = form(TITLE, (PAGE[0], bytes(60_000)), *[(FORM_DATA.format("extras"), bytes(60_000))] * 2)
    long = form(TITLE, (PAGE[0], bytes(150_000)))
    refused, taken = (small, long) if module is arrivals else (long, small)
    for _ in range(3):
        reply = scan(pieces(refused, 10_000), application=application)
        assert (reply.status, reply.code) == (503, "unavailable")
        assert "retry-after" in reply.headers
        assert scan(pieces(taken, 10_000), application=application).status == 201


def test_a_disk_that_is_full_is_503(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/dev/full/none")
    assert scan(form(TITLE, PAGE)).status == 503
    assert "cannot be kept" in caplog.text


def change(alter: Callable[[dict[str, Any]], object]) -> Callable[[], Any]:
    def build() -> Any:
        document = library.document()
        alter(document["components"]["schemas"]["NewScan"])
        return library.application(document=document)

    return build


@pytest.mark.parametrize(
    ("alter", "complaint"),
    [
        (lambda schema: schema.pop("properties"), "is not an object with properties"),
        (lambda schema: schema.update(type="array"), "is not an object with properties"),
        (lambda schema: schema.pop("additionalProperties"), "allows properties that it does not name"),
        (lambda schema: schema["properties"]["page"].update(minLength=1), "says minLength of the file page"),
        (lambda schema: schema["properties"].update(odd={"enum": ["a"]}), "says enum of the file odd"),
    ],
)
def test_a_form_that_cannot_be_enforced_stops_the_start(
    alter: Callable[[dict[str, Any]], object], complaint: str
) -> None:
    with pytest.raises(contract.ContractError, match=complaint):
        change(alter)()
