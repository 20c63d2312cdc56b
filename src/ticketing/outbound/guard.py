"""Where we may connect: any public address by https, and private ones only if a setting names them."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Self

from ticketing.ground.config import InvalidSetting
from ticketing.outbound.addresses import Address, Network, is_public, literal
from ticketing.outbound.destination import Destination, Refused

Resolver = Callable[[str], Awaitable[Sequence[str]]]

RESOLVE_SECONDS = 5.0
#: Resolving blocks a thread for as long as the name server takes, and nobody can end it. These threads do nothing else,
#: and each host has one at most, so that a silent name server holds up only its own hosts.
_threads = ThreadPoolExecutor(max_workers=32, thread_name_prefix="resolving")
_resolving: dict[str, Future[list[str]]] = {}


class Unresolved(Exception):
    """The host has no address at the moment; the message is a sentence."""


async def resolve(host: str) -> Sequence[str]:
    """Every address of a host, from the system's resolver; who asks meanwhile gets the same answer. Raises OSError."""
    asked = _resolving.get(host)
    if asked is None:
        asked = _resolving[host] = _threads.submit(_look_up, host)
        asked.add_done_callback(lambda _: _resolving.pop(host, None))
    answer = asyncio.wrap_future(asked)
    # Who has stopped waiting does not look at an error, and asyncio would log it as never retrieved.
    answer.add_done_callback(lambda late: late.cancelled() or late.exception())
    return await asyncio.shield(answer)


def _look_up(host: str) -> list[str]:
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]


@dataclass(frozen=True, slots=True)
class Guard:
    """The rules. `hosts` and `networks` are exempt from them: they may be private, use http, and have any port."""

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
                    raise InvalidSetting(f"{entry[:50]!r} in TICKETING_WEBHOOK_ALLOW is not a network.") from None
                hosts.add(entry.lower())
        numbers = [part.strip() for part in ports.split(",")]
        if not all(number.isascii() and number.isdigit() and 0 < int(number) < 65536 for number in numbers):
            raise InvalidSetting(f"TICKETING_WEBHOOK_PORTS is {ports[:50]!r}. Give it numbers separated by commas.")
        return cls(frozenset(hosts), tuple(networks), frozenset(map(int, numbers)))

    def check_unresolved(self, destination: Destination) -> None:
        """Before resolving: refuse a destination that only an allowed address could make valid. Raises Refused."""
        if destination.host not in self.hosts:
            self._check_public(destination)

    async def addresses(self, destination: Destination) -> list[str]:
        """The addresses to connect to, all of them permitted. Raises Refused, Unresolved."""
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
            raise Unresolved(f"No name server gave the address of {host} in time.") from None
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
        # One bad address refuses all: the next look-up could return only that one.
        if not is_public(address):
            raise Refused(
                f"{destination.host} is at an address that is not public. "
                "Whoever operates this service can permit it with TICKETING_WEBHOOK_ALLOW."
            )
        self._check_public(destination)

    def _check_public(self, destination: Destination) -> None:
        if destination.scheme != "https":
            raise Refused("Public hosts need https://.")
        if destination.port not in self.ports:
            raise Refused(f"Nothing is sent to the port {destination.port}.")
