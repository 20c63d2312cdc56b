"""The judge of answers: what openapi-core refuses is refused of every answer, not only of the first of its kind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle
from typing import Any

import jsonschema_rs
import pytest
from openapi_core.exceptions import OpenAPIError
from openapi_schema_validator import OAS31Validator, oas31_format_checker

from judge import Answered, Asked, Judge
from judged import DOCUMENTS, PREFIX, judge, judges
from ticketing.ground import paths

DOCUMENT = DOCUMENTS[PREFIX]
REFUSALS = (AssertionError, ValueError, jsonschema_rs.ValidationError)
PROBLEM = "application/problem+json"


def example(name: str) -> Any:
    """An example of the contract."""
    return DOCUMENT["components"]["examples"][name]["value"]


def answered(body: Any = None, status: int = 200, media_type: str = "application/json", **headers: str) -> Answered:
    """An answer; a header that is empty is not there."""
    given = {"x-request-id": "r", "ticketing-release": "0.1.0", "content-type": "" if body is None else media_type}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    return Answered(status, {name: value for name, value in given.items() if value}, content)


TICKET = Asked("GET", f"{PREFIX}/tickets/7", {}, b"")
OPENED = Asked("POST", f"{PREFIX}/tickets?x=y", {"content-type": "application/json"}, b"{}")
ABSENT = Asked("GET", f"{PREFIX}/tickets/8", {}, b"")
BUG = example("Bug")
VERSION = '"6f1ed002ab559585"'
NOT_FOUND = {
    "type": "/problems/not-found",
    "title": "Not found",
    "status": 404,
    "code": "not_found",
    "detail": "No.",
    "request_id": "r",
}
TOO_MANY = NOT_FOUND | {"type": "/problems/too-many-requests", "status": 429, "code": "too_many_requests"}
WHOLE = [
    (TICKET, answered(BUG, etag=VERSION)),
    (TICKET, answered(BUG, media_type="application/json; charset=utf-8", etag=VERSION)),
    (TICKET, answered(status=304, etag=VERSION)),
    (OPENED, answered(BUG, 201, etag=VERSION, location="/api/v1/tickets/7")),
    (OPENED, answered(BUG, 201, etag=VERSION, location="/api/v1/tickets/7", idempotent_replayed="true")),
    (ABSENT, answered(NOT_FOUND, 404, PROBLEM)),
]

NAMELESS = {"id": BUG["requester"]["id"], "name": None}
CODELESS = {key: NOT_FOUND[key] for key in NOT_FOUND if key != "code"}
NAN = json.dumps(BUG).replace('"environment":', '"odd": NaN, "environment":').encode()

BROKEN = {
    "a wrong type": (TICKET, answered(BUG | {"title": 7}, etag=VERSION)),
    "a wrong type within": (TICKET, answered(BUG | {"requester": NAMELESS}, etag=VERSION)),
    "a missing property": (TICKET, answered({key: BUG[key] for key in BUG if key != "priority"}, etag=VERSION)),
    "a value that is not listed": (TICKET, answered(BUG | {"status": "lost"}, etag=VERSION)),
    "a text that is too short": (TICKET, answered(BUG | {"title": ""}, etag=VERSION)),
    "a number below the minimum": (TICKET, answered(BUG | {"number": 0}, etag=VERSION)),
    "a number beyond 64 bits": (TICKET, answered(BUG | {"number": 2**63}, etag=VERSION)),
    "no date-time": (TICKET, answered(BUG | {"created_at": "yesterday"}, etag=VERSION)),
    "no UUID": (TICKET, answered(BUG | {"requester": {"id": "7", "name": "Ada"}}, etag=VERSION)),
    "an item that is there twice": (TICKET, answered(BUG | {"tags": ["a", "a"]}, etag=VERSION)),
    "a value that an extensible enum does not list": (TICKET, answered(BUG | {"channel": "pigeon"}, etag=VERSION)),
    "no JSON": (TICKET, answered(b"{", etag=VERSION)),
    "no body": (TICKET, answered(b"", etag=VERSION)),
    "a status that is not declared": (TICKET, answered(BUG, 206, etag=VERSION)),
    "a problem that only the default tells of": (TICKET, answered(TOO_MANY, 429, PROBLEM)),
    "a media type that is not declared": (TICKET, answered(BUG, media_type="text/html", etag=VERSION)),
    "no media type": (TICKET, answered(BUG, media_type="", etag=VERSION)),
    "a problem as JSON": (ABSENT, answered(NOT_FOUND, 404)),
    "a problem without a code": (ABSENT, answered(CODELESS, 404, PROBLEM)),
    "a missing header": (TICKET, answered(BUG)),
    "another missing header": (OPENED, answered(BUG, 201, etag=VERSION)),
    "a header of a wrong form": (TICKET, answered(BUG, etag="x")),
    "a header of a wrong type": (
        OPENED,
        answered(BUG, 201, etag=VERSION, location="/api/v1/tickets/7", idempotent_replayed="maybe"),
    ),
    "a header that is too long": (TICKET, answered(BUG, etag=VERSION, x_request_id="r" * 129)),
    "a method that is not declared": (replace(TICKET, method="DELETE"), answered(BUG, etag=VERSION)),
    "a path that is not declared": (replace(TICKET, url=f"{PREFIX}/lost"), answered(BUG, etag=VERSION)),
}
STRICTER = {
    "a header that is not declared": (TICKET, answered(BUG, etag=VERSION, x_secret="7")),
    "a body where none is declared": (TICKET, answered(BUG, 304, etag=VERSION)),
    "NaN": (TICKET, answered(NAN, etag=VERSION)),
}


@pytest.mark.parametrize(("asked", "answer"), WHOLE)
def test_what_keeps_the_contract_passes(asked: Asked, answer: Answered) -> None:
    for _ in range(2):
        judge().answer(asked, answer)
    judge().thoroughly(asked, answer)


@pytest.mark.parametrize("what", BROKEN)
def test_what_openapi_core_refuses_is_refused_of_every_answer(what: str) -> None:
    asked, answer = BROKEN[what]
    with pytest.raises(OpenAPIError):
        judge().thoroughly(asked, answer)
    for seen in WHOLE:
        judge().answer(*seen)
    with pytest.raises(REFUSALS):
        judge().answer(asked, answer)


@pytest.mark.parametrize("what", STRICTER)
def test_what_openapi_core_lets_pass(what: str) -> None:
    asked, answer = STRICTER[what]
    judge().thoroughly(asked, answer)
    with pytest.raises(REFUSALS):
        judge().answer(asked, answer)


def test_the_first_answer_of_each_kind_is_judged_by_openapi_core() -> None:
    class Asleep(Judge):
        def quickly(self, operation: str, answered: Answered) -> None:
            """See nothing, as a judge that is broken."""

    asleep = Asleep(DOCUMENT, PREFIX)
    broken, whole = answered({}, etag=VERSION), answered(BUG, etag=VERSION)
    for _ in range(2):
        with pytest.raises(OpenAPIError):
            asleep.answer(TICKET, broken)
    asleep.answer(TICKET, whole)
    asleep.answer(TICKET, broken)
    with pytest.raises(OpenAPIError):
        asleep.answer(OPENED, answered({}, 201, etag=VERSION, location="/"))
    with pytest.raises(OpenAPIError):
        asleep.answer(TICKET, answered({}, 404, PROBLEM))


WRONG: tuple[Any, ...] = (None, 7, "", {}, -1, "x", [], True, 2**63, 1.5)


def examples(document: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Each answer of JSON that a document shows, after the pointer of its schema."""
    shared = document["components"]["examples"]
    for path, item in document["paths"].items():
        for method, operation in item.items():
            for status, response in operation["responses"].items() if isinstance(operation, dict) else ():
                for media_type, media in response.get("content", {}).items():
                    for shown in media.get("examples", {}).values() if media_type == "application/json" else ():
                        value = (shared[shown["$ref"].rpartition("/")[2]] if "$ref" in shown else shown)["value"]
                        escaped = f"{path.replace('/', '~1')}/{method}/responses/{status}"
                        yield f"#/paths/{escaped}/content/application~1json/schema", value


