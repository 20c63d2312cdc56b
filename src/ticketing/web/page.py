"""A page: what a path of ours is answered with beside the API."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ticketing.contract.exchange import Exchange
from ticketing.ground import paths

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_CODING = re.compile(r"([a-z-]+|\*)(?:\s*;\s*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?")


@dataclass(frozen=True, slots=True)
class Page:
    """An answer to GET: its media type, body, status and how long it may be cached."""

    media_type: str
    body: bytes
    status: int = 200
    cache: str = "no-cache"
    headers: Mapping[str, str] = field(default_factory=dict)
    names_paths: bool = False
    """Whether it contains paths of ours, which need the prefix under which the client sees us."""
    coded: Mapping[str, bytes] = field(default_factory=dict)
    """The body in content codings, such as `br` (RFC 9110, 8.4.1); the preferred one first."""
    tag: str = field(init=False)
    _under: dict[str, Page] = field(default_factory=dict, init=False, repr=False, compare=False)
    """The page under the prefix that was asked for last; an installation has one."""

    def __post_init__(self) -> None:
        # Here, not for each answer: the reference's script has almost two megabytes.
        object.__setattr__(self, "tag", f'"{hashlib.blake2b(self.body, digest_size=8).hexdigest()}"')

    def under(self, prefix: str) -> Page:
        """The page for clients that see us under a prefix."""
        if not prefix or not self.names_paths:
            return self
        if prefix in self._under:
            return self._under[prefix]
        body = self.body
        for path in (*paths.DOCUMENTS, "/problems/"):
            body = body.replace(path.encode(), (prefix + path).encode())
        headers = {name: prefix + value if name == "Location" else value for name, value in self.headers.items()}
        page = replace(self, body=body, headers=headers)
        self._under.clear()
        self._under[prefix] = page
        return page

    async def answer(self, exchange: Exchange, *, kept: bool) -> None:
        """Answer a GET or HEAD with it; a page that is `kept` shares its body among all answers."""
        coding = preferred(exchange.headers.get(b"accept-encoding", b""), self.coded) if self.coded else None
        tag = self.tag if coding is None else f'{self.tag[:-1]}-{coding}"'
        headers = {
            "Content-Type": self.media_type,
            "Cache-Control": self.cache,
            "ETag": tag,
            "Content-Security-Policy": POLICY,
            "Referrer-Policy": "no-referrer",
            **self.headers,
        }
        if self.coded:
            headers["Vary"] = ", ".join(filter(None, (self.headers.get("Vary"), "Accept-Encoding")))
        if coding:
            headers["Content-Encoding"] = coding
        encoded = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
        if self.status == 200 and exchange.holds(tag):
            await exchange.respond(304, encoded)
            return
        body = self.coded[coding] if coding else self.body
        await exchange.respond(self.status, encoded, memoryview(body) if kept else body)


def preferred(accepted: bytes, offered: Mapping[str, bytes]) -> str | None:
    """The content coding that a client likes best (Accept-Encoding, RFC 9110, 12.5.3), or None for the body as it is.

    Of those that it likes equally it is the first. What cannot be read counts as not said.
    """
    said: dict[str, float] = {}
    for each in accepted.decode("latin-1").lower().split(","):
        if match := _CODING.fullmatch(each.strip()):
            said[match[1]] = float(match[2] or 1)
    liked = {coding: said.get(coding, said.get("*", 0)) for coding in offered}
    best = max(liked, key=liked.__getitem__, default=None)
    return best if best and liked[best] > 0 and liked[best] >= said.get("identity", 0) else None
