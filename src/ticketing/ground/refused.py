"""An operation was refused for a reason that the caller can do something about."""

from __future__ import annotations


class Refused(Exception):
    """The message says why; the command line prints nothing else."""
