"""Who is asking: somebody with a token, or whoever has the command line."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from ticketing.db import sql


@dataclass(frozen=True, slots=True)
class Actor:
    """A user, signed in by one of their tokens."""

    id: UUID
    name: str
    role: sql.UserRole
    scopes: frozenset[str]
    token_id: UUID
    token_expires_at: datetime | None
    #: Known only to who holds the token: neither it nor the token follows from what is stored.
    seed: bytes = field(repr=False)

    @property
    def staff(self) -> bool:
        """Whether agents' rights apply."""
        return self.role != "requester"


@dataclass(frozen=True, slots=True)
class Operator:
    """Whoever has the command line: may do what admins may, with no token, and under no name in the log."""

    id: None = None
    role: sql.UserRole = "admin"
    staff: bool = True
    token_id: None = None
    token_expires_at: None = None


OPERATOR = Operator()
Caller = Actor | Operator
