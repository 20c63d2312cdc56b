"""Versions: which edit of a resource a body shows, as its entity tag and as its member `version`.

A version is `<edit>.<rest>`. The first part is a digest of what clients can change (`x-edited` of the schema), the
second of everything else. A body has the same version only if it is the same, so If-None-Match compares all of it.
If-Match goes by the first part alone: what others count, note or derive meanwhile overwrites nothing. What nobody can
change has one part.

The digest is XXH3, which is not cryptographic, because a page needs up to a hundred of them. Whoever crafts two edits
with one digest can lose only an edit of their own by it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from operator import itemgetter
from typing import Any

import orjson
from xxhash import xxh3_64_hexdigest

VERSION = "version"
"""The member that holds the version of its resource. It is no part of what the version is made of."""

_SORTED = orjson.OPT_SORT_KEYS
_NOTHING: Mapping[str, Any] = {}
_Read = Callable[[Mapping[str, Any]], Any]


_TAG = r'(W/)?(?:"([!#-~\x80-\xff]*)"|([0-9A-Za-z._-]+))'
_ENTITY_TAG = re.compile(_TAG)
_ENTITY_TAGS = re.compile(rf"[ \t,]*+{_TAG}(?:[ \t]*+,[ \t,]*+{_TAG})*+[ \t,]*+")


def entity_tags(tags: str) -> list[tuple[bool, str]] | None:
    """The entity tags of a list (RFC 9110, 8.8.3), quoted or bare: whether each is weak, and its version.

    None if it is no such list.
    """
    if not _ENTITY_TAGS.fullmatch(tags):
        return None
    return [(bool(weak), quoted or bare) for weak, quoted, bare in _ENTITY_TAG.findall(tags)]


def etag(resource: Any, edited: Collection[str] = ()) -> str:
    """The entity tag (RFC 9110, 8.8.3) of this body: its version, in quotation marks."""
    return f'"{version(resource, edited)}"'


def version(resource: Any, edited: Collection[str] = ()) -> str:
    """The version of this body, whatever the order of its members.

    `edited` names the members that clients can change. `assignee.id` names a member of which only the `id` counts,
    because it refers to something that is changed elsewhere.
    """
    if not edited:
        return xxh3_64_hexdigest(orjson.dumps(resource, option=_SORTED))
    return versions(frozenset(edited))(resource)


def same_edit(one: str, other: str) -> bool:
    """Whether no client has changed anything between these two versions."""
    return one.partition(".")[:2] == other.partition(".")[:2]


@lru_cache(maxsize=256)
def versions(edited: frozenset[str], apart: frozenset[str] = frozenset()) -> Callable[[Mapping[str, Any]], str]:
    """A function that makes the versions of one kind of resource; members that are `apart` are no part of it."""
    apart |= {VERSION}
    latest: tuple[tuple[str, ...], _Read, _Read] = ((), *_reading(edited, apart, ()))

    def version(resource: Mapping[str, Any]) -> str:
        nonlocal latest
        known, own, rest = latest
        if (members := (*resource,)) != known:
            own, rest = _reading(edited, apart, members)
            latest = (members, own, rest)
        edit = xxh3_64_hexdigest(orjson.dumps(own(resource), option=_SORTED))
        return f"{edit}.{xxh3_64_hexdigest(orjson.dumps(rest(resource), option=_SORTED))}"

    return version


@lru_cache(maxsize=256)
def _reading(edited: frozenset[str], apart: frozenset[str], members: tuple[str, ...]) -> tuple[_Read, _Read]:
    """How to read what is edited of a body with these members, and the rest of it: each in an order of its own."""
    paths = sorted(name.split(".") for name in edited)
    whole = [path[0] for path in paths if len(path) == 1]
    parts = [(path[0], path[1]) for path in paths if len(path) == 2]
    named = sorted({*members} - apart)
    names = ",".join(named)
    plain, others = _values(whole, members), _values([name for name in named if name not in whole], members)
    match parts:
        case []:
            own = plain
        case [(name, part)]:
            own = lambda resource: (plain(resource), (resource.get(name) or _NOTHING).get(part))  # noqa: E731
        case _:
            own = lambda resource: (  # noqa: E731
                plain(resource),
                [(resource.get(name) or _NOTHING).get(part) for name, part in parts],
            )
    return own, lambda resource: (names, others(resource))


def _values(names: list[str], members: Collection[str]) -> _Read:
    if len(names) > 1 and {*names} <= {*members}:
        return itemgetter(*names)
    return lambda resource: [resource.get(name) for name in names]
