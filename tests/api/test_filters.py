"""Filters: what they name is looked up, in every list of the contract, and what is hidden is told as absent."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
import pytest
from test_jobs import Db, NewJob, new_job
from test_tickets import MERGE_PATCH, New

from conftest import Person
from judged import PREFIX, whole
from ticketing.access import bearer

__all__ = ["new_job"]
DOCUMENT = whole()
OF_ELSEWHERE = {"escalated", "q"}
"""What a filter asks of that no field says: whether a ticket was ever escalated, which its timeline tells; a query."""
WALKING = {"limit", "cursor", "sort", "start", "render", "include"}
"""What says how a list is walked or shown, and not what is in it."""
ABSENT: dict[str, Callable[[], str]] = {
    "project": lambda: f"no-{secrets.token_hex(8)}",
    "category": lambda: f"no-{secrets.token_hex(8)}",
    "user": lambda: str(uuid4()),
    "webhook endpoint": lambda: str(uuid4()),
    "event": lambda: str(uuid4()),
    "type of job": lambda: f"no.{secrets.token_hex(8)}",
    "queue": lambda: f"no_{secrets.token_hex(8)}",
}


def parameters() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every filter of the contract: the path of its list, the scope which that needs, and the parameter."""
    for path, item in DOCUMENT["paths"].items():
        if "get" in item and "bearer" in next(iter(item["get"]["security"]), ()):
            (scope,) = item["get"]["security"][0]["bearer"]
            for parameter in map(resolved, [*item.get("parameters", ()), *item["get"].get("parameters", ())]):
                if parameter["in"] == "query" and parameter["name"] not in WALKING:
                    yield path, scope, parameter


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        at = DOCUMENT
        for part in node["$ref"].removeprefix("#/").split("/"):
            at = at[part]
        node = at
    return node


NAMING = [
    pytest.param(path, scope, parameter, id=f"{path}?{parameter['name']}")
    for path, scope, parameter in parameters()
    if "x-names" in parameter
]


def asked(by: Person, path: str, **params: str) -> httpx.Response:
    """The answer to a GET, with the head of a stream alone."""
    if not path.startswith("/events/stream"):
        return by.get(path, params=params or None)
    with by.stream("GET", PREFIX + path, params=params or None) as response:
        if response.status_code != 200:
            response.read()
        return response


def test_every_filter_is_a_closed_list_or_names_or_searches() -> None:
    for path, _, parameter in parameters():
        schema = resolved(parameter["schema"])
        schema = resolved(schema["items"]) if schema["type"] == "array" else schema
        words = ["enum" in schema, schema["type"] == "boolean", schema.get("format") == "date-time"]
        kinds = [*words, "x-names" in parameter, "x-searches" in parameter]
        assert kinds.count(True) == 1, f"{path}?{parameter['name']}: what does a value stand for?"
    assert len(NAMING) >= 10


SEVERAL = [
    pytest.param(path, parameter, id=f"{path}?{parameter['name']}")
    for path, _, parameter in parameters()
    if resolved(parameter["schema"])["type"] == "array"
]
SEARCHED = {
    "tag": ["one", "two"],
    "external_reference": ["github:octo/cat#1", "github:octo/cat#2"],
    "ticket_number": ["1", "2"],
    "view_id": [str(uuid4()), str(uuid4())],
}


def test_a_filter_takes_several_values_unless_it_is_a_moment_a_text_or_one_of_two() -> None:
    several = {each.id for each in SEVERAL}
    for path, _, parameter in parameters():
        name = parameter["name"]
        schema = resolved(parameter["schema"])
        alone = name in ("email", "name", "title", "q") or schema["type"] == "boolean" or "date-time" in schema.values()
        assert (f"{path}?{name}" in several) != alone or path.startswith("/ops"), f"{path}?{name}"


