"""Views: queries that people keep under a name, who sees them, and how many tickets they have."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from test_feed import end, since
from test_tickets import MERGE_PATCH, Events, New

import querying
from conftest import Person, Secluded, staff
from ticketing.access import bearer
from ticketing.db.queries import Compiled
from ticketing.query import compiling
from ticketing.rules import views

Db = psycopg.Connection[dict[str, Any]]
SignIn = Callable[..., Person]
Again = Callable[..., Person]
PRESETS = {view["preset"]: str(view["id"]) for view in views.PRESETS}


def made(by: Person, **fields: Any) -> dict[str, Any]:
    answer = by.post("/views", json={"name": "Mine", "q": "assignee:me"} | fields)
    assert answer.status_code == 201, answer.text
    view: dict[str, Any] = answer.json()
    return view


def change(by: Person, view: dict[str, Any], headers: dict[str, str] | None = None, **fields: Any) -> Any:
    return by.request("PATCH", f"/views/{view['id']}", json=fields, headers=MERGE_PATCH | (headers or {}))


def prefer(by: Person, headers: dict[str, str] | None = None, **fields: Any) -> Any:
    return by.request("PATCH", "/me", json={"preferences": fields}, headers=MERGE_PATCH | (headers or {}))


def listed(by: Person, limit: int = 100) -> list[str]:
    return [view["id"] for view in by.pages("/views", limit=limit)]


def counts(by: Person, *ids: str) -> dict[str, Any]:
    answer = by.get("/view-counts", params={"view_id": ",".join(ids)} if ids else {})
    assert answer.status_code == 200, answer.text
    return {item["view_id"]: item for item in answer.json()["items"]}


@pytest.fixture
def again(db: Db) -> Iterator[Callable[..., Person]]:
    """Sign somebody in with another token, for some projects or all."""
    clients = ExitStack()

    def again(person: Person, limits: list[str] | None = None) -> Person:
        secret = bearer.new_token()
        db.execute(
            "insert into tokens (id, user_id, name, hash, prefix, scopes, projects)"
            " values (gen_random_uuid(), %s, 'test', %s, %s, '{tickets:read,tickets:write}', %s)",
            (person.id, bearer.hash_token(secret), secret[:12], limits),
        )
        return clients.enter_context(Person(str(person.base_url), UUID(person.id), person.name, person.role, secret))

    with clients:
        yield again


# Keeping -------------------------------------------------------------------------------------------------------------


def test_create_view(sign_in: SignIn, new_events: Events) -> None:
    agent = sign_in("agent")
    body = {
        "name": "Late  and urgent",
        "q": '  updated:<-7d Priority:URGENT   "login loop" sort:-priority',
        "columns": ["title", "number", "updated_at"],
        "visibility": "shared",
    }
    answer = agent.post("/views", json=body)
    assert answer.status_code == 201, answer.text
    view = answer.json()
    assert (
        view.items()
        >= {
            "name": "Late and urgent",
            "q": 'updated:<-7d priority:urgent "login loop" sort:-priority',
            "columns": ["title", "number", "updated_at"],
            "visibility": "shared",
            "preset": "none",
            "owner": {"id": agent.id, "name": agent.name},
        }.items()
    )
    read = agent.get(answer.headers["location"].removeprefix("/api/v1"))
    assert (read.json(), read.headers["etag"]) == (view, answer.headers["etag"])
    assert agent.get("/tickets", params={"q": view["q"]}).json()["q"] == view["q"]
    (event,) = new_events()
    assert (event["type"], event["data"], event["internal"], event["previous"]) == ("view.created", view, True, {})


def test_without_more_it_is_private_and_its_columns_are_left_to_the_client(requester: Person) -> None:
    view = made(requester)
    assert (view["visibility"], view["columns"]) == ("private", [])


@pytest.mark.parametrize(
    ("q", "fault"),
    [
        ("statsu:open", {"code": "unknown_field", "offset": 0, "length": 6, "suggestion": "status"}),
        ("status:open project:no-such", {"code": "unknown", "offset": 20, "length": 7}),
        ('assignee:"Nobody of this name"', {"code": "unknown", "offset": 9, "length": 21}),
        ("a (b)", {"code": "reserved", "offset": 2, "length": 1}),
    ],
)
def test_a_query_with_a_fault_is_refused_with_its_place(
    agent: Person, new_events: Events, q: str, fault: dict[str, Any]
) -> None:
    view = made(agent)
    new_events()
    for answer in (agent.post("/views", json={"name": "x", "q": q}), change(agent, view, q=q)):
        assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
        (told,) = answer.json()["errors"][:1]
        assert told.items() >= ({"pointer": "#/q"} | fault).items()
    assert new_events() == []


def test_update_view(sign_in: SignIn, new_events: Events) -> None:
    agent = sign_in("agent")
    view = made(agent, columns=["title"])
    new_events()
    assert change(agent, view, {"If-Match": '"stale"'}, name="x").status_code == 412
    answer = change(agent, view, {"If-Match": view["version"]}, name="Ours", q="status:OPEN", columns=[])
    assert answer.status_code == 200, answer.text
    updated = answer.json()
    assert (updated["name"], updated["q"], updated["columns"]) == ("Ours", "status:open", [])
    (event,) = new_events()
    assert (event["type"], event["data"]) == ("view.updated", updated)
    assert event["previous"] == {"name": "Mine", "q": "assignee:me", "columns": ["title"]}
    for same in ({"name": "Ours"}, {"q": " status:open "}, updated):
        assert change(agent, view, **same).json() == updated
    assert new_events() == []
    assert change(agent, view, {"If-Match": view["version"]}, name="x").status_code == 412


def test_delete_view(sign_in: SignIn, new_events: Events) -> None:
    agent = sign_in("agent")
    view = made(agent)
    new_events()
    assert agent.delete(f"/views/{view['id']}", headers={"If-Match": '"stale"'}).status_code == 412
    assert agent.delete(f"/views/{view['id']}").status_code == 204
    (event,) = new_events()
    assert (event["type"], event["data"], event["internal"]) == ("view.deleted", view, True)
    assert view["id"] not in listed(agent)


def test_of_two_who_rename_what_they_have_read_one_is_told(sign_in: SignIn, admin: Person, new_events: Events) -> None:
    agent = sign_in("agent")
    view = made(agent, visibility="shared")
    new_events()
    with ThreadPoolExecutor(2) as both:
        answers = [both.submit(change, by, view, {"If-Match": view["version"]}, name=by.name) for by in (agent, admin)]
    assert sorted(answer.result().status_code for answer in answers) == [200, 412]
    assert len(new_events()) == 1


# Sharing -------------------------------------------------------------------------------------------------------------


def test_who_is_told_of_a_view_and_that_it_is_private_again(sign_in: SignIn) -> None:
    owner, colleague, outsider = sign_in("agent"), sign_in("agent"), sign_in("requester")
    begun = {by.id: end(by) for by in (owner, colleague, outsider)}
    view = made(owner, q="assignee:me hdr")
    shared = change(owner, view, visibility="shared", q="assignee:me").json()
    private = change(owner, view, visibility="private", q="assignee:me status:open").json()
    assert colleague.get(f"/views/{view['id']}").status_code == 404

    def heard(by: Person, until: Callable[[list[Any]], bool]) -> list[tuple[str, bool, Any]]:
        found = since(by, begun[by.id], until=until)
        return [
            (each["type"], each["tombstone"], each["data"])
            for each in found
            if each["type"].startswith("view.") and (each["tombstone"] or each["data"]["id"] == view["id"])
        ]

    assert heard(owner, lambda found: sum(each["type"].startswith("view.") for each in found) == 3) == [
        ("view.created", False, view),
        ("view.updated", False, shared),
        ("view.updated", False, private),
    ]
    assert heard(colleague, lambda found: any(each["tombstone"] for each in found)) == [
        ("view.updated", False, shared),
        ("view.updated", True, None),
    ]
    update = next(each for each in since(colleague, begun[colleague.id]) if each["type"] == "view.updated")
    assert update["previous"] == {"visibility": "private"}, "not what it was like before"
    made(outsider)
    assert {kind for kind, *_ in heard(outsider, bool)} <= {"view.created"}


def test_who_is_no_agent_any_more_sees_no_shared_view(sign_in: SignIn, again: Again, admin: Person, db: Db) -> None:
    agent = sign_in("agent")
    shared, own = made(agent, visibility="shared"), made(agent)
    db.execute("update users set role = 'requester' where id = %s", (agent.id,))
    later = again(agent)
    assert [view for view in listed(later) if view in (shared["id"], own["id"])] == [own["id"]]
    assert later.get(f"/views/{shared['id']}").status_code == 404
    assert change(later, shared, name="x").status_code == 404
    assert change(later, own, visibility="shared").status_code == 403
    assert admin.get(f"/views/{shared['id']}").json() == shared, "it is the others' as before"
    assert change(admin, shared, name="Ours").status_code == 200
    assert admin.delete(f"/views/{shared['id']}").status_code == 204


def test_a_token_limited_to_projects_reads_views_and_changes_none(sign_in: SignIn, again: Again, project: str) -> None:
    agent = sign_in("agent")
    view = made(agent)
    limited = again(agent, [project])
    assert limited.get(f"/views/{view['id']}").json() == view
    for answer in (
        limited.post("/views", json={"name": "x", "q": ""}),
        change(limited, view, name="x"),
        limited.delete(f"/views/{view['id']}"),
    ):
        assert answer.status_code == 403


def test_the_views_of_who_is_deactivated_stay_with_whom_they_are_shared(
    sign_in: SignIn, admin: Person, agent: Person
) -> None:
    leaving = sign_in("agent")
    shared = made(leaving, visibility="shared")
    admin.request("PATCH", f"/users/{leaving.id}", json={"active": False}, headers=MERGE_PATCH)
    assert agent.get(f"/views/{shared['id']}").json() == shared


# How many ------------------------------------------------------------------------------------------------------------


def test_a_user_has_so_many_views_and_no_more_whoever_asks_at_once(
    sign_in: SignIn, db: Db, monkeypatch: pytest.MonkeyPatch, new_events: Events
) -> None:
    monkeypatch.setattr(views, "MOST_OWN", 3)
    agent = sign_in("agent")
    with ThreadPoolExecutor(6) as at_once:
        answers = list(at_once.map(lambda _: agent.post("/views", json={"name": "x", "q": ""}), range(6)))
    assert sorted(answer.status_code for answer in answers) == [201, 201, 201, 422, 422, 422]
    refused = next(answer for answer in answers if answer.status_code == 422).json()
    assert (refused["errors"][0]["code"], refused["errors"][0]["expected"]) == ("too_many", {"max": 3})
    assert len(new_events()) == 3


def test_so_many_are_shared_and_no_more(secluded: Secluded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "MOST_SHARED", 2)
    one, other = secluded.sign_in("agent"), secluded.sign_in("agent")
    for by in (one, other):
        made(by, visibility="shared")
    private = made(one)
    for answer in (
        other.post("/views", json={"name": "x", "q": "", "visibility": "shared"}),
        change(one, private, visibility="shared"),
    ):
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "#/visibility")


# The side bar --------------------------------------------------------------------------------------------------------


def test_everybody_begins_with_views_that_work(sign_in: SignIn) -> None:
    assert listed(sign_in("agent"))[:7] == list(PRESETS.values())
    requester = sign_in("requester")
    assert listed(requester) == [PRESETS["open"], PRESETS["all"]]
    for by in (requester, sign_in("agent")):
        for view in by.pages("/views"):
            if view["preset"] != "none":
                page = by.get("/tickets", params={"q": view["q"]}).json()
                assert page["q"] == view["q"], "it is in the canonical form"


def test_everybody_orders_and_hides_views_for_themselves(sign_in: SignIn, new_events: Events) -> None:
    agent, colleague = sign_in("agent"), sign_in("agent")
    before = listed(colleague)
    own, shared = made(agent), made(colleague, visibility="shared")
    order = [shared["id"], PRESETS["all"], own["id"], PRESETS["mine"]]
    new_events()
    assert prefer(agent, view_order=[str(uuid4()), *order], hidden_views=[PRESETS["critical"]]).status_code == 200
    (event,) = new_events()
    assert (event["type"], event["previous"]) == ("user.updated", {})
    for limit in (1, 3, 100):
        found = listed(agent, limit)
        assert found[:4] == order
        assert found[4:9] == [PRESETS[each] for each in ("unassigned", "waiting", "critical", "escalated", "open")], (
            "what is not placed follows"
        )
        assert len(found) == len(set(found))
    assert listed(colleague) == [*before, shared["id"]], "nobody else's"
    assert PRESETS["critical"] not in counts(agent)
    assert PRESETS["critical"] in counts(colleague)
    assert PRESETS["critical"] in counts(agent, PRESETS["critical"]), "it is asked for"
    assert list(counts(agent))[:4] == order


def test_of_two_who_order_at_once_one_is_told_and_no_order_is_mixed(sign_in: SignIn) -> None:
    agent = sign_in("agent")
    orders = [[PRESETS[each] for each in each.split()] for each in ("mine open all", "all open mine")]
    tag = agent.get("/me").headers["etag"]
    with ThreadPoolExecutor(2) as both:
        answers = list(both.map(lambda order: prefer(agent, {"If-Match": tag}, view_order=order), orders))
    assert sorted(answer.status_code for answer in answers) == [200, 412]
    won = next(order for order, answer in zip(orders, answers, strict=True) if answer.status_code == 200)
    assert listed(agent)[:3] == won
    with ThreadPoolExecutor(2) as both:
        answers = list(both.map(lambda order: prefer(agent, view_order=order), orders))
    assert [answer.status_code for answer in answers] == [200, 200]
    assert listed(agent)[:3] in orders


# Counting ------------------------------------------------------------------------------------------------------------


def test_a_shared_view_counts_what_its_reader_may_see_and_me_is_its_reader(
    sign_in: SignIn, admin: Person, project: str, new_ticket: New, db: Db
) -> None:
    one, other, elsewhere = sign_in("agent"), sign_in("agent"), sign_in("agent")
    db.execute("update users set everywhere = false where id = %s", (elsewhere.id,))
    staff(db, elsewhere, admin.post("/projects", json={"key": f"p-{secrets.token_hex(5)}", "name": "x"}).json()["key"])
    view = made(one, q=f"project:{project}", visibility="shared")
    mine = made(one, q=f"project:{project} assignee:me", visibility="shared")
    for person in (one, one, other):
        number = new_ticket()["number"]
        admin.request("PATCH", f"/tickets/{number}", json={"assignee": {"id": person.id}}, headers=MERGE_PATCH)

    def told(by: Person) -> list[int | None]:
        found = counts(by, view["id"], mine["id"])
        return [found[each["id"]]["count"] for each in (view, mine)]

    assert told(one) == [3, 2]
    assert told(other) == [3, 1]
    assert told(elsewhere) == [0, 0]


def test_beyond_a_thousand_it_is_said_that_there_are_more(
    agent: Person, project: str, new_ticket: New, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "MOST_COUNTED", 2)
    view = made(agent, q=f"project:{project}")

    def told() -> tuple[Any, Any]:
        found = counts(agent, view["id"])[view["id"]]
        return found["count"], found["more"]

    assert told() == (0, False)
    for expected in ((1, False), (2, False), (2, True), (2, True)):
        new_ticket()
        assert told() == expected


def test_a_view_whose_query_has_become_wrong_stays_and_says_where(
    sign_in: SignIn, again: Again, admin: Person, db: Db, new_ticket: New
) -> None:
    agent = sign_in("agent")
    hidden = f"p-{secrets.token_hex(5)}"
    admin.post("/projects", json={"key": hidden, "name": "x"})
    gone, whole = made(agent, q=f"status:open project:{hidden}"), made(agent, q="status:open")
    unknown = made(agent)
    db.execute("update views set q = 'status:open milestone:7' where id = %s", (unknown["id"],))
    db.execute("update users set everywhere = false where id = %s", (agent.id,))
    staff(db, agent, new_ticket()["project"])
    later = again(agent)
    found = counts(later, gone["id"], unknown["id"], whole["id"])
    assert found[whole["id"]]["problem"] is None
    for view, fault in (
        (gone, {"code": "unknown", "parameter": "q", "offset": 20, "length": len(hidden)}),
        (unknown, {"code": "unknown_field", "parameter": "q", "offset": 12, "length": 9}),
    ):
        item = found[view["id"]]
        assert (item["count"], item["more"], item["problem"]["code"]) == (None, False, "invalid_parameter")
        assert item["problem"]["errors"][0].items() >= fault.items()
        shown = later.get(f"/views/{view['id']}").json()
        answer = later.get("/tickets", params={"q": shown["q"]})
        assert (answer.status_code, answer.json()["errors"]) == (400, item["problem"]["errors"])
        assert change(later, view, name="Renamed").json()["q"] == shown["q"], "all else of it can be changed"


def test_a_view_that_takes_too_long_stops_no_other(
    agent: Person, new_ticket: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    new_ticket()
    slow, quick = made(agent, q="title:slow"), made(agent, q="title:quick")
    compile_ = compiling.condition

    def condition(query: Any, *given: Any) -> Any:
        found = compile_(query, *given)
        return Compiled("pg_sleep(60) is null", ()) if "slow" in str(query) else found

    monkeypatch.setattr(compiling, "condition", condition)
    monkeypatch.setattr(views, "COUNT_SECONDS", 0.2)
    found = counts(agent, slow["id"], quick["id"])
    assert found[slow["id"]]["problem"]["code"] == "query_too_expensive"
    assert "status:open" in found[slow["id"]]["problem"]["detail"]
    assert found[quick["id"]]["problem"] is None


@pytest.fixture
def apart(secluded: Secluded) -> tuple[Secluded, list[Person]]:
    """Tickets of all kinds, and an agent, their requester, and a stranger."""
    people = [secluded.sign_in(role) for role in ("admin", "requester", "requester")]
    admin, requester, _ = people
    for key, visibility in (("alpha", "public"), ("beta", "private")):
        admin.post("/projects", json={"key": key, "name": key, "visibility": visibility})
    for place in range(40):
        body: dict[str, Any] = {
            "type": ("bug", "support")[place % 2],
            "project": ("alpha", "beta")[place % 3 == 0],
            "title": ("HDR film", "login loop", "Untertitel")[place % 3],
            "description": "",
            "tags": [["hdr"], [], ["a", "b"]][place % 3],
        }
        by = admin if body["project"] == "beta" or place % 5 == 0 else requester
        number = by.post("/tickets", json=body).json()["number"]
        if place % 4 == 0:
            fields = {"priority": "urgent", "assignee": {"id": admin.id}}
            admin.request("PATCH", f"/tickets/{number}", json=fields, headers=MERGE_PATCH)
        if place % 7 == 0:
            secluded.db.execute("update tickets set visibility = 'public' where number = %s", (number,))
    return secluded, people


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=querying.QUERIES)
def test_a_count_is_the_length_of_the_list(apart: tuple[Secluded, list[Person]], query: Any) -> None:
    secluded, people = apart
    for by in people:
        view = str(uuid4())
        secluded.db.execute(
            "insert into views (id, name, q, owner_id) values (%s, 'x', %s, %s)", (view, str(query), by.id)
        )
        item = counts(by, view)[view]
        answer = by.get("/tickets", params={"q": str(query), "limit": 100})
        if answer.status_code == 200:
            assert (item["count"], item["more"]) == (len(by.pages("/tickets", q=str(query), limit=7)), False)
        else:
            assert item["problem"]["errors"] == answer.json()["errors"]
        secluded.db.execute("delete from views where id = %s", (view,))
