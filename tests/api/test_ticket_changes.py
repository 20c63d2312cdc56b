"""Several tickets changed by one request: each as by a PATCH of its own, in every order, and once."""

from __future__ import annotations

import itertools
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_replays import statements
from test_tickets import Events, New, patch

from conftest import ORGANIZATION, Person, staff

Db = psycopg.Connection[dict[str, Any]]
NewTickets = Callable[[int], list[int]]
APART = [HealthCheck.function_scoped_fixture]
ROLES = ("requester", "colleague", "stranger", "agent_elsewhere", "agent_here", "agent", "admin")
STATES = [
    "status = 'open'",
    "status = 'in_progress', tags = '{a,b}', priority = 'high'",
    "status = 'pending', category = 'movies'",
    "status = 'resolved', resolution = 'fixed', resolved_at = date_trunc('day', now())",
    "status = 'resolved', resolution = 'fixed', resolved_at = '2026-01-01'",
    "status = 'closed', resolution = 'answered', resolved_at = '2026-01-01', closed_at = '2026-01-02'",
    "visibility = 'public'",
    "organization = null",
]


def change(by: Person, numbers: list[int], headers: dict[str, str] | None = None, /, **body: Any) -> Any:
    return by.post("/ticket-changes", json={"numbers": numbers, **body}, headers=headers or {})


@pytest.fixture
def new_tickets(requester: Person, colleague: Person, project: str, db: Db) -> NewTickets:
    """Tickets of the requester's organization, one in each of the states, and so on."""

    def new_tickets(count: int) -> list[int]:
        rows = db.execute(
            "insert into tickets (type, project, title, description, requester_id, organization)"
            " select 'bug', %s, 'x', 'x', %s, %s from generate_series(1, %s) returning number",
            (project, requester.id, ORGANIZATION, count),
        ).fetchall()
        numbers = [row["number"] for row in rows]
        for number, state in zip(numbers, itertools.cycle(STATES), strict=False):
            db.execute(f"update tickets set {state} where number = %s", (number,))
        return numbers

    return new_tickets


def test_each_ticket_is_decided_on_its_own(agent: Person, new_tickets: NewTickets, new_events: Events) -> None:
    opened, working, _, _, _, closed, *_ = new_tickets(8)
    new_events()
    answer = change(agent, [closed, opened, 99_999_999, working], patch={"status": "in_progress", "priority": "high"})
    assert answer.status_code == 200
    refused, changed, missing, same = answer.json()["items"]
    assert [item["number"] for item in (refused, changed, missing, same)] == [closed, opened, 99_999_999, working]
    assert [item["outcome"] for item in (refused, changed, missing, same)] == [
        "refused",
        "changed",
        "refused",
        "unchanged",
    ]
    assert (refused["problem"]["code"], refused["problem"]["allowed"], refused["version"]) == (
        "invalid_transition",
        [],
        None,
    )
    told = agent.get("/tickets/99999999").json()
    assert missing["problem"] == {"code": told["code"], "detail": told["detail"]}
    for item in (changed, same):
        assert item["version"] == agent.get(f"/tickets/{item['number']}").json()["version"]
    (event,) = new_events()
    assert (event["type"], event["ticket"], str(event["actor_id"])) == ("ticket.updated", opened, agent.id)
    assert event["previous"] == {"status": "open", "priority": "normal"}
    assert event["data"] == agent.get(f"/tickets/{opened}").json()


def patches(people: list[str]) -> Any:
    """Patches, in which some fields go together and some do not."""
    tags = st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=3, unique=True)
    fields = {
        "priority": st.sampled_from(["low", "high"]),
        "category": st.sampled_from([None, "movies", "music", "no-such"]),
        "status": st.sampled_from(["open", "in_progress", "pending", "resolved", "closed"]),
        "resolution": st.sampled_from(["none", "fixed", "answered"]),
        "resolution_note": st.sampled_from([None, "x"]),
        "assignee": st.sampled_from([None, *({"id": person} for person in people)]),
        "add_tags": tags,
        "remove_tags": tags,
    }
    return st.fixed_dictionaries({}, optional=fields).filter(bool)


