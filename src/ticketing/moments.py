"""Moments as the contract writes them (RFC 3339), read into what PostgreSQL can hold."""

from __future__ import annotations

from datetime import UTC, datetime


def parse(text: str) -> datetime:
    """The moment in UTC: RFC 3339 allows offsets up to a day, PostgreSQL only up to 16 hours.

    Raises ValueError for what the format allows and the calendar lacks, such as the year 0.
    """
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except OverflowError as error:
        raise ValueError(text) from error
