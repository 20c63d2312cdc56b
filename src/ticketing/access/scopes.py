"""The scopes of tokens, as spec/schemas/Scope.yaml lists them, and which of them the tokens of a role can hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Scope = Literal["tickets:read", "tickets:write", "admin"]

#: Each role has the rights of those before it.
OF_ROLE: Mapping[str, tuple[Scope, ...]] = {
    "requester": ("tickets:read", "tickets:write"),
    "agent": ("tickets:read", "tickets:write"),
    "admin": ("tickets:read", "tickets:write", "admin"),
}
