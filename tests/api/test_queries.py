"""The query language over HTTP: `q` of GET /tickets, for whoever asks."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import psycopg
import pytest
from test_comments import comment
from test_shaped import hurried
from test_tickets import MERGE_PATCH, New

from conftest import Person, await_, staff
from ticketing.query.fields import FIELDS
from working import index

__all__ = ["hurried"]
SignIn = Callable[..., Person]
Db = psycopg.Connection[dict[str, Any]]


def found(by: Person, project: str, q: str, **filters: str) -> list[int]:
    answer = by.get("/tickets", params={"project": project, "q": f"{q} sort:created", **filters})
    assert answer.status_code == 200, answer.text
    return [ticket["number"] for ticket in answer.json()["items"]]


def refused(by: Person, q: str, **filters: str) -> list[dict[str, Any]]:
    answer = by.get("/tickets", params={"q": q, **filters})
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (400, "invalid_parameter"), answer.text
    assert all(fault["parameter"] == "q" for fault in problem["errors"])
    errors: list[dict[str, Any]] = problem["errors"]
    return errors


def assign(by: Person, number: int, to: Person) -> None:
    changed = by.request("PATCH", f"/tickets/{number}", json={"assignee": {"id": to.id}}, headers=MERGE_PATCH)
    assert changed.status_code == 200, changed.text


def rename(db: Db, person: Person, name: str) -> None:
    db.execute("update users set name = %s where id = %s", (name, person.id))


def test_words_phrases_beginnings_and_numbers_are_found(agent: Person, project: str, new_ticket: New) -> None:
    first = new_ticket(title="4K HDR films stutter", description="The picture freezes.")["number"]
    second = new_ticket(title="Films in HDR10: subtitles drift", type="support", description="Café")["number"]
    third = new_ticket(title=f"Like {first}", description="ERR_CONN_42 in src/a.py of userName; 数据库很慢")["number"]
    assert comment(agent, second, "It stutters as well.").status_code == 201
    index()
    for q, numbers in (
        ("hdr", [first]),
        ("hdr*", [first, second]),
        ("film HDR*", [first, second]),
        ("stuttering", [first, second]),
        ("drift stutter", [second]),
        ("freeze film", [first]),
        ('"hdr films"', [first]),
        ('"films hdr"', []),
        ('"hdr filming"', []),
        ("hdr* -stutter", []),
        ("film -freeze", [second]),
        ("film* type:support", [second]),
        ('-"hdr films"', [second, third]),
        ("-hdr*", [third]),
        ("cafe", [second]),
        ("ERR_CONN_42", [third]),
        ("conn", [third]),
        ("CONN_ERR", []),
        ("src/a.py", [third]),
        ("username", [third]),
        ("src/a*", [third]),
        ("数据", [third]),
        ("据库很慢", [third]),
        (str(first), [first, third]),
        (f"#{first}", [first, third]),
        (f"#{first} hdr", [first]),
        (f"-#{first}", [second]),
        (f'"{first}"', [third]),
        (f"#{first}*", [first]),
        (f"#{first}* drift", []),
        (f"-#{first}*", [second, third]),
        (f"number:>{first} number:<{third}", [second]),
        ("title:hdr,like -title:stutter", [second, third]),
        ("title:freezes", []),
        ("", [first, second, third]),
        ("☺", []),
        ("-☺", [first, second, third]),
        ("film ☺ &", [first, second]),
        ("x" * 300, []),
    ):
        assert found(agent, project, q) == numbers, q
        for sort in ("relevance", "-created", "-updated", "priority"):
            params = {"project": project, "q": f"{q} sort:{sort}"}
            listed = agent.get("/tickets", params=params).json()["items"]
            assert sorted(ticket["number"] for ticket in listed) == numbers, (q, sort)


@pytest.mark.parametrize(
    "q",
    [
        "a & b | !c:* <-> d",
        "it's",
        "''",
        "\\",
        "'; drop table tickets; --",
        "$1 :asked /* rank */",
        "*",
        "***",
        "a**",
        "-*",
        "!!",
        ":*",
        "&:|",
        "x" * 2000,
        "x" * 1999 + "*",
        " ".join("word" for _ in range(30)),
        " ".join("a*" for _ in range(30)),
        '"' + "of the " * 280 + '"',
        "字" * 900,
        "字" * 900 + "*",
        "שלום مرحبا",
        "\u202eabc\u202c",
        "😀😀 😀*",
        "e\u0301" * 500,
        "\u0130stanbul ß ŉ",
        "#1*",
        "#0*",
        "#999999999999999999*",
        "-#1*",
        "#0",
        "999999999999999999",
        "\x01\x7f\u2028",
        "http://a/?b=c&d=%00",
        "List<T> C++ a.b.c.d::e() ",
    ],
)
def test_whatever_is_looked_for_has_an_answer(agent: Person, requester: Person, project: str, q: str) -> None:
    """A page or a fault of the query; never one of the service."""
    for by in (agent, requester):
        for sort in ("", " sort:created", " sort:-priority"):
            answer = by.get("/tickets", params={"project": project, "q": q + sort})
            assert answer.status_code in (200, 400), answer.text


def test_the_best_hits_come_first(agent: Person, project: str, new_ticket: New) -> None:
    in_title = new_ticket(title="Heron", description="It stands.")["number"]
    in_description = new_ticket(description="A heron stands there.")["number"]
    in_comment = new_ticket()["number"]
    assert comment(agent, in_comment, "Is it a heron?").status_code == 201
    index()

    def order(q: str, **params: str) -> list[int]:
        items = agent.get("/tickets", params={"project": project, "q": q, **params}).json()["items"]
        return [ticket["number"] for ticket in items]

    assert order("heron") == order("heron sort:relevance") == [in_title, in_description, in_comment]
    assert order("heron", sort="-created") == order("heron sort:-created") == [in_comment, in_description, in_title]
    assert order("sort:relevance") == [in_comment, in_description, in_title]
    numbered = new_ticket(description=f"Like {in_comment}")["number"]
    index()
    assert order(str(in_comment)) == [in_comment, numbered]


def test_the_page_says_where_it_found_what(agent: Person, requester: Person, project: str, new_ticket: New) -> None:
    long = "Nothing. " * 50
    number = new_ticket(title="<b>Herons</b> & cranes", description=f"{long}\nA HERON stands, 数据库很慢. {long}")[
        "number"
    ]
    other = new_ticket(title="Café")["number"]
    public = comment(agent, other, "A heron: public.").json()["id"]
    internal = comment(agent, other, "Heron, heron: internal.", visibility="internal").json()["id"]
    index()

    def matches(by: Person, q: str) -> list[Any]:
        page = by.get("/tickets", params={"project": project, "q": q, "include": "matches"}).json()
        return [
            (match["ticket_number"], match.get("comment_id", match["field"]), marked(match))
            for match in page["matches"]
        ]

    def marked(match: Any) -> list[str]:
        assert len(match["text"]) <= 300 and "\n" not in match["text"]
        return [match["text"][mark["offset"] :][: mark["length"]] for mark in match["marks"]]

    title, description = (number, "title", ["Herons"]), (number, "description", ["HERON"])
    assert matches(agent, "heron") == [title, description, (other, internal, ["Heron", "heron"])]
    assert matches(requester, "heron") == [title, description, (other, public, ["heron"])]
    assert matches(requester, "hero*") == [title, description, (other, public, ["heron"])]
    assert matches(agent, '"heron stands"') == [title, (number, "description", ["HERON", "stands"])]
    assert matches(agent, "据库 stands") == [(number, "description", ["stands", "据库"])]
    assert matches(agent, "cafe") == [(other, "title", ["Café"])]
    assert matches(agent, f"#{number}") == []
    for plain in ({"q": "heron"}, {"q": "status:open", "include": "matches"}, {"include": "matches"}):
        assert "matches" not in agent.get("/tickets", params={"project": project, **plain}).json()


def test_what_is_internal_is_found_by_staff_alone(
    agent: Person,
    agent_here: Person,
    agent_elsewhere: Person,
    requester: Person,
    project: str,
    new_ticket: New,
    sign_in: SignIn,
    db: Db,
) -> None:
    """For all others a word of an internal comment is as if it stood nowhere: not found, not left out, not ranked."""
    staff(db, agent_here, project)
    first, second = (new_ticket(title="Heron", description="It stands.")["number"] for _ in range(2))
    db.execute("update tickets set visibility = 'public' where number = any(%s)", ([first, second],))
    db.execute("update projects set visibility = 'public' where key = %s", (project,))
    comment(agent, first, "A bittern, a heron, a heron and a heron.", visibility="internal")
    index()
    for by in (agent, agent_here):
        for q in ("bittern", "bitter*", "heron bittern", '"a bittern"'):
            assert found(by, project, q) == [first], q
        assert found(by, project, "heron -bittern") == found(by, project, "-bittern") == [second]
    for by in (requester, agent_elsewhere, sign_in("requester")):
        for q in ("bittern", "bitter*", "heron bittern", '"a bittern"'):
            assert found(by, project, q) == [], q
            page = by.get("/tickets", params={"project": project, "q": q, "include": "matches"}).json()
            assert (page["items"], page["next"], page["matches"]) == ([], None, [])
        for q in ("heron -bittern", "-bittern", "heron -bitter*"):
            assert found(by, project, q) == [first, second]
        ranked = by.get("/tickets", params={"project": project, "q": "heron"}).json()["items"]
        assert [ticket["number"] for ticket in ranked] == [second, first]


def test_a_query_and_filters_are_both_matched(agent: Person, project: str, new_ticket: New) -> None:
    bug, other = new_ticket(tags=["hdr"])["number"], new_ticket(type="support", tags=["hdr"])["number"]
    new_ticket()
    assert found(agent, project, "tag:hdr") == [bug, other]
    assert found(agent, project, "tag:hdr", type="bug") == found(agent, project, "tag:HDR", type="bug") == [bug]
    assert found(agent, project, "type:bug", type="support") == []
    assert found(agent, project, "tag:hdr", title="playback", external_reference="none", type="support") == [other]


def test_the_answer_has_the_canonical_form(agent: Person, project: str) -> None:
    page = agent.get("/tickets", params={"project": project, "q": '  status:"Open"  HDR'}).json()
    assert page["q"] == "status:open HDR"
    assert "q" not in agent.get("/tickets", params={"project": project}).json()


def test_pages_follow_on_each_other_and_cursors_belong_to_their_query(
    agent: Person, project: str, new_ticket: New
) -> None:
    numbers = [new_ticket(title=f"Drift {n}")["number"] for n in range(5)]
    new_ticket(title="Crash")
    index()
    for q, order in (
        ("drift", numbers[::-1]),
        ("drift sort:-created", numbers[::-1]),
        ("drift sort:created", numbers),
        ("drift sort:updated", numbers),
        ("title:drift sort:updated", numbers),
    ):
        params: dict[str, Any] = {"project": project, "q": q, "limit": 2}
        assert [ticket["number"] for ticket in agent.pages("/tickets", **params)] == order
        first = agent.get("/tickets", params=params)
        link = first.headers["link"].partition(">")[0][1:]
        assert parse_qs(urlsplit(link).query)["q"] == [q]
        second = agent.get(link.removeprefix("/api/v1"))
        assert [ticket["number"] for ticket in second.json()["items"]] == order[2:4]
        cursor = first.json()["next"]
        for other in ({"q": "drift -crash"}, {"q": f"{q} x"}, {"q": "drift sort:-priority"}, {"q": None}):
            wrong = {name: value for name, value in {**params, "cursor": cursor, **other}.items() if value is not None}
            assert agent.get("/tickets", params=wrong).json()["code"] == "invalid_cursor"
        spaced = {**params, "q": f"  {q} ", "cursor": cursor}
        assert agent.get("/tickets", params=spaced).json()["items"] == second.json()["items"]


def test_the_sort_of_a_query_goes_before_that_of_the_list(agent: Person, project: str, new_ticket: New) -> None:
    numbers = [new_ticket()["number"] for _ in range(3)]

    def listed(**params: str) -> list[int]:
        items = agent.get("/tickets", params={"project": project, **params}).json()["items"]
        return [ticket["number"] for ticket in items]

    assert listed(q="") == listed(q="type:bug", sort="-created") == numbers[::-1]
    assert listed(q="type:bug", sort="created") == listed(q="sort:created", sort="-updated") == numbers


@pytest.mark.parametrize(
    ("q", "code", "offset", "length", "suggestion"),
    [
        ("hdr statsu:open", "unknown_field", 4, 6, "status"),
        ("status:opne", "not_allowed", 7, 4, "open"),
        ("😀 created:soon", "wrong_format", 10, 4, None),
        ("a OR b", "reserved", 2, 2, None),
        ("x" * 2001, "too_long", None, None, None),
        ("a\0b", "wrong_format", None, None, None),
    ],
)
def test_a_fault_says_where_it_is(
    agent: Person, q: str, code: str, offset: int | None, length: int | None, suggestion: str | None
) -> None:
    (fault,) = refused(agent, q)
    assert (fault["code"], fault.get("offset"), fault.get("length")) == (code, offset, length)
    assert fault.get("suggestion") == suggestion


def test_every_fault_is_told_at_once(agent: Person) -> None:
    assert [fault["code"] for fault in refused(agent, 'statsu:open status:opne tag:"x')] == [
        "unknown_field",
        "not_allowed",
        "wrong_format",
    ]


def test_what_a_query_names_has_to_be_there(agent: Person, project: str, new_ticket: New) -> None:
    new_ticket()
    absent = str(uuid4())
    q = f"project:{project},nowhere -category:nothing assignee:me,nobody,{absent} requester:no@lumen.example"
    faults = refused(agent, q)
    told = {q[fault["offset"] : fault["offset"] + fault["length"]]: fault for fault in faults}
    assert told.keys() == {"nowhere", "nothing", "nobody", absent, "no@lumen.example"}
    for value, fault in told.items():
        assert fault["code"] == "unknown"
        assert fault["detail"].endswith(f"'{value}' that you may see.")


def test_people_are_found_by_name_address_or_id(
    agent: Person, project: str, new_ticket: New, sign_in: SignIn, db: Db
) -> None:
    requester, stranger = sign_in("requester"), sign_in("requester", name="Ada Lovelace")
    mine, hers = new_ticket(by=requester)["number"], new_ticket(by=stranger)["number"]
    assign(agent, mine, agent)
    for q, numbers in (
        ('requester:"ada lovelace"', [hers]),
        (f"requester:{stranger.id}@lumen.example", [hers]),
        (f"requester:{stranger.id.upper()}@LUMEN.example", [hers]),
        (f"requester:{stranger.id.upper()}", [hers]),
        (f'-requester:"Ada Lovelace",{requester.id}', []),
        ("assignee:me", [mine]),
        ("assignee:none", [hers]),
        ("assignee:none,me", [mine, hers]),
        ("-assignee:me", [hers]),
        ("requester:me", []),
    ):
        assert found(agent, project, q) == numbers, q
    assert found(requester, project, "requester:me") == [mine]
    # Two of one name are both meant.
    rename(db, requester, "ADA LOVELACE")
    assert found(agent, project, 'requester:"Ada Lovelace"') == [mine, hers]


def test_people_are_found_by_parts_of_their_names(
    agent: Person, project: str, new_ticket: New, sign_in: SignIn, db: Db
) -> None:
    """All who match, as far as one may know them; a whole name goes before its being a part of others."""
    part = f"Zq{uuid4().hex[:8]}"
    one, two, hidden = (sign_in("requester", name=name) for name in (f"Ada {part}x", f"{part}y Bo", f"C. {part}z"))
    helping = sign_in("agent", name=f"Dee {part}.%_\\")
    tickets = [new_ticket(by=by)["number"] for by in (one, two)]
    assign(agent, tickets[0], helping)
    for q, numbers in (
        (f"requester:{part.lower()}", tickets),
        (f'requester:"ada {part}"', tickets[:1]),
        (f"requester:{part}Y", tickets[1:]),
        (f"requester:{one.id}@lum", tickets[:1]),
        (f'assignee:"{part}.%_\\\\"', tickets[:1]),
        (f"assignee:{part}", tickets[:1]),
        (f"-requester:{part}", []),
    ):
        assert found(agent, project, q) == numbers, q
    for q in (f"requester:{part[1:]}", f'requester:"{part}%"', f"requester:{part}.*"):
        assert refused(agent, q), q
    assert found(one, project, f"requester:{part}") == found(one, project, f"assignee:{part}") == tickets[:1]
    assert refused(one, f"requester:{one.id}@lum") and refused(one, f"requester:{part}z")
    rename(db, hidden, part)
    assert found(agent, project, f"requester:{part}") == []


def test_who_may_not_know_somebody_cannot_tell_whether_they_are_there(
    agent: Person, project: str, new_ticket: New, sign_in: SignIn, db: Db
) -> None:
    """Neither by name nor by e-mail address, even of who answers their ticket."""
    requester, stranger = sign_in("requester"), sign_in("requester", name=(name := f"Grace {uuid4()}"))
    number = new_ticket(by=requester)["number"]
    assign(agent, number, agent)

    def told(word: str) -> str:
        (fault,) = refused(requester, f'requester:"{word}"')
        return json.dumps(fault).replace(word, "…").replace(str(fault["length"]), "")

    absent = told(f"Grace {uuid4()}")
    assert told(name) == absent
    assert told(f"{stranger.id}@lumen.example") == told(f"{uuid4()}@lumen.example")
    # Of who answers, a requester sees the name, but not the address.
    assert found(requester, project, f'assignee:"{agent.name}"') == [number]
    assert refused(requester, f"assignee:{agent.id}@lumen.example")
    assert found(requester, project, f"requester:{requester.id}@lumen.example") == [number]
    # Who is called like their address is seen by what is before the @, and found so.
    address = f"{stranger.id}@lumen.example"
    rename(db, stranger, address)
    assert refused(requester, f'requester:"{address}"')
    assert found(agent, project, f"requester:{stranger.id}@lumen.example -number:{number}") == []
    rename(db, requester, f"{requester.id}@lumen.example")
    assert found(requester, project, f"requester:{requester.id}") == [number]


def test_readers_find_what_they_may_see(
    agent: Person,
    agent_here: Person,
    agent_elsewhere: Person,
    requester: Person,
    stranger: Person,
    project: str,
    new_ticket: New,
    db: Db,
) -> None:
    staff(db, agent_here, project)
    mine, public = new_ticket(title="Drift")["number"], new_ticket(title="Drift", by=agent)["number"]
    db.execute("update tickets set visibility = 'public' where number = %s", (public,))
    index()
    for q in ("drift", "-crash", f"number:{mine},{public}", "status:open", "-status:closed", "assignee:none"):
        for by in (agent, agent_here, requester):
            assert found(by, project, q) == [mine, public], (q, by.role)
        for by in (stranger, agent_elsewhere):
            assert found(by, project, q) == [public], (q, by.role)


def test_a_walk_goes_on_when_whom_it_names_is_hidden(
    agent: Person, requester: Person, project: str, new_ticket: New, sign_in: SignIn, db: Db
) -> None:
    helping = sign_in("agent")
    for _ in range(3):
        assign(agent, new_ticket()["number"], helping)
    params: dict[str, Any] = {"q": f'project:{project} assignee:"{helping.name}" sort:created', "limit": 1}
    page = requester.get("/tickets", params=params).json()
    assert len(page["items"]) == 1
    db.execute("update tickets set assignee_id = null where project = %s", (project,))
    assert requester.get("/tickets", params={**params, "cursor": page["next"]}).json()["items"] == []
    assert requester.get("/tickets", params=params).status_code == 400


def test_a_day_is_that_of_the_reader(project: str, new_ticket: New, sign_in: SignIn, db: Db) -> None:
    requester = sign_in("requester")
    number = new_ticket(by=requester)["number"]
    db.execute("update tickets set created_at = '2026-03-31T22:30:00Z' where number = %s", (number,))
    for zone, day in (("", "2026-03-31"), ("Europe/Berlin", "2026-04-01"), ("America/Los_Angeles", "2026-03-31")):
        body = {"preferences": {"time_zone": zone}}
        assert requester.request("PATCH", "/me", json=body, headers=MERGE_PATCH).status_code == 200
        assert found(requester, project, f"created:{day}") == [number], zone
        for q in (f"created:<{day}", f"created:>{day}", f"-created:{day}"):
            assert found(requester, project, q) == [], (zone, q)
        assert found(requester, project, f"created:>={day} created:<={day} -created:2026-03-01") == [number]
    assert found(requester, project, "created:-7d") == []
    assert found(requester, project, "updated:-1h") == [number]
    assert found(requester, project, "created:>2026-03-31T22:30:00Z") == []
    assert found(requester, project, "created:>=2026-03-31T22:30:00Z") == [number]


def test_a_query_that_takes_too_long_says_what_to_add(hurried: Person, db: Db) -> None:
    with db.transaction():
        db.execute("lock table tickets in access exclusive mode")
        slow = hurried.get("/tickets", params={"q": "drift -crash status:open"})
    assert (slow.status_code, slow.json()["code"]) == (422, "query_too_expensive")
    detail = slow.json()["detail"]
    assert "(q)" in detail and "created:-30d" in detail and "assignee:me" in detail and "status:" not in detail


def test_dear_queries_slow_nobody_else(sign_in: SignIn, project: str, new_ticket: New, db: Db) -> None:
    """Those of one leave a connection to the queries of all others, and those of two all plain lists."""
    number = new_ticket()["number"]
    index()
    greedy, also, modest = (sign_in("agent") for _ in range(3))
    dear: dict[str, Any] = {"params": {"project": project, "q": "playback"}}
    with ThreadPoolExecutor(4) as threads:
        with db.transaction():
            db.execute("lock table ticket_documents in access exclusive mode")
            own = threads.submit(greedy.get, "/tickets", **dear)
            await_(lambda: waiting(db) == 1)
            assert found(modest, project, "-status:closed") == [number]
            others = threads.submit(also.get, "/tickets", **dear)
            await_(lambda: waiting(db) == 2 or others.done())
            plain = [by.get("/tickets", params={"project": project}) for by in (greedy, also, modest)]
            assert [answer.status_code for answer in plain] == [200] * 3
            answers = [own.result(60), others.result(60)]
        assert {answer.json()["code"] for answer in answers} == {"query_too_expensive"}
    assert found(greedy, project, "playback") == [number]


def waiting(db: Db) -> int:
    row: Any = db.execute("select count(*) as count from pg_locks where not granted").fetchone()
    return int(row["count"])


@pytest.mark.parametrize("field", FIELDS.values(), ids=FIELDS)
def test_the_example_of_each_field_can_be_asked(agent: Person, field: Any) -> None:
    if field.kind == "key":  # What it names is in the demo.
        words = field.example.partition(":")[2].split(",")
        assert {fault["code"] for fault in refused(agent, field.example)} == {"unknown"}
        assert all(word == "none" or word in json.dumps(refused(agent, field.example)) for word in words)
    else:
        assert agent.get("/tickets", params={"q": field.example}).status_code == 200
