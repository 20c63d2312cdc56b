"""Cursor pages: where the next page of a list starts, sealed against use with another list.

A cursor is the sort key of the last row, with a digest of the list's filters and sort. It stays valid while rows come
and go, so no row that stays in place is skipped or seen twice. Its form is private: it may change at any time.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, NamedTuple, TypedDict, TypeVar

import orjson

from ticketing.ground.errors import InvalidCursor

Row = TypeVar("Row")

BYTES = 2 * 1024 * 1024
"""How many bytes of text a page of tickets or comments has, unless it is one item alone: each may have a quarter."""

FOREIGN = (
    "This cursor was altered, or was made for another list, other filters, another sort, another user or other rights."
    " Start without one."
)


class Page(TypedDict):
    """A page as the contract says it; `next` is the cursor of the page after it, or None."""

    items: Sequence[Any]
    next: str | None


class Divisible(NamedTuple):
    """A page that may end earlier, when its items turn out to be larger than they are stored."""

    whole: Page
    first: Callable[[int], Page]
    """The page with only so many of its items, at least one and fewer than it has."""


def page(rows: Sequence[Row], limit: int, listing: object, place: Callable[[Row], list[Any]]) -> Page:
    """The first `limit` of the rows; one row more than that means that there is a next page."""
    return _ended(rows[:limit], len(rows) > limit, listing, place)


def bounded(rows: Sequence[Any], limit: int, listing: object, place: Callable[[Any], list[Any]]) -> Page:
    """The first `limit` of rows that end with their bytes; besides what an item has, each says if there is `more`."""
    items = rows[:limit]
    more = False
    for item in items:
        more = item.pop("more")
    return _ended(items, more, listing, place)


def divisible(rows: Sequence[Any], limit: int, listing: object, place: Callable[[Any], list[Any]]) -> Divisible:
    """A page of `bounded`, which may end even earlier."""
    whole = bounded(rows, limit, listing, place)
    return Divisible(whole, lambda number: _ended(whole["items"][:number], True, listing, place))


def unusual(sort: str, sorts: Iterable[str]) -> list[str]:
    """The sort, as a part of a listing, unless it is the first: lists that had no other one have cursors without."""
    return [sort] if sort != next(iter(sorts)) else []


def _ended(items: Sequence[Row], more: bool, listing: object, place: Callable[[Row], list[Any]]) -> Page:
    return ending(items, listing, place(items[-1]) if more else None)


def ending(items: Sequence[Any], listing: object, place: list[Any] | None) -> Page:
    """A page of which the next one begins after a place that need not be that of an item; the last one without."""
    return {"items": items, "next": _seal(listing, place) if place else None}


def opened(cursor: str | None, listing: object, *types: Callable[[Any], Any]) -> list[Any]:
    """The place a cursor stands for, each part made by its type; all None without a cursor.

    Raises InvalidCursor for a text that is no cursor, or that was made for another list, filter or sort.
    """
    if cursor is None:
        return [None] * len(types)
    try:
        digest, *place = orjson.loads(base64.urlsafe_b64decode(cursor.encode("ascii")))
        if digest == _digest(listing) and len(place) == len(types):
            return [type_(part) for type_, part in zip(types, place, strict=True)]
    except (ValueError, TypeError, AttributeError, UnicodeEncodeError, binascii.Error):
        pass
    raise InvalidCursor(FOREIGN)


def _seal(listing: object, place: list[Any]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([_digest(listing), *place])).decode()


def _digest(listing: object) -> str:
    """What a cursor is bound to. The values of a filter are a set, in whichever order they were given."""
    if isinstance(listing, list):
        listing = [_unordered(part) if isinstance(part, dict) else part for part in listing]
    return hashlib.blake2b(orjson.dumps(listing, option=orjson.OPT_SORT_KEYS), digest_size=6).hexdigest()


def _unordered(filters: dict[str, Any]) -> dict[str, Any]:
    return {name: sorted(value) if isinstance(value, list) else value for name, value in filters.items()}


def sealed(key: bytes, listing: object, secret: bytes) -> str:
    """A cursor that nobody can read or make without the key: for a place that tells what its reader may not know.

    Its first part authenticates the rest and is what that is encrypted with, as in SIV (RFC 5297).
    """
    tag = _tag(key, listing, secret)
    return base64.urlsafe_b64encode(tag + _masked(key, tag, secret)).decode()


def unsealed(key: bytes, listing: object, cursor: str) -> bytes:
    """What was sealed. Raises InvalidCursor for what was not, or for another list or filter."""
    try:
        raw = base64.urlsafe_b64decode(cursor.encode("ascii"))
    except (ValueError, UnicodeEncodeError):
        raw = b""
    tag = raw[:TAG_BYTES]
    secret = _masked(key, tag, raw[TAG_BYTES : TAG_BYTES + MOST_SECRET_BYTES])
    if not hmac.compare_digest(sealed(key, listing, secret).encode(), cursor.encode()):
        raise InvalidCursor(FOREIGN)
    return secret


def _tag(key: bytes, listing: object, secret: bytes) -> bytes:
    said = _digest(listing).encode() + secret
    return hashlib.blake2b(said, key=key, digest_size=TAG_BYTES, person=b"cursor.tag").digest()


def _masked(key: bytes, tag: bytes, text: bytes) -> bytes:
    if not text:
        return text
    mask = hashlib.blake2b(tag, key=key, digest_size=len(text), person=b"cursor.mask").digest()
    return (int.from_bytes(text) ^ int.from_bytes(mask)).to_bytes(len(text))


TAG_BYTES = 12
MOST_SECRET_BYTES = 32


def bigint(number: int) -> int:
    """A number that PostgreSQL's bigint holds, as a part of a place."""
    if type(number) is not int or not 0 <= number < 2**63:
        raise ValueError(number)
    return number


def one_of(words: Collection[str]) -> Callable[[str], str]:
    """One of these words, as a part of a place."""

    def word(text: str) -> str:
        if text not in words:
            raise ValueError(text)
        return text

    return word


def key(text: str) -> str:
    """A key of a project or category, as a part of a place."""
    if not KEY.fullmatch(text):
        raise ValueError(text)
    return text


KEY = re.compile(r"[a-z][a-z0-9-]{1,39}")
