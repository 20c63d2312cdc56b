"""Bodies and files through a real connection: nobody sends or takes more than the other side can keep."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncGenerator, Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from contract.sample import library
from contract.test_engine_bodies import FORM, PAGE, PNG, TITLE, form, spooled

from conftest import await_, served
from ticketing.contract import Answer, File, Incoming
from ticketing.contract.exchange import ClientGone

pytestmark = pytest.mark.slow
MEGABYTE = 1024 * 1024
IN_BETWEEN = 4 * MEGABYTE
"""More than all that lies between a handler and its client: our buffers, and those of the system on both sides."""


@pytest.fixture(scope="module")
def happened() -> list[Any]:
    """What handlers note."""
    return []


@pytest.fixture(scope="module")
def url(service: str, happened: list[Any]) -> Iterator[str]:
    """The library, served as the service is (which it needs for its settings), with room for 50 megabytes."""

    async def put_cover(number: int, body: Incoming, actor: str) -> Answer:
        try:
            if number == 2:
                while "go on" not in happened:
                    await asyncio.sleep(0.01)
            async for _ in body:
                pass
        except ClientGone:
            happened.append("gone")
            raise
        happened.append(body.size)
        return Answer({"media_type": body.media_type, "size": body.size, "digest": ""})

    async def get_cover(number: int, actor: str) -> File:
        async def pieces(start: int, end: int) -> AsyncGenerator[bytes, None]:
            happened.append(0)
            for at in range(start, end, MEGABYTE // 16):
                piece = bytes(min(MEGABYTE // 16, end - at))
                happened[-1] += len(piece)
                yield piece

        return File(50 * MEGABYTE, "image/png", pieces, '"t"')

    document = library.document()
    document["paths"]["/books/{number}/cover"]["put"]["x-max-body-bytes"] = 50 * MEGABYTE
    handlers = {**library.HANDLERS, "put_cover": put_cover, "get_cover": get_cover}
    with served(library.application(document=document, handlers=handlers, beside=_alive)) as url:
        yield url


def _alive(api: Any) -> Any:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        exchange = scope["contract.exchange"]
        if exchange.path == "/health/live":
            await exchange.respond(200, [], b"")
        else:
            await api(scope, receive, send)

    return application


@pytest.fixture
def connection(url: str, happened: list[Any]) -> Iterator[socket.socket]:
    happened.clear()
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port or 80), timeout=20) as connection:
        yield connection


def head(method: str, path: str, headers: dict[str, str]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{method} /api/v1{path} HTTP/1.1\r\nHost: here\r\n{lines}\r\n".encode()


def sent_until_it_stalls(connection: socket.socket, size: int) -> int:
    """How much of a body is taken while nobody reads it."""
    connection.settimeout(1)
    count = 0
    try:
        while count < size:
            count += connection.send(bytes(min(MEGABYTE, size - count)))
    except TimeoutError:
        pass
    connection.settimeout(20)
    return count


def answer(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of an answer with a length."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536)
    lines, _, begun = received.partition(b"\r\n\r\n")
    status, *fields = lines.decode().split("\r\n")
    headers = dict(field.lower().split(": ", 1) for field in fields)
    body = bytearray(begun)
    while len(body) < int(headers["content-length"]):
        body += connection.recv(65536)
    return int(status.split()[1]), headers, bytes(body)


def test_a_body_waits_with_its_client_until_the_handler_takes_it(
    connection: socket.socket, happened: list[Any]
) -> None:
    size = 50 * MEGABYTE
    connection.sendall(head("PUT", "/books/2/cover", {**PNG, "Content-Length": str(size)}))
    count = sent_until_it_stalls(connection, size)
    assert count < IN_BETWEEN
    happened.append("go on")
    connection.sendall(bytes(size - count))
    status, headers, body = answer(connection)
    assert (status, json.loads(body)["size"], happened[-1]) == (200, size, size)
    assert "connection" not in headers
    connection.sendall(head("GET", "/opening-hours", {}))
    assert answer(connection)[0] == 200, "the connection goes on"


def test_a_file_waits_with_its_handler_until_the_client_takes_it(
    connection: socket.socket, happened: list[Any]
) -> None:
    connection.sendall(head("GET", "/books/1/cover", {}))
    await_(lambda: bool(happened))
    seen = -1
    while seen != happened[0]:
        seen = happened[0]
        time.sleep(0.3)
    assert seen < IN_BETWEEN
    status, _, body = answer(connection)
    assert (status, len(body), happened) == (200, 50 * MEGABYTE, [50 * MEGABYTE])


def test_it_is_read_no_further_once_the_client_is_gone(connection: socket.socket, happened: list[Any]) -> None:
    connection.sendall(head("GET", "/books/1/cover", {}))
    await_(lambda: bool(happened))
    connection.close()
    time.sleep(0.5)
    assert happened[0] < IN_BETWEEN


def test_a_handler_is_told_that_its_client_left_half_way(connection: socket.socket, happened: list[Any]) -> None:
    connection.sendall(head("PUT", "/books/1/cover", {**PNG, "Content-Length": "1000"}) + bytes(500))
    time.sleep(0.1)
    connection.close()
    await_(lambda: happened == ["gone"])


def test_of_a_form_that_is_half_there_nothing_is_left(connection: socket.socket) -> None:
    before = spooled()
    body = form(TITLE, PAGE)
    connection.sendall(head("POST", "/books/1/scans", {**FORM, "Content-Length": str(len(body))}) + body[:-9])
    await_(lambda: spooled() == before + 1)
    connection.close()
    await_(lambda: spooled() == before)


@pytest.mark.parametrize(
    ("framing", "body"),
    [
        ({"Content-Length": str(51 * MEGABYTE)}, b""),
        ({"Transfer-Encoding": "chunked"}, b"%x\r\n%b\r\n" % (MEGABYTE, bytes(MEGABYTE)) * 51),
    ],
    ids=["said", "seen"],
)
def test_a_client_reads_that_its_body_is_too_large(
    connection: socket.socket, framing: dict[str, str], body: bytes
) -> None:
    connection.sendall(head("PUT", "/books/1/cover", {**PNG, **framing}))
    try:
        connection.sendall(body)
    except OSError:
        pytest.fail("the connection was broken before the answer could be read")
    status, headers, _ = answer(connection)
    assert (status, headers["connection"]) == (413, "close")


def test_real_clients_send_forms_and_take_parts(url: str) -> None:
    with httpx.Client(base_url=f"{url}/api/v1", headers={"Authorization": "Bearer librarian"}) as client:
        made = client.post(
            "/books/1/scans",
            data={"title": "Süd", "words": ["a", "b"]},
            files={"page": ('p "1".png', bytes(100_000), "image/png")},
        )
        assert made.status_code == 201, made.text
        assert made.json()["page"]["filename"] == 'p "1".png'.replace('"', "%22")
        assert (made.json()["title"], made.json()["words"]) == ("Süd", ["a", "b"])
        part = client.get("/books/1/cover", headers={"Range": "bytes=-10"})
        assert (part.status_code, part.content) == (206, bytes(10))
        answers = [client.post("/sessions", follow_redirects=follow) for follow in (False, True)]
        assert answers[0].headers.get_list("set-cookie")[1] == "lamp=on; Path=/"
        assert answers[1].json() == {"reader": "librarian", "lamp": "on", "drawer": None}
