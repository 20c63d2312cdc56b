"""The gate that compares a contract with the released one: what breaks clients fails, growth does not."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ticketing import contract
from ticketing.ground import paths

SCRIPTS = paths.SPEC.parent / "scripts"
TEXT = {"type": "string", "maxLength": 9, "description": "New."}
PROBLEM = {"$ref": "#/components/responses/TicketClosed"}
Document = dict[str, Any]
Change = Callable[[Document], object]


def schema(document: Document, name: str) -> Any:
    return document["components"]["schemas"][name]


def operation(document: Document, method: str, path: str) -> Any:
    return document["paths"][path][method]


#: Changes that break clients, each with what the gate says of it.
BREAKING: dict[str, Change] = {
    "`TicketCreate` became required: `category`": lambda d: schema(d, "TicketCreate")["required"].append("category"),
    "`UserRole` lost values: 'agent'": lambda d: schema(d, "UserRole")["enum"].remove("agent"),
    "`TicketStatus` gained values: 'waiting'": lambda d: schema(d, "TicketStatus")["enum"].append("waiting"),
    "`maxLength` of `title` changed from '200' to '100'": lambda d: schema(d, "TicketTitle").update(maxLength=100),
    "Response `201` was removed": lambda d: operation(d, "post", "/tickets")["responses"].pop("201"),
    "Operation `POST /projects` was removed": lambda d: d["paths"]["/projects"].pop("post"),
    "Path `/me` was removed": lambda d: d["paths"].update({"/myself": d["paths"].pop("/me")}),
    "Property `body` of `Comment` was removed": lambda d: schema(d, "Comment")["properties"].pop("body"),
    "`Project` are no longer required: `name`": lambda d: schema(d, "Project")["required"].remove("name"),
    "Type of `name` widened": lambda d: schema(d, "User")["properties"]["name"].update(type=["string", "null"]),
    "`project` query parameter became required": lambda d: parameter(d, "project").update(required=True),
    "`bearer` requires new scopes: 'admin'": lambda d: bearer(d).append("admin"),
    "Property `environment` of `TicketCreate` was removed": lambda d: schema(d, "TicketCreate")["properties"].pop(
        "environment"
    ),
    "Media type `application/merge-patch+json` was removed": lambda d: operation(d, "patch", "/tickets/{number}")[
        "requestBody"
    ]["content"].pop("application/merge-patch+json"),
}
#: Changes that clients have been told to expect.
GROWTH: dict[str, Change] = {
    "a field of an answer": lambda d: schema(d, "Comment")["properties"].update(x=TEXT),
    "an optional field of a request": lambda d: schema(d, "TicketCreate")["properties"].update(x=TEXT),
    "a value of an extensible enum": lambda d: role(d).append("owner"),
    "a value of an enum of requests": lambda d: schema(d, "UserRole")["enum"].append("owner"),
    "a wider bound": lambda d: schema(d, "TicketTitle").update(maxLength=900),
    "an operation": lambda d: d["paths"]["/me"].update(
        delete={**deepcopy(operation(d, "get", "/me")), "operationId": "forget_me"}
    ),
    "an optional parameter": lambda d: operation(d, "get", "/tickets")["parameters"].append(
        {"name": "x", "in": "query", "description": "New.", "schema": TEXT}
    ),
    "a text": lambda d: schema(d, "User").update(description="Somebody."),
    "a type of event": lambda d: d["webhooks"].update({"ticket.merged": deepcopy(d["webhooks"]["ticket.closed"])}),
    "a family of events": lambda d: (
        d["components"]["schemas"].update(InvoiceEvent=deepcopy(schema(d, "TokenEvent"))),
        schema(d, "Event")["anyOf"].insert(2, {"$ref": "#/components/schemas/InvoiceEvent"}),
        schema(d, "YetUnknownEvent")["properties"]["type"]["not"]["enum"].append("invoice.paid"),
    ),
    "a deprecation": lambda d: operation(d, "get", "/users").update(deprecated=True),
    "a type of problem": lambda d: schema(d, "Problem")["properties"]["code"]["x-extensible-enum"].append(
        "ticket_merged"
    ),
    "an answer": lambda d: operation(d, "get", "/users")["responses"].update({"409": PROBLEM}),
    "a media type of a request": lambda d: operation(d, "post", "/tickets")["requestBody"]["content"].update(
        {"application/x+json": deepcopy(operation(d, "post", "/tickets")["requestBody"]["content"]["application/json"])}
    ),
}


def role(document: Document) -> Any:
    return schema(document, "User")["properties"]["role"]["x-extensible-enum"]


def code(document: Document) -> Any:
    return schema(document, "Problem")["properties"]["code"]["x-extensible-enum"]


def parameter(document: Document, name: str) -> Any:
    return next(each for each in operation(document, "get", "/tickets")["parameters"] if each.get("name") == name)


def bearer(document: Document) -> Any:
    return operation(document, "get", "/tickets")["security"][0]["bearer"]


@pytest.fixture(scope="module")
def today() -> Document:
    return contract.load(paths.SPEC / "dist" / "openapi.json")


def gate(
    folder: Path, released: Document, new: Document, *, version: str = "1.99.0"
) -> subprocess.CompletedProcess[str]:
    """What the gate says of a contract with this version."""
    files = [folder / "released.json", folder / "new.json"]
    for file, document in zip(files, (released, {**new, "info": {**new["info"], "version": version}}), strict=True):
        file.write_text(json.dumps(document))
    command = [sys.executable, *map(str, (SCRIPTS / "node.py", SCRIPTS / "contract" / "compatible.sh", *files))]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def ending(document: Document, path: str, *, days: int, deprecated: bool = True) -> None:
    """Announce that the GET of a path ends so many days from today."""
    sunset = (datetime.now(UTC).date() + timedelta(days=days)).isoformat()
    said = {"since": "2025-01-01", "sunset": sunset, "link": "https://docs.lumen.example/end"}
    operation(document, "get", path).update({"x-deprecation": said} | ({"deprecated": True} if deprecated else {}))


def test_what_breaks_clients_fails(tmp_path: Path, today: Document) -> None:
    released, new = deepcopy(today), deepcopy(today)
    for change in BREAKING.values():
        change(new)
    ending(released, "/users", days=1)
    ending(released, "/tokens", days=-1, deprecated=False)
    for path in ("/users", "/tokens"):
        del new["paths"][path]["get"]
    expected = [*BREAKING, "Operation `GET /users` was removed", "Operation `GET /tokens` was removed"]
    done = gate(tmp_path, released, new, version="1.0.0")
    assert done.returncode != 0
    assert [said for said in expected if said not in done.stdout + done.stderr] == []


def test_growth_passes_with_a_new_version(tmp_path: Path, today: Document) -> None:
    """And an operation goes once its announced end is past."""
    released, new = deepcopy(today), deepcopy(today)
    for change in GROWTH.values():
        change(new)
    ending(released, "/tokens", days=-1)
    del new["paths"]["/tokens"]["get"]
    done = gate(tmp_path, released, new)
    assert done.returncode == 0, done.stdout + done.stderr
    assert gate(tmp_path, released, new, version=today["info"]["version"]).returncode != 0
