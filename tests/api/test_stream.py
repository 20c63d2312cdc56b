"""Streams: the feed as it happens, and what ends one."""

from __future__ import annotations

import asyncio
import fcntl
import json
import re
import secrets
import signal
import socket
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Self
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from test_comments import CANARY, comment
from test_feed import end, since
from test_tickets import New

from conftest import (
    Person,
    answers,
    await_,
    configured,
    ended,
    environment,
    served,
    settled,
    signed_up,
    spawned,
)
from judged import Sent, subject
from ticketing import app
from ticketing.access.actors import Actor
from ticketing.ground.config import Settings
from ticketing.log import streams
from ticketing.log.places import START, Reader, Seal
from ticketing.log.streams import hub as hubs
from ticketing.log.streams.hub import Hub
from ticketing.log.streams.listener import Listener
from ticketing.log.streams.messages import PIECE_BYTES, Encoded, subject_of

Db = psycopg.Connection[dict[str, Any]]


def told(stream: Iterator[Sent], count: int) -> list[Any]:
    """The next events of a stream."""
    found: list[Any] = []
    while len(found) < count:
        sent = next(stream)
        if sent.data:
            found.append(sent.data)
    return found


def rest(stream: Iterator[Sent]) -> list[Sent]:
    """All that still comes until the other side ends it, which it is about to."""
    deadline = time.monotonic() + 60
    sent = []
    with suppress(httpx.ReadError):  # Reset, if something was on the line that may not be sent any more.
        for each in stream:
            assert time.monotonic() < deadline, "it goes on and on"
            sent.append(each)
    return sent


class Stand:
    """A service in a process of its own, with settings and people of its own."""

    def __init__(self, url: str, database_url: str) -> None:
        self.url, self.database_url = url, database_url
        self._closing = ExitStack()
        self.db = self._closing.enter_context(psycopg.connect(database_url, autocommit=True, row_factory=dict_row))
        self.admin = self.sign_in("admin")
        self.admin.post("/projects", json={"key": "media", "name": "Media", "visibility": "public"})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def sign_in(self, role: str) -> Person:
        return self._closing.enter_context(Person(self.url, *signed_up(self.db, role)))

    def new_ticket(self, by: Person, **fields: Any) -> int:
        body = {"type": "support", "project": "media", "title": "x", "description": ""} | fields
        response = by.post("/tickets", json=body)
        assert response.status_code == 201, response.text
        return int(response.json()["number"])

    def open_streams(self) -> int:
        metrics = httpx.get(f"{self.url}/metrics").text
        (count,) = re.findall(r"^ticketing_event_streams ([\d.]+)$", metrics, re.MULTILINE)
        return int(float(count))


@pytest.fixture(scope="module")
def stand(new_database: Callable[..., str], slowly: None) -> Iterator[Stand]:
    database_url = new_database()
    settings = {
        "TICKETING_HEARTBEAT_SECONDS": "1",
        "TICKETING_STREAMS_PER_USER": "2",
        "TICKETING_STREAMS": "4",
        "TICKETING_TOKEN_CACHE_MS": "0",
    }
    with spawned(database_url, **settings) as url, Stand(url, database_url) as stand:
        yield stand


@pytest.fixture(autouse=True)
def settled_logs(stand: Stand, db: Db, project: str) -> None:
    """What was written before a test, its project too, comes in none of its streams, whichever service it asks."""
    for conn in (stand.db, db):
        settled(conn)


@contextmanager
def following(*people: Person) -> Iterator[list[Iterator[Sent]]]:
    """A stream for each."""
    with ExitStack() as stack:
        yield [stack.enter_context(person.follow()) for person in people]


# What it tells -----------------------------------------------------------------------------------------------------


