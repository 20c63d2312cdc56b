"""Browser sessions: how one begins, what it may do, and how it ends. test_authorization.py has every operation."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from http.client import HTTPConnection
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import psycopg
import pytest

from conftest import Browser, Person, configured, settled
from judged import Judged
from ticketing.access import bearer
from ticketing.access.browsers import recognised
from ticketing.ground import paths

Db = psycopg.Connection[dict[str, Any]]
NOBODY = {"session": None, "user": None, "preferences": None, "csrf_token": None}
Events = Callable[[], list[dict[str, Any]]]
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0"


@pytest.fixture
def person(sign_in: Callable[..., Person]) -> Person:
    return sign_in("agent")


@pytest.fixture
def browser(browse: Callable[[Person], Browser], person: Person) -> Browser:
    return browse(person)


def signed_in(client: httpx.Client, person: Person, headers: dict[str, str] | None = None) -> httpx.Response:
    """Sign in as they do in the demo."""
    with configured(demo_users=person.id):
        return client.post("/sessions", json={"demo_user_id": person.id}, headers=headers)


def cookie(response: httpx.Response) -> Any:
    """The one cookie that an answer sets."""
    (line,) = response.headers.get_list("set-cookie")
    (morsel,) = SimpleCookie(line).values()
    return morsel


# How one begins


def test_a_session_begins_with_a_cookie_that_no_script_reads(anonymous: Judged, person: Person, db: Db) -> None:
    response = signed_in(anonymous, person, {"User-Agent": FIREFOX})
    assert response.status_code == 201
    told = response.json()
    me = person.get("/me").json()
    assert (told["user"], told["preferences"]) == (me["user"], me["preferences"])
    session = told["session"]
    assert (session["browser"], session["platform"], session["address"]) == ("Firefox", "Linux", "127.0.0.1")
    assert (session["user_id"], session["current"]) == (person.id, True)
    kept = cookie(response)
    assert kept.key == "__Host-ticketing"
    assert (kept["path"], kept["secure"], kept["httponly"], kept["samesite"]) == ("/", True, True, "Lax")
    assert (kept["domain"], kept["max-age"]) == ("", str(90 * 86_400))
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["location"] == "/api/v1/session"
    row = db.execute("select * from tokens where id = %s", (session["id"],)).fetchone()
    assert row is not None
    assert row["hash"] == bearer.hash_token(kept.value)
    assert kept.value not in str(row)
    assert told["csrf_token"] not in str(row)


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1", "[::1]:80", "portal.localhost"])
def test_this_machine_has_more_names_than_one(anonymous: Judged, person: Person, host: str) -> None:
    assert cookie(signed_in(anonymous, person, {"Host": host})).key == "__Host-ticketing"


def test_where_there_is_plain_http_the_cookie_may_have_a_plain_name(anonymous: Judged, browser: Browser) -> None:
    plain = {"Cookie": f"ticketing={browser.cookie.partition('=')[2]}", "Host": "support.example.org"}
    assert anonymous.get("/me", headers=plain).status_code == 200
    gone = anonymous.get("/session", headers={"Cookie": "ticketing=x; __Host-ticketing=y"})
    assert gone.headers.get_list("set-cookie") == [
        "ticketing=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax",
        "__Host-ticketing=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax",
    ]
    with configured(public_url="https://support.example.org"):
        assert anonymous.get("/session", headers={"Cookie": "ticketing=x"}).headers.get_list("set-cookie") == []


def test_a_session_of_before_ends_when_another_begins(
    anonymous: Judged, browser: Browser, sign_in: Callable[..., Person]
) -> None:
    other = sign_in("requester")
    response = signed_in(anonymous, other, {"Cookie": browser.cookie})
    assert response.json()["user"]["id"] == other.id
    assert browser.get("/me").status_code == 401
    assert cookie(response).value != browser.cookie.partition("=")[2]


def test_who_is_nobody_of_the_demo_signs_in_with_a_code(anonymous: Judged, person: Person, admin: Person) -> None:
    body = {"demo_user_id": person.id}

    def refused(headers: dict[str, str] | None = None) -> bool:
        response = anonymous.post("/sessions", json=body, headers=headers)
        return (response.status_code, response.json().get("code")) == (403, "sign_in_refused")

    assert refused()
    with configured(demo_users=admin.id):
        assert refused()
        assert anonymous.get("/").json()["sign_in"]["demo_accounts"] == [
            {"user_id": admin.id, "name": admin.name, "role": "admin"}
        ]
    with configured(demo_users=f"{admin.id},{person.id}"):
        assert refused({"Host": "rebound.example.org"})
        assert refused({"X-Forwarded-For": "192.0.2.1"})
        assert anonymous.post("/sessions", json=body).status_code == 201
    assert anonymous.get("/").json()["sign_in"]["demo_accounts"] == []


def test_who_is_inactive_or_a_machine_cannot_sign_in(anonymous: Judged, person: Person, admin: Person) -> None:
    machine = admin.post("/users", json={"name": "Robot", "service_account": True}).json()["id"]
    changed(admin, person, active=False)
    with configured(demo_users=f"{person.id},{machine},{uuid4()}"):
        assert anonymous.get("/").json()["sign_in"]["demo_accounts"] == []
        for each in (person.id, machine):
            assert anonymous.post("/sessions", json={"demo_user_id": each}).status_code == 403


@pytest.mark.parametrize(
    ("said", "name", "platform"),
    [
        (FIREFOX, "Firefox", "Linux"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/143.0.0.0 Safari/537.36 Edg/143.0.0.0", "Edge", "Windows"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/26.0 Safari/605.1.15", "Safari", "macOS"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 26_0 like Mac OS X) CriOS/143.0 Safari/604.1", "Chrome", "iOS"),
        ("Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 Chrome/143.0.0.0 Mobile", "Chrome", "Android"),
        ("x" * 8000 + "Firefox/1", None, None),
        ("", None, None),
    ],
)
def test_a_browser_is_told_in_words(said: str, name: str | None, platform: str | None) -> None:
    assert recognised(said) == (name, platform)


# What it may do


def test_whoever_is_signed_in_is_told_and_who_is_not_as_well(anonymous: Judged, browser: Browser) -> None:
    told = browser.get("/session").json()
    assert (told["session"]["id"], told["user"]["id"]) == (browser.session_id, browser.id)
    assert told["csrf_token"] == browser.csrf_token
    response = anonymous.get("/session")
    assert (response.status_code, response.json()) == (200, NOBODY)
    assert "set-cookie" not in response.headers


HOSTILE = [
    "__Host-ticketing=ses_x",
    "__Host-ticketing=",
    "__Host-ticketing",
    '__Host-ticketing="a"',
    "__Host-ticketing=a; __Host-ticketing=b",
    "__Host-ticketing=a; ticketing=b; ticketing=c",
    "__Host-ticketing=s\xfcd",
    "__Host-ticketing=" + "x" * 4000,
    "__Host-ticketing=a b, c",
    f"__Host-ticketing={bearer.new_token(bearer.SESSION)}",
    f"__Host-ticketing={bearer.new_token()}",
]


@pytest.mark.parametrize("sent", HOSTILE, ids=range(len(HOSTILE)))
def test_a_cookie_that_is_no_session_is_forgotten(anonymous: Judged, sent: str) -> None:
    headers = {b"Cookie": sent.encode("latin-1")}
    response = anonymous.get("/session", headers=headers)
    assert (response.status_code, response.json()) == (200, NOBODY)
    assert all("Max-Age=0;" in line for line in response.headers.get_list("set-cookie"))
    assert response.headers["set-cookie"].startswith("__Host-ticketing=; Path=/; Max-Age=0; Secure;")
    assert anonymous.request("DELETE", "/session", headers=headers).status_code == 204
    assert anonymous.get("/me", headers=headers).status_code == 401


def test_more_cookies_than_browsers_send_are_refused(anonymous: Judged) -> None:
    many = "; ".join(f"c{number}=x" for number in range(200))
    response = anonymous.get("/session", headers={"Cookie": many})
    assert (response.status_code, response.json()["code"]) == (400, "malformed_request")


def test_of_a_token_and_a_session_the_token_counts(anonymous: Judged, browser: Browser, requester: Person) -> None:
    both = {"Cookie": browser.cookie, "Authorization": f"Bearer {requester.token}"}
    assert anonymous.get("/me", headers=both).json()["user"]["id"] == requester.id
    made = anonymous.post("/tokens", json={"name": "x", "scopes": ["tickets:read"]}, headers=both)
    assert made.status_code == 201
    wrong = {**both, "Authorization": "Bearer tkt_wrong"}
    assert anonymous.get("/me", headers=wrong).status_code == 401


def test_a_session_is_told_as_a_token_only_where_it_asks_for_itself(browser: Browser, person: Person) -> None:
    token = browser.get("/me").json()["token"]
    assert (token["id"], token["prefix"]) == (browser.session_id, "ses_")
    assert token["scopes"] == ["tickets:read", "tickets:write"]
    assert browser.session_id not in {each["id"] for each in browser.pages("/tokens")}
    assert browser.get(f"/tokens/{browser.session_id}").status_code == 404
    assert browser.request("DELETE", f"/tokens/{browser.session_id}").status_code == 404
    assert person.get(f"/tokens/{browser.session_id}").status_code == 404


def test_a_token_that_a_session_makes_outlives_it(browser: Browser, anonymous: Judged) -> None:
    made = browser.post("/tokens", json={"name": "laptop", "scopes": ["tickets:read"]})
    assert made.status_code == 201
    assert (made.json()["expires_at"], made.json()["created_by_token"]) == (None, browser.session_id)
    assert browser.request("DELETE", "/session").status_code == 204
    assert anonymous.get("/me", headers={"Authorization": f"Bearer {made.json()['token']}"}).status_code == 200


def test_pages_of_other_origins_never_use_a_session(anonymous: Judged, browser: Browser) -> None:
    response = anonymous.get("/me", headers={"Cookie": browser.cookie, "Origin": "https://evil.example"})
    assert not [name for name in response.headers if name.startswith("access-control-allow")]


# How it ends


def test_signing_out_ends_the_session_and_the_browser_forgets_it(browser: Browser, anonymous: Judged) -> None:
    response = browser.request("DELETE", "/session")
    assert response.status_code == 204
    assert (cookie(response).value, cookie(response)["max-age"]) == ("", "0")
    assert browser.get("/me").status_code == 401
    assert browser.get("/session").json() == NOBODY
    assert browser.request("DELETE", "/session").status_code == 204
    assert anonymous.request("DELETE", "/session").status_code == 204


def test_another_site_cannot_sign_one_out(browser: Browser, anonymous: Judged) -> None:
    response = anonymous.request("DELETE", "/session", headers={"Cookie": browser.cookie})
    assert (response.status_code, response.json()["code"]) == (403, "csrf_token_invalid")
    assert browser.get("/me").status_code == 200


def changed(admin: Person, person: Person, **fields: Any) -> None:
    headers = {"Content-Type": "application/merge-patch+json"}
    response = admin.request("PATCH", f"/users/{person.id}", json=fields, headers=headers)
    assert response.status_code == 200, response.text


@pytest.mark.parametrize("around", ["{}", "  {}", "{}  ", "\t{}\t"])
def test_white_space_around_the_proof_is_no_part_of_it(service: str, browser: Browser, around: str) -> None:
    headers = {"Cookie": browser.cookie, "X-CSRF-Token": around.format(browser.csrf_token), "Connection": "close"}
    with closing(HTTPConnection(urlsplit(service).netloc, timeout=30)) as connection:
        connection.request("DELETE", f"{paths.API}/session", headers=headers)
        with connection.getresponse() as response:
            assert (response.status, response.read()) == (204, b"")


def test_with_another_address_the_sessions_end_that_were_begun_with_the_one_before(
    admin: Person, person: Person, browser: Browser, new_events: Events
) -> None:
    """Whoever still reads the mail of the old one may have begun them. Programs go on."""
    before = browser.get("/session").json()["session"]
    new_events()
    changed(admin, person, email=f"{person.id}@elsewhere.example")
    assert browser.get("/me").status_code == 401
    assert person.get("/me").status_code == 200
    updated, ended = new_events()
    assert (updated["type"], ended["type"]) == ("user.updated", "session.ended")
    assert (ended["data"]["id"], str(ended["actor_id"])) == (browser.session_id, admin.id)
    assert ended["previous"] == {"expires_at": before["expires_at"]}
    changed(admin, person, name="Somebody else")
    assert [event["type"] for event in new_events()] == ["user.updated"]


def test_an_admin_who_changes_their_own_address_stays_signed_in_where_they_did(
    sign_in: Callable[..., Person], browse: Callable[[Person], Browser]
) -> None:
    person = sign_in("admin")
    here, elsewhere = browse(person), browse(person)
    answer = here.request("PATCH", f"/users/{person.id}", json={"email": f"{person.id}@elsewhere.example"})
    assert answer.status_code == 200, answer.text
    assert (here.get("/me").status_code, elsewhere.get("/me").status_code) == (200, 401)


@pytest.mark.parametrize("fields", [{"active": False}, {"role": "admin"}])
def test_it_ends_with_what_ends_tokens(
    admin: Person, person: Person, browser: Browser, new_events: Events, fields: dict[str, Any]
) -> None:
    before = browser.get("/session").json()["session"]
    new_events()
    changed(admin, person, **fields)
    assert browser.get("/me").status_code == 401
    _, revoked, ended = new_events()
    assert (revoked["type"], ended["type"]) == ("token.revoked", "session.ended")
    assert (ended["data"]["id"], str(ended["actor_id"])) == (browser.session_id, admin.id)
    assert ended["previous"] == {"expires_at": before["expires_at"]}
    assert ended["data"]["expires_at"] < before["expires_at"]


def test_a_lower_role_leaves_a_session_that_can_do_no_more(
    admin: Person, sign_in: Callable[..., Person], browse: Callable[[Person], Browser]
) -> None:
    agent, other = sign_in("agent"), sign_in("admin")
    of_agent, of_admin = browse(agent), browse(other)
    changed(admin, agent, role="requester")
    changed(admin, other, role="agent")
    assert of_agent.get("/me").json()["user"]["role"] == "requester"
    assert of_agent.get("/users").status_code == 403
    assert of_admin.get("/me").status_code == 401


def test_one_sees_where_one_is_signed_in_and_ends_it(
    browser: Browser, browse: Callable[[Person], Browser], person: Person, stranger: Person, new_events: Events
) -> None:
    other = browse(person)
    assert [(each["id"], each["current"]) for each in browser.pages("/sessions", limit=1)] == [
        (browser.session_id, True),
        (other.session_id, False),
    ]
    assert [each["current"] for each in person.pages("/sessions")] == [False, False]
    assert stranger.request("DELETE", f"/sessions/{other.session_id}").status_code == 404
    new_events()
    assert browser.request("DELETE", f"/sessions/{other.session_id}").status_code == 204
    (event,) = new_events()
    assert (event["type"], event["data"]["id"], event["internal"]) == ("session.ended", other.session_id, True)
    assert other.get("/me").status_code == 401
    assert browser.request("DELETE", f"/sessions/{other.session_id}").status_code == 404
    assert [each["id"] for each in browser.pages("/sessions")] == [browser.session_id]
    assert new_events() == []


def test_all_others_end_and_the_one_that_asks_stays(
    browser: Browser, browse: Callable[[Person], Browser], person: Person, requester: Person, new_events: Events
) -> None:
    others = [browse(person), browse(person)]
    new_events()
    assert browser.request("DELETE", "/sessions").status_code == 204
    assert [event["data"]["id"] for event in new_events()] == [other.session_id for other in others]
    assert [other.get("/me").status_code for other in others] == [401, 401]
    assert browser.get("/me").status_code == 200
    assert person.get("/me").status_code == 200, "a token is no session"
    assert person.request("DELETE", "/sessions").status_code == 204
    assert browser.get("/me").status_code == 401


def test_a_token_that_can_do_less_ends_no_session(
    sign_in: Callable[..., Person], browse: Callable[[Person], Browser], db: Db
) -> None:
    person = sign_in("admin", scopes=("tickets:read", "tickets:write"))
    browser = browse(person)
    for path in ("/sessions", f"/sessions/{browser.session_id}"):
        response = person.request("DELETE", path)
        assert (response.status_code, response.json()["code"]) == (403, "insufficient_scope")
    db.execute("update tokens set projects = '{here}' where hash = %s", (bearer.hash_token(person.token),))
    assert person.request("DELETE", "/sessions").json()["code"] == "forbidden"
    assert browser.get("/me").status_code == 200


def test_whose_session_it_is_and_admins_read_its_events(
    browser: Browser,
    browse: Callable[[Person], Browser],
    person: Person,
    stranger: Person,
    admin: Person,
    agent: Person,
    db: Db,
) -> None:
    readers: list[Judged] = [browser, person, admin, stranger, agent]
    settled(db)
    cursors = [reader.get("/events", params={"start": "end"}).json()["next"] for reader in readers]
    begun = browse(person).session_id
    settled(db)

    def seen(by: Judged, cursor: str) -> bool:
        return begun in {event["data"]["id"] for event in by.get("/events", params={"cursor": cursor}).json()["items"]}

    assert [seen(*each) for each in zip(readers, cursors, strict=True)] == [True, True, True, False, False]


def test_a_ticket_that_a_browser_opens_came_by_the_portal(browser: Browser, person: Person, project: str) -> None:
    body = {"type": "bug", "project": project, "title": "x", "description": ""}
    assert browser.post("/tickets", json=body).json()["channel"] == "portal"
    assert person.post("/tickets", json=body).json()["channel"] == "api"


def test_one_that_has_ended_is_kept_for_a_month(
    browser: Browser, browse: Callable[[Person], Browser], person: Person, db: Db
) -> None:
    maker = browse(person)
    assert maker.post("/tokens", json={"name": "x", "scopes": ["tickets:read"]}).status_code == 201
    for each in (maker, browser):
        assert each.request("DELETE", "/session").status_code == 204

    def kept() -> set[str]:
        statement = (paths.QUERIES / "sessions.sql").read_text().partition("delete_old_sessions(days)!")[2]
        db.execute(statement.partition("-- name:")[0].replace(":days", "30").encode())
        return {str(row["id"]) for row in db.execute("select id from tokens where idle is not null").fetchall()}

    assert {maker.session_id, browser.session_id} <= kept()
    db.execute(
        "update tokens set revoked_at = now() - interval '31 days' where idle is not null and revoked_at < now()"
    )
    assert kept() & {maker.session_id, browser.session_id} == {maker.session_id}


def test_it_ends_when_it_is_not_used_and_in_any_case_in_the_end(browser: Browser, db: Db) -> None:
    def moved(statement: str) -> int:
        db.execute(statement.encode(), (browser.session_id,))
        return browser.get("/me").status_code

    assert moved("update tokens set created_at = now() - interval '13 days' where id = %s") == 200
    assert moved("update tokens set created_at = now() - interval '15 days' where id = %s") == 200
    assert moved("update tokens set last_used_at = now() - interval '13 days' where id = %s") == 200
    assert moved("update tokens set last_used_at = now() - interval '14 days' where id = %s") == 401
    assert moved("update tokens set last_used_at = now() where id = %s") == 200
    assert moved("update tokens set expires_at = now() where id = %s") == 401


def test_its_last_use_is_noted_once_a_minute(browser: Browser, db: Db) -> None:
    def used() -> Any:
        return browser.get("/session").json()["session"]["last_used_at"]

    first = used()
    assert used() == first
    db.execute("update tokens set last_used_at = now() - interval '61 seconds' where id = %s", (browser.session_id,))
    used()
    assert used() > first


@pytest.fixture
def following(service: str, browser: Browser) -> Iterator[Iterator[str]]:
    """The lines of a stream that a browser has open."""
    with (
        httpx.Client(base_url=service, headers={"Cookie": browser.cookie}, timeout=20) as client,
        client.stream("GET", "/api/v1/events/stream") as response,
    ):
        assert response.status_code == 200
        yield response.iter_lines()


def test_its_streams_end_with_it(browser: Browser, following: Iterator[str]) -> None:
    next(following)
    began = time.monotonic()
    assert browser.request("DELETE", "/session").status_code == 204
    with suppress(httpx.TransportError):
        list(following)
    assert time.monotonic() - began < 5
