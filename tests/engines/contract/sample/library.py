"""A small application of the contract engine: a library that forgets everything."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from ticketing import contract
from ticketing.contract import (
    Answer,
    Binary,
    Exchange,
    File,
    Incoming,
    InvalidToken,
    Problem,
    Redirect,
    Upload,
    engine,
)

SPEC = Path(__file__).parent / "spec"
NOBODY = "nobody"
COVER = bytes(range(256)) * 20
COVERED_AT = datetime(2026, 11, 24, 10, 0, 0, 500_000, UTC)
EDITED = {"title", "kind", "pages"}
BOOK = {"number": 1, "title": "No", "kind": "novel", "pages": 100}


class InsufficientScope(Problem):
    slug = "insufficient-scope"


class NotFound(Problem):
    slug = "not-found"


class CrossSite(Problem):
    slug = "cross-site"


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
    return Answer({"items": [{**BOOK} for _ in range(min(limit, 2))], "next": None, "given": given})


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


async def get_cover(number: int, actor: str) -> File:
    async def pieces(start: int, end: int) -> AsyncGenerator[bytes, None]:
        for at in range(start, end, 1000):
            yield COVER[at : min(at + 1000, end)]

    if number == 404:
        raise NotFound("There is no book 404.")
    content = b"" if number == 100 else COVER
    return File(len(content), "image/png", pieces, contract.etag(number), COVERED_AT, {"Cache-Control": "private"})


async def put_cover(number: int, body: Incoming, actor: str) -> Answer:
    digest, size = sha256(), 0
    async for piece in body:
        digest.update(piece)
        size += len(piece)
    return Answer({"media_type": body.media_type, "size": size, "digest": digest.hexdigest()})


async def get_label(number: int, actor: str) -> Binary:
    return Binary(f"number,title\n{number},No\n".encode(), "text/csv; charset=utf-8")


async def create_scan(number: int, body: dict[str, Any], actor: str) -> Answer:
    scans = {name: value for name, value in body.items() if name not in ("page", "extras")}
    scans["page"] = await _received(body["page"])
    scans["extras"] = [await _received(extra) for extra in body.get("extras", ())]
    return Answer(scans, 201)


async def _received(upload: Upload) -> dict[str, Any]:
    digest = sha256()
    async for piece in upload:
        digest.update(piece)
    about = {"media_type": upload.media_type, "filename": upload.filename, "size": upload.size}
    return {**about, "digest": digest.hexdigest()}


async def get_sequel(number: int, actor: str) -> Redirect:
    return Redirect("https://elsewhere.test/sequel" if number == 7 else f"/api/v1/books/{number + 1}", 302)


async def get_desk(actor: str, lamp: str | None = None, drawer: int | None = None) -> Answer:
    return Answer({"reader": None if actor == NOBODY else actor, "lamp": lamp, "drawer": drawer})


async def put_desk(actor: str, body: dict[str, Any]) -> Answer:
    return Answer({"reader": actor})


async def delete_desk(actor: str) -> Answer:
    return Answer(None, 204)


async def get_news(actor: str, topic: str | None = None) -> Answer:
    return Answer({"reader": actor})


async def create_session(exchange: Exchange) -> Redirect:
    cookies = ["session=s-reader; Path=/; HttpOnly; SameSite=Lax", "lamp=on; Path=/"]
    if exchange.headers.get(b"user-agent") == b"a lamp":
        cookies.pop(0)
    return Redirect("/api/v1/desk", headers={"Set-Cookie": cookies})


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
        get_cover,
        put_cover,
        get_label,
        create_scan,
        get_sequel,
        get_desk,
        put_desk,
        delete_desk,
        get_news,
        create_session,
    )
}


async def authenticate(token: str) -> str | None:
    return {"reader": "reader", "librarian": "librarian"}.get(token)


async def session(value: str) -> str:
    if not value.startswith("s-"):
        raise InvalidToken("malformed")
    if value not in ("s-reader", "s-librarian"):
        raise InvalidToken("ended", looked_up=True)
    return value.removeprefix("s-")


async def admitted(value: str) -> str | None:
    return "reader" if value == "p-reader" else None


AUTHENTICATORS = {"bearer": authenticate, "session": session, "pass": admitted}


def authorize(actor: str, scopes: Sequence[str]) -> None:
    if actor == "reader" and "books:write" in scopes:
        raise InsufficientScope("This needs books:write.")


def genuine(actor: str, given: str | None) -> None:
    """A page of ours sends this header; one of another site cannot."""
    if given != f"here, {actor}":
        raise CrossSite("This has not been sent by a page of ours.")


DERIVED = {"isbn": lambda book: f"978-{book['number']}"}


def document() -> dict[str, Any]:
    """The library's contract, made anew."""
    made: dict[str, Any] = json.loads(_read("openapi.yaml"))
    return made


def catalogue() -> dict[str, Any]:
    """The problems that the library has, made anew."""
    made: dict[str, Any] = json.loads(_read("problems.yaml"))
    return made


@cache
def _read(name: str) -> str:
    return json.dumps(contract.bundle(SPEC / name))


def application(**options: Any) -> Any:
    """The library's ASGI application; `options` as for `engine.build`, or a `document` for the only one."""
    given: dict[str, Any] = {
        "handlers": HANDLERS,
        "authenticators": AUTHENTICATORS,
        "authorize": authorize,
        "anonymous": NOBODY,
        "genuine": {"here": genuine},
        "derived": DERIVED,
    }
    own = options.pop("document") if "document" in options else document()
    given |= {"documents": {"/api/v1": own}, "catalogue": catalogue()}
    return engine.build(**given | options)
