"""What can go wrong, as the rules say it.

Problem                 (ticketing.contract: rendered as RFC 9457 problem details; titles in spec/problems.yaml)
├── InvalidCursor       400
├── InvalidParameter    400   a rule that the schema cannot express
├── InsufficientScope   403   the token may not
├── Forbidden           403   the person may not
├── NotFound            404   it is not there, or not for this actor to see
├── Conflict            409
├── InvalidTransition   409
├── KeyInFlight         409
├── NotConfigured       409   an operator has to set something first
├── TicketClosed        409
├── CursorExpired       410   what came after it is not all there any more, or not for this actor
├── PreconditionFailed  412
├── Invalid             422   a rule that the schema cannot express
├── KeyReused           422
└── TooManyStreams      429
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from ticketing.contract import Problem

T = TypeVar("T")


class InvalidCursor(Problem):
    slug = "invalid-cursor"


class CursorExpired(Problem):
    slug = "cursor-expired"


class InvalidParameter(Problem):
    slug = "invalid-parameter"

    @classmethod
    def named(cls, parameter: str, detail: str) -> InvalidParameter:
        """A single fault, of a parameter."""
        return cls(detail, errors=[{"detail": detail, "parameter": parameter}])


class InsufficientScope(Problem):
    slug = "insufficient-scope"

    @classmethod
    def of(cls, scopes: Iterable[str], detail: str) -> InsufficientScope:
        """A token with these scopes could do it (RFC 6750, 3.1)."""
        challenge = f'Bearer error="insufficient_scope", scope="{" ".join(scopes)}"'
        return cls(detail, headers={"WWW-Authenticate": challenge})


class Forbidden(Problem):
    slug = "forbidden"


class NotFound(Problem):
    slug = "not-found"


class Conflict(Problem):
    slug = "conflict"


class InvalidTransition(Problem):
    slug = "invalid-transition"


class TicketClosed(Problem):
    slug = "ticket-closed"


class NotConfigured(Problem):
    slug = "not-configured"


class PreconditionFailed(Problem):
    slug = "precondition-failed"


class Invalid(Problem):
    """One or more rules are broken; `errors` says where, as JSON Pointers into the body."""

    slug = "validation-failed"

    @classmethod
    def at(cls, pointer: str, detail: str) -> Invalid:
        """A single fault at a JSON Pointer (RFC 6901) in fragment form, e.g. `#/project`."""
        return cls(detail, errors=[{"detail": detail, "pointer": pointer}])


class KeyInFlight(Problem):
    slug = "idempotency-key-in-flight"


class KeyReused(Problem):
    slug = "idempotency-key-reused"


class TooManyStreams(Problem):
    slug = "too-many-streams"


def found(row: T | None, what: str) -> T:
    """The row, or NotFound: for what does not exist and for what the actor may not see alike."""
    if row is None:
        raise NotFound(f"There is no {what} that you may see.")
    return row
