"""Streams: the feed as it happens, and what ends one."""

from __future__ import annotations

import json
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
from psycopg.rows import dict_row

from conftest import Person, answers, await_, environment, settled, signed_up, spawned
from judged import Sent
from test_comments import CANARY, comment
from test_feed import end, since
from test_tickets import New
from ticketing import stream

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
    deadline = time.monotonic() + 20
    sent = []
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
def stand(new_database: Callable[..., str]) -> Iterator[Stand]:
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
def settled_logs(stand: Stand, db: Db) -> None:
    """What was written before a test comes in none of its streams, whichever service it asks."""
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
        assert first.data and first.data["ticket"] == numbers[0]
    numbers.append(new_ticket()["number"])
    with agent.follow(first.id) as opened:
        assert [event["ticket"] for event in told(opened, 3)] == numbers[1:]
    # The header counts more: a browser sends the address of its first request again.
    with agent.follow(first.id, cursor=last.id) as opened:
        assert [event["ticket"] for event in told(opened, 3)] == numbers[1:]
    with agent.follow(None, cursor=last.id) as opened:
        assert [event["ticket"] for event in told(opened, 4)] == numbers


def test_feed_and_stream_share_their_cursors(agent: Person, new_ticket: New) -> None:
    cursor = end(agent)
    numbers = [new_ticket()["number"] for _ in range(3)]
    with agent.follow(cursor) as opened:
        sent = [next(sent for sent in opened if sent.data) for _ in range(3)]
    page = agent.get("/events", params={"cursor": sent[0].id}).json()
    assert [event["ticket"] for event in page["items"]] == numbers[1:]
    assert [event.data for event in sent[1:]] == page["items"]


def test_filters(agent: Person, new_ticket: New) -> None:
    with agent.follow(None, types="comment.created,ticket.closed") as opened:
        next(opened)
        number = new_ticket()["number"]
        comment(agent, number)
        assert [event["type"] for event in told(opened, 1)] == ["comment.created"]


def test_many_that_read_much_get_all_of_it(stand: Stand) -> None:
    """More than a batch, in one go and while it happens, in order and once."""
    agent = stand.sign_in("agent")
    with agent.follow() as early:
        beginning = next(early)
        count = 3 * stream.BATCH
        stand.db.execute(
            """
            insert into events (id, type, ticket, project, data)
            select gen_random_uuid(), 'ticket.created', n, 'media', '{}' from generate_series(1, %s) n
            """,
            (count,),
        )
        live = told(early, count)
    assert [event["ticket"] for event in live] == list(range(1, count + 1))
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
        assert told(opened, 1)[0]["ticket"] == own not in numbers


# What it answers instead -------------------------------------------------------------------------------------------


def test_it_speaks_event_streams_only(agent: Person) -> None:
    for accept, status in (("application/json", 406), ("text/event-stream", 200), ("text/*", 200), ("*/*", 200)):
        response = agent.get("/events/stream", headers={"Accept": accept})
        assert response.status_code == status, accept
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


@pytest.mark.parametrize(
    "change",
    [
        "update tokens set revoked_at = now() where user_id = %s",
        "update tokens set expires_at = now() where user_id = %s",
        "update tokens set scopes = '{tickets:write}' where user_id = %s",
        "update users set active = false where id = %s",
        "update users set role = 'requester' where id = %s",
    ],
)
def test_it_ends_with_the_right_to_it(stand: Stand, change: str) -> None:
    person, other = stand.sign_in("agent"), stand.sign_in("agent")
    with following(person, other) as (opened, untouched):
        next(opened)
        next(untouched)
        stand.db.execute(change, (person.id,))
        began = time.monotonic()
        assert not any(sent.data for sent in rest(opened))
        assert time.monotonic() - began < stream.CHECK_SECONDS + 3
        stand.new_ticket(other)
        assert told(untouched, 1)


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
    address = urlsplit(stand.url)
    assert address.hostname and address.port
    await_(lambda: stand.open_streams() == 0)
    with following(quick) as (opened,), socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.connect((address.hostname, address.port))
        line.sendall(
            f"GET /api/v1/events/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {slow.token}\r\n\r\n".encode()
        )
        assert line.recv(12) == b"HTTP/1.1 200"
        await_(lambda: stand.open_streams() == 2)
        number = stand.new_ticket(quick)
        text, sent = "x" * 60_000, 0
        while stand.open_streams() == 2:
            comment(quick, number, text)
            sent += 1
            assert told(opened, 1), "the other one gets all of it"
            assert sent < 1000, "the slow one holds up to megabytes of it"
        left = 0
        line.settimeout(20)
        while piece := line.recv(1 << 20):
            left += len(piece)
    assert left < sent * 60_000
    with slow.follow() as again:
        assert next(again).id, "and they may come back"


def test_a_busy_database_ends_who_has_to_read_it_and_delays_the_others(stand: Stand) -> None:
    person, other = stand.sign_in("agent"), stand.sign_in("agent")
    with following(other) as (live,):
        number = stand.new_ticket(other)
        assert told(live, 1)[0]["ticket"] == number
        with psycopg.connect(stand.database_url) as busy:
            busy.execute("lock table events in access exclusive mode")
            with person.follow() as catching_up:
                assert len(rest(catching_up)) == 1, "a place to come back to"
            busy.rollback()
        assert stand.new_ticket(other) == told(live, 1)[0]["ticket"]


def test_a_service_that_is_told_to_stop_ends_its_streams(new_database: Callable[..., str]) -> None:
    database_url = new_database()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "ticketing", "serve", "--port", str(port)]
    with subprocess.Popen(command, env=environment(database_url)) as process:
        url = f"http://127.0.0.1:{port}"
        await_(lambda: answers(url))
        with Stand(url, database_url) as stand, stand.sign_in("agent").follow() as opened:
            next(opened)
            process.send_signal(signal.SIGTERM)
            began = time.monotonic()
            assert rest(opened) == []
            assert process.wait(20) == 0
        assert time.monotonic() - began < 4, "it did not wait for the stream"
