"""Several documents in one application: each below its path, judged by its own schemas; all else they share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from contract.asking import JSON, LIBRARIAN, Reply, exchange, http_scope
from contract.sample import library

from ticketing import contract
from ticketing.contract import Answer, Origins

PORTAL = "https://portal.example.org"


async def get_shelf(number: str, actor: str) -> Answer:
    return Answer({"shelf": number, "actor": actor})


async def move_books(body: dict[str, Any], actor: str) -> Answer:
    return Answer({"moved": body, "actor": actor}, headers={"X-Moved": "yes"})


def stacks() -> dict[str, Any]:
    """The document of the rooms behind: its paths and components have names of the library's, and mean other things."""
    answer = {"200": {"description": "Done.", "headers": {"X-Moved": {"schema": {"type": "string"}}}}}
    move = {"schema": {"$ref": "#/components/schemas/NewBook"}}
    number = {"name": "number", "in": "path", "required": True, "schema": {"type": "string", "pattern": "^[A-Z]$"}}
    return {
        "openapi": "3.1.1",
        "info": {"title": "Stacks", "version": "1"},
        "paths": {
            "/books/{number}": {
                "parameters": [number],
                "get": {"operationId": "get_shelf", "security": [{"bearer": ["books:read"]}], "responses": answer},
            },
            "/books": {
                "post": {
                    "operationId": "move_books",
                    "security": [{"bearer": ["books:write"]}],
                    "requestBody": {"required": True, "content": {"application/json": move}},
                    "responses": answer,
                }
            },
        },
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "schemas": {
                "NewBook": {
                    "type": "object",
                    "required": ["to"],
                    "additionalProperties": False,
                    "properties": {"to": {"type": "string", "maxLength": 1, "pattern": "^[A-Z]$"}},
                }
            },
        },
    }


HANDLERS = {**library.HANDLERS, "get_shelf": get_shelf, "move_books": move_books}


def build(change: Callable[[dict[str, Any]], object] = lambda document: None, **options: Any) -> Any:
    behind = stacks()
    change(behind)
    documents = {"/api/v1": library.document(), "/stacks": behind}
    return library.application(documents=documents, handlers=HANDLERS, **options)


@cache
def both() -> Any:
    return build(origins=Origins(PORTAL))


def ask(method: str, path: str, body: bytes = b"", **headers: str) -> Reply:
    given = {**LIBRARIAN, **(JSON if body else {}), **headers}
    return asyncio.run(exchange(both(), http_scope(method, path.encode(), b"", list(given.items())), body))


def test_a_path_belongs_to_the_document_that_it_is_below() -> None:
    assert ask("GET", "/api/v1/books/1").json()["number"] == 1
    assert ask("GET", "/stacks/books/B").json() == {"shelf": "B", "actor": "librarian"}
    for path in ("/stacks/opening-hours", "/books/1", "/stacks", "/api/v1/stacks/books/B", "/stacks/api/v1/books/1"):
        assert (ask("GET", path).status, ask("GET", path).code) == (404, "not_found")
    refused = ask("DELETE", "/stacks/books/B")
    assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


def test_each_document_judges_by_its_own_schemas() -> None:
    assert ask("GET", "/api/v1/books/B").code == ask("GET", "/stacks/books/1").code == "invalid_parameter"
    assert ask("POST", "/stacks/books", b'{"to": "C"}').json() == {"moved": {"to": "C"}, "actor": "librarian"}
    assert ask("POST", "/api/v1/books", b'{"to": "C"}').status == 422
    assert ask("POST", "/stacks/books", b'{"title": "Emma"}').status == 422


def test_they_share_the_ways_to_sign_in_and_who_may_read_answers() -> None:
    assert ask("GET", "/stacks/books/B", Authorization="Bearer nobody").status == 401
    assert ask("POST", "/stacks/books", b'{"to": "C"}', Authorization="Bearer reader").status == 403
    answer = ask("POST", "/stacks/books", b'{"to": "C"}', Origin=PORTAL)
    assert answer.headers["access-control-allow-origin"] == PORTAL
    assert {"ETag", "X-Moved"} <= set(answer.headers["access-control-expose-headers"].split(", "))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (
            lambda d: d["paths"]["/books"]["post"].update(operationId="get_book"),
            "GET /books/{number} and POST /books are both called get_book",
        ),
        (lambda d: d.update(openapi="3.0.3"), r"must be OpenAPI 3\.1, not '3\.0\.3'"),
        (lambda d: d["paths"].pop("/books"), "There is no operation for the handler move_books"),
        (
            lambda d: d["components"]["securitySchemes"].update(ghost={"type": "http", "scheme": "bearer"}),
            "There is no authenticator for the security scheme ghost",
        ),
        (lambda d: d["paths"]["/books"]["post"].pop("security"), "POST /books does not state its security"),
    ],
)
def test_what_does_not_fit_is_found_in_any_of_them(change: Callable[[dict[str, Any]], object], complaint: str) -> None:
    with pytest.raises(contract.ContractError, match=complaint):
        build(change)
