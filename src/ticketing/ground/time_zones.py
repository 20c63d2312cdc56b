"""The names of time zones in the IANA database, the same in every installation."""

from functools import cache
from importlib import resources


@cache
def names() -> frozenset[str]:
    """All of them, old names included, as browsers still give some (RFC 6557)."""
    return frozenset(resources.files("tzdata").joinpath("zones").read_text("ascii").split())
