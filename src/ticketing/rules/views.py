"""Views: queries that people keep under a name, for themselves or for all agents and admins, and how many match.

A query runs with the rights of who reads the view, and `me` in it is its reader. What every installation begins with is
here and in no table: an upgrade changes it without touching what people have made of it, which is how they order their
views and what they hide.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypedDict
from uuid import UUID

import uuid_utils.compat as uuids
from psycopg.errors import QueryCanceled

from ticketing.access import filters, policy
from ticketing.access.actors import Actor
from ticketing.contract import Problem
from ticketing.db import sql
from ticketing.ground.errors import Forbidden, Invalid, InvalidParameter, QueryTooExpensive, found
from ticketing.query import compiling, fulltext, hits, names, parsing
from ticketing.query.advice import narrower
from ticketing.query.hits import Asked
from ticketing.query.tree import Query
from ticketing.rules import tickets
from ticketing.writing import paging, patches, preconditions
from ticketing.writing.change import changing
from ticketing.writing.idempotency import Claim

FIELDS = ("name", "q", "columns", "visibility")
"""What of one can be changed."""
MOST_OWN = 100
MOST_SHARED = 200
MOST_COUNTED = 1000
"""How far tickets are counted: beyond it is said that there are more."""
MOST_COUNTS = 50
"""Most views that are counted at once."""
COUNT_SECONDS = 0.5
ALL_SECONDS = 0.9
"""How long counting the tickets of one view may take, and after how long no other is begun."""
UNSORTED = "created"
"""The sort of what is only counted: any will do."""


def _preset(place: int, preset: str, name: str, q: str) -> sql.View:
    return {
        "id": UUID(f"01900000-0000-7000-8000-{place:012d}"),
        "preset": preset,
        "name": name,
        "q": q,
        "columns": [],
        "visibility": "shared",
        "owner": None,
        "created_at": None,
        "updated_at": None,
    }


_UNFINISHED = "status:open,in_progress,pending"

PRESETS = (
    _preset(1, "unassigned", "Unassigned", f"{_UNFINISHED} assignee:none"),
    _preset(2, "mine", "Mine", f"{_UNFINISHED} assignee:me"),
    _preset(3, "waiting", "Waiting for an answer", "status:pending assignee:me"),
    _preset(4, "critical", "Critical", f"{_UNFINISHED} severity:critical"),
    _preset(5, "escalated", "Escalated", f"{_UNFINISHED} escalated:true"),
    _preset(6, "open", "Open", _UNFINISHED),
    _preset(7, "all", "All", ""),
)
FOR_ALL = frozenset({"open", "all"})
"""Those that are of use to requesters as well."""


async def create(
    conn: sql.Connection,
    actor: Actor,
    *,
    claim: Claim,
    name: str,
    q: str,
    columns: Sequence[str] = (),
    visibility: sql.ViewVisibility = "private",
) -> sql.View:
    """Keep a query in a transaction and record `view.created`; only staff may share one.

    Raises Forbidden, Invalid, KeyInFlight.
    """
    policy.require_unlimited(actor)
    if visibility == "shared":
        policy.require_staff(actor)
    query = await _checked(conn, actor, q)
    async with changing(conn, actor, claim) as change:
        await _make_room(conn, actor.user_id, own=True, shared=visibility == "shared")
        view = found(
            await sql.views.insert_view(
                conn,
                view_id=uuids.uuid7(),
                name=name,
                q=query,
                columns=list(columns),
                visibility=visibility,
                owner_id=actor.user_id,
            ),
            "view",
        )
        change.record("view.created", view, internal=True)
    return view


async def list_(conn: sql.Connection, actor: Actor, *, limit: int = 25, cursor: str | None = None) -> paging.Page:
    """A page of the views that the actor sees, as they have arranged them. Raises InvalidCursor."""
    listing = ["views", actor.id]
    after = paging.opened(cursor, listing, paging.bigint, _id)
    ordered = [(place, view) for place, view in await _arranged(conn, actor) if cursor is None or place > (*after,)]
    page = paging.page(ordered[: limit + 1], limit, listing, lambda row: [*row[0]])
    return {**page, "items": [view for _, view in page["items"]]}


def _id(text: str) -> str:
    return str(UUID(text))


async def _arranged(conn: sql.Connection, actor: Actor) -> list[tuple[tuple[int, str], sql.View]]:
    """All views that the actor sees in their order, each with its place.

    What they have not placed follows what they have: first what all begin with, then what is kept, oldest first.
    """
    ordered = await sql.views.get_arrangement(conn, user_id=actor.user_id)
    places = {id_: place for place, id_ in enumerate(ordered["view_order"] or () if ordered else ())}
    kept = await sql.views.list_views(conn, user_id=actor.user_id, is_staff=actor.staffs_any)
    views = [((places.get(view["id"], len(places)), str(view["id"])), view) for view in (*_presets(actor), *kept)]
    return sorted(views, key=lambda row: row[0])


def _presets(actor: Actor) -> list[sql.View]:
    return [view for view in PRESETS if actor.staffs_any or view["preset"] in FOR_ALL]


async def get(conn: sql.Connection, actor: Actor, view_id: UUID) -> sql.View:
    """One view that the actor sees. Raises NotFound."""
    preset = next((view for view in _presets(actor) if view["id"] == view_id), None)
    row = preset or await sql.views.get_view(conn, view_id=view_id, user_id=actor.user_id, is_staff=actor.staffs_any)
    return found(row, f"view {view_id}")


async def update(
    conn: sql.Connection, actor: Actor, view_id: UUID, patch: Mapping[str, Any], *, if_match: str | None = None
) -> sql.View:
    """Apply a merge patch in a transaction and record `view.updated`, for its owner and for admins who see it.

    Raises NotFound, Forbidden, PreconditionFailed, Invalid.
    """
    view = await _locked(conn, actor, view_id)
    matched = preconditions.match(if_match, view, FIELDS, patch)
    patch = patches.changeable(patch, view, FIELDS, matched=matched)
    if "q" in patch and patch["q"] != view["q"]:
        patch["q"] = await _checked(conn, actor, patch["q"])
    changed = {name for name, value in patch.items() if value != view[name]}  # type: ignore[literal-required]
    if not changed:
        return view
    wanted: dict[str, Any] = {name: view[name] for name in FIELDS} | patch  # type: ignore[literal-required]
    shares = "visibility" in changed and wanted["visibility"] == "shared"
    if shares:
        policy.require_staff(actor)
    async with changing(conn, actor) as change:
        if shares:
            await _make_room(conn, actor.user_id, shared=True)
        updated = found(await sql.views.update_view(conn, view_id=view_id, **wanted), f"view {view_id}")
        # What it was like while it was private is nobody's business.
        told = {"visibility"} if shares else changed
        previous = {name: view[name] for name in told}  # type: ignore[literal-required]
        change.record("view.updated", updated, previous=previous, internal=True)
    return updated


async def delete(conn: sql.Connection, actor: Actor, view_id: UUID, *, if_match: str | None = None) -> None:
    """Delete a view in a transaction and record `view.deleted`, as its owner or as an admin who sees it.

    Raises NotFound, Forbidden, PreconditionFailed.
    """
    view = await _locked(conn, actor, view_id)
    preconditions.match(if_match, view, FIELDS)
    async with changing(conn, actor) as change:
        await sql.views.delete_view(conn, view_id=view_id)
        change.record("view.deleted", view, internal=True)


async def _locked(conn: sql.Connection, actor: Actor, view_id: UUID) -> sql.View:
    """A view that the actor may change, locked. Raises NotFound, Forbidden."""
    policy.require_unlimited(actor)
    if any(view["id"] == view_id for view in _presets(actor)):
        raise Forbidden("This view comes with the service. You can hide it, and place it elsewhere: see update_me.")
    row = await sql.views.lock_view(conn, view_id=view_id, user_id=actor.user_id, is_staff=actor.staffs_any)
    view = found(row, f"view {view_id}")
    if not (actor.admin or (view["owner"] or {}).get("id") == str(actor.id)):
        raise Forbidden("Only its owner and admins may change this view.")
    return view


async def _make_room(conn: sql.Connection, owner_id: UUID, *, own: bool = False, shared: bool = False) -> None:
    """Refuse a view too many. Raises Invalid."""
    await sql.views.lock_views(conn)
    counted = found(await sql.views.count_views(conn, owner_id=owner_id), "count")
    if own and (counted["own"] or 0) >= MOST_OWN:
        raise Invalid.at("#", "too_many", f"You have {MOST_OWN} views. Delete one first.", max=MOST_OWN)
    if shared and (counted["shared"] or 0) >= MOST_SHARED:
        detail = f"{MOST_SHARED} views are shared. Delete one first, or make one private."
        raise Invalid.at("#/visibility", "too_many", detail, max=MOST_SHARED)


async def _checked(conn: sql.Connection, actor: Actor, q: str) -> str:
    """A query that holds for the actor now, in its canonical form. Raises Invalid."""
    try:
        query = parsing.parse(str(parsing.parse(q)))
        await _people(conn, actor, query)
    except InvalidParameter as refused:
        faults = [replace(fault, parameter=None, pointer="#/q") for fault in refused.errors]
        raise Invalid(refused.detail, errors=faults) from None
    return str(query)


async def _people(conn: sql.Connection, actor: Actor, query: Query) -> names.People:
    """Who is meant by the names in a query. Raises InvalidParameter if it names what is not there for the actor."""
    people = await names.people(conn, actor, query)
    named = names.named(query, borne=())
    if actor.staffs_any or not any(name.kind == "user" for name in named):
        await filters.check_visible(conn, actor, named, absent=people.nobody)
    else:
        # Who is no agent also knows whom the tickets name that they see.
        await tickets.list_(conn, actor, q=str(query))
    return people


# How many tickets a view has -----------------------------------------------------------------------------------------


class Count(TypedDict):
    """The contract's ViewCount."""

    view_id: UUID | None
    count: int | None
    more: bool
    problem: dict[str, Any] | None


