"""The codes of faults: the contract lists them, requests produce each of them, and no message shows a pattern."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import uuid_utils.compat as uuids
import yaml

from conftest import ALL_SCOPES, Person
from judged import Judged
from ticketing.contract.document import escape
from ticketing.contract.schemas import Schemas
from ticketing.ground import moments, paths

DOCUMENT = json.loads((paths.SPEC / "dist" / "openapi.json").read_text())
FAULTS: dict[str, Any] = yaml.safe_load((paths.SPEC / "faults.yaml").read_text())
ENTRY = DOCUMENT["components"]["schemas"]["Problem"]["properties"]["errors"]["items"]
#: What the engine says of schemas that this contract does not have.
OF_OTHER_CONTRACTS = {"exclusive_minimum", "exclusive_maximum", "multiple_of"}
TICKET = {"type": "bug", "title": "Playback stops", "description": "After ten minutes."}
AGES_AGO = "2001-01-01T00:00:00.000Z"
TO_COME = moments.written(datetime.now(UTC) + timedelta(days=9))


def merge(by: Person, path: str, **fields: Any) -> httpx.Response:
    return by.patch(path, json=fields, headers={"Content-Type": "application/merge-patch+json"})


class Cast:
    """Who asks, and what of."""

    def __init__(
        self, admin: Person, requester: Person, project: str, number: int, sign_in: Callable[..., Person]
    ) -> None:
        self.admin, self.requester, self.project = admin, requester, project
        self.ticket = f"/tickets/{number}"
        self.sign_in = sign_in

    def open(self, **fields: Any) -> httpx.Response:
        return self.admin.post("/tickets", json=TICKET | {"project": self.project} | fields)

    def token(self, **fields: Any) -> httpx.Response:
        return self.admin.post("/tokens", json={"name": "x", "scopes": ["tickets:read"]} | fields)

    def endpoint(self, **fields: Any) -> httpx.Response:
        return self.admin.post("/webhook-endpoints", json={"url": "https://203.0.113.9/"} | fields)

    def of_a_short_token(self) -> httpx.Response:
        secret = self.token(scopes=["tickets:write"], expires_at=TO_COME).json()["token"]
        body = {"name": "x", "scopes": ["tickets:write"], "expires_at": "9999-01-01T00:00:00Z"}
        return self.admin.post("/tokens", json=body, headers={"Authorization": f"Bearer {secret}"})


#: Requests that are at fault in one way each, and what they are told is expected.
REQUESTS: list[tuple[str, Any, Callable[[Cast], httpx.Response]]] = [
    ("required", None, lambda c: c.admin.post("/projects", json={"key": "ab"})),
    ("required", None, lambda c: merge(c.admin, c.ticket, status="closed")),
    ("required", None, lambda c: merge(c.admin, f"/users/{c.requester.id}", email=None)),
    ("unknown_field", None, lambda c: c.open(colour="red")),
    ("unknown_parameter", None, lambda c: c.admin.get("/tickets?colour=red")),
    ("repeated_parameter", None, lambda c: c.admin.get("/tickets?limit=1&limit=2")),
    ("blank", None, lambda c: c.open(title=" ")),
    ("blank", None, lambda c: c.open(environment={"": "x"})),
    ("too_short", {"min": 2}, lambda c: c.admin.post("/projects", json={"key": "a", "name": "x"})),
    ("too_long", {"max": 200}, lambda c: c.open(title="x" * 201)),
    ("too_few", {"min": 1}, lambda c: c.token(scopes=[])),
    ("too_many", {"max": 30}, lambda c: c.open(environment={f"n{n}": "x" for n in range(31)})),
    ("too_small", {"minimum": 1}, lambda c: c.admin.get("/tickets?limit=0")),
    ("too_large", {"maximum": 100}, lambda c: c.admin.get("/tickets?limit=101")),
    ("too_large", {"maximum": 100}, lambda c: c.admin.get(f"/tickets?limit={10**20}")),
    ("too_early", ..., lambda c: c.token(expires_at=AGES_AGO)),
    ("too_late", {"latest": TO_COME}, lambda c: c.of_a_short_token()),
    ("wrong_type", {"types": ["string"]}, lambda c: c.open(title=1)),
    ("wrong_type", {"types": ["string", "null"]}, lambda c: merge(c.admin, c.ticket, category=1)),
    ("wrong_format", {"format": "date-time"}, lambda c: c.token(expires_at="tomorrow")),
    ("wrong_format", {"format": "uuid"}, lambda c: c.admin.get("/users/x")),
    ("wrong_format", None, lambda c: c.open(project="NO")),
    ("wrong_format", None, lambda c: merge_if(c.admin, c.ticket, "x y")),
    ("reserved", None, lambda c: c.admin.get("/tickets?q=a+OR+b")),
    ("not_allowed", {"values": ["bug", "feature_request", "support"]}, lambda c: c.open(type="rant")),
    ("not_allowed", {"values": ["none"]}, lambda c: c.open(type="support", severity="high")),
    ("not_allowed", {"values": ["none"]}, lambda c: merge(c.admin, c.ticket, resolution="fixed")),
    ("not_unique", None, lambda c: c.token(scopes=["admin", "admin"])),
    ("incompatible", None, lambda c: merge(c.admin, c.ticket, resolution_note="Why?")),
    ("unknown", None, lambda c: c.open(project="nowhere")),
    ("unknown", None, lambda c: c.open(category="nothing")),
    ("unknown", None, lambda c: merge(c.admin, c.ticket, assignee={"id": str(uuids.uuid7())})),
    ("unknown", None, lambda c: c.admin.get("/tickets?project=nowhere")),
    ("unknown", None, lambda c: c.endpoint(url="http://127.0.0.1:9/", projects=["nowhere"])),
    ("read_only", None, lambda c: merge(c.admin, c.ticket, number=7)),
    ("for_staff", None, lambda c: merge(c.requester, c.ticket, priority="high")),
    ("beyond_rights", {"scope": "admin"}, lambda c: limited(c).get("/events?type=webhook.created")),
    (
        "beyond_rights",
        {"scope": "admin"},
        lambda c: limited(c).post("/tokens", json={"name": "x", "scopes": ["admin"]}),
    ),
    ("refused_address", None, lambda c: c.endpoint(url="https://10.0.0.1/")),
]


def merge_if(by: Person, path: str, if_match: str) -> httpx.Response:
    headers = {"Content-Type": "application/merge-patch+json", "If-Match": if_match}
    return by.patch(path, json={"title": "x"}, headers=headers)


def limited(cast: Cast) -> Person:
    """An admin whose token does not have the scope of admins."""
    return cast.sign_in("admin", scopes=ALL_SCOPES[:2])


@pytest.fixture
def company(
    admin: Person, requester: Person, project: str, new_ticket: Callable[..., Any], sign_in: Callable[..., Person]
) -> Cast:
    return Cast(admin, requester, project, new_ticket()["number"], sign_in)


@pytest.mark.parametrize(("code", "expected", "ask"), REQUESTS)
def test_a_fault_has_its_code(company: Cast, code: str, expected: Any, ask: Callable[[Cast], httpx.Response]) -> None:
    response = ask(company)
    assert response.is_client_error, response.text
    (fault,) = response.json()["errors"]
    assert fault["code"] == code
    if expected is ...:
        assert sorted(fault["expected"]) == FAULTS[code]["expected"]
    else:
        assert fault.get("expected") == expected


def test_every_code_is_produced() -> None:
    assert {code for code, _, _ in REQUESTS} == FAULTS.keys()


def test_the_contract_lists_every_code() -> None:
    codes = ENTRY["properties"]["code"]["x-extensible-enum"]
    described = re.findall(r"^\| `(\w+)` \| ([^|]*) \| ([^|]*) \|$", DOCUMENT["info"]["description"], re.MULTILINE)
    table = {code: (re.findall(r"`(\w+)`", expected), said) for code, expected, said in described if code in codes}
    assert codes == list(table) == list(FAULTS)
    assert table == {
        code: (fault.get("expected", []), fault["description"].removesuffix(".")) for code, fault in FAULTS.items()
    }
    named = {name for fault in FAULTS.values() for name in fault.get("expected", ())}
    assert named == ENTRY["properties"]["expected"]["properties"].keys()


def test_a_page_describes_every_code(anonymous: Judged) -> None:
    page = httpx.get(f"{str(anonymous.base_url).rstrip('/')}/problems").text
    assert [code for code in FAULTS if f'<tr id="{code}"><td><code>{code}</code>' not in page] == []


def test_no_code_says_what_the_contract_does_not_list() -> None:
    """All that the source gives a fault: codes are literal there."""
    given = set()
    for path in (paths.SPEC.parent / "src" / "ticketing").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            given |= set(_codes(node))
    assert {"required", "for_staff", "unknown"} < given
    assert given <= FAULTS.keys()


def _codes(node: ast.AST) -> Iterator[str]:
    """The literal codes of a call that makes a fault, of which there are three forms."""
    if not isinstance(node, ast.Call):
        return
    match node.func:
        case ast.Name("Fault"):
            code = node.args[0]
        case ast.Attribute(ast.Name("Invalid" | "InvalidParameter"), "at" | "named"):
            code = node.args[1]
        case _:
            return
    for each in ast.walk(code):
        if isinstance(each, ast.Constant) and isinstance(each.value, str) and each.value != "must not be blank":
            yield each.value


def patterns(node: Any, pointer: str = "#") -> Iterator[tuple[str, str]]:
    """Every schema of the contract that has a pattern, and the pattern."""
    if isinstance(node, dict):
        if isinstance(node.get("pattern"), str):
            yield pointer, node["pattern"]
        for key, inner in node.items():
            yield from patterns(inner, f"{pointer}/{escape(key)}")
    if isinstance(node, list):
        for index, inner in enumerate(node):
            yield from patterns(inner, f"{pointer}/{index}")


def test_no_message_shows_a_pattern() -> None:
    schemas = Schemas(DOCUMENT)
    wrong = ["", " ", "\0", "é", "É", "A b", "-", "a\0b", "x,y", "\u200b", "http://x", "a" * 5000, "^[a-z]+$"]
    for pointer, pattern in patterns(DOCUMENT):
        found = [fault for value in wrong for fault in schemas[pointer].faults(value)]
        assert any(fault.code in ("wrong_format", "blank") for fault in found), pointer
        for fault in found:
            assert pattern not in fault.detail
            assert "does not have the required form" not in fault.detail, pointer
