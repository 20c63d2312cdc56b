"""A POST that is sent again with its key is answered as it was the first time, whatever has changed since."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
import pytest
from psycopg.types.json import Jsonb
from test_authorization import OPERATIONS
from test_comments import edit
from test_idempotency_keys import POSTS
from test_jobs import NewJob, new_job
from test_tickets import Events, New, patch

from conftest import ALL_SCOPES, Person
from ticketing.access import bearer
from ticketing.db import queries

__all__ = ["new_job"]
Db = psycopg.Connection[dict[str, Any]]
SignIn = Callable[..., Person]
Body = dict[str, Any] | None


class Post(NamedTuple):
    """A request that is allowed as long as its sender has their role, and one that differs from it."""

    by: Person
    path: str
    body: Body
    other: tuple[str, Body]


@pytest.fixture
def posts(sign_in: SignIn, project: str, new_ticket: New, new_job: NewJob, db: Db) -> Iterator[dict[str, Post]]:
    """One of each operation."""
    agent, admin = sign_in("agent"), sign_in("admin")
    one, another = new_ticket()["number"], new_ticket()["number"]
    db.execute("delete from webhook_endpoints")
    endpoint, spare = (admin.post("/webhook-endpoints", json={"url": "http://127.0.0.1:9/"}).json()["id"] for _ in "ab")
    machine = {"name": "x", "service_account": True}
    owner, heir = (admin.post("/users", json=machine).json()["id"] for _ in "ab")
    guest = {"name": "x", "email": f"{secrets.token_hex(6)}@lumen.example"}
    asked, also = (
        admin.post("/invitations", json={**guest, "email": f"{word}.{guest['email']}"}).json()["id"] for word in "ab"
    )
    failed, done = new_job("discarded"), new_job("discarded")
    waiting, idle = new_job(), new_job()
    ticket = {"type": "bug", "project": project, "title": "x", "description": "x", "priority": "high"}
    said = {"body": "x", "visibility": "internal"}
    token, user = {"name": "x", "scopes": ["admin"]}, {"name": "x", "email": f"{secrets.token_hex(6)}@lumen.example"}
    hook, sent = {"url": "http://127.0.0.1:9/"}, {"events_since": "2026-01-01T00:00:00.000Z"}
    key = f"p-{secrets.token_hex(5)}"
    urgent = {"numbers": [one], "patch": {"priority": "urgent"}}
    made: dict[str, tuple[Person, str, Body, tuple[str, Body]]] = {
        "change_tickets": (agent, "/ticket-changes", urgent, ("/ticket-changes", {**urgent, "numbers": [another]})),
        "create_ticket": (agent, "/tickets", ticket, ("/tickets", {**ticket, "title": "y"})),
        "create_comment": (agent, f"/tickets/{one}/comments", said, (f"/tickets/{another}/comments", said)),
        "create_view": (
            agent,
            "/views",
            {"name": "x", "q": "assignee:me", "visibility": "shared"},
            ("/views", {"name": "y", "q": "assignee:me", "visibility": "shared"}),
        ),
        "create_project": (admin, "/projects", {"key": key, "name": "x"}, ("/projects", {"key": key, "name": "y"})),
        "create_category": (
            admin,
            f"/projects/{project}/categories",
            {"key": "tv", "name": "x"},
            (f"/projects/{project}/categories", {"key": "tv", "name": "y"}),
        ),
        "create_user": (admin, "/users", user, ("/users", {**user, "name": "y"})),
        "create_invitation": (admin, "/invitations", guest, ("/invitations", {**guest, "name": "y"})),
        "resend_invitation": (admin, f"/invitations/{asked}/mails", None, (f"/invitations/{also}/mails", None)),
        "create_token": (admin, "/tokens", token, ("/tokens", {**token, "name": "y"})),
        "create_user_token": (
            admin,
            f"/users/{owner}/tokens",
            {"name": "x", "scopes": ["tickets:read"]},
            (f"/users/{heir}/tokens", {"name": "x", "scopes": ["tickets:read"]}),
        ),
        "create_webhook_endpoint": (
            admin,
            "/webhook-endpoints",
            hook,
            ("/webhook-endpoints", {**hook, "description": "y"}),
        ),
        "ping_webhook_endpoint": (
            admin,
            f"/webhook-endpoints/{endpoint}/pings",
            None,
            (f"/webhook-endpoints/{spare}/pings", None),
        ),
        "redeliver_webhooks": (
            admin,
            f"/webhook-endpoints/{endpoint}/redeliveries",
            sent,
            (f"/webhook-endpoints/{spare}/redeliveries", sent),
        ),
        "rotate_webhook_secret": (
            admin,
            f"/webhook-endpoints/{endpoint}/secrets",
            None,
            (f"/webhook-endpoints/{spare}/secrets", None),
        ),
        "retry_job": (admin, f"/ops/v1/jobs/{failed}/retries", None, (f"/ops/v1/jobs/{done}/retries", None)),
        "cancel_job": (
            admin,
            f"/ops/v1/jobs/{waiting}/cancellations",
            None,
            (f"/ops/v1/jobs/{idle}/cancellations", None),
        ),
    }
    yield {name: Post(*post) for name, post in made.items()}
    db.execute("delete from webhook_endpoints")


def sent(post: Post, key: dict[str, str]) -> Any:
    return post.by.post(post.path, json=post.body, headers=key)


def told(answer: Any) -> tuple[Any, ...]:
    """All of an answer that a client goes by."""
    return answer.status_code, answer.json(), answer.headers.get("location"), answer.headers.get("etag")


@contextmanager
def demoted(db: Db, *people: Person) -> Iterator[None]:
    """Take the role of these people from them for a while; their tokens stay."""
    ids, roles = [person.id for person in people], [person.role for person in people]
    db.execute("update users set role = 'requester' where id = any(%s)", (ids,))
    yield
    db.execute(
        "update users u set role = g.role::user_role from unnest(%s::uuid[], %s::text[]) g (id, role)"
        " where u.id = g.id",
        (ids, roles),
    )


@pytest.mark.parametrize("operation", POSTS)
def test_a_key_survives_refusals_and_then_answers_whatever_the_rules_say(
    operation: str, posts: dict[str, Post], db: Db, new_events: Events
) -> None:
    post, key = posts[operation], {"Idempotency-Key": secrets.token_hex(8)}
    with demoted(db, post.by):
        refused = sent(post, key)
        outcomes = [item["outcome"] for item in refused.json().get("items", ())]
        assert 400 <= refused.status_code < 500 or outcomes == ["refused"], refused.text
    new_events()
    first = sent(post, key)
    assert first.is_success, first.text
    assert "idempotent-replayed" not in first.headers
    (event,) = new_events()

    again = sent(post, key)
    with demoted(db, post.by):
        then = sent(post, key)
    for answer in (again, then):
        assert told(answer) == told(first)
        assert answer.headers["idempotent-replayed"] == "true"
    path, body = post.other
    reused = post.by.post(path, json=body, headers=key)
    with demoted(db, post.by):
        reused_then = post.by.post(path, json=body, headers=key)
    for answer in (reused, reused_then):
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert new_events() == []
    assert db.execute("select event_id from idempotency_keys where key = %s", tuple(key.values())).fetchall() == [
        {"event_id": event["id"]}
    ]


@contextmanager
def statements(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The names of the statements that are run meanwhile, but for the look-up of the token."""
    names: list[str] = []

    @contextmanager
    def noted(name: str) -> Iterator[None]:
        names.append(name)
        yield

    with monkeypatch.context() as patched:
        patched.setattr(queries, "spanned", noted)
        yield names
    names[:] = [name for name in names if name != "list_identities"]


