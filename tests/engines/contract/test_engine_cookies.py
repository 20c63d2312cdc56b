"""Cookies as parameters: read strictly, judged by their schemas, and no business of anybody else's."""

from __future__ import annotations

import pytest
from contract.asking import get

from ticketing.contract.cookies import MOST_COOKIES


def desk(cookie: str) -> dict[str, object]:
    reply = get("/desk", {"Cookie": cookie})
    assert reply.status == 200, reply.body
    desk: dict[str, object] = reply.json()
    return desk


def test_they_have_the_types_of_their_schemas() -> None:
    assert desk("lamp=on; drawer=3") == {"reader": None, "lamp": "on", "drawer": 3}
    assert desk("drawer=3;lamp=off") == {"reader": None, "lamp": "off", "drawer": 3}
    assert desk("lamp=half%2Dlit")["lamp"] == "half-lit"
    assert desk("") == desk("other=1") == {"reader": None, "lamp": None, "drawer": None}


@pytest.mark.parametrize(
    "theirs", ['prefs={"a": 1, "b"}', "x", "=", "a=b=c", "ünder=ä", "a b=c", ";;", " ", "Lamp=on", "drawer =3"]
)
def test_those_of_other_applications_are_passed_over(theirs: str) -> None:
    assert desk(f"{theirs}; lamp=on")["lamp"] == "on"


@pytest.mark.parametrize(
    ("cookie", "name"),
    [
        ("lamp=maybe", "lamp"),
        ("lamp=", "lamp"),
        ("lamp", "lamp"),
        ('lamp="on"', "lamp"),
        ("lamp=o n", "lamp"),
        ("lamp=on,", "lamp"),
        ("lamp=s\xfcd", "lamp"),
        ("lamp=%FF", "lamp"),
        ("lamp=%00", "lamp"),
        ("drawer=10", "drawer"),
        ("drawer=3.0", "drawer"),
        ("drawer=+3", "drawer"),
        ("drawer=%D9%A3", "drawer"),
        ("lamp=on; lamp=on", "lamp"),
        ("lamp=on; drawer=1; lamp=off", "lamp"),
    ],
)
def test_what_breaks_a_rule_is_400(cookie: str, name: str) -> None:
    reply = get("/desk", {"Cookie": cookie})
    assert (reply.status, reply.code, list(reply.faults())) == (400, "invalid_parameter", [name])


def test_two_headers_are_one() -> None:
    """As proxies make them of HTTP/2 (RFC 9113, 8.2.3)."""
    reply = get("/desk", [("Cookie", "lamp=on"), ("Cookie", "drawer=2")])
    assert reply.json() == {"reader": None, "lamp": "on", "drawer": 2}
    assert get("/desk", [("Cookie", "lamp=on"), ("Cookie", "lamp=off")]).status == 400


def test_there_may_be_many_but_not_any_number_of_them() -> None:
    many = "; ".join(f"c{number}=x" for number in range(MOST_COOKIES - 1))
    assert desk(f"{many}; lamp=on")["lamp"] == "on"
    assert get("/desk", {"Cookie": f"{many}; lamp=on; one=more"}).code == "malformed_request"
    assert get("/opening-hours", {"Cookie": f"{many}; lamp=on; one=more"}).status == 200
