"""An operation that will go says so in each of its answers."""

from __future__ import annotations

from typing import Any

import pytest
from contract.asking import get
from contract.sample import library

from ticketing.contract import ContractError, Origins

SAID = {"since": "2026-11-24", "sunset": "2027-12-01", "link": "https://library.example/newest"}


def application(**said: Any) -> Any:
    """The library, with more said of `get_newest_book`."""
    document = library.document()
    document["paths"]["/books/newest"]["get"].update(said)
    return library.application(document=document)


def test_every_answer_tells_when_the_operation_goes_and_where_to_read_on() -> None:
    going = application(**{"deprecated": True, "x-deprecation": SAID})
    for headers, status in (({"Authorization": "Bearer reader"}, 200), ({}, 401)):
        reply = get("/books/newest", headers, application=going)
        assert reply.status == status
        assert reply.headers["deprecation"] == "@1795478400"
        assert reply.headers["sunset"] == "Wed, 01 Dec 2027 00:00:00 GMT"
        assert reply.all("link") == ['<https://library.example/newest>; rel="deprecation"; type="text/html"']
    assert "deprecation" not in get("/books", application=going).headers


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ({"deprecated": True}, "needs both"),
        ({"x-deprecation": SAID}, "needs both"),
        ({"deprecated": True, "x-deprecation": {"since": "2026-11-24"}}, "has to say `since`, `sunset` and `link`"),
        ({"deprecated": True, "x-deprecation": SAID | {"sunset": "soon"}}, "'soon' in `x-deprecation` is not a date"),
        ({"deprecated": True, "x-deprecation": SAID | {"sunset": "2026-11-24"}}, "ends before it is deprecated"),
    ],
)
def test_a_deprecation_without_dates_stops_the_start(said: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ContractError, match=complaint):
        application(**said)


def test_pages_of_other_origins_may_read_it() -> None:
    origin = "https://portal.example"
    document = library.document()
    document["paths"]["/books/newest"]["get"].update({"deprecated": True, "x-deprecation": SAID})
    going = library.application(document=document, origins=Origins(origin))
    reply = get("/books/newest", {"Authorization": "Bearer reader", "Origin": origin}, application=going)
    assert {"Deprecation", "Sunset"} <= set(reply.headers["access-control-expose-headers"].split(", "))