def test_it_is_as_many_patches_one_after_another(
    request: pytest.FixtureRequest,
    agent: Person,
    agent_here: Person,
    stranger: Person,
    project: str,
    new_tickets: NewTickets,
    new_events: Events,
    db: Db,
) -> None:
    staff(db, agent_here, project)
    callers: list[Person] = [request.getfixturevalue(role) for role in ROLES]
    people = [agent.id, agent_here.id, stranger.id]

    some = st.lists(st.sampled_from(range(len(STATES))), min_size=1, max_size=4, unique=True)

    @settings(max_examples=40, deadline=None, suppress_health_check=APART, database=None)
    @given(st.sampled_from(callers), patches(people), some)
    def check(by: Person, fields: dict[str, Any], order: list[int]) -> None:
        together, apart = new_tickets(len(STATES)), new_tickets(len(STATES))
        items = change(by, [together[place] for place in order], patch=fields).json()["items"]
        events = {event["ticket"]: event for event in new_events()}
        for place, item in zip(order, items, strict=True):
            number, twin = apart[place], together[place]
            alone = {name: value for name, value in fields.items() if not name.endswith("_tags")}
            if "add_tags" in fields or "remove_tags" in fields:
                (row,) = db.execute("select tags from tickets where number = %s", (number,)).fetchall()
                left = [tag for tag in row["tags"] if tag not in fields.get("remove_tags", ())]
                alone["tags"] = [*dict.fromkeys([*left, *fields.get("add_tags", ())])]
            answer = patch(by, number, **alone)
            one = new_events()
            assert [event["type"] for event in one] == ([events[twin]["type"]] if twin in events else [])
            if one:
                assert one[0]["previous"] == events[twin]["previous"]
            problem = None if answer.is_success else answer.json()
            assert item["outcome"] == ("changed" if one else "refused" if problem else "unchanged")
            assert alike(item["problem"], twin) == alike(problem, number)
            assert state(db, number) == state(db, twin)

    check()


def alike(problem: dict[str, Any] | None, number: int) -> Any:
    """A problem without what differs between tickets and requests."""
    if problem is None:
        return None
    errors = [(each["code"], each["pointer"]) for each in problem.get("errors", ())]
    return problem["code"], problem["detail"].replace(str(number), "n"), errors, problem.get("allowed")


def state(db: Db, number: int) -> dict[str, Any]:
    moments = ("resolved_at", "closed_at")
    (row,) = db.execute("select * from tickets where number = %s", (number,)).fetchall()
    apart = ("id", "number", "created_at", "updated_at", *moments)
    return {name: value for name, value in row.items() if name not in apart} | {
        name: row[name] is not None for name in moments
    }


def test_a_ticket_gets_no_more_tags_than_a_patch_allows(agent: Person, new_ticket: New, new_events: Events) -> None:
    few, many = new_ticket()["number"], new_ticket(tags=[f"t{n}" for n in range(15)])["number"]
    new_events()
    more = [f"u{n}" for n in range(6)]
    items = change(agent, [many, few], patch={"add_tags": more, "remove_tags": ["u1"]}).json()["items"]
    assert [item["outcome"] for item in items] == ["refused", "changed"]
    assert items[0]["problem"]["errors"][0] == {
        "code": "too_many",
        "detail": "At most 20 tags.",
        "pointer": "#/tags",
        "expected": {"max": 20},
    }
    assert [event["data"]["tags"] for event in new_events()] == [more]


def test_a_retry_gets_the_same_answer_whatever_has_changed_since(
    agent: Person, new_tickets: NewTickets, new_events: Events
) -> None:
    numbers = [*new_tickets(8), 99_999_999]
    key = {"Idempotency-Key": secrets.token_hex(8)}
    first = change(agent, numbers, key, patch={"status": "pending", "add_tags": ["x"]})
    assert len({item["outcome"] for item in first.json()["items"]}) == 2
    for number in numbers[:3]:
        patch(agent, number, priority="urgent", status="in_progress")
    new_events()
    again = change(agent, numbers, key, patch={"status": "pending", "add_tags": ["x"]})
    assert (again.status_code, again.json(), again.headers["idempotent-replayed"]) == (200, first.json(), "true")
    reused = change(agent, numbers, key, patch={"status": "pending"})
    assert (reused.status_code, reused.json()["code"]) == (422, "idempotency_key_reused")
    assert new_events() == []


def test_a_key_stays_free_if_nothing_was_changed(
    agent: Person, new_tickets: NewTickets, db: Db, new_events: Events
) -> None:
    opened, *_, closed = new_tickets(6)
    key = {"Idempotency-Key": secrets.token_hex(8)}
    nothing = change(agent, [opened, closed], key, patch={"status": "open"})
    assert [item["outcome"] for item in nothing.json()["items"]] == ["unchanged", "refused"]
    assert db.execute("select from idempotency_keys where key = %s", tuple(key.values())).fetchall() == []
    new_events()
    another = change(agent, [opened], key, patch={"status": "pending"})
    assert "idempotent-replayed" not in another.headers
    assert [event["type"] for event in new_events()] == ["ticket.updated"]


