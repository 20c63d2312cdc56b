"""Oneself: the user behind a token, with the preferences that only they see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict
from uuid import UUID

from ticketing.access import policy
from ticketing.access.actors import Actor
from ticketing.db import sql
from ticketing.ground import time_zones
from ticketing.ground.errors import Invalid, found
from ticketing.rules import tokens
from ticketing.writing import patches, preconditions
from ticketing.writing.change import changing

EDITED = ("user.name", "preferences")
"""What one can change of oneself."""


class Me(TypedDict):
    """The contract's Me."""

    user: Any
    preferences: Any
    token: sql.Token


async def get(conn: sql.Connection, actor: Actor) -> Me:
    """The actor's user and preferences, and the token that they signed in with."""
    return await _me(conn, actor, await sql.users.get_profile(conn, user_id=actor.user_id))


async def update(conn: sql.Connection, actor: Actor, patch: Mapping[str, Any], *, if_match: str | None = None) -> Me:
    """Apply a merge patch in a transaction and record `user.updated`, which tells nobody any preferences.

    Raises Forbidden (the token is limited to some projects), PreconditionFailed, Invalid.
    """
    policy.require_unlimited(actor)
    me = await _me(conn, actor, await sql.users.lock_profile(conn, user_id=actor.user_id))
    matched = preconditions.match(if_match, me, EDITED, patch)
    patches.changeable(patch.get("token", {}), me["token"], (), matched=matched, at="#/token")
    named = patches.changeable(patch.get("user", {}), me["user"], ("name",), matched=matched, at="#/user")
    user = {**me["user"], **named}
    preferences = _patched(me["preferences"], patch.get("preferences", {}))
    if (user["name"], preferences) == (me["user"]["name"], me["preferences"]):
        return me
    _check_time_zone(preferences["time_zone"])
    previous = {} if user["name"] == me["user"]["name"] else {"name": me["user"]["name"]}
    async with changing(conn, actor) as change:
        profile = await sql.users.update_profile(
            conn,
            user_id=actor.user_id,
            name=user["name"],
            locale=preferences["locale"],
            time_zone=preferences["time_zone"],
            view_order=[UUID(view) for view in preferences["view_order"]],
            hidden_views=[UUID(view) for view in preferences["hidden_views"]],
            **preferences["mail_notifications"],
        )
        updated = await _me(conn, actor, profile)
        change.record("user.updated", updated["user"], previous=previous, internal=True)
    return updated


async def _me(conn: sql.Connection, actor: Actor, profile: sql.Profile | None) -> Me:
    known = found(profile, f"user {actor.user_id}")
    token = await tokens.calling(conn, actor)
    return {"user": known["user"], "preferences": known["preferences"], "token": token}


def _patched(preferences: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    notifications = {**preferences["mail_notifications"], **patch.get("mail_notifications", {})}
    return {**preferences, **patch, "mail_notifications": notifications}


def _check_time_zone(name: str) -> None:
    if name and name not in time_zones.names():
        raise Invalid.at(
            "#/preferences/time_zone",
            "unknown",
            f"There is no time zone {name}. Give its name in the IANA database, such as Europe/Berlin.",
        )