def test_a_new_key_costs_no_round_trip(
    requester: Person, project: str, new_ticket: New, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = {"type": "bug", "project": project, "title": "x", "description": "x"}
    number = new_ticket()["number"]
    for path, body, statement in (
        ("/tickets", ticket, "insert_ticket"),
        (f"/tickets/{number}/comments", {"body": "x"}, "insert_comment"),
    ):
        key = {"Idempotency-Key": secrets.token_hex(8)}
        with statements(monkeypatch) as names:
            assert requester.post(path, json=body, headers=key).status_code == 201
        assert names == [statement]
        with statements(monkeypatch) as names:
            assert requester.post(path, json=body, headers=key).status_code == 201
        assert (names[0], names[-1]) == (statement, "get_idempotency_key")


def test_of_a_deleted_comment_the_tombstone_is_answered(requester: Person, new_ticket: New, new_events: Events) -> None:
    path, key = f"/tickets/{new_ticket()['number']}/comments", {"Idempotency-Key": secrets.token_hex(8)}
    first = requester.post(path, json={"body": "a secret"}, headers=key)
    place = first.headers["location"].removeprefix("/api/v1")
    assert requester.delete(place).status_code == 204
    new_events()
    again = requester.post(path, json={"body": "a secret"}, headers=key)
    assert (again.status_code, again.headers["idempotent-replayed"]) == (201, "true")
    assert again.json() == requester.get(place).json()
    assert (again.json()["body"], again.headers["location"]) == (None, first.headers["location"])
    assert again.headers["etag"] == requester.get(place).headers["etag"]
    assert new_events() == []


def test_of_a_reworded_comment_the_first_text_is_answered(requester: Person, new_ticket: New) -> None:
    path, key = f"/tickets/{new_ticket()['number']}/comments", {"Idempotency-Key": secrets.token_hex(8)}
    first = requester.post(path, json={"body": "one"}, headers=key)
    place = first.headers["location"].removeprefix("/api/v1")
    assert edit(requester, place, "two").status_code == 200
    assert told(requester.post(path, json={"body": "one"}, headers=key)) == told(first)


def test_a_closed_or_hidden_ticket_answers_its_author(
    requester: Person, agent: Person, stranger: Person, new_ticket: New, db: Db
) -> None:
    number = new_ticket()["number"]
    path, key = f"/tickets/{number}/comments", {"Idempotency-Key": secrets.token_hex(8)}
    first = requester.post(path, json={"body": "x"}, headers=key)
    assert patch(agent, number, status="closed", resolution="fixed").status_code == 200
    assert requester.post(path, json={"body": "x"}).status_code == 409
    assert told(requester.post(path, json={"body": "x"}, headers=key)) == told(first)
    db.execute("update tickets set requester_id = %s where number = %s", (stranger.id, number))
    assert requester.post(path, json={"body": "x"}).status_code == 404
    assert told(requester.post(path, json={"body": "x"}, headers=key)) == told(first)
    assert stranger.post(path, json={"body": "x"}, headers=key).status_code == 409, "it is not their key"


def test_a_project_that_was_hidden_or_archived_answers_whoever_wrote(requester: Person, project: str, db: Db) -> None:
    body = {"type": "bug", "project": project, "title": "x", "description": "x", "category": "music"}
    key = {"Idempotency-Key": secrets.token_hex(8)}
    first = requester.post("/tickets", json=body, headers=key)
    for change in (
        "update categories set archived = true where project = %s",
        "update projects set ticket_types = '{support}' where key = %s",
        "update projects set visibility = 'private' where key = %s",
        "update projects set archived = true where key = %s",
    ):
        db.execute(change, (project,))
        assert requester.post("/tickets", json=body).status_code == 422
        assert told(requester.post("/tickets", json=body, headers=key)) == told(first)


def test_another_token_of_the_same_user_is_answered_and_nobody_else(
    sign_in: SignIn, other_token: Callable[..., Person], project: str, db: Db
) -> None:
    user = sign_in("requester")
    body = {"type": "bug", "project": project, "title": "x", "description": "x"}
    key = {"Idempotency-Key": secrets.token_hex(8)}
    first = user.post("/tickets", json=body, headers=key)
    db.execute("update tokens set revoked_at = now() where user_id = %s", (user.id,))
    assert user.post("/tickets", json=body, headers=key).status_code == 401
    assert told(other_token(user).post("/tickets", json=body, headers=key)) == told(first)
    other = sign_in("requester").post("/tickets", json=body, headers=key)
    assert (other.status_code, other.json()["number"]) == (201, first.json()["number"] + 1)


@pytest.fixture
def other_token(service: str, db: Db) -> Iterator[Callable[..., Person]]:
    """Another token of somebody, with these scopes, and limited to these projects if any are given."""
    made: list[Person] = []

    def other_token(of: Person, *, scopes: tuple[str, ...] = ALL_SCOPES, projects: list[str] | None = None) -> Person:
        secret = bearer.new_token()
        db.execute(
            "insert into tokens (id, user_id, name, hash, prefix, scopes, projects)"
            " values (gen_random_uuid(), %s, 'test', %s, %s, %s, %s)",
            (of.id, bearer.hash_token(secret), secret[:12], list(scopes), projects),
        )
        made.append(Person(service, UUID(of.id), of.name, of.role, secret))
        return made[-1]

    yield other_token
    for person in made:
        person.close()


@pytest.mark.parametrize("operation", POSTS)
def test_a_token_that_can_do_less_is_not_answered_for_one_that_can_do_more(
    operation: str, posts: dict[str, Post], other_token: Callable[..., Person], project: str, new_events: Events
) -> None:
    post, key = posts[operation], {"Idempotency-Key": secrets.token_hex(8)}
    first = sent(post, key)
    assert first.is_success, first.text
    new_events()
    for projects in (["elsewhere"], [project]):
        answer = sent(post._replace(by=other_token(post.by, projects=projects)), key)
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused"), answer.text
        assert "location" not in answer.headers
    for scope in ALL_SCOPES:
        less = other_token(post.by, scopes=tuple(each for each in ALL_SCOPES if each != scope))
        answer = sent(post._replace(by=less), key)
        if scope == OPERATIONS[operation][2][0]:
            assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")
        elif "token" in first.json():
            assert (answer.status_code, answer.json()["code"]) == (409, "secret_not_shown")
        else:
            assert told(answer) == told(first)
    assert new_events() == []
    assert told(sent(post, key)) == told(first)


@pytest.mark.parametrize("operation", ["create_ticket", "create_comment", "create_token"])
def test_a_limited_token_is_answered_for_what_it_did(
    operation: str, posts: dict[str, Post], other_token: Callable[..., Person], project: str, new_events: Events, db: Db
) -> None:
    limited = other_token(posts[operation].by, projects=[project, "elsewhere"])
    post, key = posts[operation]._replace(by=limited), {"Idempotency-Key": secrets.token_hex(8)}
    first = sent(post, key)
    assert first.status_code == 201, first.text
    new_events()
    with demoted(db, limited):
        assert told(sent(post, key)) == told(first)
    twin = sent(post._replace(by=other_token(limited, projects=["elsewhere", project])), key)
    assert told(twin) == told(first) if operation != "create_token" else twin.status_code == 409
    for projects in (None, [project]):
        answer = sent(post._replace(by=other_token(limited, projects=projects)), key)
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert new_events() == []


def test_what_is_for_staff_is_answered_again_only_to_staff(sign_in: SignIn, project: str, db: Db) -> None:
    """No answer to a POST has such a part yet, so its event gets one here."""
    agent, headers = sign_in("agent"), {"Idempotency-Key": secrets.token_hex(8)}
    body = {"type": "bug", "project": project, "title": "x", "description": "x"}
    number = agent.post("/tickets", json=body, headers=headers).json()["number"]
    db.execute("update events set staff = %s where ticket = %s", (Jsonb({"tags": ["for staff"]}), number))
    assert agent.post("/tickets", json=body, headers=headers).json()["tags"] == ["for staff"]
    db.execute("update users set role = 'requester' where id = %s", (agent.id,))
    assert agent.post("/tickets", json=body, headers=headers).json()["tags"] == []


def test_a_replay_adds_no_requester(agent: Person, project: str, db: Db, new_events: Events) -> None:
    """Their address has changed since, so that the one named in the request is nobody's."""
    address = f"{secrets.token_hex(6)}@lumen.example"
    body = {"type": "bug", "project": project, "title": "x", "description": "x", "requester": {"email": address}}
    key = {"Idempotency-Key": secrets.token_hex(8)}
    first = agent.post("/tickets", json=body, headers=key)
    db.execute("update users set email = %s where email = %s", (f"new-{address}", address))
    new_events()
    assert told(agent.post("/tickets", json=body, headers=key)) == told(first)
    assert new_events() == []
    assert db.execute("select from users where email = %s", (address,)).fetchall() == []


def test_what_changed_nothing_answers_a_used_key_as_it_was(
    admin: Person, new_job: NewJob, new_events: Events, db: Db
) -> None:
    cancel = f"/ops/v1/jobs/{new_job('running')}/cancellations"
    key = {"Idempotency-Key": secrets.token_hex(8)}
    first = admin.post(cancel, headers=key)
    assert told(admin.post(cancel, headers=key)) == told(first)
    db.execute("update jobs set attempt = attempt + 1 where state = 'running'")
    new_events()
    again = admin.post(cancel, headers=key)
    assert told(again) == told(first) != told(admin.post(cancel))
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in admin.post(cancel).headers
    assert new_events() == []
