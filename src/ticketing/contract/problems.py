"""Errors of the contract: exceptions here, problem details (RFC 9457) on the wire."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import orjson

from ticketing.contract.document import ContractError

Catalogue = Mapping[str, Mapping[str, Any]]
"""Problem types by slug; each has a title and a status, the same in every occurrence."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a request: a `code` of the contract, a sentence, and where it is."""

    code: str
    detail: str
    expected: Mapping[str, Any] = field(default_factory=dict)
    """The parameters of the code, such as the limit of what is too long."""
    pointer: str | None = None
    parameter: str | None = None
    offset: int | None = None
    """Where in the text of the parameter, in characters."""
    length: int | None = None
    suggestion: str | None = None
    """What may have been meant there."""

    def told(self) -> dict[str, Any]:
        """The fault as an entry of `errors`."""
        place = {"pointer": self.pointer} if self.pointer is not None else {"parameter": self.parameter}
        more = {"offset": self.offset, "length": self.length, "suggestion": self.suggestion}
        return {
            "code": self.code,
            "detail": self.detail,
            **place,
            **{name: value for name, value in more.items() if value is not None},
            **({"expected": self.expected} if self.expected else {}),
        }


class Problem(Exception):
    """A request that is refused. Subclasses name a type of problem by its `slug` in the catalogue."""

    slug: ClassVar[str] = ""

    def __init__(
        self, detail: str, *, errors: Sequence[Fault] = (), headers: Mapping[str, str] | None = None, **extra: Any
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = errors
        self.headers = headers or {}
        self.extra = extra
        self.late = False
        """Whether it is sent late, because the client has been refused again and again."""

    def told(self) -> dict[str, Any]:
        """What it says of this time, wherever it is told."""
        said: dict[str, Any] = {"code": self.slug.replace("-", "_"), "detail": self.detail}
        if self.errors:
            said["errors"] = [fault.told() for fault in self.errors]
        return said | self.extra


class MalformedRequest(Problem):
    slug = "malformed-request"


class InvalidParameter(Problem):
    slug = "invalid-parameter"


class Unauthenticated(Problem):
    slug = "unauthenticated"


class InvalidToken(Exception):
    """A token that is not valid: why, in a word for the log; and whether that needed a look-up."""

    def __init__(self, reason: str, looked_up: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.looked_up = looked_up


class RouteNotFound(Problem):
    slug = "not-found"


class MethodNotAllowed(Problem):
    slug = "method-not-allowed"


class NotAcceptable(Problem):
    slug = "not-acceptable"


class RequestTimeout(Problem):
    slug = "request-timeout"


class PreconditionFailed(Problem):
    slug = "precondition-failed"


class ContentTooLarge(Problem):
    slug = "content-too-large"


class RangeNotSatisfiable(Problem):
    slug = "range-not-satisfiable"


class UnsupportedMediaType(Problem):
    slug = "unsupported-media-type"


class ValidationFailed(Problem):
    slug = "validation-failed"


class InternalError(Problem):
    slug = "internal-error"


def render(problem: Problem, catalogue: Catalogue, request_id: str, prefix: str = "") -> tuple[int, bytes]:
    """Status and body of the answer for a problem; `prefix` precedes our paths as the client sees them."""
    known = catalogue[problem.slug]
    details = {
        "type": f"{prefix}/problems/{problem.slug}",
        "title": known["title"],
        "status": known["status"],
        **problem.told(),
        "request_id": request_id,
    }
    return known["status"], orjson.dumps(details)


def check(catalogue: Catalogue, packages: Collection[str], has_ranges: bool) -> None:
    """Refuse a catalogue that lacks a type raised by one of these packages, or half-describes one.

    Ranges and preconditions of files are only refused where there are files.
    """
    for slug, known in catalogue.items():
        if not isinstance(known.get("title"), str) or known.get("status") not in range(400, 600):
            raise ContractError(f"The problem {slug!r} needs a title and a status between 400 and 599.")
    for kind in _descendants(Problem):
        ours = kind.__module__.startswith(__name__) or kind.__module__.partition(".")[0] in packages
        if ours and kind.slug not in catalogue and (has_ranges or kind not in _OF_FILES):
            name = f"{kind.__module__}.{kind.__qualname__}"
            raise ContractError(f"{name} has the slug {kind.slug!r}, which the catalogue lacks.")


_OF_FILES = {PreconditionFailed, RangeNotSatisfiable}


def _descendants(kind: type[Problem]) -> Iterator[type[Problem]]:
    for child in kind.__subclasses__():
        yield child
        yield from _descendants(child)
