"""Stream passes: each opens one stream, in time, with the rights of the token that it was made with."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from test_stream import rest, told
from test_tickets import New

from conftest import Person, settled, signed_up, spawned
from judged import PREFIX, Judged
from ticketing.access.bearer import hash_token
from ticketing.reactions import upkeep
from working import do

Db = psycopg.Connection[dict[str, Any]]
STREAM = "/events/stream"


@pytest.fixture(autouse=True)
def settled_log(db: Db, project: str) -> None:
    """What was written before a test, its project too, comes in none of its streams."""
    settled(db)


def pass_of(person: Person) -> str:
    answer = person.post("/events/stream-passes")
    assert answer.status_code == 201, answer.text
    stream_pass: str = answer.json()["pass"]
    return stream_pass


def given(stream_pass: Any) -> dict[str, Any]:
    """The parameter, whose name Python keeps for itself."""
    return {"pass": stream_pass}


def refused(client: Judged, stream_pass: Any) -> tuple[int, str]:
    answer = client.get(STREAM, params=given(stream_pass))
    return answer.status_code, answer.json()["detail"]


def test_a_pass_opens_the_stream_of_whoever_made_it(
    requester: Person, stranger: Person, anonymous: Judged, new_ticket: New
) -> None:
    with anonymous.follow(**given(pass_of(requester))) as mine, anonymous.follow(**given(pass_of(stranger))) as others:
        next(mine), next(others)
        ticket, foreign = new_ticket(), new_ticket(stranger)
        assert next(event.data for event in mine if event.data and event.type == "ticket.created")["data"] == ticket
        assert next(event.data for event in others if event.data and event.type == "ticket.created")["data"] == foreign


def test_it_is_told_until_when_and_kept_as_a_hash(agent: Person, db: Db) -> None:
    answer = agent.post("/events/stream-passes").json()
    digest = hash_token(answer["pass"])
    (row,) = db.execute("select *, now() from stream_tickets where hash = %s", (digest,)).fetchall()
    assert row["expires_at"] == datetime.fromisoformat(answer["expires_at"])
    assert timedelta() < row["expires_at"] - row["now"] <= timedelta(seconds=60)
    kept = str(db.execute("select * from stream_tickets").fetchall())
    assert answer["pass"] not in kept


def test_no_event_tells_of_it(agent: Person, new_events: Callable[[], list[Any]]) -> None:
    new_events()
    pass_of(agent)
    assert new_events() == []


def test_it_is_good_once(agent: Person, anonymous: Judged) -> None:
    stream_pass = pass_of(agent)
    with anonymous.follow(**given(stream_pass)) as stream:
        next(stream)
        assert refused(anonymous, stream_pass) == (401, "This pass is not known, has expired, or was used.")
    assert refused(anonymous, stream_pass)[0] == 401


def test_what_opens_no_stream_leaves_it_unused(agent: Person, anonymous: Judged) -> None:
    """A question about the headers, and a request that is refused for anything but its pass."""
    stream_pass = pass_of(agent)
    head = anonymous.head(STREAM, params=given(stream_pass))
    assert (head.status_code, head.headers["content-type"]) == (200, "text/event-stream")
    assert anonymous.get(STREAM, params={**given(stream_pass), "type": "nothing"}).status_code == 400
    assert anonymous.get(STREAM, params={**given(stream_pass), "cursor": "nowhere"}).status_code == 400
    assert anonymous.get(STREAM, params={**given(stream_pass), "project": "nowhere"}).status_code == 400
    assert anonymous.get(STREAM, params=given(stream_pass), headers={"Accept": "text/html"}).status_code == 406
    assert refused(anonymous, f"{stream_pass[:-1]}{'x' if stream_pass[-1] != 'x' else 'y'}")[0] == 401
    with anonymous.follow(**given(stream_pass)) as stream:
        next(stream)
    assert anonymous.head(STREAM, params=given(stream_pass)).status_code == 401


@pytest.mark.slow
def test_of_many_who_come_with_it_at_once_to_two_processes_one_gets_in(
    service: str, database_url: str, agent: Person
) -> None:
    with spawned(database_url) as other, ThreadPoolExecutor(8) as threads:
        for _ in range(5):
            stream_pass = pass_of(agent)

            def come(url: str, stream_pass: str = stream_pass) -> int:
                with Judged(base_url=url, timeout=30) as client:
                    return client.get(STREAM, params=given(stream_pass)).status_code

            assert sorted(threads.map(come, [service, other] * 4)) == [200] + [401] * 7


def test_in_time(agent: Person, anonymous: Judged, db: Db) -> None:
    stream_pass = pass_of(agent)
    db.execute("update stream_tickets set expires_at = now() where hash = %s", (hash_token(stream_pass),))
    assert refused(anonymous, stream_pass)[0] == 401


@pytest.mark.parametrize(
    "stream_pass",
    ["", "x", "sse_", f"sse_{'x' * 32}", f"sse_{'x' * 33}", f"sse_{'é' * 32}", f"tkt_{'x' * 32}", "%00", "x" * 5000],
)
def test_what_is_no_pass_opens_nothing(anonymous: Judged, stream_pass: str) -> None:
    assert refused(anonymous, stream_pass)[0] == 401


def test_nor_does_a_token_in_its_place(agent: Person, anonymous: Judged) -> None:
    assert refused(anonymous, agent.token)[0] == 401


def test_nor_two_of_them(agent: Person, anonymous: Judged) -> None:
    passes = [pass_of(agent), pass_of(agent)]
    assert refused(anonymous, passes) == (401, "The parameter pass is given 2 times.")
    for stream_pass in passes:
        with anonymous.follow(**given(stream_pass)) as stream:
            next(stream)


def test_it_opens_nothing_but_a_stream(agent: Person, anonymous: Judged) -> None:
    stream_pass = pass_of(agent)
    assert anonymous.get("/events", params=given(stream_pass)).status_code == 401
    assert agent.get("/events", params=given(stream_pass)).status_code == 400
    assert agent.get(STREAM, params={"ticket": stream_pass}).json()["errors"][0]["parameter"] == "ticket"
    assert anonymous.get("/me", headers={"Authorization": f"Bearer {stream_pass}"}).status_code == 401
    with anonymous.follow(**given(stream_pass)) as stream:
        next(stream)


def test_a_token_counts_more_and_leaves_it_unused(agent: Person, requester: Person, anonymous: Judged) -> None:
    stream_pass = pass_of(requester)
    with agent.follow(**given(stream_pass)) as stream:
        next(stream)
    wrong = anonymous.get(STREAM, params=given(stream_pass), headers={"Authorization": "Bearer wrong"})
    assert wrong.status_code == 401
    with anonymous.follow(**given(stream_pass)) as stream:
        next(stream)


REVOKE = "update tokens set revoked_at = now() where user_id = %s"
ENDS = {
    "revoked": REVOKE,
    "expired": "update tokens set expires_at = now() where user_id = %s",
    "deactivated": "update users set active = false where id = %s",
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_it_ends_with_its_token(sign_in: Callable[..., Person], anonymous: Judged, db: Db, end: str) -> None:
    person = sign_in("agent")
    unused = pass_of(person)
    with anonymous.follow(**given(pass_of(person))) as stream:
        next(stream)
        db.execute(end.encode(), (person.id,))
        rest(stream)
    assert refused(anonymous, unused)[0] == 401


def test_another_role_ends_the_stream_and_a_new_one_has_its_rights(
    sign_in: Callable[..., Person], anonymous: Judged, db: Db, new_ticket: New
) -> None:
    person = sign_in("agent")
    unused = pass_of(person)
    with anonymous.follow(**given(pass_of(person))) as stream:
        next(stream)
        db.execute("update users set role = 'requester' where id = %s", (person.id,))
        rest(stream)
    with anonymous.follow(**given(unused)) as stream:
        next(stream)
        new_ticket()
        own = new_ticket(person)
        assert told(stream, 1)[0]["data"] == own


def test_a_token_that_may_not_read_makes_none(sign_in: Callable[..., Person]) -> None:
    answer = sign_in("admin", scopes=("tickets:write", "admin")).post("/events/stream-passes")
    assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")


def test_a_scope_that_is_lost_meanwhile_is_lost(sign_in: Callable[..., Person], anonymous: Judged, db: Db) -> None:
    person = sign_in("admin")
    stream_pass = pass_of(person)
    db.execute("update tokens set scopes = '{admin}' where user_id = %s", (person.id,))
    assert anonymous.get(STREAM, params=given(stream_pass)).status_code == 403


@pytest.mark.slow
def test_the_log_holds_no_pass(new_database: Callable[..., str], capfd: pytest.CaptureFixture[str]) -> None:
    database_url = new_database()
    with psycopg.connect(database_url, autocommit=True) as conn:
        person = signed_up(conn, "agent")
    with spawned(database_url, TICKETING_LOG_LEVEL="info") as url, Person(url, *person) as agent:
        stream_pass = pass_of(agent)
        with Judged(base_url=url) as client:
            with client.follow(**given(stream_pass)) as stream:
                next(stream)
            refused(client, stream_pass)
    said = "".join(capfd.readouterr())
    assert "/api/v1/events/stream" in said
    assert stream_pass not in said


def test_those_that_nobody_used_are_deleted(agent: Person, db: Db) -> None:
    old, new = pass_of(agent), pass_of(agent)
    db.execute("update stream_tickets set expires_at = now() where hash = %s", (hash_token(old),))
    do(upkeep.delete_expired_idempotency_keys)
    kept = {row["hash"] for row in db.execute("select hash from stream_tickets")}
    assert (hash_token(old) in kept, hash_token(new) in kept) == (False, True)


@pytest.mark.slow
def test_pages_of_another_origin_may_use_it(new_database: Callable[..., str]) -> None:
    """As a browser asks: a preflight for the pass, then the pass, then the stream, which needs none."""
    portal = "https://portal.example.org"
    database_url = new_database()
    with psycopg.connect(database_url, autocommit=True) as conn:
        person = signed_up(conn, "agent")
    with spawned(database_url, TICKETING_CORS_ORIGINS=portal) as url, Person(url, *person) as agent:
        asks = {"Origin": portal, "Access-Control-Request-Method": "POST"}
        preflight = agent.options(
            "/events/stream-passes",
            headers={**asks, "Access-Control-Request-Headers": "authorization"},
        )
        assert preflight.status_code == 204
        assert "Authorization" in preflight.headers["access-control-allow-headers"].split(", ")
        made = agent.post("/events/stream-passes", headers={"Origin": portal})
        assert made.headers["access-control-allow-origin"] == portal
        with Judged(base_url=url) as page:
            params = given(made.json()["pass"])
            with page.stream("GET", PREFIX + STREAM, params=params, headers={"Origin": portal}) as stream:
                assert (stream.status_code, stream.headers["access-control-allow-origin"]) == (200, portal)
            refusal = page.get(STREAM, params=params, headers={"Origin": portal})
            assert (refusal.status_code, refusal.headers["access-control-allow-origin"]) == (401, portal)
            beside = page.get(f"{url}/health/live", headers={"Origin": portal})
            assert "access-control-allow-origin" not in beside.headers