def test_it_tells_what_happens_to_each_who_may_see_it(
    requester: Person, stranger: Person, agent: Person, new_ticket: New
) -> None:
    with following(requester, stranger, agent) as (mine, others, all_):
        for opened in (mine, others, all_):
            beginning = next(opened)
            assert (beginning.type, beginning.data) == (None, None)
            assert beginning.id, "a place to resume from, though nothing has happened yet"
        ticket = new_ticket()
        comment(agent, ticket["number"], CANARY, visibility="internal")
        comment(agent, ticket["number"], "public")
        foreign = new_ticket(stranger)
        seen = told(all_, 4)
        assert [event["type"].split(".")[0] for event in seen] == ["ticket", "comment", "comment", "ticket"]
        assert seen[0]["data"] == ticket
        assert told(mine, 2) == [seen[0], seen[2]]
        assert told(others, 1) == [seen[3]]
        assert seen[3]["data"] == foreign


def test_it_goes_on_where_it_broke_off(agent: Person, new_ticket: New) -> None:
    with agent.follow() as opened:
        last = next(opened)
    numbers = [new_ticket()["number"] for _ in range(3)]
    with agent.follow(last.id) as opened:
        first = next(sent for sent in opened if sent.data)
        assert first.data and first.data["ticket_number"] == numbers[0]
    numbers.append(new_ticket()["number"])
    with agent.follow(first.id) as opened:
        assert [event["ticket_number"] for event in told(opened, 3)] == numbers[1:]
    # The header counts more: a browser sends the address of its first request again.
    with agent.follow(first.id, cursor=last.id) as opened:
        assert [event["ticket_number"] for event in told(opened, 3)] == numbers[1:]
    with agent.follow(None, cursor=last.id) as opened:
        assert [event["ticket_number"] for event in told(opened, 4)] == numbers


def test_feed_and_stream_share_their_cursors(agent: Person, new_ticket: New) -> None:
    cursor = end(agent)
    numbers = [new_ticket()["number"] for _ in range(3)]
    with agent.follow(cursor) as opened:
        sent = [next(sent for sent in opened if sent.data) for _ in range(3)]
    page = agent.get("/events", params={"cursor": sent[0].id}).json()
    assert [event["ticket_number"] for event in page["items"]] == numbers[1:]
    assert [event.data for event in sent[1:]] == page["items"]


def test_filters(agent: Person, new_ticket: New) -> None:
    with agent.follow(None, type="comment.created,ticket.closed") as opened:
        next(opened)
        number = new_ticket()["number"]
        comment(agent, number)
        assert [event["type"] for event in told(opened, 1)] == ["comment.created"]


def test_many_that_read_much_get_all_of_it(stand: Stand) -> None:
    """More than a batch, in one go and while it happens, in order and once."""
    agent = stand.sign_in("agent")
    with agent.follow() as early:
        beginning = next(early)
        count = 3 * hubs.BATCH
        stand.db.execute(
            """
            insert into events (id, type, ticket, project, data)
            select gen_random_uuid(), 'ticket.created', n, 'media', %s from generate_series(1, %s) n
            """,
            (Jsonb(subject("ticket.created")), count),
        )
        live = told(early, count)
    assert [event["ticket_number"] for event in live] == list(range(1, count + 1))
    with agent.follow(beginning.id) as late:
        assert told(late, count) == live


def test_signs_of_life_move_on(stand: Stand) -> None:
    """So that who sees little need not read all the rest when they come back."""
    person, agent = stand.sign_in("requester"), stand.sign_in("agent")
    with person.follow() as opened:
        beginning = next(opened)
        numbers = [stand.new_ticket(agent) for _ in range(2)]
        beat = next(opened)
        assert (beat.type, beat.data) == (None, None)
        assert beat.id != beginning.id
    since(agent, end(agent), until=lambda _: True)
    own = stand.new_ticket(person)
    with person.follow(beat.id) as opened:
        assert told(opened, 1)[0]["ticket_number"] == own not in numbers


