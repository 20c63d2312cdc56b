"""The problems that rules raise.

Problem                 (ticketing.contract: rendered as RFC 9457 problem details; titles in spec/problems.yaml)
├── InvalidCursor       400
├── InvalidParameter    400   a rule that the schema cannot express
├── InsufficientScope   403   the token may not
├── Forbidden           403   the person may not
├── SignInRefused       403   whoever asks has not shown who they are
├── CsrfTokenInvalid    403   another site's page may have sent it
├── NotFound            404   it does not exist, or this actor may not see it
├── AlreadyExists       409
├── ChangedMeanwhile    409
├── InvitationEnded     409
├── CommentDeleted      409
├── LastAdmin           409
├── OwnRights           409
├── NotAServiceAccount  409
├── UserInactive        409
├── SecretNotShown      409
├── AnswerNotKept       409
├── EndpointDisabled    409
├── TooManySecrets      409
├── JobNotRetriable     409
├── JobEnded            409
├── InvalidTransition   409
├── KeyInFlight         409
├── NotConfigured       409   an operator must make a setting first
├── TicketClosed        409
├── CursorExpired       410   events after it are gone, or no longer visible to this actor
├── PreconditionFailed  412
├── Invalid             422   a rule that the schema cannot express
├── KeyReused           422
├── QueryTooExpensive   422   filters and sort of a list
├── TooManySignInCodes  429
└── TooManyStreams      429
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from ticketing.contract import Fault, Problem

T = TypeVar("T")


class InvalidCursor(Problem):
    slug = "invalid-cursor"


class CursorExpired(Problem):
    slug = "cursor-expired"


class InvalidParameter(Problem):
    slug = "invalid-parameter"

    @classmethod
    def named(cls, parameter: str, code: str, detail: str, **expected: Any) -> InvalidParameter:
        """A single fault, in a parameter."""
        return cls(detail, errors=[Fault(code, detail, expected, parameter=parameter)])


class InsufficientScope(Problem):
    slug = "insufficient-scope"

    @classmethod
    def of(cls, scopes: Iterable[str], detail: str) -> InsufficientScope:
        """A token with these scopes could do it (RFC 6750, 3.1)."""
        challenge = f'Bearer error="insufficient_scope", scope="{" ".join(scopes)}"'
        return cls(detail, headers={"WWW-Authenticate": challenge})


class Forbidden(Problem):
    slug = "forbidden"


class SignInRefused(Problem):
    slug = "sign-in-refused"


class CsrfTokenInvalid(Problem):
    slug = "csrf-token-invalid"


class NotFound(Problem):
    slug = "not-found"


class AlreadyExists(Problem):
    slug = "already-exists"


class InvitationEnded(Problem):
    slug = "invitation-ended"


class ChangedMeanwhile(Problem):
    slug = "changed-meanwhile"


class CommentDeleted(Problem):
    slug = "comment-deleted"


class LastAdmin(Problem):
    slug = "last-admin"


class OwnRights(Problem):
    slug = "own-rights"


class NotAServiceAccount(Problem):
    slug = "not-a-service-account"


class UserInactive(Problem):
    slug = "user-inactive"


class SecretNotShown(Problem):
    slug = "secret-not-shown"


class AnswerNotKept(Problem):
    slug = "answer-not-kept"


class EndpointDisabled(Problem):
    slug = "endpoint-disabled"


class TooManySecrets(Problem):
    slug = "too-many-secrets"


class JobNotRetriable(Problem):
    slug = "job-not-retriable"


class JobEnded(Problem):
    slug = "job-ended"


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
    def at(cls, pointer: str, code: str, detail: str, **expected: Any) -> Invalid:
        """A single fault at a JSON Pointer (RFC 6901) in fragment form, e.g. `#/project`."""
        return cls(detail, errors=[Fault(code, detail, expected, pointer=pointer)])


class KeyInFlight(Problem):
    slug = "idempotency-key-in-flight"


class KeyReused(Problem):
    slug = "idempotency-key-reused"


class QueryTooExpensive(Problem):
    slug = "query-too-expensive"


class TooManySignInCodes(Problem):
    slug = "too-many-sign-in-codes"


class TooManyStreams(Problem):
    slug = "too-many-streams"


def found(row: T | None, what: str) -> T:
    """The row. Raises NotFound if there is none, whether it does not exist or the actor may not see it."""
    if row is None:
        raise NotFound(f"There is no {what} that you may see.")
    return row
