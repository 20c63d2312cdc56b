"""A small application of the contract engine: a library that forgets everything."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ticketing import contract
from ticketing.contract import Answer, Problem, engine

SPEC = Path(__file__).parent / "spec"
BOOK = {"number": 1, "title": "No", "kind": "novel", "pages": 100}


class InsufficientScope(Problem):
    slug = "insufficient-scope"


class NotFound(Problem):
    slug = "not-found"


async def list_books(
    actor: str,
    limit: int,
    kind: list[str] | None = None,
    word: list[str] | None = None,
    lent: bool | None = None,
    price_below: float | None = None,
    shelf: str | None = None,
    since: str | None = None,
) -> Answer:
    given = {"limit": limit, "kind": kind, "word": word, "lent": lent, "price_below": price_below}
    return Answer({"items": [BOOK] * min(limit, 2), "next": None, "given": given})


async def create_book(body: dict[str, Any], actor: str, idempotency_key: str | None = None) -> Answer:
    return Answer({"number": 2, **body}, 201, {"Location": "/api/v1/books/2"})


async def get_book(number: int, actor: str) -> Answer:
    if number == 404:
        raise NotFound("There is no book 404.")
    if number == 500:
        raise RuntimeError("the secret of book 500")
    return Answer({**BOOK, "number": number})


async def update_book(
    number: int, actor: str, body: dict[str, Any] | None = None, if_match: str | None = None
) -> Answer:
    return Answer({**BOOK, "number": number, **(body or {})})


async def delete_book(number: int) -> Answer:
    return Answer(None, 204)


async def get_newest_book(actor: str) -> Answer:
    return Answer({**BOOK, "title": "The newest"})


async def get_loan(number: int, loan_id: str, unit: str, actor: str) -> Answer:
    return Answer({"loan_id": loan_id})


async def get_opening_hours() -> Answer:
    return Answer({"monday": "10–18"})


HANDLERS = {
    handler.__name__: handler
    for handler in (
        list_books,
        create_book,
        get_book,
        update_book,
        delete_book,
        get_newest_book,
        get_loan,
        get_opening_hours,
    )
}


async def authenticate(token: str) -> str | None:
    return {"reader": "reader", "librarian": "librarian"}.get(token)


def authorize(actor: str, scopes: Sequence[str]) -> None:
    if actor == "reader" and "books:write" in scopes:
        raise InsufficientScope("This needs books:write.")


def application(**options: Any) -> Any:
    """The library's ASGI application; `options` as for `engine.build`."""
    given: dict[str, Any] = {"handlers": HANDLERS, "authenticate": authenticate, "authorize": authorize}
    return engine.build(
        contract.bundle(SPEC / "openapi.yaml"), contract.load(SPEC / "problems.yaml"), **given | options
    )
