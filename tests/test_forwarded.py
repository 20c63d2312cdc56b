"""Whom a request comes from, and what is believed of proxies."""

from __future__ import annotations

import pytest

from ticketing.contract.forwarded import Networks, Proxies, prefix_of
from ticketing.contract.tracing import trace_of

PROXIES = Proxies(Networks("10.0.0.0/8, 192.0.2.7, fd00::/8, unix"))


@pytest.mark.parametrize(
    ("peer", "headers", "address"),
    [
        ("198.51.100.1", {}, "198.51.100.1"),
        # Nobody else is believed.
        ("198.51.100.1", {"x-forwarded-for": "203.0.113.9"}, "198.51.100.1"),
        (None, {"x-forwarded-for": "203.0.113.9"}, "203.0.113.9"),
        ("10.0.0.1", {"x-forwarded-for": "203.0.113.9"}, "203.0.113.9"),
        ("::ffff:10.0.0.1", {"x-forwarded-for": "203.0.113.9"}, "203.0.113.9"),
        ("fd00::1", {"x-forwarded-for": "2001:db8::1"}, "2001:db8::1"),
        ("10.0.0.1", {"x-forwarded-for": "[2001:db8::1]:4711"}, "2001:db8::1"),
        ("10.0.0.1", {"x-forwarded-for": "203.0.113.9:4711"}, "203.0.113.9"),
        # What stands left of the first hop that is not trusted may be invented.
        ("10.0.0.1", {"x-forwarded-for": "127.0.0.1, 203.0.113.9, 192.0.2.7"}, "203.0.113.9"),
        ("10.0.0.1", {"x-forwarded-for": "10.9.9.9, 192.0.2.7"}, "10.9.9.9"),
        ("10.0.0.1", {"x-forwarded-for": "203.0.113.9, not an address"}, "10.0.0.1"),
        ("10.0.0.1", {"x-forwarded-for": ""}, "10.0.0.1"),
        ("10.0.0.1", {"forwarded": "for=203.0.113.9"}, "203.0.113.9"),
        ("10.0.0.1", {"forwarded": 'For="[2001:db8::1]:4711";proto=https;by=10.0.0.1'}, "2001:db8::1"),
        ("10.0.0.1", {"forwarded": 'for="a, b;c", for=203.0.113.9;host="x,y"'}, "203.0.113.9"),
        ("10.0.0.1", {"forwarded": "for=127.0.0.1, for=203.0.113.9, for=192.0.2.7"}, "203.0.113.9"),
        ("10.0.0.1", {"forwarded": "for=203.0.113.9, for=_hidden"}, "10.0.0.1"),
        ("10.0.0.1", {"forwarded": "for=203.0.113.9, for=unknown"}, "10.0.0.1"),
        ("10.0.0.1", {"forwarded": "proto=https"}, "10.0.0.1"),
        ("10.0.0.1", {"forwarded": 'for="203.0.113.9'}, "10.0.0.1"),
        ("10.0.0.1", {"forwarded": "for=203.0.113.9 for=127.0.0.1"}, "10.0.0.1"),
        # A proxy writes one of them; the other may be the client's own.
        ("10.0.0.1", {"forwarded": "for=203.0.113.9", "x-forwarded-for": "203.0.113.9"}, "203.0.113.9"),
        ("10.0.0.1", {"forwarded": "for=127.0.0.1", "x-forwarded-for": "203.0.113.9"}, "10.0.0.1"),
    ],
)
def test_the_client_is_who_the_last_proxy_that_is_trusted_speaks_for(
    peer: str | None, headers: dict[str, str], address: str
) -> None:
    encoded = {name.encode(): value.encode() for name, value in headers.items()}
    assert PROXIES.origin((peer, 4711) if peer else None, encoded).address == address


@pytest.mark.parametrize(
    ("given", "prefix"),
    [
        ("/support", "/support"),
        ("/a/b-c_d.e~f/", "/a/b-c_d.e~f"),
        ("/outer, /support", "/support"),
        ("", "/configured"),
        ("/", "/configured"),
        ("//evil.example", "/configured"),
        ("https://evil.example", "/configured"),
        ("/a/../b", "/configured"),
        ("/.", "/configured"),
        ('/"><script>', "/configured"),
        ("/a%2fb", "/configured"),
        ("/" + "a" * 200, "/configured"),
    ],
)
def test_a_prefix_is_one_that_links_can_begin_with(given: str, prefix: str) -> None:
    proxies = Proxies(Networks("10.0.0.0/8"), "/configured")
    headers = {b"x-forwarded-prefix": given.encode()}
    assert proxies.origin(("10.0.0.1", 1), headers).prefix == prefix
    assert proxies.origin(("198.51.100.1", 1), headers).prefix == "/configured"


@pytest.mark.parametrize(("header", "direct"), [("forwarded", False), ("x-forwarded-for", False), ("via", True)])
def test_it_shows_when_a_proxy_that_is_not_trusted_had_a_hand_in_it(header: str, direct: bool) -> None:
    assert PROXIES.origin(("127.0.0.1", 1), {header.encode(): b"127.0.0.1"}).direct is direct
    assert PROXIES.origin(("10.0.0.1", 1), {header.encode(): b"127.0.0.1"}).direct


def test_the_path_of_the_public_url_is_the_prefix() -> None:
    assert prefix_of("https://example.org") == ""
    assert prefix_of("https://example.org/") == ""
    assert prefix_of("https://example.org/help/desk/") == "/help/desk"
    with pytest.raises(ValueError, match=r"/a\?b"):
        prefix_of("https://example.org/a?b")


TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"


@pytest.mark.parametrize(
    ("header", "trace"),
    [
        (f"00-{TRACE}-{PARENT}-01", TRACE),
        (f"01-{TRACE}-{PARENT}-01-later", TRACE),
        (f"00-{TRACE}-{PARENT}-01-later", None),
        (f"ff-{TRACE}-{PARENT}-01", None),
        (f"00-{'0' * 32}-{PARENT}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE.upper()}-{PARENT}-01", None),
        (f"00-{TRACE}-{PARENT}-01, 00-{TRACE}-{PARENT}-01", None),
        ("", None),
    ],
)
def test_a_trace_is_taken_from_a_valid_header_only(header: str, trace: str | None) -> None:
    assert trace_of(header.encode()) == trace
    assert trace_of(None) is None
