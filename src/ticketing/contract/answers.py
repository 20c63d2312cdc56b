"""Answers of handlers besides JSON, streams and files."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Literal

from ticketing.contract.exchange import Exchange, Headers


@dataclass(frozen=True, slots=True)
class Binary:
    """Bytes of a media type other than JSON, small enough for memory; a File is sent in pieces."""

    body: bytes
    media_type: str
    status: int = 200
    headers: Headers = field(default_factory=dict)

    async def send(self, exchange: Exchange, tagged: bool) -> None:
        """Send it as the answer; `tagged` if the contract promises an ETag with this status."""
        head = exchange.head(self.headers)
        if tagged:
            tag = f'"{blake2b(self.body, digest_size=8).hexdigest()}"'
            head.append((b"etag", tag.encode()))
            if self.status == 200 and exchange.holds(tag):
                await exchange.respond(304, head)
                return
        head.append((b"content-type", self.media_type.encode()))
        await exchange.respond(self.status, head, self.body)


@dataclass(frozen=True, slots=True)
class Redirect:
    """Another address to go to: with GET (302, 303), or with the same method and body (307, 308)."""

    location: str
    status: Literal[302, 303, 307, 308] = 303
    headers: Headers = field(default_factory=dict)

    async def send(self, exchange: Exchange) -> None:
        """Send it as the answer."""
        await exchange.respond(self.status, exchange.head({"Location": self.location, **self.headers}), b"")
