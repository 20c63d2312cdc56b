"""A contract and handlers that do not fit together are refused at start-up, in a sentence that says where."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from contract.asking import exchange, http_scope
from contract.sample import library

from ticketing import contract
from ticketing.contract import Answer

Change = Callable[[dict[str, Any]], object]


def build(
    change: Change = lambda document: None,
    handlers: Mapping[str, Any] = library.HANDLERS,
    catalogue: Mapping[str, Any] | None = None,
    **options: Any,
) -> Any:
    document = library.document()
    change(document)
    problems = library.catalogue() if catalogue is None else catalogue
    return library.application(document=document, catalogue=problems, handlers=handlers, **options)


NULL = {"type": "null"}


def books(document: dict[str, Any]) -> Any:
    return document["paths"]["/books"]["get"]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda d: d.update(openapi="3.0.3"), r"must be OpenAPI 3\.1, not '3\.0\.3'"),
        (lambda d: books(d).pop("operationId"), "GET /books has no operationId"),
        (lambda d: books(d).update(operationId="get_book"), "are both called get_book"),
        (lambda d: books(d).pop("security"), "GET /books does not state its security"),
        (lambda d: books(d)["security"].append({}), "GET /books makes its security optional"),
        (lambda d: books(d).update(security=[{"cookie": []}]), "GET /books names the unknown security scheme cookie"),
        (
            lambda d: d["components"]["securitySchemes"].update(key={"type": "apiKey", "in": "body", "name": "K"}),
            "The security scheme key is neither http bearer nor an apiKey in cookie, query or header",
        ),
        (
            lambda d: d["components"]["securitySchemes"].update(key={"type": "apiKey", "in": "header", "name": "K"}),
            "Nothing checks the key in a header of the security scheme key",
        ),
        (
            lambda d: d["components"]["securitySchemes"]["session"].update({"x-plain-name": "a=b"}),
            "The security scheme session has a name that no cookie, parameter or header can have",
        ),
        (
            lambda d: d["components"]["securitySchemes"]["session"].update(name="a b"),
            "The security scheme session has a name that no cookie, parameter or header can have",
        ),
        (
            lambda d: d["components"]["securitySchemes"].update(other={"type": "http", "scheme": "Bearer"}),
            "There is no authenticator for the security scheme other",
        ),
        (
            lambda d: books(d).update(security=[{"bearer": [], "session": []}]),
            "GET /books asks for bearer and session at once",
        ),
        (lambda d: books(d).update(security=[{"here": []}]), "GET /books asks for here alone, which signs nobody in"),
        (
            lambda d: books(d).update(security=[{"bearer": [], "here": []}]),
            "GET /books asks for bearer and here at once",
        ),
        (
            lambda d: d["paths"]["/desk"]["put"].update(security=[{"session": []}]),
            "PUT /desk is signed in to by a cookie, but nothing tells genuine requests",
        ),
        (
            lambda d: books(d).update(security=[{"bearer": []}, {"bearer": ["books:read"]}]),
            "GET /books names a security scheme twice",
        ),
        (
            lambda d: d["paths"]["/books"]["post"].update(security=[{"pass": []}]),
            "POST /books has a body, so a key in its address cannot sign in to it",
        ),
        (
            lambda d: books(d).update({"x-anonymous": False}),
            "GET /books says x-anonymous and something else than true or lapsed",
        ),
        (
            lambda d: d["paths"]["/opening-hours"]["get"].update({"x-anonymous": True}),
            "GET /opening-hours is public, so x-anonymous says nothing",
        ),
        (lambda d: d["paths"].update({"/x/": {"get": books(d)}}), "The path /x/ ends with a slash"),
        (
            lambda d: d["components"]["schemas"]["Book"].update({"x-edited": ["titel.id"]}),
            "POST /books, 201: x-edited needs titel, which is not there",
        ),
        (
            lambda d: d["components"]["schemas"]["Book"]["properties"].pop("version"),
            "POST /books, 201: x-edited needs version, which is not there",
        ),
        (
            lambda d: d["components"]["schemas"]["Book"]["properties"]["isbn"].update({"x-derived": "ean"}),
            "Nothing makes the derived member ean",
        ),
        (lambda d: d["paths"].update({"/books/{id}": {}}), r"/books/{number} and /books/{id} are the same path"),
        (
            lambda d: d["paths"]["/books/{number}"].pop("parameters"),
            r"GET /books/{number} describes the path parameters \[\]",
        ),
        (
            lambda d: books(d)["parameters"].append({"name": "LIMIT", "in": "query", "schema": {}}),
            "has more than one parameter that is limit",
        ),
        (
            lambda d: books(d)["parameters"].append({"name": "body", "in": "query", "schema": {}}),
            "has more than one parameter that is body",
        ),
        (
            lambda d: books(d)["parameters"].append({"name": "color", "in": "query", "content": {}}),
            "The parameter color has no schema; `content` is not supported",
        ),
        (
            lambda d: books(d)["parameters"].append({"name": "color", "in": "query", "schema": {"type": "string"}}),
            "The handler list_books does not take color",
        ),
        (
            lambda d: d["paths"]["/books"]["post"].update({"x-max-body-bytes": 100}),
            "POST /books takes 100 bytes, but its schema lets a body have [0-9]+",
        ),
        (
            lambda d: (
                d["paths"]["/books"]["post"].update({"x-max-body-bytes": 10**9}),
                d["components"]["schemas"]["NewBook"]["properties"]["tags"].update(maxItems=2_000),
            ),
            "POST /books takes 1000 values, but its schema lets a body have [0-9]+",
        ),
        (
            lambda d: (
                d["paths"]["/books"]["post"].update({"x-max-body-bytes": 10**9}),
                d["components"]["schemas"]["NewBook"]["properties"].update(
                    tags={"oneOf": [{"type": "array", "items": {"type": "boolean"}, "maxItems": 2_000}, NULL]}
                ),
            ),
            "POST /books takes 1000 values, but its schema lets a body have [0-9]+",
        ),
        (lambda d: books(d)["parameters"].pop(), "GET /books has no parameter for limit of its handler"),
        (
            lambda d: d["components"]["parameters"]["Limit"]["schema"].pop("default"),
            "limit is optional in GET /books, but not to its handler",
        ),
        (
            lambda d: d["paths"]["/books"]["post"]["requestBody"].update(required=False),
            "body is optional in POST /books, but not to its handler",
        ),
        (
            lambda d: books(d)["parameters"][0].update(style="deepObject"),
            "kind has a style or type that is not supported",
        ),
        (
            lambda d: books(d)["parameters"][0].update({"in": "cookie"}),
            "kind has a style or type that is not supported",
        ),
    ],
)
def test_what_does_not_fit_is_said(change: Change, complaint: str) -> None:
    with pytest.raises(contract.ContractError, match=complaint):
        build(change)


def test_whoever_may_sign_in_is_known() -> None:
    with pytest.raises(contract.ContractError, match="no security scheme for the authenticator ghost"):
        build(authenticators={**library.AUTHENTICATORS, "ghost": library.authenticate})
    with pytest.raises(contract.ContractError, match="no security scheme whose credential ghost uses up"):
        build(spend={"ghost": library.authenticate})
    with pytest.raises(contract.ContractError, match="takes anonymous requests, but there is no actor for them"):
        build(anonymous=None)
    with pytest.raises(contract.ContractError, match="Nothing checks the key in a header of the security scheme here"):
        build(genuine=None)


def test_every_operation_has_a_handler() -> None:
    with pytest.raises(contract.ContractError, match="no handler for get_loan"):
        build(handlers={name: handler for name, handler in library.HANDLERS.items() if name != "get_loan"})


def test_every_handler_has_an_operation() -> None:
    with pytest.raises(contract.ContractError, match="no operation for the handler burn_book"):
        build(handlers={**library.HANDLERS, "burn_book": library.get_book})


async def anything(**arguments: Any) -> Answer:
    return Answer(arguments)


def blocking(number: int) -> Answer:
    return Answer(number)


@pytest.mark.parametrize(
    ("handler", "complaint"),
    [
        (anything, "delete_book must name its parameters; arguments stands for any"),
        (blocking, "delete_book is not a coroutine function"),
    ],
)
def test_a_handler_is_a_coroutine_function_of_named_parameters(handler: Any, complaint: str) -> None:
    with pytest.raises(contract.ContractError, match=complaint):
        build(handlers={**library.HANDLERS, "delete_book": handler})


def test_a_public_operation_knows_no_actor() -> None:
    async def get_opening_hours(actor: str) -> Answer:
        return Answer(actor)

    with pytest.raises(contract.ContractError, match="no parameter for actor of its handler"):
        build(handlers={**library.HANDLERS, "get_opening_hours": get_opening_hours})


def test_a_schema_that_does_not_compile_stops_the_start() -> None:
    with pytest.raises(ValueError, match="pattern"):
        build(lambda document: document["components"]["schemas"]["NewBook"]["properties"]["title"].update(pattern="("))


def test_a_pattern_that_could_take_for_ever_stops_the_start() -> None:
    """Look-around is what a linear-time engine cannot do."""
    with pytest.raises(ValueError, match="pattern"):
        build(
            lambda document: document["components"]["schemas"]["NewBook"]["properties"]["title"].update(
                pattern="(?=a)(a+)+$"
            )
        )


@pytest.mark.parametrize("status", [None, "404", 200, 600])
def test_a_problem_has_a_title_and_a_status(status: object) -> None:
    problems = library.catalogue()
    with pytest.raises(contract.ContractError, match="'not-found' needs a title and a status"):
        build(catalogue={**problems, "not-found": {"title": "x", "status": status}})


def test_every_problem_that_can_be_raised_is_in_the_catalogue() -> None:
    problems = library.catalogue()
    for slug in ("content-too-large", "insufficient-scope"):
        with pytest.raises(contract.ContractError, match=f"has the slug '{slug}', which the catalogue lacks"):
            build(catalogue={name: problem for name, problem in problems.items() if name != slug})


def test_a_contract_that_fits_is_served_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    """Also if an operation takes its body in several media types, of which connexion would warn."""

    def change(document: dict[str, Any]) -> None:
        taken = document["paths"]["/books"]["post"]["requestBody"]["content"]
        taken["application/vnd.library+json"] = taken["application/json"]

    build(change)
    assert caplog.messages == []


def test_a_problem_without_a_slug_is_none() -> None:
    kind = type("Vague", (contract.Problem,), {"__module__": library.__name__})
    with pytest.raises(contract.ContractError, match="Vague has the slug ''"):
        build()
    del kind
    gc.collect()
    build()


def test_the_lifespan_is_run() -> None:
    happened = []

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        happened.append("start")
        yield
        happened.append("stop")

    assert asyncio.run(lived(build(lifespan=lifespan))) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert happened == ["start", "stop"]


def test_without_a_lifespan_the_server_is_answered_all_the_same() -> None:
    assert asyncio.run(lived(build())) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def lived(application: Any) -> list[str]:
    said = []
    messages = iter(["lifespan.startup", "lifespan.shutdown"])

    async def receive() -> dict[str, str]:
        return {"type": next(messages)}

    async def send(message: Any) -> None:
        said.append(message["type"])

    await application({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)
    return said


def test_a_websocket_is_turned_away() -> None:
    said = []

    async def send(message: Any) -> None:
        said.append(message["type"])

    asyncio.run(build()({"type": "websocket", "path": "/api/v1/books"}, None, send))
    assert said == ["websocket.close"]


def test_the_path_of_a_document_is_the_callers_choice_and_a_root_path_goes_before_it() -> None:
    scope = http_scope("GET", b"/root/v2/opening-hours", b"", []) | {"root_path": "/root"}
    assert asyncio.run(exchange(build(documents={"/v2": library.document()}), scope, b"")).status == 200