def test_a_stream_that_waits_for_its_turn_to_catch_up_gives_signs_of_life(stand: Stand) -> None:
    """So that neither its reader nor a proxy takes it for dead; and what it has missed comes when it can be read."""
    readers = [stand.sign_in("agent") for _ in range(3)]
    cursors = [end(person) for person in readers]
    number = stand.new_ticket(readers[0])
    settled(stand.db)
    await_(lambda: stand.open_streams() == 0)
    with psycopg.connect(stand.database_url) as busy, ExitStack() as stack:
        busy.execute("lock table events in access exclusive mode")
        for person, cursor in zip(readers, cursors, strict=True):
            queued = stack.enter_context(person.follow(cursor))
            beginning = next(queued)
        beat = next(queued)
        assert (beat.data, beat.id) == (None, beginning.id), "a sign of life, and its place"
        busy.rollback()
        assert told(queued, 1)[0]["ticket_number"] == number


def test_a_long_event_is_told_whole(stand: Stand) -> None:
    """To who listens and to who catches up, though it is sent in pieces; and what comes after it."""
    person = stand.sign_in("agent")
    text = "\U0001f39e" * 65_000
    with person.follow() as opened:
        beginning = next(opened)
        number = stand.new_ticket(person, description=text)
        comment(person, number, "after")
        live = told(opened, 2)
    assert live[0]["data"]["description"] == text
    with person.follow(beginning.id) as again:
        assert told(again, 2) == live


# What it holds -----------------------------------------------------------------------------------------------------


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Hub:
    monkeypatch.setenv("TICKETING_DATABASE_URL", "postgresql://nowhere/")
    return Hub(Settings.from_environ())


def listener(hub: Hub) -> Listener:
    actor = Actor(id=uuid4(), role="requester", scopes=frozenset({"tickets:read"}), token_id=uuid4())
    reader = Reader(actor, None, None)
    listener = Listener(hub, Seal(bytes(32), reader, reader.listing), START)
    hub.add(listener)
    return listener


def entry(size: int, **fields: Any) -> Any:
    empty = {"id": "1", "type": "ticket.created", "timestamp": "", "ticket_number": 1, "project": "media"}
    place = {"transaction_id": 1, "position": 1, "sequence": 1}
    return empty | place | {"actor": None, "data": {"text": "x" * size}, "previous": {}} | fields


def test_an_event_is_held_once_for_all_who_are_told_it(hub: Hub) -> None:
    before = Encoded.held
    listeners = [listener(hub) for _ in range(100)]
    event = Encoded(entry(100_000), "public")
    for each in listeners:
        each.put(each.message(entry(0), event))
    del event
    assert 100_000 < Encoded.held - before < 101_000
    for each in listeners:
        each.end()
    assert Encoded.held == before


def test_the_fullest_streams_end_if_all_together_hold_too_much(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "MOST_HELD_BYTES", Encoded.held + 1_000_000)
    listeners = [listener(hub) for _ in range(4)]
    for each, size in zip(listeners, (100_000, 400_000, 300_000, 500_000), strict=True):
        each.put(each.message(entry(0), Encoded(entry(size), "public")))
    hub.make_room()
    assert [each.ended for each in listeners] == [False, False, False, True]
    hub.make_room()
    assert [each.ended for each in listeners] == [False, False, False, True], "there is room now"


