"""Who may see what: the predicate in SQL against a model of ten lines, and what fails closed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal, get_args
from uuid import UUID

import psycopg
import pytest
import uuid_utils.compat as uuids
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from psycopg.rows import dict_row

import lists
from conftest import Person
from ticketing.access import scopes
from ticketing.access.actors import ANONYMOUS, Actor, signed_in
from ticketing.access.bearer import hash_token
from ticketing.contract.problems import Unauthenticated
from ticketing.db import sql
from ticketing.ground import paths
from ticketing.query.fields import SORTS

Visibility = Literal["private", "public"]
PROJECTS = ("alpha", "beta", "gamma")
ORGANIZATIONS = ("acme", "lumen")


@dataclass(frozen=True)
class User:
    """Somebody with one token."""

    role: str
    everywhere: bool
    staffed: frozenset[str]
    colleague_in: frozenset[str]
    member_in: frozenset[str]
    limits: frozenset[str] | None


@dataclass(frozen=True)
class Ticket:
    """A ticket with a public comment and an internal one."""

    requester: int
    project: str
    organization: str | None
    visibility: Visibility


@dataclass(frozen=True)
class World:
    """All there is."""

    public: frozenset[str]
    users: tuple[User, ...]
    tickets: tuple[Ticket, ...]


def staffs(user: User | None, project: str) -> bool:
    """The model: who is staff of a project."""
    if user is None or (user.limits is not None and project not in user.limits):
        return False
    return user.role == "admin" or (user.role == "agent" and (user.everywhere or project in user.staffed))


def sees(world: World, number: int | None, ticket: Ticket) -> bool:
    """The model: who sees a ticket."""
    user = None if number is None else world.users[number]
    theirs = user is not None and user.limits is None
    own = theirs and ticket.requester == number
    colleagues = theirs and user is not None and ticket.organization in user.colleague_in
    public = ticket.visibility == "public" and ticket.project in world.public
    return own or colleagues or staffs(user, ticket.project) or public


some = st.frozensets
USERS = st.builds(
    User,
    role=st.sampled_from(["requester", "requester", "agent", "admin"]),
    everywhere=st.booleans(),
    staffed=some(st.sampled_from(PROJECTS)),
    colleague_in=some(st.sampled_from(ORGANIZATIONS)),
    member_in=some(st.sampled_from(ORGANIZATIONS)),
    limits=st.none() | some(st.sampled_from(PROJECTS), min_size=1),
)
TICKETS = st.builds(
    Ticket,
    requester=st.integers(0, 1),
    project=st.sampled_from(PROJECTS),
    organization=st.none() | st.sampled_from(ORGANIZATIONS),
    visibility=st.sampled_from(["private", "public"]),
)
WORLDS = st.builds(
    World,
    public=some(st.sampled_from(PROJECTS)),
    users=st.tuples(USERS, USERS),
    tickets=st.lists(TICKETS, min_size=1, max_size=6).map(tuple),
)


MEMBER = User("requester", False, frozenset(), frozenset(), member_in=frozenset({"acme"}), limits=None)
"""Of an organization whose tickets they do not see."""


@pytest.fixture(scope="module")
def empty(new_database: Callable[..., str]) -> str:
    return new_database()


@pytest.mark.slow
# To make a world that fails smaller takes minutes, and it is small as it is.
@settings(
    max_examples=40,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(world=WORLDS)
@example(world=World(frozenset(), (MEMBER, MEMBER), (Ticket(1, "alpha", "acme", "private"),)))
def test_every_statement_sees_what_the_model_sees(empty: str, world: World) -> None:
    """Lists in every sort, gets, locks, comments."""
    asyncio.run(_compare(empty, world))


async def _compare(url: str, world: World) -> None:
    async with _made(url, world) as (conn, actors, numbers):
        for who, actor in actors.items():
            user = None if who is None else world.users[who]
            visible = {number for number, ticket in numbers.items() if sees(world, who, ticket)}
            for sort in SORTS:
                assert await _listed(conn, sort, actor) == visible
            for number, ticket in numbers.items():
                there = number in visible
                inside = there and staffs(user, ticket.project)
                assert actor.staffs(ticket.project) == staffs(user, ticket.project)
                for get in (sql.tickets.get_ticket, sql.tickets.lock_ticket):
                    assert (await get(conn, number=number, **actor.viewer()) is not None) == there
                comments = await sql.comments.list_comments(
                    conn, ticket=number, **actor.viewer(), after=None, after_id=UUID(int=0), page_size=9, page_bytes=99
                )
                seen = ["public"] * there + ["internal"] * inside
                assert [row["visibility"] for row in comments] == seen
                for visibility in ("public", "internal"):
                    comment_id = _comment_id(number, visibility)
                    for look in (sql.comments.get_comment, sql.comments.lock_comment):
                        row = await look(conn, ticket=number, comment_id=comment_id, **actor.viewer())
                        assert (row is not None) == (visibility in seen)
            for project in PROJECTS:
                found = await sql.projects.get_project(conn, key=project, **actor.staffing())
                assert (found is not None) == (project in world.public or staffs(user, project))


async def _listed(conn: sql.Connection, sort: str, actor: Actor) -> set[int]:
    rows = await lists.listed(sort, page_size=9)(conn, actor)
    numbers = [row["number"] for row in rows]
    assert len(set(numbers)) == len(numbers), "for however many reasons a ticket is seen, it is listed once"
    return set(numbers)


def _comment_id(number: int, visibility: str) -> UUID:
    return UUID(int=number * 2 + (visibility == "public"))


@asynccontextmanager
async def _made(
    url: str, world: World
) -> AsyncIterator[tuple[sql.Connection, dict[int | None, Actor], dict[int, Ticket]]]:
    """The world in a transaction that is rolled back; its actors, None for who has not signed in, and its tickets."""
    async with await psycopg.AsyncConnection.connect(url, row_factory=dict_row) as conn:
        for key in PROJECTS:
            visibility = "public" if key in world.public else "private"
            await conn.execute(
                "insert into projects (key, name, visibility, ticket_types) values (%s, 'x', %s, '{bug}')",
                (key, visibility),
            )
        for key in ORGANIZATIONS:
            await conn.execute("insert into organizations (key, name) values (%s, 'x')", (key,))
        ids = [await _add(conn, user) for user in world.users]
        numbers = {}
        for ticket in world.tickets:
            cursor = await conn.execute(
                "insert into tickets (type, project, title, description, requester_id, organization, visibility)"
                " values ('bug', %s, 'x', '', %s, %s, %s) returning number",
                (ticket.project, ids[ticket.requester], ticket.organization, ticket.visibility),
            )
            row: Any = await cursor.fetchone()
            numbers[row["number"]] = ticket
            for moment, visibility in enumerate(("public", "internal")):
                await conn.execute(
                    "insert into comments (id, ticket, author_id, body, visibility, created_at)"
                    " values (%s, %s, %s, 'x', %s, now() + %s * interval '1 second')",
                    (_comment_id(row["number"], visibility), row["number"], ids[0], visibility, moment),
                )
        identities = {row["user_id"]: row for row in await sql.tokens.list_identities(conn, hashes=[*map(_hash, ids)])}
        actors: dict[int | None, Actor] = {place: signed_in(identities[id_], b"") for place, id_ in enumerate(ids)}
        yield conn, actors | {None: ANONYMOUS}, numbers
        await conn.rollback()


async def _add(conn: psycopg.AsyncConnection[Any], user: User) -> UUID:
    user_id = uuids.uuid7()
    await conn.execute(
        "insert into users (id, name, role, everywhere) values (%s, 'x', %s, %s)", (user_id, user.role, user.everywhere)
    )
    await conn.execute(
        "insert into tokens (id, user_id, name, hash, prefix, scopes, projects) values (%s, %s, 'x', %s, 'x', %s, %s)",
        (user_id, user_id, _hash(user_id), ["tickets:read"], user.limits and sorted(user.limits)),
    )
    for project in user.staffed:
        await conn.execute("insert into project_staff (user_id, project) values (%s, %s)", (user_id, project))
    for key in user.colleague_in | user.member_in:
        await conn.execute(
            "insert into organization_members (organization, user_id, sees_tickets) values (%s, %s, %s)",
            (key, user_id, key in user.colleague_in),
        )
    return user_id


def _hash(user_id: UUID) -> bytes:
    return hash_token(str(user_id))


# What fails closed -------------------------------------------------------------------------------------------------


def test_an_actor_of_whom_nothing_is_said_has_no_rights() -> None:
    assert Actor() == ANONYMOUS
    assert (ANONYMOUS.scopes, ANONYMOUS.admin, ANONYMOUS.staffs_any, ANONYMOUS.staffs("alpha")) == (
        frozenset(),
        *(False, False, False),
    )
    assert ANONYMOUS.viewer() == {"viewer_id": None, "organizations": None, "staffed": None, "everywhere": False}


@pytest.mark.parametrize(
    "condition",
    [
        "exists (select from tickets t where may_see(t, null, null, null, null, null))",
        "exists (select from tickets t where is_theirs(t, null, null))",
        "exists (select from projects p where may_see(p, null, null) and p.visibility = 'private')",
        "exists (select from comments c where may_see(c, null, null, null) and c.visibility = 'internal')",
        "coalesce(staffs(null, null, null), false)",
        "coalesce(staffs('alpha', null, null), false)",
        "coalesce(staffs(null, '{alpha}', null), false)",
        "exists (select from staff_of(null))",
    ],
)
def test_null_sees_nothing(empty: str, condition: str) -> None:
    agent = User("agent", False, frozenset({"alpha"}), frozenset(ORGANIZATIONS), frozenset(), None)
    ticket = Ticket(0, "alpha", "acme", "private")
    world = World(frozenset({"beta"}), (agent, agent), (ticket,))

    async def asked() -> Any:
        async with _made(empty, world) as (conn, _, _numbers):
            cursor: Any = await conn.execute(f"select {condition} as seen".encode())
            return await cursor.fetchone()

    assert asyncio.run(asked()) == {"seen": False}


def test_nobody_changes_anything_without_a_name() -> None:
    with pytest.raises(Unauthenticated, match="Sign in"):
        _ = ANONYMOUS.user_id


def test_a_role_that_nobody_knows_has_no_rights(
    sign_in: Callable[..., Person], db: psycopg.Connection[Any], new_ticket: Callable[..., Any]
) -> None:
    """As after a downgrade: the database has a role of a later release."""
    db.execute("alter type user_role add value if not exists 'auditor'")
    somebody = sign_in("requester")
    number = new_ticket(by=somebody)["number"]
    db.execute("update users set role = 'auditor' where id = %s", (somebody.id,))
    try:
        identity: Any = db.execute("select * from identities where user_id = %s", (somebody.id,)).fetchone()
        asked = [
            somebody.get(f"/tickets/{number}"),
            somebody.get("/tickets"),
            somebody.get("/projects"),
            somebody.get("/events"),
            somebody.get("/users"),
            somebody.post("/tokens", json={"name": "x", "scopes": ["tickets:read"]}),
            somebody.post(f"/tickets/{number}/comments", json={"body": "x"}),
        ]
    finally:
        db.execute("update users set role = 'requester' where id = %s", (somebody.id,))
    assert [(answer.status_code, answer.json()["code"]) for answer in asked] == [(403, "insufficient_scope")] * 7
    assert signed_in(identity, b"").viewer() == ANONYMOUS.viewer()
    assert somebody.get(f"/tickets/{number}").status_code == 200


# Scopes and tokens -------------------------------------------------------------------------------------------------


def test_the_contract_has_the_catalogue_of_scopes() -> None:
    document = json.loads((paths.SPEC / "dist" / "openapi.json").read_text())
    catalogue = document["components"]["schemas"]["Scope"]["enum"]
    needed = {
        scope
        for item in document["paths"].values()
        for operation in item.values()
        if isinstance(operation, dict)
        for alternative in operation["security"]
        for scope in alternative.get("bearer", ())
    }
    assert list(get_args(scopes.Scope)) == catalogue
    assert {scope for held in scopes.OF_ROLE.values() for scope in held} == set(catalogue) == needed
    assert set(scopes.OF_ROLE) == set(document["components"]["schemas"]["UserRole"]["enum"])
    assert document["components"]["schemas"]["TokenCreate"]["properties"]["scopes"]["maxItems"] == len(catalogue)


def limited(db: psycopg.Connection[Any], person: Person, *projects: str) -> None:
    """Limit a person's token to some projects."""
    db.execute("update tokens set projects = %s where user_id = %s", (list(projects), person.id))


