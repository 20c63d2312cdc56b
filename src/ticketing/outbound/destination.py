"""A URL, parsed so strictly that no two programs can read it differently."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from typing import Self

import idna

from ticketing.outbound.addresses import literal

URL = re.compile(
    r"""(?P<scheme>https?)://
        (?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\] | (?P<name>[^\s/?\#@:\\\[\]%<>^`{|}"]+))
        (?::(?P<port>[0-9]{1,5}))?
        (?P<target>(?:[/?][!-~]*)?)""",
    re.VERBOSE | re.IGNORECASE,
)
PORTS = {"http": 80, "https": 443}
#: Hosts that the C library and browsers read as a number: 0x7f.1, 2130706433, 017700000001.
NUMERIC = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)", re.IGNORECASE)


class Refused(Exception):
    """We do not send there; the message is a sentence that says why."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a request goes: the parts of its URL, with the host in ASCII and without brackets."""

    scheme: str
    host: str
    port: int
    target: str

    @classmethod
    def of(cls, url: str) -> Self:
        """Parse a URL. Raises Refused."""
        match = URL.fullmatch(url)
        if match is None:
            raise Refused(_fault(url))
        target = match["target"]
        if "#" in target or "\\" in target:
            raise Refused("A URL to send to has no fragment and no backslash.")
        scheme = match["scheme"].lower()
        port = int(match["port"] or PORTS[scheme])
        if not 0 < port < 65536:
            raise Refused(f"{port} is not a port.")
        host = _ipv6(match["ipv6"]) if match["ipv6"] else _name(match["name"])
        return cls(scheme, host, port, target if target.startswith("/") else f"/{target}")

    @property
    def authority(self) -> str:
        """The `Host` of the request."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


def _fault(url: str) -> str:
    if not re.match(r"https?://", url, re.IGNORECASE):
        return "A URL to send to begins with https://."
    if "@" in re.split(r"[/?#]", url.partition("://")[2], maxsplit=1)[0]:
        return "A URL to send to holds no user name and no password."
    if not "".join(re.split(r"[/?#]", url.partition("://")[2], maxsplit=1)[1:]).isascii():
        return "The path and query of a URL to send to are ASCII: write ü as %C3%BC."
    return "This URL cannot be sent to: its host, port or path is not well-formed."


def _ipv6(text: str) -> str:
    address = literal(text)
    if address is None or address.version != 6:
        raise Refused("The address in brackets is not an IPv6 address.")
    # Versions of Python differ in how they write an address that contains an IPv4 address.
    return socket.inet_ntop(socket.AF_INET6, address.packed)


def _name(text: str) -> str:
    """A host's name in lower-case ASCII, or an IPv4 address in its one canonical form."""
    try:
        name = idna.encode(text.rstrip("."), uts46=True).decode("ascii").lower()
    except idna.IDNAError:
        raise Refused("The host is not a domain name.") from None
    if NUMERIC.fullmatch(name.rpartition(".")[2]) and literal(name) is None:
        raise Refused("An IPv4 address is written as four decimal numbers.")
    return name
