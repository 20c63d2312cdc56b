"""HTTP as it comes over the wire: bounded in size, number and time, and read in one way only."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from inspect import getsource
from itertools import product
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import httptools
import httpx
import pytest
from openapi_schema_validator import OAS31Validator
from prometheus_client import REGISTRY
from uvicorn.protocols.http import httptools_impl

from conftest import Person, answers, await_, configured, ended, environment, logged, served
from ticketing import app
from ticketing.access import bearer
from ticketing.contract.admission import Patience, Place
from ticketing.contract.exchange import headers
from ticketing.contract.forwarded import subscriber
from ticketing.ground import metrics, paths
from ticketing.ground.config import Settings
from ticketing.web.wire import connections, protocol

GET = b"GET /api/v1/me HTTP/1.1\r\nHost: here\r\n\r\n"
PROBLEM = OAS31Validator(
    json.loads((paths.SPEC / "dist" / "openapi.json").read_text())["components"]["schemas"]["Problem"]
    | {"properties": {"status": {"type": "integer"}}}
)


@contextmanager
def serving(**settings: str) -> Iterator[str]:
    """The service with other settings; gives its URL."""
    with configured(**settings), served(app.create()) as url:
        yield url


@pytest.fixture(scope="module")
def hasty(service: str, slowly: None) -> Iterator[str]:
    """A service that waits for a second at most."""
    with serving(head_seconds="1", body_seconds="1", idle_seconds="2") as url:
        yield url


def connected(url: str, whence: str = "127.0.0.1") -> socket.socket:
    address = urlsplit(url)
    assert address.hostname
    assert address.port
    return socket.create_connection((address.hostname, address.port), timeout=20, source_address=(whence, 0))


def everything(client: socket.socket) -> bytes:
    """What comes until the server closes."""
    parts = []
    with suppress(ConnectionError):
        while part := client.recv(1 << 16):
            parts.append(part)
    return b"".join(parts)


def answer(client: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """One answer with a Content-Length: its status, header and body."""
    received = b""
    while b"\r\n\r\n" not in received:
        part = client.recv(1 << 16)
        assert part, f"closed after {received!r}"
        received += part
    text, _, body = received.partition(b"\r\n\r\n")
    line, *fields = text.decode().split("\r\n")
    header = {name.lower(): value for name, value in (field.split(": ", 1) for field in fields)}
    while len(body) < int(header["content-length"]):
        body += client.recv(1 << 16)
    return int(line.split(" ")[1]), header, body


def refused(url: str, request: bytes, whence: str = "127.0.0.1") -> dict[str, Any]:
    """The problem that this is answered with, before the connection is closed."""
    with connected(url, whence) as client:
        with suppress(ConnectionError):  # It may have heard enough.
            client.sendall(request)
        return problem(client)


def problem(client: socket.socket) -> dict[str, Any]:
    status, header, body = answer(client)
    assert header["content-type"] == "application/problem+json"
    assert header["x-content-type-options"] == "nosniff"
    assert header["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert header["cache-control"] == "no-store"
    assert header["connection"] == "close"
    assert everything(client) == b""
    found: dict[str, Any] = json.loads(body)
    PROBLEM.validate(found)
    assert found["status"] == status
    assert found["request_id"] == header["x-request-id"]
    return found


def memory_kib() -> int:
    with open(f"/proc/{os.getpid()}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


# Sizes ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: here\r\n" + b"a:b\r\n" * 320_000 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: here\r\n" + b"a:\r\n" * 100 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: here\r\nA: " + b"a" * 40_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: here\r\n" + b"a" * 40_000 + b": 1\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: here\r\nA:" + b" " * 5_000_000, 431),
        (b"GET / HTTP/1.1\r\nHost: here\r\n" + b"A: " + b"a" * 5_000_000, 431),
        (b"GET /?" + b"a" * 16_400 + b" HTTP/1.1\r\nHost: here\r\n\r\n", 414),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: here\r\n\r\n", 414),
        (b"GET /" + b"a" * 5_000_000, 414),
        (b"POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"a: b\r\n" * 320_000, 431),
    ],
    ids=lambda value: repr(value[:60]) if isinstance(value, bytes) else str(value),
)
def test_a_head_has_bounds(service: str, request_: bytes, status: int) -> None:
    assert refused(service, request_)["status"] == status


def test_a_head_within_its_bounds_is_taken(service: str) -> None:
    fields = b"".join(b"A%d: %b\r\n" % (number, b"a" * 150) for number in range(90))
    with connected(service) as client:
        for _ in range(3):
            client.sendall(b"GET /api/v1/me?%b HTTP/1.1\r\nHost: here\r\n%b\r\n" % (b"a" * 16_000, fields))
            assert answer(client)[0] == 401


@pytest.mark.slow
@pytest.mark.parametrize(
    ("beginning", "more"),
    [
        (b"GET / HTTP/1.1\r\nHost: here\r\n", b"a: b\r\n"),
        (b"GET / HTTP/1.1\r\nHost: here\r\nA: ", b"a"),
        (b"GET /", b"a"),
        (b"", b"\r\n"),
        (b"POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"a: b\r\n"),
        (b"POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: ", b"a"),
        (b"POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n5;", b"a"),
        (b"POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n", b"1;a=bcdefghijklmnopqrst\r\nx\r\n"),
        (GET * 10, GET),
    ],
    ids=["fields", "a field", "a target", "nothing", "trailers", "a trailer", "an extension", "extensions", "requests"],
)
def test_what_does_not_end_takes_no_memory(service: str, beginning: bytes, more: bytes) -> None:
    before = memory_kib()
    block = more * (65_536 // len(more))
    with connected(service) as client:
        client.settimeout(2)
        with suppress(OSError):  # It hangs up, or does not read on until its answers are read.
            client.sendall(beginning)
            for _ in range(48 * 1024 * 1024 // len(block)):
                client.sendall(block)
        assert memory_kib() - before < 8 * 1024


def test_what_waits_behind_a_request_is_bounded_too(service: str) -> None:
    before = memory_kib()
    with ExitStack() as stack:
        for _ in range(100):
            client = stack.enter_context(connected(service))
            client.sendall(GET + b"GET / HTTP/1.1\r\nHost: here\r\nA: " + b"a" * 250_000)
        assert memory_kib() - before < 16 * 1024


def test_requests_that_wait_for_an_answer_are_bounded_in_number(service: str) -> None:
    with connected(service) as client:
        client.sendall(GET * 1000)
        received = everything(client)
    answers = received.count(b"HTTP/1.1 401 ")
    assert 1 <= answers <= protocol.PIPELINED + 1
    assert received.rpartition(b"HTTP/1.1 ")[2].count(b"connection: close\r\n") == 1


def test_a_few_requests_ahead_are_answered_in_order(service: str) -> None:
    with connected(service) as client:
        for _ in range(3):
            client.sendall(GET * 5 + b"GET /health/live HTTP/1.1\r\nHost: here\r\n\r\n")
            received = b""
            while not received.endswith(b"ok\n"):
                received += client.recv(1 << 16)
            assert received.count(b"HTTP/1.1 401 ") == 5


def test_a_body_in_small_chunks_is_read(requester: Person, project: str) -> None:
    body = json.dumps({"type": "support", "project": project, "title": "Hi", "description": "x" * 5_000}).encode()
    chunked = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    with connected(str(requester.base_url)) as client:
        client.sendall(posting(requester, b"Transfer-Encoding: chunked") + chunked)
        assert answer(client)[0] == 201


def test_many_lines_of_one_name_are_joined() -> None:
    joined = headers([(b"a", b"b")] * 320_000 + [(b"c", b"d")])
    assert joined == {b"a": b", ".join([b"b"] * 320_000), b"c": b"d"}


# Pages of other origins -----------------------------------------------------------------------------------------------

PORTAL = b"https://portal.example.org"
REFUSED = [
    (b"GET /api/v1/me HTTP/1.1\r\nHost: here\r\n%b" + b"a: b\r\n" * 200, 431),
    (b"GET /api/v1/me?" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: here\r\n%b\r\n", 414),
    (b"GET /api/v1/me HTTP/1.1\r\n%b\r\n", 400),
    (b"GET /api/v1/me HTTP/1.1\r\nHost: here\r\n%ba: b\r\nc\0: d\r\n\r\n", 400),
    (b"POST /api/v1/me HTTP/1.1\r\nHost: here\r\n%bTransfer-Encoding: gzip\r\n\r\n", 501),
    (b"GET /api/v1/me HTTP/1.1\r\nHost: here\r\n%ba: b", 408),
]


@pytest.mark.slow
def test_pages_of_a_listed_origin_may_read_a_refusal_and_no_others(service: str) -> None:
    with serving(head_seconds="1", cors_origins=PORTAL.decode()) as url:
        for (request, status), origin in product(REFUSED, (PORTAL, b"https://evil.example.org")):
            with connected(url) as client:
                client.sendall(request % (b"Origin: %b\r\n" % origin))
                found, header, _ = answer(client)
            assert (found, header["vary"]) == (status, "Origin")
            allowed = header.get("access-control-allow-origin", "")
            assert allowed == (origin.decode() if origin == PORTAL else "")
            exposed = set(header.get("access-control-expose-headers", "").split(", "))
            assert ({"Retry-After", "X-Request-Id"} <= exposed) is bool(allowed)


def test_where_nothing_is_shared_a_refusal_says_nothing_of_it(service: str) -> None:
    with connected(service) as client:
        client.sendall(b"GET / HTTP/1.1\r\nOrigin: %b\r\n\r\n" % PORTAL)
        found, header, _ = answer(client)
    assert found == 400
    assert not {"vary", "access-control-allow-origin"} & header.keys()


# Time -----------------------------------------------------------------------------------------------------------------


def test_who_says_nothing_is_hung_up_on(hasty: str) -> None:
    with connected(hasty) as client:
        assert everything(client) == b""


def test_who_does_not_go_on_is_hung_up_on(hasty: str) -> None:
    with connected(hasty) as client:
        client.sendall(GET)
        assert answer(client)[0] == 401
        assert everything(client) == b""


def await_closed(client: socket.socket, drop: bytes) -> bytes:
    """Go on sending drop by drop until the server closes; gives what it said."""
    client.settimeout(0.1)
    received = b""
    with suppress(ConnectionError):
        while True:
            client.sendall(drop)
            with suppress(TimeoutError):
                if not (part := client.recv(1 << 16)):
                    break
                received += part
    return received


@pytest.mark.parametrize("earlier", [b"", GET], ids=["at first", "later"])
def test_half_a_head_is_waited_for_only_so_long(hasty: str, earlier: bytes) -> None:
    with connected(hasty) as client:
        if earlier:
            client.sendall(earlier)
            answer(client)
        client.sendall(b"GET / HTTP/1.1\r\nHost: here\r\nX-Request-Id: half-a-head\r\n")
        assert problem(client)["code"] == "request_timeout"


def test_a_head_that_trickles_is_waited_for_only_so_long(hasty: str) -> None:
    with connected(hasty) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n")
        received = await_closed(client, b"a: b\r\n")
    assert received.startswith(b"HTTP/1.1 408 ")


def test_blank_lines_are_no_sign_of_life(hasty: str) -> None:
    with connected(hasty) as client:
        await_closed(client, b"\r\n")


@pytest.mark.parametrize("framing", [b"Content-Length: 10", b"Transfer-Encoding: chunked"])
def test_half_a_body_is_waited_for_only_so_long(hasty: str, requester: Person, framing: bytes) -> None:
    with connected(hasty) as client:
        client.sendall(posting(requester, framing) + b"5\r\nab")
        assert problem(client)["code"] == "request_timeout"


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"POST /api/v1/tickets HTTP/1.1\r\nHost: here\r\nContent-Length: 8000000\r\n", 413),
        (b"POST /api/v1/tickets HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n", 413),
        (b"POST /api/v1/tickets HTTP/1.1\r\nContent-Length: 8000000\r\n", 400),
    ],
    ids=["length", "chunked", "refused"],
)
def test_the_answer_to_a_body_that_is_too_large_arrives_while_it_is_sent(
    service: str, requester: Person, head: bytes, status: int
) -> None:
    """Proxies send and read at once; of a connection that is reset meanwhile they only say that it was."""
    fields = b"Content-Type: application/json\r\nAuthorization: Bearer %b\r\n\r\n" % requester.token.encode()
    chunk = b"%x\r\n%b\r\n" % (65_536, b" " * 65_536)

    def send() -> None:
        with suppress(OSError):
            client.sendall(head + fields + chunk * 8)
            for _ in range(120):
                client.sendall(chunk)

    with connected(service) as client:
        sending = threading.Thread(target=send)
        sending.start()
        found = answer(client)
        assert client.recv(1) == b"", "the end, and no reset"
    sending.join()
    assert found[0] == status
    assert json.loads(found[2])["status"] == status


def test_a_body_that_nobody_reads_is_waited_for_only_so_long(hasty: str) -> None:
    with connected(hasty) as client:
        client.sendall(b"POST /nowhere HTTP/1.1\r\nHost: here\r\nContent-Length: 100000\r\n\r\n")
        assert answer(client)[0] == 404
        await_closed(client, b"x")


@pytest.mark.slow
def test_a_busy_connection_stays(hasty: str) -> None:
    with connected(hasty) as client:
        for _ in range(6):
            client.sendall(GET[:20])
            time.sleep(0.3)
            client.sendall(GET[20:])
            assert answer(client)[0] == 401


def test_a_stream_stays(hasty: str, requester: Person) -> None:
    with connected(hasty) as client:
        client.sendall(
            b"GET /api/v1/events/stream HTTP/1.1\r\nHost: here\r\n"
            b"Authorization: Bearer %b\r\nContent-Length: 5\r\n\r\n" % requester.token.encode()
        )
        assert client.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
        client.settimeout(2.5)
        with pytest.raises(TimeoutError):
            everything(client)


# Connections ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_connections_are_bounded_for_an_address_and_in_all(service: str) -> None:
    """An address has as many as are left, so a half while alone, and whoever comes next has some."""
    with serving(connections="8", streams="4") as url, ExitStack() as stack:
        await_(lambda: _answered(url))
        first = [stack.enter_context(_opened(url)) for _ in range(4)]
        with connected(url) as client:
            status, header, _ = answer(client)
            assert (status, header["retry-after"] in "123") == (503, True)
        for end, share in ((2, 2), (3, 1), (4, 1)):
            for _ in range(share):
                stack.enter_context(_opened(url, f"127.0.0.{end}"))
            with connected(url, f"127.0.0.{end}") as client:
                assert problem(client)["code"] == "unavailable"
        with connected(url, "127.0.0.5") as client:
            assert problem(client)["code"] == "unavailable"
        first.pop().close()
        await_(lambda: _answered(url, "127.0.0.5"))


def test_an_address_has_no_more_connections_than_the_setting_says(service: str) -> None:
    with serving(connections_per_address="3") as url, ExitStack() as stack:
        await_(lambda: _answered(url))
        for _ in range(3):
            stack.enter_context(_opened(url))
        with connected(url) as client:
            assert problem(client)["code"] == "unavailable"


def test_connections_without_a_stream_take_no_room_of_streams_nor_the_other_way_round(
    requester: Person, database_url: str
) -> None:
    with serving(connections="4", streams="3", connections_per_address="2") as url, ExitStack() as stack:
        await_(lambda: _answered(url))

        def full(whence: str = "127.0.0.1") -> bool:
            with connected(url, whence) as client:
                return client.recv(1 << 16).startswith(b"HTTP/1.1 503 ")

        streams = [stack.enter_context(_streaming(url, requester)) for _ in range(3)]
        idle = [stack.enter_context(_opened(url)) for _ in range(2)]
        idle += [stack.enter_context(_opened(url, "127.0.0.2")), stack.enter_context(_opened(url, "127.0.0.3"))]
        assert full("127.0.0.4")
        for client in (*streams, idle.pop()):
            client.close()
        # What was a stream's is given back once, and not twice.
        for _ in range(3):
            streams[0] = _streamed_soon(url, requester, "127.0.0.4")
            stack.enter_context(streams[0])
        stack.enter_context(_opened(url, "127.0.0.4"))
        assert full("127.0.0.5")


def _streaming(url: str, by: Person, whence: str = "127.0.0.1") -> socket.socket:
    """A connection on which a stream is open."""
    client = connected(url, whence)
    client.sendall(
        b"GET /api/v1/events/stream HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer %b\r\n\r\n" % by.token.encode()
    )
    head = client.recv(1 << 16)
    if not head.startswith(b"HTTP/1.1 200 "):
        client.close()
        raise ConnectionRefusedError(head)
    return client


def _streamed_soon(url: str, by: Person, whence: str) -> socket.socket:
    opened: list[socket.socket] = []

    def tried() -> bool:
        with suppress(ConnectionError):
            opened.append(_streaming(url, by, whence))
        return bool(opened)

    await_(tried)
    return opened[0]


@pytest.mark.slow
def test_who_is_turned_away_hears_of_it_whatever_they_send(service: str) -> None:
    """A connection that is closed with something unread in it is reset, and the answer may be lost (RFC 9112, 9.6)."""
    with serving(connections="2") as url, _opened(url), _opened(url, "127.0.0.2"), connected(url) as client:
        client.sendall(b"POST /api/v1/tickets HTTP/1.1\r\nHost: here\r\nContent-Length: 30000\r\n\r\n")
        assert client.recv(1, socket.MSG_PEEK), "it was answered"
        for _ in range(3):
            client.sendall(b" " * 10_000)
            time.sleep(0.05)
        assert problem(client)["code"] == "unavailable"
        assert client.recv(1) == b"", "closed, and not reset"


@pytest.mark.slow
def test_who_is_turned_away_holds_nothing(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MOST_PARTING", 4)
    with serving(connections="2") as url, _opened(url), _opened(url, "127.0.0.2"), ExitStack() as stack:
        flood = [stack.enter_context(connected(url)) for _ in range(20)]
        assert all(client.recv(1 << 16).startswith(b"HTTP/1.1 503 ") for client in flood)
        closed = [client for client in flood if _closed(client)]
        assert len(closed) >= 18, "two stay for a moment, and the others have no room to"
        with connected(url, "127.0.0.3") as client:
            assert problem(client)["code"] == "unavailable"
        await_(lambda: all(_closed(client) for client in flood))


def _closed(client: socket.socket) -> bool:
    """Whether the server has closed its side for good: what is sent comes back as a reset."""
    try:
        client.sendall(b".")
        time.sleep(0.01)
        client.sendall(b".")
    except ConnectionError:
        return True
    return False


def test_a_proxy_that_is_trusted_speaks_for_many(service: str) -> None:
    with serving(connections_per_address="3", trusted_proxies="127.0.0.2") as url, ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(_opened(url, "127.0.0.2"))


def _opened(url: str, whence: str = "127.0.0.1") -> socket.socket:
    """A connection on which a request was answered."""
    client = connected(url, whence)
    client.sendall(GET)
    assert answer(client)[0] == 401
    return client


def _answered(url: str, whence: str = "127.0.0.1") -> bool:
    with connected(url, whence) as client:
        client.sendall(GET)
        with suppress(ConnectionError):
            return client.recv(1 << 16).startswith(b"HTTP/1.1 401 ")
        return False


@pytest.mark.parametrize(
    ("address", "whose"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_a_network_of_ipv6_counts_as_one_address(address: str, whose: str) -> None:
    assert subscriber(address) == whose


@pytest.mark.slow
def test_a_process_may_open_the_files_that_its_settings_promise_or_says_why_not() -> None:
    program = """if True:
        import resource
        from ticketing.ground.config import Settings
        from ticketing.monitoring import files
        settings = Settings(database_url="", streams=300, connections=200)
        for most in (1000, 512):
            resource.setrlimit(resource.RLIMIT_NOFILE, (256, most))
            said = files.allow(settings)
            print(resource.getrlimit(resource.RLIMIT_NOFILE)[0], files.left_for_connections(settings), said)
    """
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    enough, too_few = ran.stdout.splitlines()
    assert enough == "610 500 None"
    assert too_few.startswith(
        "512 402 The settings promise 300 streams and 200 other connections, which takes 610 open"
    )


# Answers --------------------------------------------------------------------------------------------------------------

SCRIPT = b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: here\r\n\r\n"


def reluctant(url: str, whence: str = "127.0.0.1") -> socket.socket:
    """A connection that takes little before it is read from."""
    address = urlsplit(url)
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(20)
    client.bind((whence, 0))
    client.connect((address.hostname, address.port))
    return client


@pytest.fixture(scope="module")
def long_page(service: str, admin: Person, requester: Person) -> bytes:
    """A request that is answered with nearly two megabytes."""
    key = f"long-{os.urandom(5).hex()}"
    admin.post("/projects", json={"key": key, "name": "Long", "visibility": "public"})
    for _ in range(8):
        draft = {
            "type": "bug",
            "project": key,
            "title": "Long",
            "severity": "low",
            "description": "\U0001f39e" * 65_536,
        }
        assert requester.post("/tickets", json=draft).status_code == 201
    return b"GET /api/v1/tickets?project=%b HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer %b\r\n\r\n" % (
        key.encode(),
        requester.token.encode(),
    )


@pytest.mark.slow
def test_nothing_is_done_ahead_for_who_does_not_read(
    service: str, long_page: bytes, requester: Person, project: str
) -> None:
    body = ticket(project)
    post = posting(requester, b"Content-Length: %d" % len(body)) + body
    with reluctant(service) as client:
        client.sendall(long_page + post)
        time.sleep(0.5)
        client.sendall(post)
        time.sleep(0.5)
        assert requester.pages("/tickets", project=project) == []
        with client.makefile("rb") as received:
            assert [_status(received) for _ in range(3)] == [200, 201, 201]
    assert len(requester.pages("/tickets", project=project)) == 2


def _status(received: BinaryIO) -> int:
    """The status of the next answer, which is read."""
    status, length = int(received.readline().split()[1]), 0
    while (line := received.readline()) != b"\r\n":
        if line.startswith(b"content-length: "):
            length = int(line[16:])
    received.read(length)
    return status


@pytest.mark.slow
@pytest.mark.parametrize("field", [b"", b"Connection: close\r\n"], ids=["to go on", "to close"])
def test_an_answer_that_is_not_taken_is_broken_off(service: str, monkeypatch: pytest.MonkeyPatch, field: bytes) -> None:
    monkeypatch.setattr(protocol, "TAKE_SECONDS", 0.5)
    monkeypatch.setattr(protocol, "LEAST_RATE", 2e6)
    before = cut("slow")
    with logged(metrics) as lines, reluctant(service) as client:
        client.sendall(SCRIPT.replace(b"\r\n\r\n", b"\r\n%b\r\n" % field))
        with pytest.raises(ConnectionResetError):
            _sip(client)
    [line] = [line for line in lines if line["event"] == "answer cut"]
    assert (line["client"], line["reason"], cut("slow") - before) == ("127.0.0.1", "slow", 1)
    assert line["unsent_bytes"] > 0


def cut(reason: str) -> float:
    """How many answers were broken off."""
    return REGISTRY.get_sample_value("ticketing_http_answers_cut_total", {"reason": reason}) or 0


def _sip(client: socket.socket) -> None:
    while client.recv(256):
        time.sleep(0.05)


@pytest.mark.slow
def test_an_answer_that_is_taken_at_the_least_rate_arrives(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "TAKE_SECONDS", 1)
    monkeypatch.setattr(protocol, "LEAST_RATE", 500_000)
    with reluctant(service) as client:
        client.sendall(SCRIPT)
        time.sleep(2.5)
        status, header, body = answer(client)
    assert (status, int(header["content-length"])) == (200, len(body))


@pytest.mark.slow
@pytest.mark.parametrize("field", [b"", b"Connection: close\r\n"], ids=["to go on", "to close"])
def test_what_clients_have_yet_to_take_is_bounded_in_all(
    service: str, long_page: bytes, monkeypatch: pytest.MonkeyPatch, field: bytes
) -> None:
    """Whoever has the most of it loses it, and nobody else."""
    monkeypatch.setattr(connections, "MOST_UNSENT_BYTES", 7_000_000)
    before = cut("memory")
    with ExitStack() as stack:
        modest = stack.enter_context(reluctant(service, "127.0.0.2"))
        modest.sendall(long_page)
        greedy = [stack.enter_context(reluctant(service)) for _ in range(6)]
        for client in greedy:
            client.sendall(long_page.replace(b"\r\n\r\n", b"\r\n%b\r\n" % field))
        scripts = [stack.enter_context(reluctant(service, "127.0.0.3")) for _ in range(10)]
        for client in scripts:  # All have the same, which costs nothing.
            client.sendall(SCRIPT)
        time.sleep(1)
        assert answer(modest)[0] == 200
        complete = 0
        for client in greedy:
            with suppress(ConnectionError, AssertionError):
                complete += answer(client)[0] == 200
        assert 2 <= complete <= 4
        assert cut("memory") - before == len(greedy) - complete
        assert [answer(client)[0] for client in scripts] == [200] * 10


# One way to read it ---------------------------------------------------------------------------------------------------


def posting(person: Person, *fields: bytes) -> bytes:
    """The head of a POST /tickets."""
    given = b"".join(field + b"\r\n" for field in (b"Content-Type: application/json", *fields))
    return b"POST /api/v1/tickets HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer %b\r\n%b\r\n" % (
        person.token.encode(),
        given,
    )


def ticket(project: str, title: str = "Playback stops") -> bytes:
    return json.dumps({"type": "bug", "project": project, "title": title, "description": "x"}).encode()


@pytest.mark.parametrize("apart", [False, True], ids=["one read", "several"])
def test_trailers_are_no_headers(requester: Person, project: str, apart: bool) -> None:
    body = ticket(project)
    head_, rest = posting(requester, b"Transfer-Encoding: chunked"), b"%x\r\n%b\r\n0\r\n" % (len(body), body)
    anonymous = head_.replace(requester.token.encode(), b"tkt_none")
    trailers = b"Authorization: Bearer %b\r\nIdempotency-Key: trailing\r\nX-Request-Id: trailing\r\n\r\n"
    trailers %= requester.token.encode()
    with connected(str(requester.base_url)) as client:
        for given, status in ((anonymous, 401), (head_, 201), (head_, 201)):
            for part in (given, rest, trailers) if apart else (given + rest + trailers,):
                client.sendall(part)
                time.sleep(0.02 if apart else 0)
            found, header, _ = answer(client)
            assert found == status
            assert header["x-request-id"] != "trailing"
            assert "idempotent-replayed" not in header


@pytest.mark.parametrize("upgrade", [b"h2c", b"websocket", b"TLS/1.3"])
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("apart", [False, True], ids=["one read", "several"])
def test_an_upgrade_is_declined_and_nothing_is_lost(
    requester: Person,
    project: str,
    new_events: Callable[[], list[dict[str, Any]]],
    upgrade: bytes,
    chunked: bool,
    apart: bool,
) -> None:
    offer = (b"Connection: Upgrade, HTTP2-Settings", b"HTTP2-Settings: AAMAAABkAAQ", b"Upgrade: " + upgrade)
    body = ticket(project)
    framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % len(body)
    framed = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if chunked else body
    one = posting(requester, framing, *offer) + framed
    with connected(str(requester.base_url)) as client:
        sent = one + one + GET
        for part in (sent[at : at + 97] for at in range(0, len(sent), 97)) if apart else (sent,):
            client.sendall(part)
            time.sleep(0.001 if apart else 0)
        received = b""
        while b"HTTP/1.1 401 " not in received:
            received += client.recv(1 << 16)
    assert received.count(b"HTTP/1.1 201 ") == 2
    assert [event["type"] for event in new_events()] == ["ticket.created"] * 2


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        (b"Transfer-Encoding: gzip, chunked", 501),
        (b"Transfer-Encoding: gzip", 501),
        (b"Transfer-Encoding: identity", 501),
        (b"Transfer-Encoding: chunked, chunked", 400),
        (b"Transfer-Encoding: chunked;x=y", 501),
        (b"Transfer-Encoding: xchunked", 501),
        (b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked", 501),
        (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", 400),
        (b"Transfer-Encoding: chunked\r\nContent-Length: 3", 400),
        (b"Content-Length: 3\r\nTransfer-Encoding: chunked", 400),
        (b"Content-Length: 3\r\nContent-Length: 3", 400),
        (b"Content-Length: +3", 400),
        (b"Content-Length: 3, 3", 400),
        (b"Transfer-Encoding:", 400),
        (b"Transfer-Encoding : chunked", 400),
        (b"Host: there", 400),
        (b"Host: here", 400),
        (b"A: b\r\n c", 400),
        (b"A\x00: b", 400),
        (b"A: b\x00", 400),
        (b"A b", 400),
    ],
    ids=repr,
)
def test_what_could_be_read_in_two_ways_is_not_read(service: str, fields: bytes, status: int) -> None:
    request = b"POST /api/v1/tickets HTTP/1.1\r\nHost: here\r\n%b\r\n\r\n3\r\nabc\r\n0\r\n\r\n" % fields
    assert refused(service, request)["status"] == status


@pytest.mark.parametrize(
    "host",
    [b"", b" ", b"a b", b"a/b", b"a@b", b"a, b", b"a:b", b"a:123456", b"[::1", b"::1", b"\xe4", b"a?b", b"a#b", b"%zz"],
    ids=repr,
)
def test_a_host_that_is_none_is_refused(service: str, host: bytes) -> None:
    found = refused(service, b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % host)
    assert found["code"] == "malformed_request"


@pytest.mark.parametrize("host", [b"here", b"a.b:80", b"[::1]:80", b"192.0.2.1", b"h%C3%A4.example", b"x_y", b"h:"])
def test_a_host_is_taken(service: str, host: bytes) -> None:
    with connected(service) as client:
        for _ in range(2):
            client.sendall(b"GET /api/v1/me HTTP/1.1\r\nHost: %b\r\n\r\n" % host)
            assert answer(client)[0] == 401


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: here\r\n\r\n", 400),
        (b"GET /\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"get / HTTP/1.1\r\nHost: here\r\n\r\n", 501),
        (b"BREW /api/v1/tickets HTTP/1.1\r\nHost: here\r\n\r\n", 501),
        (b"BR(W / HTTP/1.1\r\nHost: here\r\n\r\n", 400),
        ("GET /ä HTTP/1.1\r\nHost: here\r\n\r\n".encode(), 400),
        (b"CONNECT there:443 HTTP/1.1\r\nHost: there:443\r\n\r\n", 501),
        (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST /api/v1/me HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
    ],
    ids=repr,
)
def test_what_is_no_request_is_a_problem(service: str, request_: bytes, status: int) -> None:
    with connected(service) as client:
        client.sendall(request_)
        received = everything(client)
    assert received.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"content-type: application/problem+json" in received


def test_of_many_bad_requests_each_is_told_so_and_good_ones_are_answered_meanwhile(service: str) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(connected(service)) for _ in range(30)]
        for client in clients:
            client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        with _opened(service):
            """It has its answer."""
        assert {problem(client)["code"] for client in clients} == {"malformed_request"}


@pytest.mark.parametrize("before", [b"", GET])
def test_of_many_bad_bodies_each_is_told_so(service: str, requester: Person, before: bytes) -> None:
    """Also beyond those that are told at once, and behind another request."""
    request = before + posting(requester, b"Transfer-Encoding: chunked") + b"zz\r\n"
    with ExitStack() as stack:
        clients = [stack.enter_context(connected(service)) for _ in range(2 * connections.REFUSALS)]
        for client in clients:
            client.sendall(request)
        told = [re.findall(rb"HTTP/1.1 (\d+) ", everything(client)) for client in clients]
    assert told == [[b"401"] * bool(before) + [b"400"]] * len(clients)


def test_who_is_refused_is_not_told_to_go_on(service: str, requester: Person, caplog: pytest.LogCaptureFixture) -> None:
    request = posting(requester, b"Transfer-Encoding: chunked", b"Expect: 100-continue") + b"zz\r\n"
    with connected(service) as client:
        client.sendall(request)
        assert re.findall(rb"HTTP/1.1 (\d+) ", everything(client)) == [b"400"]
    assert [record.getMessage() for record in caplog.records] == []


@pytest.mark.slow
def test_who_was_gone_before_being_accepted_is_nobody(new_database: Callable[..., str], tmp_path: Path) -> None:
    """A connection whose other end cannot be told must not pass for one of a Unix socket."""
    log = tmp_path / "log"
    env = environment(new_database(), TICKETING_LOG_LEVEL="info")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "ticketing", "serve", "--port", str(port)]
    with log.open("wb") as stderr, subprocess.Popen(command, env=env, stderr=stderr) as process, ended(process):
        url = f"http://127.0.0.1:{port}"
        await_(lambda: answers(url))
        process.send_signal(signal.SIGSTOP)
        for _ in range(3):
            with connected(url) as client:
                client.sendall(b"GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n")
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        process.send_signal(signal.SIGCONT)
        assert answers(url)
    lines = [json.loads(line) for line in log.read_bytes().splitlines() if line.startswith(b"{")]
    assert {line["client"] for line in lines if "client" in line} == {"127.0.0.1"}


@pytest.mark.slow
def test_a_log_that_cannot_be_written_keeps_nobody_from_an_answer(new_database: Callable[..., str]) -> None:
    env = environment(new_database(), TICKETING_LOG_LEVEL="info", TICKETING_HEAD_SECONDS="1")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "ticketing", "serve", "--port", str(port)]
    with (
        Path("/dev/full").open("wb") as full,
        subprocess.Popen(command, env=env, stderr=full) as process,
        ended(process),
    ):
        url = f"http://127.0.0.1:{port}"
        await_(lambda: answers(url))
        for _ in range(2):
            with connected(url) as slow, connected(url) as client:
                for _ in range(20):
                    client.sendall(GET)
                    assert answer(client)[0] == 401
                slow.sendall(b"GET / HTTP/1.1\r\n")
                assert problem(slow)["status"] == 408


@pytest.mark.slow
def test_what_ends_one_connection_may_fail_and_others_are_looked_at_again() -> None:
    class Waiting:
        due = 0.0
        ends = 0

        def overdue(self) -> None:
            self.due = connections.NEVER
            self.ends += 1
            if self is faulty:
                raise OSError

        def break_off(self) -> None:
            """Nothing is unsent."""

    faulty, other = Waiting(), Waiting()
    other.due = connections.NEVER

    async def swept() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda *_: None)
        every = connections.Connections([faulty, other], Settings(database_url=""), loop)
        assert every.admit("127.0.0.1")
        every._sweep()

    async def run() -> None:
        with suppress(OSError):
            await swept()
        other.due = 0.0
        await asyncio.sleep(2 * connections.SWEEP_SECONDS)

    asyncio.run(run())
    assert (faulty.ends, other.ends) == (1, 1)


def test_who_has_a_network_has_one_share(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whose: list[str] = []
    hold, lost = Place.hold, Patience.lost

    def held(place: Place, who: str, times: int) -> None:
        whose.append(who)
        hold(place, who, times)

    def was_lost(patience: Patience, who: str) -> bool:
        whose.append(who)
        return lost(patience, who)

    monkeypatch.setattr(Place, "hold", held)
    monkeypatch.setattr(Patience, "lost", was_lost)
    with serving(trusted_proxies="127.0.0.1") as url:
        whose.clear()
        for client in ("2001:db8:1:2::5", "2001:db8:1:2::6"):
            headers = {"X-Forwarded-For": client, "Authorization": f"Bearer {bearer.new_token()}"}
            assert httpx.get(f"{url}/api/v1/me", headers=headers).status_code == 401
    assert whose == ["2001:db8:1:2::/64"] * 4


def test_requests_before_a_bad_one_are_answered_first(service: str) -> None:
    with connected(service) as client:
        client.sendall(GET * 3 + b"GET / HTTP/1.1\r\n\r\n" + GET)
        received = everything(client)
    assert re.findall(rb"HTTP/1.1 (\d+) ", received) == [b"401"] * 3 + [b"400"]


def test_a_bad_body_does_not_answer_for_the_request_before(service: str, requester: Person) -> None:
    bad = posting(requester, b"Transfer-Encoding: chunked") + b"xyz\r\n"
    with connected(service) as client:
        client.sendall(GET + bad)
        received = everything(client)
    assert re.findall(rb"HTTP/1.1 (\d+) ", received) == [b"401", b"400"]


def test_a_refusal_bears_the_id_that_was_asked_for_and_no_body_for_head(service: str) -> None:
    with connected(service) as client:
        client.sendall(b"HEAD / HTTP/1.1\r\nX-Request-Id: mine\r\n\r\n")
        received = everything(client)
    assert received.startswith(b"HTTP/1.1 400 ")
    assert b"\r\nx-request-id: mine\r\n" in received
    assert received.endswith(b"\r\n\r\n")


def test_every_refusal_has_a_page(service: str) -> None:
    for slug in ("request-timeout", "uri-too-long", "header-fields-too-large", "not-implemented"):
        assert httpx.get(f"{service}/problems/{slug}").status_code == 200


def test_a_target_may_be_absolute(service: str) -> None:
    with connected(service) as client:
        for target, status in ((b"http://here/api/v1/me", 401), (b"http://here", 302), (b"http://here?a=b", 302)):
            client.sendall(b"GET %b HTTP/1.1\r\nHost: here\r\n\r\n" % target)
            assert answer(client)[0] == status


def test_http_1_0_needs_no_host(service: str) -> None:
    with connected(service) as client:
        client.sendall(b"GET /health/live HTTP/1.0\r\n\r\n")
        assert everything(client).startswith(b"HTTP/1.1 200 ")


def test_a_stream_in_http_1_0_is_refused_as_that_has_no_chunks(service: str, requester: Person) -> None:
    with connected(service) as client:
        client.sendall(
            b"GET /api/v1/events/stream HTTP/1.0\r\nAuthorization: Bearer %b\r\n\r\n" % requester.token.encode()
        )
        found = problem(client)
    assert (found["status"], found["code"]) == (400, "malformed_request")
    assert "HTTP/1.1" in found["detail"]


def test_who_asks_before_sending_a_body_is_told_to_go_on(requester: Person, project: str) -> None:
    body = ticket(project)
    with connected(str(requester.base_url)) as client:
        for expect in (b"Expect: 100-continue", b"Expect: 100-Continue"):
            client.sendall(posting(requester, b"Content-Length: %d" % len(body), expect))
            assert client.recv(1 << 16) == b"HTTP/1.1 100 Continue\r\n\r\n"
            client.sendall(body)
            assert answer(client)[0] == 201


def test_clients_that_leave_without_reading_are_no_fault_of_ours(
    service: str, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(20):
        with connected(service) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.sendall(GET * 5)
    with connected(service) as client:  # Whoever was before us has been dealt with.
        client.sendall(GET)
        answer(client)
    assert [record.getMessage() for record in caplog.records] == []


# What we rely on ------------------------------------------------------------------------------------------------------


def test_uvicorn_and_httptools_are_as_the_protocol_takes_them_to_be() -> None:
    """An upgrade that breaks this needs another look at `wire/protocol.py`."""
    used = {
        "connection_made", "connection_lost", "data_received", "on_message_begin", "on_url", "on_header", "on_body",
        "on_headers_complete", "on_message_complete", "on_response_complete", "_should_upgrade", "_start_asgi_task",
    }  # fmt: skip
    assert used <= vars(httptools_impl.HttpToolsProtocol).keys()
    held = {"url", "headers", "cycle", "pipeline", "flow", "parser", "expect_100_continue", "server_state", "app_state"}
    assert held <= set(re.findall(r"self\.(\w+)", getsource(httptools_impl.HttpToolsProtocol)))
    of_a_cycle = {"response_started", "response_complete", "disconnected", "more_body", "message_event", "keep_alive"}
    assert of_a_cycle <= set(re.findall(r"self\.(\w+)", getsource(httptools_impl.RequestResponseCycle)))

    class Heard:
        """What a parser says."""

        def __init__(self) -> None:
            self.said: list[Any] = []

        def on_message_begin(self) -> None:
            self.said.append("begin")

        def on_header(self, name: bytes, value: bytes) -> None:
            self.said.append(name)
            if name == b"Bad":
                raise ValueError

        def on_headers_complete(self) -> None:
            self.said.append("complete")

        def on_chunk_header(self) -> None:
            self.said.append("chunk")

        def on_message_complete(self) -> None:
            self.said.append("end")

    heard = Heard()
    parser = httptools.HttpRequestParser(heard)
    parser.feed_data(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nTrailer: b\r\n\r\n")
    assert heard.said == ["begin", b"Transfer-Encoding", "complete", "chunk", "chunk", b"Trailer", "end"]
    with pytest.raises(httptools.HttpParserUpgrade) as offer:
        parser.feed_data(b"POST / HTTP/1.1\r\nUpgrade: x\r\nConnection: upgrade\r\nContent-Length: 3\r\n\r\nabc")
    assert offer.value.args == (71,)
    assert parser.should_upgrade()
    parser = httptools.HttpRequestParser(heard)
    with pytest.raises(httptools.HttpParserCallbackError):
        parser.feed_data(b"GET / HTTP/1.1\r\nBad: x\r\nNot: y\r\n\r\n")
    assert heard.said[-1] == b"Bad"