def test_who_has_read_an_older_version_changes_nothing(agent: Person, new_ticket: New, new_events: Events) -> None:
    one, two, three = (new_ticket() for _ in range(3))
    patch(agent, two["number"], priority="high")
    new_events()
    versions = {str(one["number"]): f'"{one["version"]}"', str(two["number"]): two["version"]}
    numbers = [one["number"], two["number"], three["number"]]
    items = change(agent, numbers, patch={"status": "pending"}, versions=versions).json()["items"]
    assert [item["outcome"] for item in items] == ["changed", "refused", "changed"]
    assert items[1]["problem"]["code"] == "precondition_failed"
    assert [event["ticket"] for event in new_events()] == [one["number"], three["number"]]
    strange = change(agent, numbers[:2], patch={"status": "open"}, versions={str(three["number"]): three["version"]})
    assert (strange.status_code, strange.json()["errors"][0]["pointer"]) == (422, "#/versions")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"numbers": [], "patch": {"priority": "low"}}, "too_few"),
        ({"numbers": [*range(1, 102)], "patch": {"priority": "low"}}, "too_many"),
        ({"numbers": [1, 1], "patch": {"priority": "low"}}, "not_unique"),
        ({"numbers": [0], "patch": {"priority": "low"}}, "too_small"),
        ({"numbers": [1], "patch": {}}, "too_few"),
        ({"numbers": [1], "patch": {"title": "x"}}, "unknown_field"),
        ({"numbers": [1], "patch": {"tags": ["x"]}}, "unknown_field"),
        ({"numbers": [1], "patch": {"priority": "low"}, "versions": {"x": "y"}}, "wrong_format"),
    ],
)
def test_what_cannot_be_asked(agent: Person, body: dict[str, Any], code: str) -> None:
    answer = agent.post("/ticket-changes", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, code), answer.text


def test_changes_of_the_same_tickets_lose_nothing_and_never_lock_each_other_out(
    agent: Person, new_tickets: NewTickets, new_events: Events, db: Db
) -> None:
    deadlocks = "select deadlocks from pg_stat_database where datname = current_database()"
    numbers = new_tickets(8)
    before = db.execute(deadlocks).fetchone()
    for round_ in range(6):
        new_events()
        start = threading.Barrier(5)

        def bulk(place: int, start: threading.Barrier = start, round_: int = round_) -> Any:
            order = numbers[place:] + numbers[:place]
            start.wait()
            tag = f"r{round_}p{place}"
            return change(agent, order if place % 2 else order[::-1], patch={"add_tags": [tag], "remove_tags": ["x"]})

        def single(start: threading.Barrier = start, round_: int = round_) -> Any:
            start.wait()
            return patch(agent, numbers[3], title=f"title {round_}")

        with ThreadPoolExecutor(5) as threads:
            ends = [threads.submit(bulk, place) for place in (1, 4, 5, 6)] + [threads.submit(single)]
            answers = [end.result() for end in ends]
        assert [answer.status_code for answer in answers] == [200] * 5
        assert {item["outcome"] for answer in answers[:4] for item in answer.json()["items"]} == {"changed"}
        assert len(new_events()) == 4 * 8 + 1
        rows = db.execute("select tags from tickets where number = any(%s)", (numbers,)).fetchall()
        assert all({f"r{round_}p{place}" for place in (1, 4, 5, 6)} <= set(row["tags"]) for row in rows)
        change(agent, numbers, patch={"remove_tags": [f"r{round_}p{place}" for place in (1, 4, 5, 6)]})
    db.execute("select pg_stat_clear_snapshot()")
    assert db.execute(deadlocks).fetchone() == before


def test_of_two_requests_with_one_key_one_changes_something(
    agent: Person, new_tickets: NewTickets, new_events: Events
) -> None:
    numbers = new_tickets(3)
    key = {"Idempotency-Key": secrets.token_hex(8)}
    new_events()
    with ThreadPoolExecutor(4) as threads:
        ends = [threads.submit(change, agent, numbers, key, patch={"add_tags": ["once"]}) for _ in range(4)]
        answers = [end.result() for end in ends]
    assert [answer.json() for answer in answers] == [answers[0].json()] * 4
    assert sorted("idempotent-replayed" in answer.headers for answer in answers) == [False, True, True, True]
    assert len(new_events()) == 3


def test_it_takes_as_many_statements_for_many_tickets_as_for_one(
    agent: Person, new_tickets: NewTickets, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = new_tickets(100)
    key = {"Idempotency-Key": secrets.token_hex(8)}
    with statements(monkeypatch) as names:
        change(agent, numbers, key, patch={"add_tags": ["x"], "category": "music"})
    assert names == ["claim_key", "lock_tickets", "update_tickets", "keep_answer"]
    with statements(monkeypatch) as names:
        items = change(agent, numbers, patch={"category": "no-such"}).json()["items"]
    assert {item["problem"]["errors"][0]["pointer"] for item in items} == {"#/category"}
    assert names == ["lock_tickets", "update_tickets"]
