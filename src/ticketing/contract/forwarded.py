"""Where a request comes from: its peer, or the client behind trusted proxies (RFC 7239, and X-Forwarded-*)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

UNIX = "unix"
"""Stands for clients on a Unix socket, which have no address."""
ADDRESSES_KEPT = 1024

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - RFC 9110, 5.6.2
_PAIR = re.compile(rf'\s*({_TOKEN})=(?:({_TOKEN})|"((?:[^"\\]|\\.)*)")\s*(;|,|$)')
_PORT = re.compile(r"(?:\[([^\]]+)\]|([0-9.]+))(?::[0-9]{1,5}|:_[\w.-]+)?")
_PREFIX = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+){1,16}")
MOST_PREFIX = 200


class Networks(str):
    """Addresses and networks, separated by commas; `unix` stands for Unix sockets. Raises ValueError."""

    __slots__ = ("_known", "_networks", "_unix")

    def __init__(self, text: str = "") -> None:
        words = [word.strip() for word in text.split(",") if word.strip()]
        self._unix = UNIX in words
        self._networks = [ip_network(word) for word in words if word != UNIX]
        self._known = lru_cache(ADDRESSES_KEPT)(self._look)

    def include(self, address: str) -> bool:
        """Whether an address, or `unix`, is one of these."""
        return bool(self) and self._known(address)

    def _look(self, address: str) -> bool:
        if address == UNIX:
            return self._unix
        found = ip_address(address)
        return any(found in network for network in self._networks)


NOBODY = Networks()


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request comes from."""

    address: str
    """The client's IP address, or `unix`."""
    prefix: str
    """The prefix of our paths as the client sees them, such as `/support`; or nothing."""
    direct: bool
    """Whether its sender is certain: no proxies were involved, or only trusted ones, which name the client."""


class Proxies:
    """The proxies that we trust to say where a request comes from, and our public prefix if none gives one."""

    def __init__(self, trusted: Networks, prefix: str = "") -> None:
        self._trusted = trusted
        self._prefix = prefix
        self._direct = lru_cache(ADDRESSES_KEPT)(lambda peer: Origin(peer, prefix, True))

    def trusts(self, peer: str) -> bool:
        """Whether the address, or `unix`, belongs to a trusted proxy, which speaks for many clients."""
        return self._trusted.include(peer)

    def origin(self, client: Sequence[object] | None, headers: Mapping[bytes, bytes]) -> Origin:
        """Where a request comes from, by its peer (`client` of the ASGI scope) and its headers.

        Hops are read from the right, nearest first, up to the first untrusted one. If a hop cannot be read, or
        `Forwarded` and `X-Forwarded-For` differ, the client may have written them: then the peer counts as the client,
        and the origin is not certain.
        """
        peer = peer_of(client)
        forwarded, others = headers.get(b"forwarded"), headers.get(b"x-forwarded-for")
        if not self.trusts(peer):
            return self._direct(peer) if forwarded is None and others is None else Origin(peer, self._prefix, False)
        found = {
            self._first_untrusted(peer, hops)
            for hops in (
                None if forwarded is None else _forwarded(forwarded.decode("latin-1")),
                None if others is None else others.decode("latin-1").split(","),
            )
            if hops is not None
        }
        address = found.pop() if len(found) == 1 else None if found else peer
        given = headers.get(b"x-forwarded-prefix", b"").decode("latin-1").rpartition(",")[2].strip().rstrip("/")
        known = len(given) <= MOST_PREFIX and _PREFIX.fullmatch(given)
        return Origin(address or peer, given if known else self._prefix, address is not None)

    def _first_untrusted(self, peer: str, hops: Sequence[str]) -> str | None:
        """The nearest untrusted address, or else the farthest; None if a trusted proxy names no client."""
        address: str | None = peer if hops else None
        for hop in reversed(hops):
            if address is None or not self.trusts(address):
                break
            address = _address(hop)
        return address


def peer_of(client: Sequence[object] | None) -> str:
    """The address of a connection's other end, from the ASGI scope; or `unix`."""
    if client is None:
        return UNIX
    address = str(client[0])
    return (_address(address) or address) if ":" in address else address


@lru_cache(maxsize=1024)
def subscriber(peer: str) -> str:
    """The subscriber of an address: an IPv6 /64, the least that a subscriber gets (RFC 6177), or an IPv4 address."""
    return str(ip_network((peer.partition("%")[0], 64), strict=False)) if ":" in peer else peer


@lru_cache(maxsize=1024)
def site(peer: str) -> str | None:
    """The IPv6 /48 of an address, the most that a subscriber gets (RFC 6177); None for one of IPv4, or without."""
    return str(ip_network((peer.partition("%")[0], 48), strict=False)) if ":" in peer else None


def prefix_of(url: str) -> str:
    """The path of a public URL without its last slash. Raises ValueError if no link can begin with it."""
    prefix = "/" + url.partition("://")[2].partition("/")[2].rstrip("/")
    if prefix == "/":
        return ""
    if len(prefix) > MOST_PREFIX or not _PREFIX.fullmatch(prefix):
        raise ValueError(prefix)
    return prefix


def _forwarded(text: str) -> list[str]:
    """The client named by each hop of a `Forwarded` header (RFC 7239, section 4); none if it cannot be read."""
    hops: list[str] = []
    hop = ""
    position = 0
    while position < len(text):
        pair = _PAIR.match(text, position)
        if pair is None:
            return []
        name, token, quoted, end = pair.groups()
        if name.lower() == "for":
            hop = token if token is not None else re.sub(r"\\(.)", r"\1", quoted)
        if end != ";":
            hops.append(hop)
            hop = ""
        position = pair.end()
    return hops


def _address(text: str) -> str | None:
    """The address of a node (RFC 7239, section 6), as is or with a port; None for one that hides it."""
    text = text.strip()
    if match := _PORT.fullmatch(text):
        text = match[1] or match[2]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)
