"""What an operation says that will go: when it was deprecated, when it ends, and where to read what to use instead."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from email.utils import format_datetime

from ticketing.contract.document import ContractError, Document, Operation, operations
from ticketing.contract.exchange import Lines

WHEN = "x-deprecation"
"""What a deprecated operation has: `since` and `sunset` are dates (YYYY-MM-DD), `link` is an address."""


def of_endings(operation: Operation) -> tuple[str, ...]:
    """The names of the headers that tell of an operation's end; none if it stays."""
    return ("Deprecation", "Sunset", "Link") if operation.spec.get("deprecated") else ()


def notices(documents: Iterable[Document]) -> dict[str, Lines]:
    """The headers of every answer of a deprecated operation, by its operationId.

    They are `Deprecation` (RFC 9745), `Sunset` (RFC 8594), and a `Link` to what to use instead. Raises ContractError
    for a deprecated operation without dates, or dates without a deprecation.
    """
    return {
        operation.spec["operationId"]: _notice(operation)
        for document in documents
        for operation in operations(document)
        if operation.spec.get("deprecated") or WHEN in operation.spec
    }


def _notice(operation: Operation) -> Lines:
    said = operation.spec.get(WHEN)
    if operation.spec.get("deprecated") is not True or not isinstance(said, dict):
        raise ContractError(f"{operation.label} needs both `deprecated: true` and `{WHEN}`, or neither.")
    if said.keys() != {"since", "sunset", "link"}:
        raise ContractError(f"{operation.label} has to say `since`, `sunset` and `link` in `{WHEN}`.")
    since, sunset = _midnight(operation, said["since"]), _midnight(operation, said["sunset"])
    if sunset <= since:
        raise ContractError(f"{operation.label} ends before it is deprecated.")
    return (
        (b"deprecation", b"@%d" % since.timestamp()),
        (b"sunset", format_datetime(sunset, usegmt=True).encode()),
        (b"link", f'<{said["link"]}>; rel="deprecation"; type="text/html"'.encode()),
    )


def _midnight(operation: Operation, text: object) -> datetime:
    try:
        day = date.fromisoformat(str(text))
    except ValueError:
        raise ContractError(f"{operation.label}: {text!r} in `{WHEN}` is not a date like 2026-11-24.") from None
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
