"""The feed: everything that happened, once and in order, and to each reader exactly what they may see."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest
import uuid_utils.compat as uuids
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from test_comments import CANARY, comment, edit
from test_tickets import MERGE_PATCH, New, patch

from conftest import ORGANIZATION, Person, Secluded, await_, settled, staff
from judged import subject
from ticketing.db import sql
from ticketing.ground import config
from ticketing.log import feed, upkeep
from ticketing.log.places import START, Place
from ticketing.writing import paging

Db = psycopg.Connection[dict[str, Any]]
WRITE = """
insert into events (id, type, ticket, project, data) values (%s, 'ticket.created', 1, 'media', %s)
"""


def end(by: Person, **filters: str) -> str:
    """A cursor from now on, after all that was written before."""
    with psycopg.connect(config.settings().database_url, autocommit=True) as conn:
        settled(conn)
    page = by.get("/events", params={"start": "end"} | filters).json()
    assert (page["items"], page["more"]) == ([], False)
    return str(page["next"])


def since(by: Person, cursor: str, *, until: Callable[[list[Any]], bool] = bool, **params: Any) -> list[Any]:
    """All that a reader gets from a cursor on, page by page, as soon as it is enough.

    Other transactions may still run, and the log is settled only as far as they let it.
    """
    items: list[Any] = []

    def enough() -> bool:
        nonlocal cursor
        page = {"more": True}
        while page["more"]:
            page = by.get("/events", params={"cursor": cursor} | params).json()
            items.extend(page["items"])
            cursor = page["next"]
        return until(items)

    await_(enough)
    return items


def ids(items: list[Any]) -> list[str]:
    return [item["id"] for item in items]


def has(kind: str, **data: Any) -> Callable[[list[Any]], bool]:
    """Whether an event of a type, with these values in its data, is there."""
    return lambda items: any(item["type"] == kind and data.items() <= (item["data"] or {}).items() for item in items)


def project_of(admin: Person, key: str, **fields: Any) -> dict[str, Any]:
    """Change a project."""
    response = admin.request("PATCH", f"/projects/{key}", json=fields, headers=MERGE_PATCH)
    assert response.status_code == 200, response.text
    changed: dict[str, Any] = response.json()
    return changed


# Nothing is lost, nothing comes twice ------------------------------------------------------------------------------


def test_a_slow_writer_is_not_passed_over(agent: Person, db: Db, database_url: str, new_ticket: New) -> None:
    """One transaction writes its event first and commits last. Who remembers the largest position loses it."""

    def naive(after: int) -> list[dict[str, Any]]:
        return db.execute("select id, position from events where position > %s order by position", (after,)).fetchall()

    cursor, position = end(agent), naive(0)[-1]["position"]
    with psycopg.connect(database_url) as slow:
        slow_id = str(uuids.uuid7())
        slow.execute(WRITE, (slow_id, Jsonb(subject("ticket.created"))))
        number = new_ticket()["number"]

        page = agent.get("/events", params={"cursor": cursor}).json()
        assert (page["items"], page["more"]) == ([], False), "the log is not settled while a transaction below runs"
        (fast,) = naive(position)
        slow.commit()

    assert naive(fast["position"]) == [], "the naive reader never gets the slow one's event"
    items = since(agent, page["next"], until=lambda items: len(items) >= 2)
    assert ids(items) == [slow_id, str(fast["id"])]
    assert items[1]["ticket_number"] == number


Step = tuple[int, str]
STEPS = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(["write", "write", "commit", "roll back", "read"])), max_size=60
)


@pytest.fixture(scope="module")
def writers(new_database: Callable[..., str]) -> Iterator[tuple[str, list[psycopg.Connection[Any]]]]:
    """A database of its own with four writers."""
    url = new_database()
    conns = [psycopg.connect(url) for _ in range(4)]
    yield url, conns
    for conn in conns:
        conn.close()


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, page_size=st.integers(1, 4))
def test_every_event_is_read_once_and_in_order(
    writers: tuple[str, list[psycopg.Connection[Any]]], steps: list[Step], page_size: int
) -> None:
    """Whatever several transactions write, in whichever order they begin and end, and wherever a reader stops."""
    url, conns = writers
    written: list[list[str]] = [[] for _ in conns]
    committed: set[str] = set()
    seen: list[str] = []

    async def within() -> None:
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as reading:
            log = await (await reading.execute("select log_end()::text::bigint")).fetchone()
            assert log
            place = Place(log[0], 0)

            async def read() -> None:
                nonlocal place
                stretch = await feed.read(reading, None, place, page_size)
                seen.extend(str(entry["id"]) for entry in stretch.entries)
                place = stretch.until

            def finish(writer: int, how: str) -> None:
                if how == "commit":
                    conns[writer].commit()
                    committed.update(written[writer])
                else:
                    conns[writer].rollback()
                written[writer] = []

            for writer, step in steps:
                if step == "read":
                    await read()
                elif step == "write":
                    written[writer].append(event_id := str(uuids.uuid7()))
                    conns[writer].execute(WRITE, (event_id, Jsonb(subject("ticket.created"))))
                else:
                    finish(writer, step)
            for writer in range(len(conns)):
                finish(writer, "commit")
            deadline = time.monotonic() + 20
            while len(seen) < len(committed) and time.monotonic() < deadline:
                await read()
            rows = await reading.execute(
                "select id::text from events where id = any(%s::uuid[]) order by transaction_id, position", (seen,)
            )
            assert [row[0] for row in await rows.fetchall()] == seen, "in the order of the log, and none twice"
            assert set(seen) == committed

    asyncio.run(within())


def test_pages_and_links_lead_through(agent: Person, new_ticket: New) -> None:
    cursor = end(agent)
    made = [new_ticket()["number"] for _ in range(5)]
    found = since(agent, cursor, until=lambda items: len(items) >= 5)
    whole = [item for item in found if item["ticket_number"] in made]
    walked: list[Any] = []
    response = agent.get("/events", params={"cursor": cursor, "limit": 2})
    walked += response.json()["items"]
    while response.json()["more"]:
        (address,) = re.findall(r'^</api/v1(.+)>; rel="next"$', response.headers["link"])
        response = agent.get(address)
        assert len(response.json()["items"]) <= 2
        walked += response.json()["items"]
    assert "link" not in response.headers
    assert [item for item in walked if item["ticket_number"] in made] == whole
    assert [item["ticket_number"] for item in whole] == made
    assert agent.get("/events", params={"cursor": response.json()["next"]}).json()["items"] == []


def long_edits(db: Db, by: Person, number: int, times: int) -> None:
    """Have a ticket edited so often, each time by half a megabyte."""
    for text in ("\U0001f39e" * 65_000, "\U0001f4fd" * 65_000):
        assert patch(by, number, description=text).status_code == 200
    db.execute(
        "insert into events (id, type, ticket, project, actor_id, data, previous)"
        " select gen_random_uuid(), e.type, e.ticket, e.project, e.actor_id, e.data, e.previous"
        "   from (select * from events where ticket = %s order by position desc limit 1) e, generate_series(1, %s)",
        (number, times - 2),
    )


def test_pages_end_with_their_bytes(agent: Person, requester: Person, new_ticket: New, db: Db) -> None:
    """Of the feed, for those who see the events and for those who do not, and of a timeline; and nothing is missing."""
    cursor, hidden = end(agent), end(requester)
    number = new_ticket(agent)["number"]
    long_edits(db, agent, number, 20)
    last = new_ticket(requester)["number"]
    settled(db)
    sizes: list[int] = []

    def walked(by: Person, path: str, params: dict[str, Any]) -> list[Any]:
        items: list[Any] = []
        while True:
            response = by.get(path, params={"limit": 100, **params})
            page = response.json()
            sizes.append(len(response.content))
            items += page["items"]
            if page["next"] is None or not page.get("more", True):
                return items
            params = {"cursor": page["next"]}

    seen = [event for event in walked(agent, "/events", {"cursor": cursor}) if event["ticket_number"] in (number, last)]
    assert [event["ticket_number"] for event in seen] == [number] * 21 + [last]
    timeline = walked(agent, f"/tickets/{number}/events", {})
    assert [event["id"] for event in timeline] == [event["id"] for event in seen[:-1]]
    assert [event["ticket_number"] for event in walked(requester, "/events", {"cursor": hidden})][-1:] == [last]
    assert max(sizes) < feed.SCAN_BYTES + 10_000


def test_a_page_ends_with_the_bytes_of_its_json(agent: Person, new_ticket: New, db: Db) -> None:
    """In JSON a quote is two bytes, in PostgreSQL one."""
    cursor, number = end(agent), new_ticket(agent)["number"]
    assert patch(agent, number, description='"' * 65_000).status_code == 200
    db.execute(
        "insert into events (id, type, ticket, project, actor_id, data)"
        " select gen_random_uuid(), e.type, e.ticket, e.project, e.actor_id, e.data"
        "   from (select * from events where ticket = %s order by position desc limit 1) e, generate_series(1, 30)",
        (number,),
    )
    settled(db)
    response = agent.get("/events", params={"limit": 100, "cursor": cursor})
    assert response.json()["more"]
    assert feed.SCAN_BYTES * 0.9 < len(response.content) < feed.SCAN_BYTES + 10_000


def test_a_page_looks_at_so_many_events_at_most(
    monkeypatch: pytest.MonkeyPatch, agent: Person, stranger: Person, new_ticket: New
) -> None:
    """Who may see little still gets on."""
    monkeypatch.setattr(feed, "SCAN", 3)
    cursor = end(stranger)
    number = new_ticket()["number"]
    for _ in range(7):
        comment(agent, number)
    own = new_ticket(stranger)["number"]
    since(agent, end(agent), until=lambda _: True)
    await_(lambda: has("ticket.created", number=own)(since(stranger, cursor, until=lambda _: True)))
    pages: list[Any] = []
    while not pages or pages[-1]["more"]:
        pages.append(stranger.get("/events", params={"cursor": pages[-1]["next"] if pages else cursor}).json())
    assert len(pages) >= 3
    assert [item["ticket_number"] for page in pages for item in page["items"] if item["ticket_number"]] == [own]


def test_it_starts_with_the_oldest_event(agent: Person, project: str, db: Db) -> None:
    kind = "project.created"
    first = db.execute(
        "select id from events where type = %s order by transaction_id, position limit 1", [kind]
    ).fetchone()
    assert first
    (oldest,) = agent.get("/events", params={"limit": 1, "type": kind}).json()["items"]
    assert oldest["id"] == str(first["id"])
    assert agent.get("/events", params={"limit": 1, "type": kind, "start": "oldest"}).json()["items"] == [oldest]


def test_filters(agent: Person, admin: Person, project: str, new_ticket: New) -> None:
    def both(items: list[Any]) -> bool:
        return len(items) >= 2

    by_type = {"type": "ticket.created,comment.created"}
    by_project = {"project": project}
    cursors = [end(agent, **filters) for filters in (by_type, by_project)]
    other = f"{project}-b"
    admin.post("/projects", json={"key": other, "name": "Other"})
    number = new_ticket(agent, project=other)["number"]
    comment(agent, number)
    patch(agent, number, priority="high")
    here = new_ticket()["number"]
    patch(agent, here, priority="high")

    found = since(agent, cursors[0], until=lambda items: len(items) >= 3, **by_type)
    assert [(item["type"], item["ticket_number"]) for item in found] == [
        ("ticket.created", number),
        ("comment.created", number),
        ("ticket.created", here),
    ]
    found = since(agent, cursors[1], until=both, **by_project)
    assert [(item["type"], item["ticket_number"]) for item in found] == [
        ("ticket.created", here),
        ("ticket.updated", here),
    ]


# To each what they may see -----------------------------------------------------------------------------------------


def in_every_way(by: Person, cursor: str, until: Callable[[list[Any]], bool]) -> list[Any]:
    """What the feed gives, which is also what the stream sends, and what it sends while it happens."""
    items = since(by, cursor, until=until)
    with by.follow(cursor) as sent:
        streamed: list[Any] = []
        while len(streamed) < len(items):
            event = next(sent)
            if event.data:
                streamed.append(event.data)
    assert streamed == items
    return items


def test_who_sees_what(
    requester: Person, stranger: Person, agent: Person, admin: Person, project: str, new_ticket: New
) -> None:
    people = {"requester": requester, "stranger": stranger, "agent": agent, "admin": admin}
    cursors = {name: end(person) for name, person in people.items()}
    secret = f"{project}-s"
    number = new_ticket()["number"]
    comment(requester, number)
    note = comment(agent, number, CANARY, visibility="internal").json()
    edit(agent, f"/tickets/{number}/comments/{note['id']}", f"{CANARY} again")
    admin.post("/users", json={"name": CANARY, "email": f"{secret}@lumen.example"})
    for person in (stranger, admin):
        person.post("/tokens", json={"name": secret, "scopes": ["tickets:read"]})
    admin.post("/webhook-endpoints", json={"url": f"https://{CANARY}.lumen.example/"})
    admin.post("/projects", json={"key": secret, "name": CANARY})
    admin.post(f"/projects/{secret}/categories", json={"key": "music", "name": CANARY})
    admin.post(f"/projects/{project}/categories", json={"key": "radio", "name": "Radio"})
    last = new_ticket(stranger)["number"]

    ticket = ["ticket.created", "comment.created"]
    note_ = ["comment.created", "comment.updated"]
    expected = {
        "requester": [*ticket, "category.created"],
        "stranger": ["token.created", "category.created", "ticket.created"],
        "agent": [*ticket, *note_, "user.created", "project.created", *["category.created"] * 2, "ticket.created"],
        "admin": [
            *ticket,
            *note_,
            "user.created",
            "token.created",
            "token.created",
            "webhook.created",
            "project.created",
            *["category.created"] * 2,
            "ticket.created",
        ],
    }
    since(agent, cursors["agent"], until=has("ticket.created", number=last))
    for name, person in people.items():
        items = in_every_way(person, cursors[name], lambda _: True)
        assert [item["type"] for item in items] == expected[name], name
        assert not any(item["tombstone"] for item in items)
        assert (CANARY in json.dumps(items)) is person.role.startswith("a")
        own = [token for token in person.pages("/tokens") if token["name"] == secret]
        assert [item["data"] for item in items if item["type"] == "token.created"][-1:] == own[-1:]


def test_an_internal_comment_leaves_no_trace(requester: Person, agent: Person, new_ticket: New) -> None:
    number = new_ticket()["number"]
    await_(lambda: has("ticket.created", number=number)(since(requester, start_of(requester), until=lambda _: True)))
    cursor = end(requester)
    comment(agent, number, CANARY, visibility="internal")
    since(agent, end(agent), until=lambda _: True)
    page = requester.get("/events", params={"cursor": cursor}).json()
    assert (page["items"], page["more"]) == ([], False)
    for text in (cursor, page["next"]):
        raw = base64.urlsafe_b64decode(text)
        assert len(raw) == 36 and not raw.isascii(), "a sealed cursor holds nothing that could be read"


def start_of(by: Person) -> str:
    return str(by.get("/events", params={"limit": 1}).json()["next"])


def test_a_deleted_comment_is_told_without_its_text(requester: Person, agent: Person, new_ticket: New) -> None:
    cursor = end(agent)
    number = new_ticket()["number"]
    made = comment(requester, number, CANARY).json()
    path = f"/tickets/{number}/comments/{made['id']}"
    edit(requester, path, f"{CANARY} again")
    requester.delete(path)
    items = in_every_way(agent, cursor, has("comment.deleted"))
    assert CANARY not in json.dumps(items)
    assert [item["type"] for item in items if item["data"].get("id") == made["id"]] == [
        "comment.created",
        "comment.updated",
        "comment.deleted",
    ]
    assert items[-1]["data"] == requester.get(path).json()


def test_a_project_that_becomes_private_is_told_as_gone(
    requester: Person, agent: Person, admin: Person, project: str
) -> None:
    cursors = [end(requester), end(agent)]
    admin.post(f"/projects/{project}/categories", json={"key": "tv", "name": CANARY})
    project_of(admin, project, visibility="private", description=CANARY)
    project_of(admin, project, name=f"{CANARY} again")
    made = admin.post(f"/projects/{project}/categories", json={"key": "radio", "name": CANARY}).json()
    seen = project_of(admin, project, name="Films", description="All of them.")

    whole = in_every_way(agent, cursors[1], has("project.updated", name="Films"))
    assert [item["type"] for item in whole] == [
        "category.created",
        "project.updated",
        "project.updated",
        "category.created",
        "project.updated",
    ]
    assert whole[3]["data"] == made
    (gone,) = in_every_way(requester, cursors[0], bool)
    assert gone == {
        "id": whole[1]["id"],
        "type": "project.updated",
        "timestamp": whole[1]["timestamp"],
        "sequence": whole[1]["sequence"],
        "ticket_number": None,
        "project": project,
        "actor": None,
        "data": None,
        "previous": {},
        "tombstone": True,
    }

    seen = project_of(admin, project, visibility="public", name="Media")
    made_before, gone_again, back = in_every_way(requester, cursors[0], lambda items: len(items) >= 3)
    assert (made_before["data"], gone_again) == (whole[0]["data"], gone)
    assert (back["data"], back["previous"]) == (seen, {"visibility": "private"})
    assert CANARY not in json.dumps([gone, back])
    assert "Films" not in json.dumps(back), "what it was called while it was private"


def test_a_ticket_that_goes_to_somebody_else_is_told_as_gone(
    requester: Person, stranger: Person, agent: Person, db: Db, new_ticket: New
) -> None:
    """Nothing in the contract does this yet; what will do it writes such an event."""
    cursors = [end(person) for person in (requester, stranger, agent)]
    ticket = new_ticket()
    number = ticket["number"]
    comment(requester, number)
    db.execute(
        """
        with changed as (
            update tickets as t set requester_id = %s where number = %s returning t
        )
        insert into events (id, type, ticket, project, data, previous)
        select %s, 'ticket.updated', (c.t).number, (c.t).project, to_jsonb(r), %s
          from changed c cross join lateral ticket_resource(c.t) r
        """,
        (stranger.id, number, uuids.uuid7(), Jsonb({"requester": requester.ref})),
    )
    comment(stranger, number, CANARY)
    whole = in_every_way(agent, cursors[2], has("comment.created", body=CANARY))
    whole = [item for item in whole if item["ticket_number"] == number]
    (gone,) = in_every_way(requester, cursors[0], bool)
    assert (gone["id"], gone["ticket_number"], gone["tombstone"]) == (whole[2]["id"], number, True)
    assert (gone["project"], gone["actor"], gone["data"], gone["previous"]) == (None, None, None, {})
    given = in_every_way(stranger, cursors[1], has("comment.created", body=CANARY))
    assert [item for item in given if item["ticket_number"] == number] == whole, "they may see its past now"


def test_a_ticket_that_is_taken_from_colleagues_agents_and_everybody_is_told_as_gone(
    requester: Person,
    stranger: Person,
    colleague: Person,
    agent_here: Person,
    admin: Person,
    db: Db,
    project: str,
    new_ticket: New,
) -> None:
    """Nothing in the contract does this yet; what will do it writes such an event."""
    staff(db, agent_here, project)
    elsewhere = f"{project}-b"
    admin.post("/projects", json={"key": elsewhere, "name": "Other"})
    readers = (stranger, colleague, agent_here)
    cursors = [end(person) for person in (*readers, requester)]
    number = new_ticket()["number"]
    put = "update tickets as t set organization = %s, visibility = %s, project = %s where number = %s"
    db.execute(put, (ORGANIZATION, "public", project, number))
    comment(requester, number, "for all")
    for person, cursor in zip(readers, cursors, strict=False):
        assert in_every_way(person, cursor, has("comment.created", body="for all"))
    before = {"organization": ORGANIZATION, "visibility": "public", "project": project}
    db.execute(
        f"with changed as ({put} returning t)"
        " insert into events (id, type, ticket, project, data, previous)"
        " select %s, 'ticket.updated', (c.t).number, (c.t).project, to_jsonb(r), %s"
        "  from changed c cross join lateral ticket_resource(c.t) r",
        (None, "private", elsewhere, number, uuids.uuid7(), Jsonb(before)),
    )
    comment(requester, number, CANARY)
    settled(db)
    for person, cursor in zip(readers, cursors, strict=False):
        (gone,) = in_every_way(person, cursor, bool)
        assert (gone["ticket_number"], gone["tombstone"], gone["data"], gone["project"]) == (number, True, None, None)
    mine = in_every_way(requester, cursors[-1], has("comment.created", body=CANARY))
    assert [item["tombstone"] for item in mine] == [False] * 4


# Cursors that end --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "change"),
    [
        ("agent", "update users set role = 'requester' where id = %s"),
        ("requester", "update users set role = 'agent' where id = %s"),
        ("agent", "update users set everywhere = false where id = %s"),
        ("requester", f"insert into organization_members values ('{ORGANIZATION}', %s, true)"),
        ("admin", "update tokens set scopes = '{tickets:read}' where user_id = %s"),
    ],
)
def test_a_cursor_expires_with_its_readers_rights(
    sign_in: Callable[..., Person], colleague: Person, db: Db, role: str, change: str
) -> None:
    person = sign_in(role)
    cursor = end(person)
    db.execute(change, (person.id,))
    response = person.get("/events", params={"cursor": cursor})
    assert (response.status_code, response.json()["code"]) == (410, "cursor_expired")
    assert person.get("/events", params={"cursor": end(person)}).status_code == 200


def test_what_is_no_cursor_here(agent: Person, admin: Person, project: str) -> None:
    cursor = end(agent)
    raw = base64.urlsafe_b64decode(cursor)
    texts = [
        "x",
        "é",
        cursor[:-4],
        cursor + "AAAA",
        base64.urlsafe_b64encode(bytes([raw[0] ^ 1]) + raw[1:]).decode(),
        base64.urlsafe_b64encode(raw[:-1] + bytes([raw[-1] ^ 1])).decode(),
        end(admin),
        end(agent, project=project),
    ]
    for text in texts:
        response = agent.get("/events", params={"cursor": text})
        assert response.status_code == 400, text
    assert agent.get("/events", params={"cursor": cursor, "start": "end"}).json()["errors"][0]["parameter"] == "start"


def on(url: str, work: Callable[[psycopg.AsyncConnection[Any]], Any]) -> Any:
    """What the work gives, with a connection."""

    async def within() -> Any:
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
            return await work(conn)

    return asyncio.run(within())


def test_old_events_go_and_cursors_before_them_expire(secluded: Secluded) -> None:
    agent, requester = secluded.sign_in("agent"), secluded.sign_in("requester")
    db, database_url = secluded.db, config.settings().database_url
    db.execute(
        "insert into projects (key, name, visibility, ticket_types) values ('media', 'Media', 'public', '{bug}')"
    )
    body = {"type": "bug", "project": "media", "title": "Old", "description": ""}
    headers = {"Idempotency-Key": "old"}
    for _ in range(2):
        requester.post("/tickets", json=body)
    before = end(agent)
    first = requester.post("/tickets", json=body, headers=headers)
    since(agent, before, until=has("ticket.created", number=first.json()["number"]))
    after = end(agent)
    assert on(database_url, lambda conn: upkeep.expire(conn, days=0, batch=1000)) == 0
    assert on(database_url, lambda conn: upkeep.expire(conn, days=1, batch=1000)) == 0, "recorded today"
    assert requester.post("/tickets", json=body, headers=headers).json() == first.json(), "so its answer is kept"

    db.execute("update events set recorded_at = now() - interval '3 days'")
    assert on(database_url, lambda conn: upkeep.expire(conn, days=4, batch=1000)) == 0
    assert [on(database_url, lambda conn: upkeep.expire(conn, days=2, batch=2)) for _ in range(3)] == [2, 1, 0]
    response = agent.get("/events", params={"cursor": before})
    assert (response.status_code, response.json()["code"]) == (410, "cursor_expired")
    assert agent.get("/events", params={"cursor": after}).status_code == 200
    assert agent.get("/events").json()["items"] == []
    assert agent.get(f"/tickets/{first.json()['number']}/events").json()["items"] == []


def test_an_event_of_long_ago_that_was_imported_today_stays(new_database: Callable[..., str]) -> None:
    url = new_database()
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(
            "insert into events (id, type, occurred_at, data) values (%s, 'ticket.created', '2009-01-01', '{}')",
            (uuids.uuid7(),),
        )
    assert on(url, lambda conn: upkeep.expire(conn, days=30, batch=1000)) == 0


# A log on another server -------------------------------------------------------------------------------------------


def write(conn: Db) -> str:
    event_id = str(uuids.uuid7())
    conn.execute(WRITE, (event_id, Jsonb(subject("ticket.created"))))
    return event_id


def test_a_restored_log_goes_on(new_database: Callable[..., str]) -> None:
    """A dump keeps the ids of its transactions; the server it is restored on counts from a much smaller one."""
    url = new_database()
    ahead = 10**9

    def read(after: Place) -> list[str]:
        found: list[str] = []
        stretch = on(url, lambda conn: feed.read(conn, None, after, 100))
        found += [str(entry["id"]) for entry in stretch.entries]
        return found

    with psycopg.connect(url, autocommit=True, row_factory=dict_row) as conn:
        old = [write(conn) for _ in range(3)]
        conn.execute("update events set transaction_id = (transaction_id::text::bigint + %s)::text::xid8", (ahead,))
        places = [
            Place(int(row["id"]), row["position"])
            for row in conn.execute(
                "select transaction_id::text as id, position from events order by transaction_id, position"
            ).fetchall()
        ]
        conn.execute(
            "update webhook_fan_out set (transaction_id, position) ="
            " (select transaction_id, position from events order by transaction_id desc, position desc limit 1)"
        )
        assert on(url, upkeep.ahead)
        early = write(conn)
        await_(lambda: read(START) == [early])  # Before all others, where no reader looks for it.

        assert on(url, upkeep.mend)
        assert not on(url, upkeep.ahead)
        late = write(conn)
        await_(lambda: len(read(START)) == 5)
        assert read(START) == [*old, early, late]
        for index, place in enumerate(places):
            assert read(place) == [*old, early, late][index + 1 :], "places from before are what they were"
        to_tell = on(
            url,
            lambda conn: sql.webhooks.list_events_to_fan_out(conn, page_size=100, page_bytes=10_000, longest=10_000),
        )
        assert [str(event["id"]) for event in to_tell] == [early, late], "webhooks go on there as well"
        assert not on(url, upkeep.mend), "again there is nothing to mend"
        log = conn.execute("select added, added_after::text::bigint as after from event_log").fetchone()
        assert log
        assert log["after"] == places[-1].transaction < log["added"]

        conn.execute("update events set transaction_id = (transaction_id::text::bigint + %s)::text::xid8", (ahead,))
        assert on(url, upkeep.mend), "restored once more"
        last = write(conn)
        await_(lambda: read(START) == [*old, early, late, last])


def test_cursors_of_what_a_backup_lacks_expire(new_database: Callable[..., str], agent: Person, db: Db) -> None:
    cursor = end(agent)
    since(agent, cursor, until=lambda _: True)
    log = db.execute("select added, added_after::text as after from event_log").fetchone()
    assert log
    db.execute("update event_log set added = %s, added_after = '3'", (2**44,))
    try:
        response = agent.get("/events", params={"cursor": cursor})
    finally:
        db.execute("update event_log set added = %s, added_after = %s", (log["added"], log["after"]))
    assert (response.status_code, response.json()["code"]) == (410, "cursor_expired")
    assert "backup" in response.json()["detail"]


def test_cursors_of_the_release_before_hold_while_their_reader_is_staff_or_not(
    agent: Person, requester: Person, new_ticket: New, db: Db
) -> None:
    """It had one bit for all rights. An upgrade makes nobody read everything again."""
    (row,) = db.execute("select key from event_log").fetchall()

    def before(by: Person, *, staff: bool) -> str:
        place = paging.unsealed(row["key"], ["feed", UUID(by.id), [], []], end(by))[-16:]
        return paging.sealed(row["key"], ["feed", UUID(by.id), [], []], bytes([staff]) + place)

    cursors = {person: before(person, staff=person is agent) for person in (agent, requester)}
    number = new_ticket()["number"]
    for person, cursor in cursors.items():
        assert number in [event["ticket_number"] for event in since(person, cursor)]
        gone = person.get("/events", params={"cursor": before(person, staff=person is not agent)})
        assert (gone.status_code, gone.json()["code"]) == (410, "cursor_expired")