async def counts(conn: sql.Connection, actor: Actor, view: Collection[str] | None = None) -> dict[str, list[Count]]:
    """How many tickets some views have, of those that the actor sees: of all that they have not hidden, or of these.

    A view whose query has a fault for them, or takes too long, has none, and says why.
    """
    ordered = await sql.views.get_arrangement(conn, user_id=actor.user_id)
    hidden = set(ordered["hidden_views"] or () if ordered else ())
    asked = {UUID(id_) for id_ in view or ()}
    seen = [each for _, each in await _arranged(conn, actor)]
    left = [each for each in seen if (each["id"] in asked if view else each["id"] not in hidden)][:MOST_COUNTS]
    found: list[Count] = []
    until = time.monotonic() + ALL_SECONDS
    while left:
        try:
            async with conn.transaction():
                await sql.query.limit_time(conn, milliseconds=str(round(COUNT_SECONDS * 1000)))
                while left:
                    found.append(await _counted(conn, actor, left[0], until))
                    del left[0]
        except QueryCanceled:
            # It took the transaction with it, and the others get another one.
            found.append(_untold(left.pop(0), f"Its tickets are not counted in {COUNT_SECONDS} s."))
    return {"items": found}


async def _counted(conn: sql.Connection, actor: Actor, view: sql.View, until: float) -> Count:
    if time.monotonic() > until:
        return _untold(view, "The views before this one took all the time. Ask for it alone.")
    try:
        query = parsing.parse(view["q"] or "")
        people = await _people(conn, actor, query)
    except InvalidParameter as fault:
        return _uncounted(view, fault)
    reader = await names.reader(conn, actor, query, people)
    if fulltext.sought(query):
        count, more = await hits.count(conn, Asked(actor, query, reader), MOST_COUNTED)
        return {"view_id": view["id"], "count": count, "more": more, "problem": None}
    compiled = compiling.condition(query, reader, UNSORTED)
    # A plan for all values would not stop early.
    condition, most = replace(compiled, steady=False), MOST_COUNTED + 1
    if actor.everywhere:
        rows = await sql.views.list_count_of_all(conn, condition=condition, most=most)
    else:
        rows = await sql.views.list_count_of_seen(conn, **actor.viewer(), condition=condition, most=most)
    count = rows[0]["count"] or 0
    return {"view_id": view["id"], "count": min(count, MOST_COUNTED), "more": count > MOST_COUNTED, "problem": None}


def _untold(view: sql.View, detail: str) -> Count:
    return _uncounted(view, QueryTooExpensive(detail + narrower(view["q"] or "")))


def _uncounted(view: sql.View, problem: Problem) -> Count:
    return {"view_id": view["id"], "count": None, "more": False, "problem": problem.told()}