def test_streams_in_the_middle_of_a_long_event_count_and_nobody_else_ends_for_them(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is being sent is let go of only when its stream has ended, a moment later."""
    slow, modest = [listener(hub) for _ in range(4)], listener(hub)
    for each in slow:
        each.permit(time.monotonic() + 60)
        each.put(each.message(entry(0), Encoded(entry(500_000), "public")))
    modest.put(modest.message(entry(0), Encoded(entry(10_000), "public")))

    async def begun() -> None:
        sending = [each.pieces() for each in slow]
        for pieces in sending:
            await anext(pieces)
        monkeypatch.setattr(hubs, "MOST_HELD_BYTES", Encoded.held - 700_000)
        for _ in range(2):
            hub.make_room()
            assert [each.ended for each in slow].count(True) == 2
            assert not modest.ended

    asyncio.run(begun())


def test_an_event_is_let_go_of_as_soon_as_its_last_piece_is_sent(hub: Hub) -> None:
    """However long the client takes to read that: it would count, and no stream could be ended for it."""
    to, before = listener(hub), Encoded.held
    to.permit(time.monotonic() + 60)
    to.put(to.message(entry(0), Encoded(entry(3 * PIECE_BYTES), "public")))

    async def sent() -> None:
        pieces = to.pieces()
        while not (await anext(pieces)).endswith(b"\n\n"):
            assert Encoded.held > before
        assert (to.size, Encoded.held) == (0, before)

    asyncio.run(sent())


def test_streams_that_have_ended_go_before_others_end(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that was ended for reading too slowly still holds what it is just sending."""
    ending, other = listener(hub), listener(hub)
    for each, size in ((ending, 300_000), (other, 400_000)):
        each.permit(time.monotonic() + 60)
        each.put(each.message(entry(0), Encoded(entry(size), "public")))

    async def begun() -> None:
        pieces = ending.pieces()
        await anext(pieces)
        ending.end()
        monkeypatch.setattr(hubs, "MOST_HELD_BYTES", Encoded.held - 200_000)
        hub.make_room()
        assert not other.ended

    asyncio.run(begun())


def test_what_is_taken_from_a_reader_is_not_sent_any_more(hub: Hub) -> None:
    """What waits in their buffer is not told, and what is about other things is."""
    to = listener(hub)
    to.permit(time.monotonic() + 60)
    of_project: dict[str, Any] = {"ticket_number": None}
    abouts = [{}, of_project, {"ticket_number": 2}, {**of_project, "project": "other"}]
    for place, fields in enumerate(abouts):
        to.put(to.message(entry(0), Encoded(entry(0, id=f"number {place}", **fields), "public")))
    to.take_back(subject_of(entry(0, **of_project)))
    to.take_back(subject_of(entry(0)))

    async def sent() -> bytes:
        return b"".join([piece async for piece in to.pieces()])

    assert re.findall(rb"number \d", asyncio.run(sent())) == [b"number 2", b"number 3"]


def test_what_is_taken_from_a_reader_while_it_waits_for_a_permit_is_not_sent(hub: Hub) -> None:
    to = listener(hub)
    to.put(to.message(entry(0), Encoded(entry(0), "public")))

    async def sent() -> list[bytes]:
        pieces = to.pieces()
        first = asyncio.ensure_future(anext(pieces, b""))
        await asyncio.sleep(0)
        to.take_back(subject_of(entry(0)))
        to.permit(time.monotonic() + 60)
        return [await first, *[piece async for piece in pieces]]

    assert asyncio.run(sent()) == [b""]


def test_a_long_event_that_is_taken_from_a_reader_while_it_is_sent_ends_the_stream(hub: Hub) -> None:
    to = listener(hub)
    to.permit(time.monotonic() + 60)
    to.put(to.message(entry(0), Encoded(entry(300_000), "public")))

    async def sent() -> list[bytes]:
        pieces = to.pieces()
        begun = [await anext(pieces)]
        to.take_back(subject_of(entry(0)))
        return begun + [piece async for piece in pieces]

    assert len(asyncio.run(sent())) == 1
    assert to.ended


def test_a_stream_ends_with_its_connection_whatever_was_asked_behind_it(stand: Stand) -> None:
    agent = stand.sign_in("agent")
    address = urlsplit(stand.url)
    request = f"GET /api/v1/events/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {agent.token}\r\n\r\n"
    with socket.create_connection((address.hostname, address.port), timeout=20) as client:
        client.sendall(request.encode() * 2)
        assert client.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
        await_(lambda: stand.open_streams() == 1)
    await_(lambda: stand.open_streams() == 0)


# What it answers instead -------------------------------------------------------------------------------------------


def test_it_speaks_event_streams_only(agent: Person) -> None:
    taken = ("text/event-stream", "text/*", "*/*", "application/problem+json")
    for accept, status in (("application/json", 406), *((accept, 200) for accept in taken)):
        response = agent.get("/events/stream", headers={"Accept": accept})
        assert response.status_code == status, accept
    assert response.headers["content-type"] == "text/event-stream"
    assert response.headers["cache-control"] == "no-store"
    assert "content-length" not in response.headers
    assert agent.get("/events", headers={"Accept": "text/event-stream"}).status_code == 406


def test_head_is_answered_at_once(agent: Person) -> None:
    response = agent.head("/events/stream")
    assert (response.status_code, response.headers["content-type"]) == (200, "text/event-stream")
    assert response.content == b""


def test_a_bad_cursor_is_told_before_it_begins(agent: Person, sign_in: Callable[..., Person], db: Db) -> None:
    assert agent.get("/events/stream", headers={"Last-Event-ID": "x"}).json()["code"] == "invalid_cursor"
    person = sign_in("agent")
    cursor = end(person)
    db.execute("update users set role = 'requester' where id = %s", (person.id,))
    response = person.get("/events/stream", headers={"Last-Event-ID": cursor})
    assert (response.status_code, response.json()["code"]) == (410, "cursor_expired")


def test_streams_are_limited(stand: Stand) -> None:
    one, two, three = (stand.sign_in("agent") for _ in range(3))
    await_(lambda: stand.open_streams() == 0)
    with following(one, one):
        response = one.get("/events/stream")
        assert (response.status_code, response.json()["code"]) == (429, "too_many_streams")
        assert response.headers["retry-after"]
        with following(two, two):
            response = three.get("/events/stream")
            assert (response.status_code, response.json()["code"]) == (503, "unavailable")
            assert response.headers["retry-after"]
            await_(lambda: stand.open_streams() == 4)
    await_(lambda: stand.open_streams() == 0)
    with following(one, three):
        """There is room again."""


# What ends it ------------------------------------------------------------------------------------------------------


RIGHTS = [
    "update tokens set revoked_at = now() where user_id = %s",
    "update tokens set expires_at = now() where user_id = %s",
    "update tokens set scopes = '{tickets:write}' where user_id = %s",
    "update users set active = false where id = %s",
    "update users set role = 'requester' where id = %s",
    "update users set everywhere = false where id = %s",
]


@pytest.mark.parametrize("change", RIGHTS)
def test_it_ends_with_the_right_to_it(stand: Stand, change: str) -> None:
    person, other = stand.sign_in("agent"), stand.sign_in("agent")
    with following(person, other) as (opened, untouched):
        next(opened)
        next(untouched)
        stand.db.execute(change, (person.id,))
        assert not any(sent.data for sent in rest(opened))
        stand.new_ticket(other)
        assert told(untouched, 1)


def said(stand: Stand, agent: Person, number: int, seconds: float) -> None:
    """Have internal comments written all the while."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        comment(agent, number, CANARY, visibility="internal")
        time.sleep(0.02)


def later_than(moment: datetime, events: Iterable[Any]) -> list[Any]:
    """Those of these events that happened more than a second after a moment."""
    last = (moment + timedelta(seconds=1)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    return [event for event in events if event["timestamp"] > last]


def taken_away(stand: Stand, change: str, person: Person) -> datetime:
    """Take a right away, and say when that was."""
    (row,) = stand.db.execute(f"{change} returning clock_timestamp() as moment", (person.id,)).fetchall()
    moment: datetime = row["moment"]
    return moment


@pytest.mark.parametrize("change", RIGHTS)
def test_nothing_is_told_a_second_after_the_right_to_it_has_ended(stand: Stand, change: str) -> None:
    person, other = stand.sign_in("agent"), stand.sign_in("agent")
    number = stand.new_ticket(other)
    settled(stand.db)
    with following(person) as (opened,):
        next(opened)
        comment(other, number, CANARY, visibility="internal")
        assert told(opened, 1)
        moment = taken_away(stand, change, person)
        said(stand, other, number, 2)
        heard = [sent.data for sent in rest(opened) if sent.data]
    assert later_than(moment, heard) == []
    assert any(event["timestamp"] for event in heard) or not heard


def dripping(line: socket.socket) -> bytes:
    """All that comes on a line until it is closed, or broken off."""
    received = b""
    line.settimeout(20)
    with suppress(ConnectionResetError):
        while piece := line.recv(1 << 20):
            received += piece
    return received


def readable(line: socket.socket) -> int:
    """How many bytes have arrived that nobody has read."""
    return int.from_bytes(fcntl.ioctl(line, termios.FIONREAD, bytes(4)), sys.byteorder)


@contextmanager
def unread(url: str, person: Person, last_event_id: str | None = None) -> Iterator[socket.socket]:
    """A stream of which nobody reads more than the first line."""
    address = urlsplit(url)
    assert address.hostname and address.port
    with socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.connect((address.hostname, address.port))
        again = f"Last-Event-ID: {last_event_id}\r\n" if last_event_id else ""
        head = f"GET /api/v1/events/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {person.token}\r\n"
        line.sendall(f"{head}{again}\r\n".encode())
        assert line.recv(12) == b"HTTP/1.1 200"
        yield line


@pytest.mark.parametrize("missed", [False, True], ids=["live", "catching up"])
def test_what_is_on_its_way_to_a_slow_reader_is_dropped_with_the_right_to_it(stand: Stand, missed: bool) -> None:
    """Nothing of it leaves this machine any more, however slowly the client reads."""
    person, other = stand.sign_in("agent"), stand.sign_in("agent")
    number = stand.new_ticket(other)
    begun = person.get("/events", params={"start": "end"}).json()["next"]
    await_(lambda: stand.open_streams() == 0)

    def spoken(times: int) -> None:
        for _ in range(times):
            comment(other, number, "x" * 60_000, visibility="internal")
        settled(stand.db)

    if missed:
        spoken(10)
    with unread(stand.url, person, begun if missed else None) as line:
        await_(lambda: stand.open_streams() == 1)
        if not missed:
            spoken(4)
        await_(lambda: readable(line) > 2000)  # Of the first one, all that the client takes unread.
        taken_away(stand, RIGHTS[0], person)
        await_(lambda: stand.open_streams() == 0)
        said(stand, other, number, 1)
        received = dripping(line)
    assert CANARY.encode() not in received
    assert len(received) < PIECE_BYTES, "what the client's own side had taken"


def test_a_stream_waits_while_nobody_can_say_whether_it_may_go_on(stand: Stand) -> None:
    person = stand.sign_in("agent")
    number, data = stand.new_ticket(person), Jsonb(subject("ticket.created"))
    settled(stand.db)
    with person.follow() as opened:
        next(opened)
        with psycopg.connect(stand.database_url, row_factory=dict_row) as busy:
            busy.execute("lock table tokens in access exclusive mode")
            (row,) = busy.execute("select clock_timestamp() as moment").fetchall()
            for _ in range(15):
                stand.db.execute(
                    "insert into events (id, type, occurred_at, ticket, project, data)"
                    " values (gen_random_uuid(), 'ticket.created', clock_timestamp(), %s, 'media', %s)",
                    (number, data),
                )
                time.sleep(0.1)
            before = time.monotonic()
            busy.rollback()
        heard = told_at(opened, 15)
    assert len(heard) == 15, "in the end all of it"
    late = later_than(row["moment"], (event for event, at in heard if at < before))
    assert late == [], "and nothing while it could not be known"


def told_at(stream: Iterator[Sent], count: int) -> list[tuple[Any, float]]:
    """The next events of a stream, and when each was read."""
    found: list[tuple[Any, float]] = []
    while len(found) < count:
        sent = next(stream)
        if sent.data:
            found.append((sent.data, time.monotonic()))
    return found


def test_who_may_see_a_project_changes_while_it_is_open(stand: Stand) -> None:
    person, key = stand.sign_in("requester"), f"p-{secrets.token_hex(4)}"
    patch = {"Content-Type": "application/merge-patch+json"}
    with person.follow() as opened:
        next(opened)
        stand.admin.post("/projects", json={"key": key, "name": CANARY})
        for visibility in ("public", "private", "public"):
            stand.admin.request(
                "PATCH", f"/projects/{key}", json={"visibility": visibility, "name": visibility}, headers=patch
            )
            (event,) = told(opened, 1)
            assert event["tombstone"] is (visibility == "private")
            assert CANARY not in json.dumps(event)


def test_who_does_not_read_is_cut_off_and_keeps_nobody_waiting(stand: Stand) -> None:
    slow, quick = stand.sign_in("agent"), stand.sign_in("agent")
    await_(lambda: stand.open_streams() == 0)
    with following(quick) as (opened,), unread(stand.url, slow) as line:
        await_(lambda: stand.open_streams() == 2)
        number = stand.new_ticket(quick)
        text, sent = "x" * 60_000, 0
        while stand.open_streams() == 2:
            comment(quick, number, text)
            sent += 1
            assert told(opened, 1), "the other one gets all of it"
            assert sent < 1000, "the slow one holds up to megabytes of it"
        left = len(dripping(line))
    assert left < sent * 60_000
    with slow.follow() as again:
        assert next(again).id, "and they may come back"


def test_a_busy_database_ends_who_has_to_read_it_and_delays_the_others(stand: Stand) -> None:
    person, other = stand.sign_in("agent"), stand.sign_in("agent")
    with following(other) as (live,):
        number = stand.new_ticket(other)
        assert told(live, 1)[0]["ticket_number"] == number
        with psycopg.connect(stand.database_url) as busy:
            busy.execute("lock table events in access exclusive mode")
            with person.follow() as catching_up:
                assert {sent.data for sent in rest(catching_up)} == {None}, "a place to come back to"
            busy.rollback()
        assert stand.new_ticket(other) == told(live, 1)[0]["ticket_number"]


@pytest.mark.slow
def test_whoever_comes_to_a_process_that_is_about_to_end_learns_from_where_to_go_on(
    new_database: Callable[..., str],
) -> None:
    """A browser gives up if it is refused. Nor may a proxy keep the connection: the next process has others."""
    database_url = new_database()
    with (
        configured(database_url=database_url, log_level="warning"),
        served(app.create()) as url,
        Stand(url, database_url) as stand,
    ):
        loop, hub = list(streams._hubs.items())[-1]
        loop.call_soon_threadsafe(hub.leave)
        agent = stand.sign_in("agent")
        headers = {"Authorization": f"Bearer {agent.token}"}
        answer = httpx.get(f"{url}/api/v1/events/stream", headers=headers, timeout=10)
        assert (answer.status_code, answer.headers["connection"]) == (200, "close")
        assert re.fullmatch(r"retry: \d+\nid: \S+\n.*", answer.text, re.DOTALL)
        await_(lambda: not hub._listeners)


def test_a_service_that_is_told_to_stop_ends_its_streams(new_database: Callable[..., str]) -> None:
    database_url = new_database()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "ticketing", "serve", "--port", str(port)]
    with subprocess.Popen(command, env=environment(database_url)) as process, ended(process):
        url = f"http://127.0.0.1:{port}"
        await_(lambda: answers(url))
        with Stand(url, database_url) as stand, stand.sign_in("agent").follow() as opened:
            next(opened)
            process.send_signal(signal.SIGTERM)
            began = time.monotonic()
            rest(opened)
            assert process.wait(60) == 0
        assert time.monotonic() - began < 9, "it did not wait for the stream"
