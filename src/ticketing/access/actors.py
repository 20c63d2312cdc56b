"""Who is asking: a signed-in user, nobody in particular, or whoever has the command line."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TypedDict, cast
from uuid import UUID

from ticketing.access import scopes
from ticketing.contract.problems import Unauthenticated
from ticketing.db import sql


class Staffing(TypedDict):
    """An actor's rights as staff, as statements take them: the projects that they staff, or all."""

    staffed: list[str] | None
    everywhere: bool


class Viewer(Staffing):
    """Who sees tickets, as the predicate `may_see` in SQL takes it; None gives nothing."""

    viewer_id: UUID | None
    organizations: list[str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who is asking, and their rights, as their role gives them and their token limits them.

    Built with nothing it is nobody: they see what is public, and may do nothing.
    """

    #: The user; None for who has not signed in.
    id: UUID | None = None
    name: str = ""
    role: sql.UserRole | None = None
    #: Whose tickets are their own: theirs, unless the token is limited to some projects.
    requester_id: UUID | None = None
    #: Whose tickets they see as well, by key.
    organizations: frozenset[str] = frozenset()
    #: What they staff, by key, unless they staff all.
    projects: frozenset[str] = frozenset()
    everywhere: bool = False
    admin: bool = False
    scopes: frozenset[str] = frozenset()
    #: The projects that the token is limited to; None if it is not limited.
    limits: frozenset[str] | None = None
    #: All that the rights follow from, in one text: another one means other rights.
    rights: str = ""
    #: The token that they signed in with, or the session, which is one as well.
    token_id: UUID | None = None
    #: When that ends by itself, and so what is made with it; None for never, and for a session: it is the person.
    token_expires_at: datetime | None = None
    session: bool = False
    #: Known only to who holds the token: neither it nor the token follows from what is stored.
    seed: bytes = field(default=b"", repr=False)

    @property
    def user_id(self) -> UUID:
        """Under whose name a change is made. Raises Unauthenticated."""
        if self.id is None:
            raise Unauthenticated("Sign in to do this.")
        return self.id

    @property
    def staffs_any(self) -> bool:
        """Whether they have the rights of staff in any project."""
        return self.everywhere or bool(self.projects)

    def staffs(self, project: str) -> bool:
        """Whether they have the rights of staff in a project."""
        return self.everywhere or project in self.projects

    def writes_in(self, project: str) -> bool:
        """Whether they may write there at all: with a token limited to some projects, only where they are staff."""
        return self.limits is None or self.staffs(project)

    def staffing(self) -> Staffing:
        """What statements about projects take."""
        return {"staffed": sorted(self.projects) or None, "everywhere": self.everywhere}

    def viewer(self) -> Viewer:
        """What statements about tickets take."""
        return {
            "viewer_id": self.requester_id,
            "organizations": sorted(self.organizations) or None,
            **self.staffing(),
        }


ANONYMOUS = Actor()


def signed_in(identity: sql.Identity, seed: bytes) -> Actor:
    """The actor behind a token that holds. A role that nobody knows has no rights, and a scope neither."""
    role = identity["role"]
    limits = None if identity["limits"] is None else frozenset(identity["limits"])
    admin = role == "admin"
    everywhere = admin or (role == "agent" and bool(identity["everywhere"]))
    staffed = frozenset(identity["staffed"] or ()) if role == "agent" and not everywhere else frozenset()
    whole = limits is None and role in scopes.OF_ROLE
    limited = limits or frozenset()
    return Actor(
        id=identity["user_id"],
        name=identity["name"] or "",
        role=cast("sql.UserRole", role),
        requester_id=identity["user_id"] if whole else None,
        organizations=frozenset(identity["organizations"] or ()) if whole else frozenset(),
        projects=staffed if whole else limited if everywhere else staffed & limited,
        everywhere=everywhere and whole,
        admin=admin and whole,
        scopes=frozenset(identity["scopes"] or ()) if role in scopes.OF_ROLE else frozenset(),
        limits=limits,
        rights=identity["rights"] or "",
        token_id=identity["token_id"],
        token_expires_at=None if identity["session"] else identity["expires_at"],
        session=bool(identity["session"]),
        seed=seed,
    )


@dataclass(frozen=True, slots=True)
class Operator:
    """Whoever has the command line: may do what admins may, with no token, and under no name in the log."""

    id: None = None
    everywhere: bool = True
    staffs_any: bool = True
    admin: bool = True
    token_id: None = None
    token_expires_at: None = None

    def staffing(self) -> Staffing:
        """What statements about projects take."""
        return {"staffed": None, "everywhere": True}


OPERATOR = Operator()
Caller = Actor | Operator