@pytest.mark.parametrize(("path", "parameter"), SEVERAL)
def test_several_values_are_written_in_any_of_three_ways(admin: Person, path: str, parameter: dict[str, Any]) -> None:
    """The name repeated; commas, plain or encoded."""
    name, items = parameter["name"], resolved(resolved(parameter["schema"])["items"])
    values = SEARCHED.get(name) or items.get("enum") or [ABSENT[parameter["x-names"]]() for _ in range(2)]
    first, second = (quote(value, safe="") for value in values[:2])
    told = []
    for query in (f"{name}={first}&{name}={second}", f"{name}={first},{second}", f"{name}={first}%2C{second}"):
        answer = asked(admin, f"{path}?{query}")
        problem = answer.json() if answer.status_code == 400 else {}
        told.append((answer.status_code, problem.get("errors")))
    assert told == [(400 if "x-names" in parameter else 200, told[0][1])] * 3
    assert len(told[0][1] or values[:2]) == 2


def test_a_filter_is_named_like_what_it_compares() -> None:
    for path, _, parameter in parameters():
        name = parameter["name"]
        answer = DOCUMENT["paths"][path]["get"]["responses"]["200"]["content"]
        if "application/json" in answer:
            page = resolved(answer["application/json"]["schema"])
            item = resolved(page["properties"]["items"]["items"])
            forms = [resolved(each) for each in item.get("anyOf", [item])]
            moment = re.sub("_(since|before)$", "", name)
            named = {name, f"{name}s", moment, f"{moment}_at"}
            assert name in OF_ELSEWHERE or all(named & each["properties"].keys() for each in forms), f"{path}?{name}"
        if parameter["schema"].get("format") == "date-time":
            assert re.search("_(since|before)$", name), f"{path}?{name}"


def test_since_includes_the_moment_and_before_excludes_it(agent: Person, project: str, new_ticket: New) -> None:
    ticket = new_ticket()
    for word in ("created", "updated"):
        moment = ticket[f"{word}_at"]
        for name, count in ((f"{word}_since", 1), (f"{word}_before", 0)):
            page = agent.get("/tickets", params={"project": project, name: moment}).json()
            assert len(page["items"]) == count, name
        assert agent.get("/tickets", params={f"{word}_after": moment}).status_code == 400


@pytest.mark.parametrize(("path", "scope", "parameter"), NAMING)
def test_what_a_filter_names_has_to_be_there(
    admin: Person, agent: Person, requester: Person, path: str, scope: str, parameter: dict[str, Any]
) -> None:
    name, kind = parameter["name"], parameter["x-names"]
    several = resolved(parameter["schema"])["type"] == "array"
    for by in (admin,) if scope == "admin" else (admin, agent, requester):
        values = [ABSENT[kind]() for _ in range(1 + several)]
        response = asked(by, path, **{name: ",".join(values)})
        assert response.status_code == 400
        problem = response.json()
        assert problem["code"] == "invalid_parameter"
        assert [fault["parameter"] for fault in problem["errors"]] == [name] * len(values)
        for value, fault in zip(values, problem["errors"], strict=True):
            assert fault["detail"].startswith(f"There is no {kind} '{value}'")


@pytest.fixture
def hidden(admin: Person, sign_in: Callable[..., Person], new_ticket: New, project: str) -> dict[str, list[str]]:
    """What is there, and not for the requester: by its kind."""
    admin.post(f"/projects/{project}/categories", json={"key": f"only-{project}"[:40], "name": "Only here"})
    other = sign_in("requester")
    new_ticket(by=other)
    admin.request("PATCH", f"/projects/{project}", json={"visibility": "private"}, headers=MERGE_PATCH)
    return {"project": [project], "category": [f"only-{project}"[:40]], "user": [other.id, sign_in("admin").id]}


@pytest.mark.parametrize(("path", "scope", "parameter"), [each for each in NAMING if each.values[1] != "admin"])
def test_what_is_hidden_is_told_as_what_is_absent(
    agent: Person,
    requester: Person,
    hidden: dict[str, list[str]],
    path: str,
    scope: str,
    parameter: dict[str, Any],
) -> None:
    name, kind = parameter["name"], parameter["x-names"]
    for value in hidden[kind]:
        assert asked(agent, path, **{name: value}).status_code == 200
        problems = []
        for given in (value, absent := ABSENT[kind]()):
            problem = asked(requester, path, **{name: given}).json()
            assert problem["status"] == 400
            problems.append(json.dumps(problem).replace(problem["request_id"], "").replace(given, "…"))
        assert problems[0] == problems[1], absent


