"""What was asked for cannot be done, for a reason that whoever asked can do something about."""

from __future__ import annotations


class Refused(Exception):
    """The message says why, and is all that the command line says."""
