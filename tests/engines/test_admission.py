"""Nobody takes the places of others: a greedy user, a greedy address, or a flood of wrong tokens."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import httpx
import psycopg
import pytest

from conftest import Person, await_, signed_up, spawned
from ticketing.access import bearer
from ticketing.contract.admission import ADDRESS_TIMES, USER_TIMES, Admission, Overloaded, Patience, Place


async def _receive() -> None:
    """Nothing more is sent."""


class Clients:
    """Whoever asks of an admission with so many places, and what became of it."""

    def __init__(self, limit: int) -> None:
        self.admission = Admission(limit)

    def ask(self, user: str, address: str) -> Place | None:
        """The place that they get, or None if they are refused."""
        place = Place(self.admission, _receive)
        try:
            place.hold(address, ADDRESS_TIMES)
            place.hold(f"user {user}", USER_TIMES)
        except Overloaded:
            place.leave()
            return None
        return place

    def fill(self, user: str, address: str, times: int = 1000) -> int:
        """How many places somebody gets who asks and asks."""
        return sum(self.ask(user, address) is not None for _ in range(times))


def test_a_user_alone_has_half_and_an_address_three_quarters() -> None:
    clients = Clients(128)
    assert clients.fill("greedy", "a") == 64
    assert [clients.fill(f"user {n}", "a") for n in range(3)] == [32, 0, 0]
    assert clients.admission.taken == 96


@pytest.mark.parametrize("greedy", [1, 2, 5, 20])
def test_there_is_a_place_for_whoever_comes_next(greedy: int) -> None:
    clients = Clients(128)
    held: list[deque[Place]] = [deque() for _ in range(greedy)]
    for _ in range(200):
        for n, places in enumerate(held):
            # They are answered one by one, and ask for twice as much at once.
            if places:
                places.popleft().leave()
            places.extend(place for _ in range(2) if (place := clients.ask(f"greedy {n}", f"address {n}")))
    assert clients.ask("modest", "elsewhere") is not None
    assert max(map(len, held)) - min(map(len, held)) <= 2


def test_a_greedy_user_keeps_nobody_out_who_has_the_same_address() -> None:
    clients = Clients(128)
    clients.fill("greedy", "office")
    assert clients.fill("colleague", "office", times=10) == 10


def test_places_come_back_and_nothing_is_kept_of_their_holders() -> None:
    clients = Clients(128)
    places = [clients.ask("one", "a"), clients.ask("two", "b")]
    for place in places:
        assert place
        asyncio.run(place.receive())
        place.step_out()
        place.step_in()
        place.leave()
        place.leave()
    assert (clients.admission.taken, clients.admission._held) == (0, {})


def test_patience_is_for_each_and_bounded() -> None:
    patience = Patience(rate=1, burst=3)
    assert [patience.lost("greedy") for _ in range(5)] == [False, False, False, True, True]
    assert not patience.lost("other")
    many = Patience(rate=1e9, burst=1e9)
    for n in range(50_000):
        many.lost(n)
    assert len(many._ahead) <= 10_001


class Own(NamedTuple):
    """A service in a process of its own, and its database."""

    url: str
    database_url: str
    conn: psycopg.Connection[tuple[int]]


@pytest.fixture(scope="module")
def own(new_database: Callable[..., str], slowly: None) -> Iterator[Own]:
    database_url = new_database()
    with spawned(database_url) as url, psycopg.connect(database_url, autocommit=True) as conn:
        yield Own(url, database_url, conn)


def waiting_for(conn: psycopg.Connection[tuple[int]]) -> int:
    """How many connections of the service wait for a lock."""
    row = conn.execute(
        "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    ).fetchone()
    assert row
    return row[0]


def test_whoever_asks_for_what_takes_long_takes_not_all_connections(own: Own) -> None:
    url, database_url, conn = own
    with (
        Person(url, *signed_up(conn, "agent")) as greedy,
        Person(url, *signed_up(conn, "agent")) as modest,
        ThreadPoolExecutor(100) as threads,
        psycopg.connect(database_url) as other,
    ):
        assert (greedy.get("/me").status_code, modest.get("/me").status_code) == (200, 200)
        other.execute("lock table tickets")
        asked = [threads.submit(greedy.get, "/tickets") for _ in range(100)]
        await_(lambda: waiting_for(conn) == 6 and sum(each.done() for each in asked) >= 36)
        assert modest.get("/projects").status_code == 200
        other.rollback()
        statuses = [each.result().status_code for each in asked]
    assert set(statuses) == {200, 503}


def test_wrong_tokens_keep_one_connection_busy_and_no_place(own: Own) -> None:
    url, database_url, conn = own

    def try_a_token() -> int:
        headers = {"Authorization": f"Bearer {bearer.new_token()}"}
        return httpx.get(f"{url}/api/v1/me", headers=headers, timeout=30).status_code

    with ThreadPoolExecutor(150) as threads, psycopg.connect(database_url) as other:
        other.execute("lock table tokens")
        asked = [threads.submit(try_a_token) for _ in range(150)]
        await_(lambda: waiting_for(conn) > 0)
        assert httpx.get(f"{url}/health/ready").status_code == 200
        assert waiting_for(conn) == 1
        other.rollback()
        assert {each.result() for each in asked} <= {401, 503}


def test_a_token_works_as_soon_as_it_is_made_in_every_process(own: Own) -> None:
    url, _, conn = own
    with Person(url, *signed_up(conn, "admin")) as admin:
        for n in range(20):
            secret = bearer.new_token()
            headers = {"Authorization": f"Bearer {secret}"}
            assert [httpx.get(f"{url}/api/v1/me", headers=headers).status_code for _ in range(3)] == [401] * 3
            # As another process makes it.
            conn.execute(
                "insert into tokens (id, user_id, name, hash, prefix, scopes)"
                " values (gen_random_uuid(), %s, %s, %s, %s, '{tickets:read}')",
                (admin.id, f"test {n}", bearer.hash_token(secret), secret[:12]),
            )
            assert httpx.get(f"{url}/api/v1/me", headers=headers).status_code == 200