def test_a_ticket_of_one_s_own_does_not_show_its_project_s_categories(
    admin: Person, requester: Person, new_ticket: New, project: str
) -> None:
    admin.post(f"/projects/{project}/categories", json={"key": f"only-{project}"[:40], "name": "Only here"})
    new_ticket(category="music")
    admin.request("PATCH", f"/projects/{project}", json={"visibility": "private"}, headers=MERGE_PATCH)
    assert len(asked(requester, "/tickets", project=project, category="music").json()["items"]) == 1
    assert asked(requester, "/tickets", category=f"only-{project}"[:40]).status_code == 400


def test_none_stands_for_absence_even_if_something_has_that_key(
    agent: Person, project: str, new_ticket: New, db: Db
) -> None:
    """As it may, from before that was refused."""
    db.execute("insert into categories (project, key, name) values (%s, 'none', 'None of these')", (project,))
    without, within = new_ticket(), new_ticket(category="none")
    assert within["category"] == "none"
    listed = agent.pages("/tickets", project=project, category="none")
    assert [ticket["number"] for ticket in listed] == [without["number"]]


def test_each_of_several_people_has_to_be_there(
    agent: Person, requester: Person, project: str, new_ticket: New
) -> None:
    new_ticket()
    for name, word in (("assignee", "none"), ("requester", requester.id)):
        query = {"project": project, name: f"{word},{(absent := uuid4())}"}
        problem = agent.get("/tickets", params=query).json()
        assert [fault["parameter"] for fault in problem["errors"]] == [name]
        assert str(absent) in problem["detail"]


def test_one_of_several_names_that_is_not_there_is_told_too(agent: Person, project: str, new_ticket: New) -> None:
    new_ticket(category="movies")
    for path, params in (
        ("/tickets", {"project": f"{project},no-such-one"}),
        ("/tickets", {"project": project, "category": "movies,no-such-one"}),
        ("/events", {"project": f"{project},no-such-one"}),
        ("/events", {"project": f"{project},no-such-one", "start": "end"}),
        ("/events/stream", {"project": f"{project},no-such-one"}),
    ):
        response = asked(agent, path, **params)
        assert response.status_code == 400, (path, params)
        assert len(response.json()["errors"]) == 1
        assert "'no-such-one'" in response.json()["detail"]


def test_what_matches_nothing_just_now_is_an_empty_page(
    admin: Person, agent: Person, requester: Person, project: str, new_job: NewJob, db: Db
) -> None:
    assert requester.get("/tickets", params={"project": project, "category": "music"}).json()["items"] == []
    assert agent.get("/tickets", params={"project": project, "assignee": agent.id}).json()["items"] == []
    assert requester.get("/tickets", params={"project": project, "requester": requester.id}).json()["items"] == []
    new_job(kind="test.rare", queue="rare")
    for kind in ("webhooks.deliver", "test.rare"):
        assert admin.get("/ops/v1/jobs", params={"status": "discarded", "type": kind}).json()["items"] == []
    for queue in ("webhooks", "rare"):
        assert admin.get("/ops/v1/jobs", params={"status": "discarded", "queue": queue}).json()["items"] == []
    endpoint = admin.post("/webhook-endpoints", json={"url": "https://hooks.example.org/x"}).json()
    event = db.execute("select id from events where data ->> 'key' = %s", (project,)).fetchone()
    assert event
    for params in ({"endpoint_id": endpoint["id"]}, {"event_id": str(event["id"]), "endpoint_id": endpoint["id"]}):
        assert admin.get("/webhook-deliveries", params=params).json()["items"] == []
    both = {"endpoint_id": f"{endpoint['id']},{(absent := uuid4())}"}
    (fault,) = admin.get("/webhook-deliveries", params=both).json()["errors"]
    assert fault["detail"] == (
        f"There is no webhook endpoint '{absent}' that you may see. It may have been there, and not be kept any more."
    )


