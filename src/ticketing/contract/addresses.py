"""Addresses of e-mail: those that mail can be sent to, which are fewer than RFC 5321 allows."""

from __future__ import annotations

import re

import idna
import jsonschema_rs

LOCAL = re.compile(r"[^\s\x00-\x20\x7f-\x9f\"(),:;<>@\[\]\\]+")
"""What we take for the part before the @: no quoted strings, but letters of any script (RFC 6531)."""

_of_format = jsonschema_rs.Draft202012Validator({"format": "email"}, validate_formats=True).is_valid


def parted(address: str) -> tuple[str, str]:
    """The part before the @, and the domain in ASCII (RFC 5891). Raises ValueError if mail cannot be sent there."""
    local, _, domain = address.rpartition("@")
    if not LOCAL.fullmatch(local) or local[0] == "." or local[-1] == "." or ".." in local:
        raise ValueError("The part before the @ is not one that mail is sent to.")
    try:
        return local, idna.encode(domain, uts46=True).decode()
    except (UnicodeError, ValueError, IndexError):
        raise ValueError("The part after the @ is not the name of a domain.") from None


def takes_mail(address: str) -> bool:
    """Whether it has the format `email` of JSON Schema, and mail can be sent to it."""
    try:
        parted(address)
    except ValueError:
        return False
    return bool(_of_format(address))
