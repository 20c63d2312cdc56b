"""Filters that name something by key or id: what is not there for whoever asks is a fault, and no empty page.

Names are looked up where a walk begins, and only those that nothing on the first page bears. What exists and is hidden
is told exactly like what does not exist.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from ticketing.access.actors import Actor
from ticketing.contract import Fault
from ticketing.db import sql
from ticketing.ground.errors import InvalidParameter


class Named(NamedTuple):
    """What a value of a filter names: by which parameter, what kind of thing, and its key or id.

    Its place is where in the text of the parameter it stands, and how many characters it has there.
    """

    parameter: str
    kind: str
    key: str
    place: tuple[int, int] | None = None


def named(parameter: str, kind: str, keys: Iterable[str] | None, *, borne: Iterable[str | None] = ()) -> list[Named]:
    """What the values of a filter name, but for what items of the page bear: that is there."""
    if not (keys := list(keys or ())):
        return []
    there = set(borne)
    return [Named(parameter, kind, key) for key in keys if key not in there]


async def check_visible(
    conn: sql.Connection, actor: Actor, names: Iterable[Named], *, absent: Iterable[Named] = ()
) -> None:
    """Look up projects, categories and users with the eyes of the actor; some are known to be absent.

    Raises InvalidParameter.
    """
    names, absent = list(names), list(absent)
    if not (names or absent):
        return
    hidden = await sql.filters.list_hidden(
        conn,
        **actor.viewer(),
        projects=[name.key for name in names if name.kind == "project"],
        categories=[name.key for name in names if name.kind == "category"],
        users=[UUID(name.key) for name in names if name.kind == "user"],
    )
    missing: list[sql.Missing] = [{"kind": name.kind, "key": name.key} for name in absent]
    refuse([*names, *absent], [*hidden, *missing])


def refuse(
    names: Iterable[Named],
    missing: Iterable[sql.Missing],
    known: Mapping[str, Sequence[str]] | None = None,
    *,
    hint: str = "",
) -> None:
    """Tell which of these names are missing, what is known of their kind, and a hint, which is a sentence.

    Raises InvalidParameter if any is missing.
    """
    absent = {(row["kind"], row["key"]) for row in missing}
    faults = [
        Fault(
            "unknown",
            f"{_absent(kind, key, (known or {}).get(kind))} {hint}".rstrip(),
            parameter=parameter,
            offset=place[0] if place else None,
            length=place[1] if place else None,
        )
        for parameter, kind, key, place in names
        if (kind, key) in absent
    ]
    if faults:
        raise InvalidParameter(faults[0].detail, errors=faults)


def _absent(kind: str, key: str, known: Sequence[str] | None) -> str:
    if known is None:
        return f"There is no {kind} {key!r} that you may see."
    return f"There is no {kind} {key!r}." + (f" There are {', '.join(known)}." if known else "")
