"""Files as answers: whole or in part (RFC 9110, section 14), or 304 if the client has them (section 13)."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path
from typing import Any

from ticketing.contract.allowance import Allowance
from ticketing.contract.exchange import ClientGone, Exchange, Headers, gone
from ticketing.contract.problems import PreconditionFailed, RangeNotSatisfiable

PIECE_BYTES = 64 * 1024
TAKE_SECONDS = 30
"""How long a client that reads a file may keep us waiting; longer with each byte it has read."""

_RANGE = re.compile(
    rb"bytes[ \t]*=[ \t]*(?:([0-9]{1,18})[ \t]*-[ \t]*([0-9]{1,18})?|-[ \t]*([0-9]{1,18}))[ \t]*", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class File:
    """A handler's answer of bytes that are sent in pieces, whole or the requested part.

    Its operation must declare the answers 206, 304, 412 and 416, besides 200.
    """

    size: int
    """Bytes."""
    media_type: str
    pieces: Callable[[int, int], AsyncGenerator[bytes, None]]
    """The bytes from a first one up to, but not including, a last one."""
    tag: str | None = None
    """A strong entity tag, with its quotes: different bytes have different tags."""
    modified: datetime | None = None
    headers: Headers = field(default_factory=dict)

    @classmethod
    def at(cls, path: Path, media_type: str, tag: str | None = None, headers: Headers | None = None) -> File:
        """A local file, which must not change while it is sent. Raises OSError."""
        about = path.stat()

        def pieces(start: int, end: int) -> AsyncGenerator[bytes, None]:
            return _read(path, start, end)

        modified = datetime.fromtimestamp(about.st_mtime, UTC)
        return cls(about.st_size, media_type, pieces, tag, modified, headers or {})

    async def send(self, exchange: Exchange, receive: Any) -> None:
        """Send it as the answer.

        Raises PreconditionFailed, RangeNotSatisfiable, and ClientGone for a client that does not read it.
        """
        if not self._is_wanted(exchange):
            raise PreconditionFailed("The file has changed since you read it. Read it again from its beginning.")
        head = exchange.head(self.headers)
        if self.tag is not None:
            head.append((b"etag", self.tag.encode()))
        if self.modified is not None:
            head.append((b"last-modified", format_datetime(_second(self.modified), usegmt=True).encode()))
        if self._is_held(exchange):
            await exchange.respond(304, head)
            return
        head.append((b"accept-ranges", b"bytes"))
        part = self._part(exchange)
        start, end = part or (0, self.size)
        if part:
            head.append((b"content-range", b"bytes %d-%d/%d" % (start, end - 1, self.size)))
        head += [(b"content-type", self.media_type.encode()), (b"content-length", b"%d" % (end - start))]
        await exchange.begin(206 if part else 200, head)
        if exchange.method == "HEAD":
            await exchange.send({"type": "http.response.body", "body": b""})
        else:
            await self._send_pieces(exchange, receive, start, end)

    async def _send_pieces(self, exchange: Exchange, receive: Any, start: int, end: int) -> None:
        allowance = Allowance(TAKE_SECONDS)
        leaving = asyncio.create_task(gone(receive))
        try:
            async with aclosing(self.pieces(start, end)) as pieces:
                async for piece in pieces:
                    message = {"type": "http.response.body", "body": piece, "more_body": True}
                    await allowance.wait(exchange.send(message))
                    allowance.earn(len(piece))
                    # The connection writes in the next turn, and only then can it say that it is full.
                    await asyncio.sleep(0)
                    if leaving.done():
                        raise ClientGone
            await exchange.send({"type": "http.response.body", "body": b""})
        except TimeoutError:
            if exchange.line:
                exchange.line.drop_unsent()
            raise ClientGone from None
        finally:
            leaving.cancel()

    def _is_wanted(self, exchange: Exchange) -> bool:
        """Whether the client wants these bytes and no others (If-Match, If-Unmodified-Since; RFC 9110, 13.1)."""
        if (tags := exchange.headers.get(b"if-match")) is not None:
            wanted = [each.strip() for each in tags.decode("latin-1").split(",")]
            return wanted == ["*"] or self.tag in wanted
        since = _moment(exchange.headers.get(b"if-unmodified-since"))
        return since is None or self.modified is None or _second(self.modified) <= since

    def _is_held(self, exchange: Exchange) -> bool:
        """Whether the client has these bytes; a tag takes precedence over a date (RFC 9110, 13.2.2)."""
        if exchange.method not in ("GET", "HEAD"):
            return False
        if b"if-none-match" in exchange.headers:
            return self.tag is not None and exchange.holds(self.tag)
        since = _moment(exchange.headers.get(b"if-modified-since"))
        return since is not None and self.modified is not None and _second(self.modified) <= since

    def _part(self, exchange: Exchange) -> tuple[int, int] | None:
        """The requested range; None for all, also if several ranges are requested. Raises RangeNotSatisfiable."""
        given = exchange.headers.get(b"range")
        if given is None or exchange.method != "GET" or not self._is_the_same(exchange.headers.get(b"if-range")):
            return None
        asked = _RANGE.fullmatch(given)
        if asked is None:
            return None
        first, last, suffix = (None if digits is None else int(digits) for digits in asked.groups())
        if suffix is not None:
            start, end = max(0, self.size - suffix), self.size
            unsatisfiable = suffix == 0
        else:
            start, end = first or 0, self.size if last is None else min(last + 1, self.size)
            if last is not None and last < start:
                return None  # Not a range (RFC 9110, 14.1.1).
            unsatisfiable = start >= self.size
        if unsatisfiable:
            raise RangeNotSatisfiable(
                f"There are {self.size} bytes, and none of them is in this range.",
                headers={"Content-Range": f"bytes */{self.size}"},
            )
        return (start, end) if start < end else None

    def _is_the_same(self, condition: bytes | None) -> bool:
        """Whether the client's part is from these bytes (If-Range, RFC 9110, 13.1.5)."""
        if condition is None:
            return True
        if condition.endswith(b'"'):
            return self.tag is not None and condition.decode("latin-1") == self.tag
        return self.modified is not None and _moment(condition) == _second(self.modified)


async def _read(path: Path, start: int, end: int) -> AsyncGenerator[bytes, None]:
    with closing(await asyncio.to_thread(path.open, "rb")) as file:
        while start < end:
            piece = await asyncio.to_thread(os.pread, file.fileno(), min(PIECE_BYTES, end - start), start)
            if not piece:
                return
            start += len(piece)
            yield piece


def _second(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)


def _moment(header: bytes | None) -> datetime | None:
    """An HTTP date (RFC 9110, 5.6.7); None if it is invalid, which counts as absent."""
    if header is None:
        return None
    try:
        moment = parsedate_to_datetime(header.decode("latin-1"))
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