def mutants(value: Any, wrong: Iterator[Any]) -> Iterator[Any]:
    """The value with each of its parts taken out, and with something else in each one's place."""
    parts: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        for each in mutants(part, wrong):
            changed = value.copy()
            changed[key] = each
            yield changed
        without = value.copy()
        del without[key]
        yield without
    yield next(wrong)


@pytest.mark.parametrize(("path", "least"), [(paths.API, 1000), (paths.OPS, 100)])
def test_the_judges_agree_about_whatever_is_wrong(path: str, least: int) -> None:
    wrong = cycle(WRONG)
    refused = 0
    for pointer, value in examples(DOCUMENTS[path]):
        thorough = OAS31Validator({**DOCUMENTS[path], "$ref": pointer}, format_checker=oas31_format_checker)
        for mutant in mutants(value, wrong):
            if not thorough.is_valid(mutant):
                refused += 1
                with pytest.raises(jsonschema_rs.ValidationError):
                    judges()[path].valid(pointer, mutant)
    assert refused > least


MESSAGE = DOCUMENT["webhooks"]["ticket.created"]["post"]["requestBody"]["content"]["application/json"]["examples"]
TOLD = MESSAGE["ticket_created"]["value"]
SENT = {
    "webhook-id": BUG["requester"]["id"],
    "webhook-timestamp": "1795521600",
    "webhook-signature": f"v1,{'s' * 43}=",
}


@pytest.mark.parametrize(
    ("type", "headers", "message"),
    [
        ("ticket.created", SENT, TOLD | {"sequence": "7"}),
        ("ticket.created", SENT, TOLD | {"type": "ticket.updated"}),
        ("ticket.created", SENT, {key: TOLD[key] for key in TOLD if key != "data"}),
        ("ticket.created", SENT | {"webhook-timestamp": "now"}, TOLD),
        ("ticket.created", {name: SENT[name] for name in SENT if name != "webhook-signature"}, TOLD),
        ("ticket.lost", SENT, TOLD),
    ],
)
def test_messages_are_judged(type: str, headers: dict[str, str], message: Any) -> None:
    for _ in range(2):
        judge().message("ticket.created", SENT, json.dumps(TOLD).encode())
    with pytest.raises(REFUSALS):
        judge().message(type, headers, json.dumps(message).encode())


def test_events_of_a_stream_are_judged() -> None:
    event = example("Feed")["items"][0]
    for _ in range(2):
        judge().value("Event", event)
    for broken in (event | {"id": "7"}, event | {"timestamp": 7}, {key: event[key] for key in event if key != "id"}):
        with pytest.raises(REFUSALS):
            judge().value("Event", broken)
