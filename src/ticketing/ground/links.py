"""Links to what people look at, which begin with the public URL of the installation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus, urlencode
from uuid import UUID

from ticketing.ground.config import settings

PLAIN = ",:/@!$'()*;?"
"""What stands for itself in the query of an address (RFC 3986, section 3.4), besides letters, digits and `-._~`."""


def written(value: str) -> str:
    """A value as it stands in the query of an address."""
    return quote_plus(value, safe=PLAIN)


def of_page(path: str) -> str:
    """The URL of a page of ours."""
    return f"{settings().public_url}{path}"


def of_ticket(number: int) -> str:
    """The URL of a ticket's page."""
    return of_page(f"/support/tickets/{number}")


def of_invitation(secret: str) -> str:
    """The URL at which an invitation is accepted."""
    return of_page(f"/invitation#{urlencode({'token': secret})}")


def of_sign_in(code_id: UUID, secret: str, email: str) -> str:
    """The URL at which somebody signs in. Its secrets are in the fragment, which no proxy is sent, and so none logs."""
    return of_page(f"/sign-in#{urlencode({'id': code_id, 'code': secret, 'email': email})}")


def of_resource(ticket: Mapping[str, Any]) -> str | None:
    """The `html_url` of the contract's Ticket; None for what has no number."""
    return of_ticket(ticket["number"]) if "number" in ticket else None


DERIVED = {"html_url": of_resource}
"""How the members of resources are made that the contract marks with `x-derived`."""
