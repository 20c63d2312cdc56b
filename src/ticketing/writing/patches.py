"""Merge patches (RFC 7396): a resource may be sent back as it was read, with what cannot be changed in it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from ticketing.contract import VERSION, Fault
from ticketing.ground.errors import Invalid

_ID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


READ_ONLY = "This cannot be changed, and differs from what is there now. Leave it out, or read it again."
MOVING = frozenset({"updated_at", "last_used_at", "failing_since", "due", "scheduled", "running", "oldest_due_seconds"})
"""What moves although nobody edits: with a comment on a ticket, a use of a token, a message that does not
arrive, the jobs of a queue."""


def changeable(
    patch: Mapping[str, Any],
    resource: Mapping[str, Any],
    fields: Collection[str],
    *,
    matched: bool = False,
    at: str = "#",
) -> dict[str, Any]:
    """The part of a patch that is about these fields. Raises Invalid if the rest is not what the resource holds.

    Whoever has said which version they read may send back what has moved since (`matched`, by `preconditions.match`,
    which also judges the `version` in a patch). `at` is the JSON Pointer of the patch, if it is a part of one.
    """
    faults = [
        Fault("read_only", READ_ONLY, pointer=f"{at}/{name}")
        for name, value in patch.items()
        if name not in fields
        and name != VERSION
        and not (matched and name in MOVING)
        and _nameless(value) != _nameless(resource[name])
    ]
    if faults:
        raise Invalid(faults[0].detail, errors=faults)
    return {name: value for name, value in patch.items() if name in fields}


def _nameless(value: Any) -> Any:
    """What is compared. People go by their ids, as their names may change; ids have two cases (RFC 9562, 4)."""
    if isinstance(value, Mapping):
        return {name: _nameless(member) for name, member in value.items() if name != "name"}
    if isinstance(value, str) and _ID.fullmatch(value):
        return UUID(value)
    return value
