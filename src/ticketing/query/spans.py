"""The periods and moments that values like `2026-01-31` and `-7d` stand for."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta, tzinfo

from ticketing.ground import moments

AGO = re.compile(r"-([0-9]{1,4})([hdw])")
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
HOURS = {"h": 1, "d": 24, "w": 7 * 24}
EARLIEST, LATEST = date(2, 1, 1), date(9998, 12, 31)
"""The days whose beginning and end every time zone has."""


def check(text: str) -> None:
    """Raises ValueError, with a sentence, if this is no day, time or number of hours, days or weeks ago."""
    if AGO.fullmatch(text):
        return
    if not DAY.fullmatch(text):
        try:
            moments.parse(text)
        except ValueError as wrong:
            raise ValueError(str(wrong) if "T" in text.upper() else WRITTEN) from None
        return
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise ValueError("There is no such day.") from None
    if not EARLIEST <= day <= LATEST:
        raise ValueError(f"A day is from {EARLIEST.isoformat()} to {LATEST.isoformat()}.")


WRITTEN = "Write a day (2026-01-31), a time (2026-01-31T10:00:00Z), or how long ago (-12h, -7d, -2w)."


def is_day(text: str) -> bool:
    """Whether it is a period, and not a moment."""
    return DAY.fullmatch(text) is not None


def span(text: str, now: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    """Its first moment, and the first after it. A day has both; a moment is one, so they are the same."""
    if ago := AGO.fullmatch(text):
        moment = now - timedelta(hours=int(ago[1]) * HOURS[ago[2]])
    elif is_day(text):
        day = date.fromisoformat(text)
        return datetime.combine(day, time(), zone), datetime.combine(day + timedelta(days=1), time(), zone)
    else:
        moment = moments.parse(text)
    return moment, moment
