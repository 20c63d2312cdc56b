"""Settings, read once from the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

PREFIX = "TICKETING_"


class InvalidSetting(Exception):
    """A setting is missing or cannot be read; the message names the variable and says what it takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Each field is the variable `TICKETING_<NAME>`; the comment above it is its documentation."""

    #: PostgreSQL, as a `postgresql://` URL (libpq syntax).
    database_url: str
    #: Redis or Valkey for background jobs, as a `redis://` URL.
    redis_url: str = "redis://127.0.0.1:6379/0"
    #: Database connections a process holds at most, besides two that ring and hear the bell.
    pool_size: int = 8
    #: `debug`, `info`, `warning` or `error`.
    log_level: str = "info"
    #: `json` for machines, `text` for people.
    log_format: str = "json"
    #: Days in which a requester may reopen what was resolved.
    reopen_days: int = 14
    #: Milliseconds for which an accepted token is not looked up again; bounds how late a revocation takes effect.
    token_cache_ms: int = 500
    #: Days for which events are kept; 0 keeps them for ever.
    event_days: int = 0
    #: Streams of events that a process holds open at most.
    streams: int = 2000
    #: Streams of events that a user may hold open in a process.
    streams_per_user: int = 20
    #: Seconds after which a silent stream gives a sign of life.
    heartbeat_seconds: int = 15

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Read `TICKETING_*`. Raises InvalidSetting, naming the variable at fault."""
        given: dict[str, Any] = {}
        for field in fields(cls):
            variable = PREFIX + field.name.upper()
            text = environ.get(variable)
            if text:
                given[field.name] = _number(variable, text) if field.type == "int" else text
        if "database_url" not in given:
            raise InvalidSetting(f"{PREFIX}DATABASE_URL is not set. Give it a postgresql:// URL.")
        return cls(**given)


def _number(variable: str, text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise InvalidSetting(f"{variable} is {text[:50]!r}. Give it a whole number.")
    return int(text)


@cache
def settings() -> Settings:
    """The settings of this process."""
    return Settings.from_environ()