def test_a_token_for_some_projects_has_the_rights_of_staff_in_these_and_no_others(
    sign_in: Callable[..., Person], db: psycopg.Connection[Any], new_ticket: Callable[..., Any], admin: Person
) -> None:
    machine = sign_in("admin")
    own, inside, outside = new_ticket(by=machine), new_ticket(), new_ticket()
    limited(db, machine, inside["project"])
    assert own["project"] == inside["project"]
    other = admin.post("/projects", json={"key": f"q-{inside['number']}", "name": "x"}).json()["key"]
    away = new_ticket(by=admin, project=other)
    statuses = {number: machine.get(f"/tickets/{number}").status_code for number in (inside["number"], away["number"])}
    assert statuses == {inside["number"]: 200, away["number"]: 404}
    assert outside["project"] == inside["project"]
    assert machine.get(f"/projects/{other}").status_code == 404
    assert machine.post("/projects", json={"key": "nothing", "name": "x"}).status_code == 403, "not an admin's"


def test_a_token_for_some_projects_is_limited_by_what_its_agent_staffs(empty: str) -> None:
    agent = User("agent", False, frozenset({"alpha", "beta"}), frozenset(), frozenset(), frozenset({"beta", "gamma"}))

    async def signed() -> Actor:
        async with _made(empty, World(frozenset(), (agent, agent), ())) as (_, actors, _numbers):
            return actors[0]

    actor = asyncio.run(signed())
    assert (actor.projects, actor.everywhere, actor.requester_id) == (frozenset({"beta"}), False, None)


