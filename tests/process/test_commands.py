"""`ticketing user`, `token` and `project`: what the API does, by the same rules, from the server's command line."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import dict_row
from test_cli import Run, run
from test_tickets import Events

from conftest import Person
from judged import Judged
from ticketing.access import bearer

__all__ = ["run"]
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(run: Run, database_url: str, admin: Person) -> Command:
    """Run a command on the service's database; gives its exit code and what it wrote."""
    return lambda *arguments: run(*arguments, url=database_url)


def address() -> str:
    return f"{secrets.token_hex(6)}@lumen.example"


def done(answer: tuple[int, str, str]) -> Any:
    """What a command printed with --json."""
    code, out, err = answer
    assert (code, err) == (0, "")
    return json.loads(out)


# The same rules ------------------------------------------------------------------------------------------------------

USERS = [
    {"name": "Ada"},
    {"name": "Ada", "email": "ada"},
    {"name": "Ada", "email": "a@b@c"},
    {"name": "Ada", "email": "ada @lumen.example"},
    {"name": "Ada", "email": f"{'a' * 250}@lumen.example"},
    {"name": "", "email": "new"},
    {"name": "   ", "email": "new"},
    {"name": "\u200b\u2060", "email": "new"},
    {"name": "x" * 101, "email": "new"},
    {"name": "x" * 100, "email": "new"},
    {"name": "  Ada \n Okonkwo\u202e ", "email": "new"},
    {"name": "Åsa Ångström", "email": "new"},
    {"name": "ci", "service_account": True},
]


@pytest.mark.parametrize("body", USERS)
def test_the_command_line_takes_and_keeps_of_a_user_what_the_api_does(
    command: Command, admin: Person, body: dict[str, Any]
) -> None:
    def fresh() -> dict[str, Any]:
        return body | ({"email": address()} if body.get("email") == "new" else {})

    response = admin.post("/users", json=fresh())
    options = [f"--{name}={value}" for name, value in fresh().items() if name != "service_account"]
    code, out, err = command("user", "create", *options, *["--service-account"] * ("service_account" in body), "--json")
    assert (response.status_code, code) in ((201, 0), (422, 1)), err
    if code == 0:
        assert json.loads(out)["name"] == response.json()["name"]
    else:
        assert err.startswith("ticketing: --") and err.count("\n") == 1
        assert all(error["detail"] in err for error in response.json()["errors"])


TOKENS: list[tuple[str, dict[str, Any]]] = [
    ("agent", {"name": "ci", "scopes": ["admin"]}),
    ("requester", {"name": "ci", "scopes": ["tickets:read", "admin"]}),
    ("admin", {"name": "ci", "scopes": ["admin"]}),
    ("agent", {"name": "ci", "scopes": ["tickets:read", "tickets:read"]}),
    ("agent", {"name": "", "scopes": ["tickets:read"]}),
    ("agent", {"name": "x" * 101, "scopes": ["tickets:read"]}),
    ("agent", {"name": "ci", "scopes": ["tickets:read"], "expires_at": "2020-01-01T00:00:00Z"}),
    ("agent", {"name": "ci", "scopes": ["tickets:read"], "expires_at": "9999-12-31T23:59:59.9999Z"}),
    ("agent", {"name": "ci", "scopes": ["tickets:read"], "expires_at": "9999-12-31T23:59:59-12:00"}),
    ("agent", {"name": "ci", "scopes": ["tickets:read"], "expires_at": "2999-02-30T00:00:00Z"}),
]


@pytest.mark.parametrize(("role", "body"), TOKENS)
def test_the_command_line_takes_and_keeps_of_a_token_what_the_api_does(
    command: Command, admin: Person, role: str, body: dict[str, Any]
) -> None:
    machine = done(command("user", "create", "--name", "ci", "--role", role, "--service-account", "--json"))["id"]
    response = admin.post(f"/users/{machine}/tokens", json=body)
    options = [f"--scope={scope}" for scope in body["scopes"]]
    options += [f"--expires={body[name]}" for name in ("expires_at",) if name in body]
    code, out, err = command("token", "create", "--user", machine, f"--name={body['name']}", *options, "--json")
    assert (response.status_code, code) in ((201, 0), (422, 1)), err
    if code == 0:
        assert json.loads(out)["expires_at"] == response.json()["expires_at"]
        assert json.loads(out)["scopes"] == response.json()["scopes"]
    else:
        assert err.startswith("ticketing: --") and err.count("\n") == 1
        assert all(error["detail"] in err for error in response.json()["errors"])


