"""Who may be connected to: everyone on the internet by https, and of our own network only whom a setting names."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Self

from ticketing.ground.config import InvalidSetting
from ticketing.outbound.addresses import Address, Network, is_public, literal
from ticketing.outbound.destination import Destination, Refused

Resolver = Callable[[str], Awaitable[Sequence[str]]]

RESOLVE_SECONDS = 5.0
#: Resolving blocks a thread for as long as a name server pleases. These threads are for nothing else, so that one with
#: patience holds up nobody but those who resolve.
_threads = ThreadPoolExecutor(max_workers=32, thread_name_prefix="resolving")


class Unresolved(Exception):
    """The host has no address just now; the message is a sentence."""


async def resolve(host: str) -> Sequence[str]:
    """Every address of a host, as the system knows them. Raises OSError."""
    loop = asyncio.get_running_loop()
    found = await loop.run_in_executor(_threads, lambda: socket.getaddrinfo(host, None, type=socket.SOCK_STREAM))
    return [str(entry[4][0]) for entry in found]


@dataclass(frozen=True, slots=True)
class Guard:
    """The rules. What `hosts` and `networks` name is exempt from all of them: it may be private, http, and any port."""

    hosts: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()
    ports: frozenset[int] = frozenset({443})
    resolver: Resolver = resolve

    @classmethod
    def from_settings(cls, allowed: str, ports: str) -> Self:
        """Read the settings `webhook_allow` and `webhook_ports`. Raises InvalidSetting."""
        hosts, networks = set(), []
        for entry in filter(None, (part.strip() for part in allowed.split(","))):
            try:
                networks.append(ipaddress.ip_network(entry))
            except ValueError:
                if "/" in entry:
                    raise InvalidSetting(f"{entry[:50]!r} in TICKETING_WEBHOOK_ALLOW is no network.") from None
                hosts.add(entry.lower())
        numbers = [part.strip() for part in ports.split(",")]
        if not all(number.isascii() and number.isdigit() and 0 < int(number) < 65536 for number in numbers):
            raise InvalidSetting(f"TICKETING_WEBHOOK_PORTS is {ports[:50]!r}. Give it numbers with commas between.")
        return cls(frozenset(hosts), tuple(networks), frozenset(map(int, numbers)))

    def check_unresolved(self, destination: Destination) -> None:
        """Refuse what could only be sent to at an address that is allowed, while none is known. Raises Refused."""
        if destination.host not in self.hosts:
            self._check_public(destination)

    async def addresses(self, destination: Destination) -> list[str]:
        """The addresses to connect to, every one of them permitted. Raises Refused, Unresolved."""
        found = await self._resolved(destination.host)
        for address in found:
            self._check(destination, address)
        return [str(address) for address in found]

    async def _resolved(self, host: str) -> list[Address]:
        if address := literal(host):
            return [address]
        try:
            texts = await asyncio.wait_for(self.resolver(host), RESOLVE_SECONDS)
        except TimeoutError:
            raise Unresolved(f"No name server told the address of {host} in time.") from None
        except (OSError, UnicodeError):
            raise Unresolved(f"There is no address for {host}.") from None
        found = [address for text in dict.fromkeys(texts) if (address := literal(text))]
        if not found:
            raise Unresolved(f"There is no address for {host}.")
        return found

    def _check(self, destination: Destination, address: Address) -> None:
        if destination.host in self.hosts:
            return
        if any(address in network for network in self.networks if network.version == address.version):
            return
        # One bad address refuses all: whoever answers for the name would only have to be asked once more.
        if not is_public(address):
            raise Refused(f"{destination.host} is at an address that is not public.")
        self._check_public(destination)

    def _check_public(self, destination: Destination) -> None:
        if destination.scheme != "https":
            raise Refused("On the internet only https:// is sent to.")
        if destination.port not in self.ports:
            raise Refused(f"Nothing is sent to the port {destination.port}.")
