"""Whom a request comes from, and what is believed of proxies."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketing.contract.forwarded import Networks, Proxies, prefix_of
from ticketing.contract.tracing import trace_of
from ticketing.ground.config import PRIVATE

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
    said = {header.encode(): b"for=127.0.0.1" if header == "forwarded" else b"127.0.0.1"}
    assert PROXIES.origin(("127.0.0.1", 1), said).direct is direct
    assert PROXIES.origin(("10.0.0.1", 1), said).direct


@pytest.mark.parametrize(
    "headers",
    [
        {"forwarded": "for=127.0.0.1", "x-forwarded-for": "203.0.113.9"},
        {"forwarded": "for=unknown", "x-forwarded-for": "203.0.113.9"},
        {"forwarded": "x", "x-forwarded-for": "203.0.113.9"},
        {"forwarded": "", "x-forwarded-for": "203.0.113.9"},
        {"forwarded": "for=203.0.113.9", "x-forwarded-for": ""},
        {"forwarded": "for=_hidden"},
        {"forwarded": "proto=https"},
        {"forwarded": "for=203.0.113.9 for=127.0.0.1"},
        {"x-forwarded-for": ""},
        {"x-forwarded-for": "203.0.113.9, not an address"},
        {"x-forwarded-for": "not an address, 10.0.0.2"},
    ],
)
def test_where_it_is_unclear_who_the_client_is_nobody_comes_straight(headers: dict[str, str]) -> None:
    encoded = {name.encode(): value.encode() for name, value in headers.items()}
    origin = PROXIES.origin(("10.0.0.1", 1), encoded)
    assert (origin.address, origin.direct) == ("10.0.0.1", False)


NODES = st.sampled_from(["127.0.0.1", "10.0.0.1", "203.0.113.9", "[::1]:1", "unix", "unknown", "_a", ""])
FORGED = (
    st.text(st.characters(max_codepoint=255), max_size=12)
    | st.lists(NODES, max_size=3).map(", ".join)
    | st.lists(NODES.map('for="{}"'.format) | st.sampled_from(["for=", "by=::1", '"']), max_size=3).map(", ".join)
)


@pytest.mark.parametrize("writes", [b"x-forwarded-for", b"forwarded"])
@given(forged=st.dictionaries(st.sampled_from([b"forwarded", b"x-forwarded-for", b"x-forwarded-prefix"]), FORGED))
def test_whatever_a_client_forges_it_does_not_become_an_operator(writes: bytes, forged: dict[bytes, str]) -> None:
    headers = {name: text.encode("latin-1") for name, text in forged.items()}
    added = b"203.0.113.9" if writes == b"x-forwarded-for" else b"for=203.0.113.9"
    headers[writes] = b", ".join([headers[writes], added] if writes in headers else [added])
    origin = PROXIES.origin(("10.0.0.1", 1), headers)
    assert not (origin.direct and PRIVATE.include(origin.address)), origin


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