@pytest.mark.parametrize("key", ["Media", "m", "-media", "media_server", "m" * 41, "ok"])
def test_the_command_line_takes_of_a_project_what_the_api_does(command: Command, admin: Person, key: str) -> None:
    def fresh() -> str:
        return f"p-{secrets.token_hex(5)}" if key == "ok" else key

    response = admin.post("/projects", json={"key": fresh(), "name": "Media"})
    code, _, err = command("project", "create", f"--key={fresh()}", "--name", "Media")
    assert (response.status_code, code) in ((201, 0), (422, 1)), err


@pytest.mark.parametrize("span", ["0m", "0d"])
def test_no_token_is_dead_at_birth(command: Command, agent: Person, span: str, new_events: Events) -> None:
    code, out, err = command("token", "create", "--user", agent.id, "--name", "ci", "--expires", span)
    assert (code, out, err) == (1, "", "ticketing: --expires: This is in the past.\n")
    assert new_events() == []


def test_bytes_that_are_no_text_are_refused(command: Command) -> None:
    code, out, err = command("user", "create", "--name", "Ada", "--email", "ad\udcffa@lumen.example")
    assert (code, out, err.count("\n")) == (1, "", 1)


# Users ---------------------------------------------------------------------------------------------------------------


def test_users_are_listed_shown_and_changed(command: Command, admin: Person, new_events: Events) -> None:
    email = address()
    user_id = command("user", "create", "--name", "Noor", "--email", email)[1].strip()
    assert command("user", "create", "--name", "Noor", "--email", email.upper())[::2] == (
        1,
        f"ticketing: There is a user with the e-mail address {email.upper()}.\n",
    )
    assert [user["id"] for user in done(command("user", "list", "--email", email, "--json"))] == [user_id]
    assert {
        user["role"] for user in done(command("user", "list", "--role", "admin", "--limit", "10000", "--json"))
    } == {"admin"}
    code, out, _ = command("user", "list", "--limit", "1000")
    assert code == 0
    assert out.startswith("id ") and user_id in out
    shown = admin.get(f"/users/{user_id}").json()
    del shown["version"]  # Commands need none: they act at once.
    assert done(command("user", "show", email, "--json")) == shown
    code, out, err = command("user", "list", "--limit", "1")
    assert (code, len(out.splitlines()), err) == (0, 2, "There are more. --limit says how many to show.\n")
    new_events()
    changed = done(command("user", "update", email, "--role", "agent", "--name", " Noor  Haddad", "--json"))
    assert (changed["role"], changed["name"]) == ("agent", "Noor Haddad")
    (event,) = new_events()
    del event["data"]["version"]
    assert (event["type"], event["actor_id"], event["data"]) == ("user.updated", None, changed)
    assert event["previous"] == {"role": "requester", "name": "Noor"}


def test_whoever_is_deactivated_is_signed_out_for_good(
    command: Command, sign_in: Callable[..., Person], new_events: Events
) -> None:
    person = sign_in("agent")
    new_events()
    assert done(command("user", "deactivate", person.id, "--json"))["active"] is False
    assert done(command("user", "activate", person.id, "--json"))["active"] is True
    assert person.get("/me").status_code == 401
    assert [event["type"] for event in new_events()] == ["user.updated", "token.revoked", "user.updated"]


