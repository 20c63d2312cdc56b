"""What is written to receivers: signatures, the form of the body, and that nobody's text becomes mark-up in a chat."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from conftest import configured
from ticketing import outbound, sealing
from ticketing.ground import config, paths
from ticketing.reactions.webhooks import payloads, schedule, signing

EVENT: dict[str, Any] = {
    "id": UUID("01a20d6d-5a00-7ed8-8033-fe2b4cf0aaa5"),
    "type": "ticket.resolved",
    "timestamp": "2026-11-24T12:00:00.000Z",
    "sequence": 1795521600000610,
    "ticket_number": 1042,
    "project": "media-server",
    "actor": {"id": "019cad94-3fe0-72dc-899c-8e59c150e3ec", "name": "Ines Aydin"},
    "data": {"number": 1042, "title": "Playback stops"},
    "previous": {"status": "open"},
    "tombstone": False,
}
#: From what people write to what may be left of it as mark-up, which is nothing.
MARK_UP = [
    "<!channel>", "<!here>", "<@U123>", "<https://evil.example|Click>", "*bold*", "_italic_", "~struck~", "`code`",
    "> quoted", "# title", "@everyone", "@here", "<@123>", "<@&123>", "<#123>", "<:emoji:123>", "<t:1:R>",
    "[text](https://evil.example)", "||spoiler||", "```block```", "- item", "1. item", "https://evil.example/",
    "\\*", "&lt;!channel&gt;", "line\nbreak", "tab\tand\r\nmore", "\u202eright to left",
]  # fmt: skip

DOCUMENT, OPERATIONS = (json.loads((paths.SPEC / "dist" / f"{name}.json").read_bytes()) for name in ("openapi", "ops"))
#: What people do not write for each other to read, by the name of its field.
SECRETS: dict[str, Any] = {
    "url": "https://hooks.lumen.example/services/canary?canary=canary",
    "email": "joe@canary.example",
    "prefix": "canary",
    "created_by_token": "canary",
    "args": {"name": "canary", "url": "canary"},
    "errors": [{"error": "canary"}],
    "environment": {"name": "canary"},
    "external_reference": {"system": "canary", "key": "canary"},
    "requester": {"id": "canary", "name": "joe@canary.example"},
    "assignee": {"id": "canary", "name": "joe@canary.example"},
    "author": {"id": "canary", "name": "joe@canary.example"},
    "number": 7,
    "ticket_number": 7,
}


@pytest.fixture(autouse=True)
def _settings(database_url: str) -> Iterator[None]:
    with configured(database_url=database_url):
        yield


@given(st.binary(max_size=200), st.lists(st.binary(min_size=24, max_size=64), min_size=1, max_size=3))
def test_signatures(body: bytes, secrets: list[bytes]) -> None:
    """Every secret that holds verifies, by the library of the standard itself; no other one does."""
    text = body.decode("latin-1").encode()
    headers = dict(signing.headers(EVENT["id"], datetime.now(UTC), text, secrets))
    for secret in secrets:
        Webhook(signing.written(secret)).verify(text, headers, json_parse=False)
    with pytest.raises(WebhookVerificationError):
        Webhook(signing.written(b"another secret, as long as one")).verify(text, headers, json_parse=False)
    with pytest.raises(WebhookVerificationError):
        Webhook(signing.written(secrets[0])).verify(text + b" ", headers, json_parse=False)


def test_the_standard_body() -> None:
    body = json.loads(payloads.body("standard", EVENT))
    assert list(body)[:4] == ["id", "type", "timestamp", "sequence"]
    assert body["data"].pop("version") and body["data"].pop("html_url").endswith("/support/tickets/1042")
    assert body == EVENT | {"id": str(EVENT["id"])}


@pytest.mark.parametrize(
    ("event", "slack", "discord"),
    [
        (
            EVENT,
            "Ines Aydin resolved <{url}/support/tickets/1042|#1042> Playback stops",
            "Ines Aydin resolved [#1042]({url}/support/tickets/1042) Playback stops",
        ),
        (
            EVENT | {"type": "comment.created", "data": {"body": "The same\nhere."}},
            "Ines Aydin commented on <{url}/support/tickets/1042|#1042>: The same here.",
            "Ines Aydin commented on [#1042]({url}/support/tickets/1042)\\: The same here\\.",
        ),
        (
            EVENT | {"type": "comment.deleted", "data": {"body": None}, "actor": None},
            "The service deleted a comment on <{url}/support/tickets/1042|#1042>",
            "The service deleted a comment on [#1042]({url}/support/tickets/1042)",
        ),
        (
            EVENT | {"type": "comment.created", "data": {"body": None}},
            "Ines Aydin commented on <{url}/support/tickets/1042|#1042> (deleted since)",
            "Ines Aydin commented on [#1042]({url}/support/tickets/1042) \\(deleted since\\)",
        ),
        (
            EVENT | {"type": "comment.updated", "data": {"body": None}, "previous": {"body": None}},
            "Ines Aydin edited a comment on <{url}/support/tickets/1042|#1042> (deleted since)",
            "Ines Aydin edited a comment on [#1042]({url}/support/tickets/1042) \\(deleted since\\)",
        ),
        (
            EVENT | {"type": "project.created", "ticket_number": None, "data": {"key": "m", "name": "Media"}},
            "Ines Aydin created the project Media",
            "Ines Aydin created the project Media",
        ),
    ],
)
def test_chat(event: dict[str, Any], slack: str, discord: str) -> None:
    url = config.settings().public_url
    assert json.loads(payloads.body("slack", event))["text"] == slack.format(url=url)
    assert json.loads(payloads.body("discord", event))["content"] == discord.format(url=url)


@pytest.mark.parametrize(
    ("type", "previous", "data", "changes"),
    [
        ("ticket.updated", {"priority": "normal"}, {"priority": "high"}, ": priority normal → high"),
        (
            "ticket.updated",
            {"status": "open", "assignee": None, "updated_at": "2026-11-24T12:00:00.000Z"},
            {"status": "pending", "assignee": {"id": "1", "name": "Ines Aydin"}},
            ": status open → pending; assignee none → Ines Aydin",
        ),
        ("ticket.updated", {"description": "x" * 41}, {"description": "short"}, ": description"),
        ("ticket.updated", {"description": "a\nb"}, {"description": ""}, ": description"),
        ("ticket.updated", {"environment": {"os": "1"}}, {"environment": {}}, ": environment"),
        ("ticket.updated", {"tags": []}, {"tags": ["audio", "4k"]}, ": tags none → audio, 4k"),
        ("ticket.updated", {"resolution_note": None}, {"resolution_note": "y"}, ": resolution note none → y"),
        (
            "ticket.resolved",
            {"status": "open", "resolution": "none"},
            {"resolution": "fixed"},
            ": resolution none → fixed",
        ),
        ("ticket.closed", {"status": "resolved", "closed_at": None}, {}, ""),
        ("ticket.created", {}, {}, ""),
        ("ticket.updated", {"priority": "high", "severity": "low"}, {"priority": "high"}, ": severity low → none"),
        ("ticket.deleted", {"requester": {"id": "1", "name": "Ada"}}, {"requester": {"id": "1", "name": "Ada"}}, ""),
        ("ticket.deleted", {"requester": {"id": "1", "name": "Ada"}}, {}, ""),
    ],
)
def test_a_line_names_what_changed(type: str, previous: Any, data: Any, changes: str) -> None:
    event = EVENT | {"type": type, "previous": previous, "data": EVENT["data"] | data}
    verb = {"created": "opened"}.get(type.partition(".")[2], type.partition(".")[2])
    url = config.settings().public_url
    line = f"Ines Aydin {verb} <{url}/support/tickets/1042|#1042> Playback stops{changes}"
    assert json.loads(payloads.body("slack", event))["text"] == line


def test_a_line_of_no_ticket_names_what_changed_and_no_secrets() -> None:
    event = EVENT | {
        "ticket_number": None,
        "type": "webhook.updated",
        "data": {"url": "https://b.example/", "status": "paused"},
    }
    event |= {"previous": {"status": "active", "url": "https://a.example/secret"}}
    line = json.loads(payloads.body("slack", event))["text"]
    assert line.endswith(": status active → paused; url")
    assert "secret" not in line
    event |= {"type": "project.updated", "data": {"key": "media", "name": "Media"}, "previous": {"name": "Old"}}
    assert json.loads(payloads.body("discord", event))["content"].endswith("project Media\\: name Old → Media")
    event |= {"type": "comment.updated", "ticket_number": 1, "data": {"body": "new"}, "previous": {"body": "old"}}
    url = f"{config.settings().public_url}/support/tickets/1"
    assert json.loads(payloads.body("slack", event))["text"].endswith(f" edited a comment on <{url}|#1>: new")


LINES = {
    "user.created": "created the user Joe",
    "category.updated": "updated the category Joe",
    "token.revoked": "revoked the token Joe",
    "webhook.created": "created the webhook endpoint Joe",
    "webhook.rotated": "replaced the secret of the webhook endpoint Joe",
    "webhook.pinged": "pinged the webhook endpoint Joe",
    "webhook.redelivered": "asked for deliveries to be sent again to the webhook endpoint Joe",
    "webhook.failing": "reports that the webhook endpoint Joe keeps failing",
    "webhook.disabled": "disabled the webhook endpoint Joe",
    "job.retried": "retried the job Joe",
    "queue.paused": "paused the queue Joe",
}


@pytest.mark.parametrize(("type", "line"), LINES.items())
def test_a_line_of_no_ticket_is_a_sentence(type: str, line: str) -> None:
    event = EVENT | {"type": type, "ticket_number": None, "actor": None, "data": {"name": "Joe"}, "previous": {}}
    assert json.loads(payloads.body("slack", event))["text"] == f"The service {line}"


def properties(document: Any, name: str) -> dict[str, Any]:
    """The fields of a schema."""
    found: dict[str, Any] = document["components"]["schemas"][name]["properties"]
    return found


def fields_of(type: str) -> dict[str, Any]:
    """The fields that `data` of an event has."""
    message = DOCUMENT["webhooks"][type]["post"]["requestBody"]["content"]["application/json"]["schema"]
    told = properties(DOCUMENT, message["$ref"].rpartition("/")[2])["data"]["oneOf"][0]
    if "$ref" in told:
        return properties(DOCUMENT, told["$ref"].rpartition("/")[2])
    return properties(OPERATIONS, type.partition(".")[0].title())


@pytest.mark.parametrize("described", ["", "The dashboard"])
@pytest.mark.parametrize("format", ["slack", "discord"])
@pytest.mark.parametrize("type", DOCUMENT["components"]["schemas"]["EventType"]["enum"])
def test_no_line_tells_an_address_or_a_secret(type: str, format: str, described: str) -> None:
    fields = fields_of(type)
    data = {field: SECRETS.get(field, f"the {field}") for field in fields}
    if "email" in fields:
        data["name"] = SECRETS["email"]
    if "url" in fields:
        data["description"] = described
    emptied = {field: [] if value == SECRETS.get(field) else value for field, value in data.items()}
    other = json.loads(json.dumps(data).replace("joe", "jim").replace("/services", "/hooks").replace("the ", "a "))
    for before in (emptied, other):
        event = EVENT | {"type": type, "ticket_number": data.get("number", data.get("ticket_number"))}
        event |= {"actor": {"id": "1", "name": SECRETS["email"]}, "data": data, "previous": before}
        line = payloads.body(format, event)
        assert "canary" not in line
        assert ':"joe ' in line
        assert ' "' not in line
        if "url" in fields:
            assert (described or "hooks") in line


@given(
    st.dictionaries(
        st.text(max_size=30),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=100),
            lambda some: st.lists(some, max_size=5) | st.dictionaries(st.text(max_size=5), some, max_size=5),
            max_leaves=10,
        ),
        max_size=30,
    )
)
def test_whatever_changed_can_be_told(previous: dict[str, Any]) -> None:
    event = EVENT | {"type": "ticket.updated", "previous": previous}
    assert "<" not in json.loads(payloads.body("slack", event))["text"].rpartition("|#1042>")[2]
    assert len(json.loads(payloads.body("discord", event))["content"]) <= payloads.DISCORD_LENGTH


@pytest.mark.parametrize("text", MARK_UP)
def test_text_is_no_mark_up(text: str) -> None:
    event = EVENT | {"data": {"title": text}, "actor": {"name": text}}
    slack = json.loads(payloads.body("slack", event))
    told = slack["text"].replace(f"<{config.settings().public_url}/support/tickets/1042|#1042>", "")
    assert "<" not in told
    assert ">" not in told
    assert "\n" not in told
    assert slack["mrkdwn"] is False
    discord = json.loads(payloads.body("discord", event))
    told = discord["content"].replace(f"[#1042]({config.settings().public_url}/support/tickets/1042)", "")
    for place, character in enumerate(told):
        if character in "*_~|`>#-[]()<:@":
            before = told[:place]
            assert (len(before) - len(before.rstrip("\\"))) % 2 == 1, told
    assert discord["allowed_mentions"] == {"parse": []}


@given(st.text(max_size=5000))
def test_a_line_is_never_too_long(text: str) -> None:
    event = EVENT | {"type": "comment.created", "data": {"body": text}, "actor": {"name": text[:100] or "x"}}
    assert len(json.loads(payloads.body("discord", event))["content"]) <= payloads.DISCORD_LENGTH


# Pauses -------------------------------------------------------------------------------------------------------------


def test_pauses_differ() -> None:
    """What failed together does not come back together, and never before its time."""
    pauses = [schedule.pause_after(3) or 0 for _ in range(100)]
    assert len(set(pauses)) > 90
    assert 1800 <= min(pauses) <= max(pauses) <= 1980
    assert schedule.pause_after(10) is None


@given(st.text(max_size=50))
def test_any_retry_after_is_a_number_of_seconds(header: str) -> None:
    assert schedule.retry_after(header, datetime.now(UTC)) >= 0


@pytest.mark.parametrize(
    "header",
    [
        "Sun, 06 Nov 9999 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "Sun, 06 Nov 1994 08:49:37 +9999999999",
        "Mon, 99 Feb 2026 99:99:99 GMT",
        "1e9",
        "٣",
        "1 2",
        ",",
        "0" * 5000,
    ],
)
def test_an_odd_retry_after(header: str) -> None:
    assert schedule.retry_after(header, datetime.now(UTC)) >= 0


# Secrets at rest ----------------------------------------------------------------------------------------------------


def test_sealing() -> None:
    old, new = sealing.new_key(), sealing.new_key()
    with configured(secret_keys=old):
        key_id, sealed = sealing.seal(b"secret", b"here")
        assert b"secret" not in sealed
        assert sealing.seal(b"secret", b"here")[1] != sealed
        assert old not in repr(config.settings())
    with configured(secret_keys=f" {new}, {old} "):
        assert sealing.unseal(key_id, sealed, b"here") == b"secret"
        assert sealing.seal(b"secret", b"here")[0] == sealing.first_key() != key_id
        for box, context in ((sealed, b"elsewhere"), (sealed[:-1] + b"x", b"here"), (b"", b"here")):
            with pytest.raises(sealing.NoKey, match="changed, or belongs to another context"):
                sealing.unseal(key_id, box, context)
    with configured(secret_keys=new), pytest.raises(sealing.NoKey, match="not in TICKETING_SECRET_KEYS"):
        sealing.unseal(key_id, sealed, b"here")
    with configured(secret_keys=""), pytest.raises(sealing.NoKey, match="must set TICKETING_SECRET_KEYS"):
        sealing.seal(b"secret", b"here")
    for nonsense in ("x", "AAAA", f"{new}x", f"{new} {old}"):
        with configured(secret_keys=nonsense), pytest.raises(config.InvalidSetting):
            sealing.first_key()


def test_what_is_sent_twice_is_resolved_twice() -> None:
    """No answer of a name server outlives the message it was asked for."""
    asked: list[str] = []

    async def resolve(host: str) -> list[str]:
        asked.append(host)
        return ["10.0.0.1"]

    guard = outbound.Guard(resolver=resolve)
    for _ in range(2):
        with pytest.raises(outbound.Failed):
            asyncio.run(outbound.post(guard, "https://hooks.lumen.example/", {}, b"", seconds=1))
    assert len(asked) == 2