def test_a_requester_may_name_whoever_their_tickets_name(
    requester: Person, sign_in: Callable[..., Person], new_ticket: New
) -> None:
    helping, noting = sign_in("agent"), sign_in("agent")
    number = new_ticket()["number"]
    query = {"assignee": helping.id, "status": "closed"}
    assert requester.get("/tickets", params=query).status_code == 400
    helping.post(f"/tickets/{number}/comments", json={"body": "Hello.", "visibility": "public"})
    noting.post(f"/tickets/{number}/comments", json={"body": "Hm.", "visibility": "internal"})
    assert requester.get("/tickets", params=query).json()["items"] == []
    assert requester.get("/tickets", params=query | {"assignee": noting.id}).status_code == 400
    noting.request("PATCH", f"/tickets/{number}", json={"assignee": {"id": noting.id}}, headers=MERGE_PATCH)
    assert requester.get("/tickets", params=query | {"assignee": noting.id}).json()["items"] == []


def test_a_walk_goes_on_when_what_it_names_is_hidden(
    admin: Person, requester: Person, stranger: Person, project: str, new_ticket: New
) -> None:
    for _ in range(3):
        new_ticket(by=stranger)
    page = requester.get("/events", params={"project": project, "limit": 1}).json()
    listed = requester.get("/tickets", params={"project": project, "limit": 1})
    assert listed.status_code == 200
    admin.request("PATCH", f"/projects/{project}", json={"visibility": "private"}, headers=MERGE_PATCH)
    further = {"project": project, "cursor": page["next"]}
    assert requester.get("/events", params=further).status_code == 200
    assert asked(requester, "/events/stream", **further).status_code == 200
    assert requester.get("/events", params={"project": project}).status_code == 400


def test_queues_are_listed_and_paused_before_they_have_jobs(admin: Person, new_job: NewJob) -> None:
    assert {"default", "upkeep", "webhooks"} <= {queue["name"] for queue in admin.pages("/ops/v1/queues")}
    for paused in (True, False):
        assert admin.request("PATCH", "/ops/v1/queues/webhooks", json={"paused": paused}).json()["paused"] is paused


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("/tickets?limit=10000000000000000000000", "This integer is too large."),
        ("/tickets?limit=-10000000000000000000000", "This integer is too small."),
        ("/tickets?limit=01", "An integer is written without a zero before it."),
        ("/tickets/10000000000000000000000", "This integer is too large."),
        ("/tickets?project=", "This must not be empty."),
        ("/tickets?created_since=2026-01-01T00:00:00+01:00", "In a URL, write + as %2B."),
    ],
)
def test_a_fault_of_a_parameter_says_what_to_do(requester: Person, path: str, detail: str) -> None:
    response = requester.get(path)
    assert response.status_code == 400
    assert response.json()["errors"][0]["detail"].endswith(detail)


def test_a_fault_of_a_new_thing_says_what_to_do(requester: Person, admin: Person, project: str) -> None:
    ticket = {"type": "support", "project": project, "title": "x", "description": "x", "severity": "low"}
    endpoint = {"url": "https://hooks.lumen.example/ü"}
    for person, path, body, detail in (
        (requester, "/tickets", ticket, '"low" must be none, as only bugs have a severity.'),
        (admin, "/webhook-endpoints", endpoint, "The path and query of a URL to send to are ASCII: write ü as %C3%BC."),
    ):
        response = person.post(path, json=body)
        assert response.status_code == 422
        assert [fault["detail"] for fault in response.json()["errors"]] == [detail]
    key = person.post("/tickets", json=ticket, headers={b"Idempotency-Key": "é".encode()})
    assert [fault["detail"] for fault in key.json()["errors"]] == ['"é" must be printable ASCII without blanks.']


def test_a_mistyped_token_is_told_from_a_revoked_one(service: str, requester: Person) -> None:
    def told(token: str) -> str:
        headers = {"Authorization": f"Bearer {token}"}
        response = httpx.get(f"{service}/api/v1/me", headers=headers)
        assert response.status_code == 401
        return str(response.json()["detail"])

    assert told(requester.token[:-1]) == told("tkt_short")
    assert "mistyped" in told(requester.token[:-1])
    assert "revoked" in told(bearer.new_token())