def test_a_token_for_some_projects_makes_none_that_can_do_more(
    sign_in: Callable[..., Person], db: psycopg.Connection[Any], project: str
) -> None:
    machine = sign_in("agent")
    (first,) = machine.pages("/tokens")
    limited(db, machine, project)
    made = machine.post("/tokens", json={"name": "x", "scopes": ["tickets:read"]}).json()
    row = db.execute("select projects from tokens where id = %s", (made["id"],)).fetchone()
    assert row == {"projects": [project]}
    assert machine.delete(f"/tokens/{made['id']}").status_code == 403
    assert machine.delete(f"/tokens/{first['id']}").status_code == 204


def test_an_agent_is_a_requester_where_they_staff_nothing(
    agent_elsewhere: Person, project: str, new_ticket: Callable[..., Any], agent: Person
) -> None:
    number = new_ticket(by=agent_elsewhere)["number"]
    agent.post(f"/tickets/{number}/comments", json={"body": "canary", "visibility": "internal"})
    patch = {"Content-Type": "application/merge-patch+json"}
    answers = [
        agent_elsewhere.request("PATCH", f"/tickets/{number}", json=body, headers=patch)
        for body in ({"title": "y"}, {"priority": "high"}, {"status": "in_progress"}, {"status": "closed"})
    ]
    assert [answer.status_code for answer in answers] == [200, 403, 409, 200]
    internal = agent_elsewhere.post(f"/tickets/{number}/comments", json={"body": "x", "visibility": "internal"})
    assert internal.status_code == 403
    assert agent_elsewhere.get(f"/tickets/{number}/comments").json()["items"] == []
    assert "canary" not in agent_elsewhere.get(f"/tickets/{number}/events").text