@pytest.mark.parametrize("change", [["deactivate"], ["update", "--role", "agent"]])
def test_the_last_admin_stays(run: Run, new_database: Callable[..., str], change: list[str]) -> None:
    url, (verb, *options) = new_database(), change
    create = ("user", "create", "--role", "admin", "--name", "Ada", "--email")
    first = run(*create, "ada@lumen.example", url=url)[1].strip()
    assert run("user", verb, first, *options, url=url) == (
        1,
        "",
        "ticketing: This is the last active admin. Make somebody else an admin first.\n",
    )
    second = run(*create, "bo@lumen.example", url=url)[1].strip()
    assert run("user", verb, first, *options, url=url)[0] == 0
    assert run("user", verb, second, *options, url=url)[0] == 1
    with psycopg.connect(url, row_factory=dict_row) as conn:
        left = conn.execute("select id from users where role = 'admin' and active").fetchall()
    assert left == [{"id": UUID(second)}]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["user", "show", "nobody@lumen.example"], "There is no user nobody@lumen.example"),
        (["user", "update", "nobody@lumen.example", "--name", "x"], "There is no user nobody@lumen.example"),
        (["user", "update", "nobody@lumen.example"], "Say what is to change"),
        (["token", "list", "--user", str(UUID(int=7))], "There is no user"),
        (["token", "revoke", str(UUID(int=7))], "There is no token"),
        (["project", "create", "--key", "taken", "--name", "x"], "There is a project 'taken'"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(
    command: Command, db: psycopg.Connection[Any], arguments: list[str], message: str
) -> None:
    db.execute(
        "insert into projects (key, name, ticket_types) values ('taken', 'x', array['bug']::ticket_type[])"
        " on conflict do nothing"
    )
    code, out, err = command(*arguments)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert message in err


# Tokens --------------------------------------------------------------------------------------------------------------


def test_tokens_are_issued_listed_and_revoked(
    command: Command, agent: Person, anonymous: Judged, new_events: Events
) -> None:
    def signed_in(secret: str) -> int:
        return anonymous.get("/me", headers={"Authorization": f"Bearer {secret}"}).status_code

    new_events()
    secret = command("token", "create", "--user", agent.id, "--name", "ci", "--expires", "30d")[1].strip()
    assert bearer.well_formed(secret)
    listed = done(command("token", "list", "--user", agent.id, "--limit", "1000", "--json"))
    (token,) = [token for token in listed if token["prefix"] == secret[:12]]
    assert token == agent.get(f"/tokens/{token['id']}").json()
    assert (token["scopes"], token["created_by_token"]) == (["tickets:read", "tickets:write"], None)
    ends = datetime.fromisoformat(token["expires_at"]) - datetime.now(UTC)
    assert abs(ends - timedelta(days=30)) < timedelta(minutes=5)
    assert secret not in command("token", "list", "--user", agent.id)[1]

    body = {"name": "child", "scopes": ["tickets:read"], "expires_at": token["expires_at"]}
    child = anonymous.post("/tokens", json=body, headers={"Authorization": f"Bearer {secret}"}).json()["token"]
    assert (signed_in(secret), signed_in(child)) == (200, 200)
    assert command("token", "revoke", token["id"])[:2] == (0, "Revoked 1 token.\n")
    assert (signed_in(secret), signed_in(child)) == (401, 200)
    assert done(command("token", "revoke", token["id"], "--children", "--json")) == {"revoked": 1}
    assert command("token", "revoke", token["id"], "--children")[:2] == (0, "It had been revoked before.\n")
    assert signed_in(child) == 401
    kinds = [event["type"] for event in new_events()]
    assert kinds == ["token.created", "token.created", "token.revoked", "token.revoked"]


# Projects ------------------------------------------------------------------------------------------------------------


def test_projects_are_added_and_listed(command: Command, admin: Person, new_events: Events) -> None:
    key = f"p-{secrets.token_hex(5)}"
    new_events()
    options = ["--name", "Media server", "--visibility", "public", "--ticket-type", "bug", "--ticket-type", "support"]
    assert command("project", "create", "--key", key, *options) == (0, f"{key}\n", "")
    project = admin.get(f"/projects/{key}").json()
    assert (project["visibility"], project["ticket_types"]) == ("public", ["bug", "support"])
    (event,) = new_events()
    assert (event["type"], event["actor_id"], event["data"]) == ("project.created", None, project)
    del project["version"]
    assert project in done(command("project", "list", "--limit", "10000", "--json"))
    assert key in command("project", "list", "--limit", "10000")[1]


def test_invite_a_user(
    command: Command, new_events: Events, project: str, db: psycopg.Connection[dict[str, Any]]
) -> None:
    email = address()
    new_events()
    given = ("user", "invite", "--name", "Lena Vogt", "--email", email, "--role", "agent", "--project", project)
    code, out, _ = command(*given, "--locale", "de")
    (event,) = new_events()
    invitation = event["data"]
    assert (event["type"], event["actor_id"], invitation["created_by"]) == ("invitation.created", None, None)
    assert (invitation["email"], invitation["projects"], invitation["locale"]) == (email, [project], "de")
    (mail,) = db.execute("select body from mails where to_email = %s", (email,)).fetchall()
    assert code == 0
    assert out.strip() in mail["body"]
    code, _, err = command(*given)
    assert (code, "invited already" in err) == (1, True)
    assert "--project: There is no project nowhere." in command(*given[:-1], "nowhere")[2]