@pytest.mark.parametrize(
    "change",
    [
        "insert into organization_members select 'lumen', %s, true",
        "insert into project_staff select %s, 'elsewhere'",
        "update tokens set projects = '{elsewhere}' where user_id = %s",
        "update tokens set scopes = '{tickets:read}' where user_id = %s",
        "update users set everywhere = false where id = %s",
        "update users set role = 'admin' where id = %s",
    ],
)
def test_other_rights_have_another_digest(
    colleague: Person, agent_elsewhere: Person, sign_in: Callable[..., Person], db: psycopg.Connection[Any], change: str
) -> None:
    somebody = sign_in("agent")
    identity = "select token_id, rights from identities where user_id = %s"
    before = db.execute(identity, (somebody.id,)).fetchone()
    db.execute(change.encode(), (somebody.id,))
    after = db.execute(identity, (somebody.id,)).fetchone()
    assert before and after
    assert before["rights"] != after["rights"]


def test_a_token_for_some_projects_writes_nowhere_else(
    sign_in: Callable[..., Person],
    db: psycopg.Connection[Any],
    new_ticket: Callable[..., Any],
    new_events: Callable[[], list[Any]],
) -> None:
    """Not even what everybody may who has signed in."""
    machine = sign_in("agent")
    here, public = new_ticket(), new_ticket()
    project = f"q-{here['number']}"
    db.execute("insert into projects (key, name, ticket_types) values (%s, 'x', '{bug}')", (project,))
    db.execute("update tickets set visibility = 'public' where number = %s", (public["number"],))
    said = machine.post(f"/tickets/{public['number']}/comments", json={"body": "x"}).json()["id"]
    path = f"/tickets/{public['number']}/comments"
    limited(db, machine, project)
    new_events()
    assert machine.get(path).json()["items"][0]["id"] == said
    patch = {"Content-Type": "application/merge-patch+json"}
    body = {"type": "bug", "project": public["project"], "title": "x", "description": ""}
    answers = [
        machine.post("/tickets", json=body),
        machine.post(path, json={"body": "x"}),
        machine.request("PATCH", f"{path}/{said}", json={"body": "y"}, headers=patch),
        machine.delete(f"{path}/{said}"),
        machine.request("PATCH", f"/tickets/{public['number']}", json={"title": "y"}, headers=patch),
    ]
    assert [answer.status_code for answer in answers] == [422, 403, 403, 403, 403]
    assert new_events() == []
    assert machine.post("/tickets", json={**body, "project": project}).status_code == 201
