"""Timestamps as people and programs write them, in the one form that contract, Python and PostgreSQL share."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

LONGEST = 40
"""Most characters in a timestamp: a fraction may have more digits than anybody needs."""

_WRITTEN = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?"
    r"(?:[Zz]|([+-])([0-9]{2})(?::?([0-9]{2}))?)"
)


def parse(text: str) -> datetime:
    """The timestamp in UTC, cut off (not rounded, which could change the year) to milliseconds.

    As in RFC 3339 (5.6), `t` and `z` may be lower case, and a blank may stand for `T`. As in ISO 8601, an offset may be
    `+0530` or `+05`: so other languages and PostgreSQL write it. 23:59:60 UTC is the second after it, as in PostgreSQL.
    Raises ValueError, with a sentence, if the text is not a timestamp, or not in the years 0001 to 9999 in UTC.
    """
    if len(text) > LONGEST:
        raise ValueError(TOO_LONG)
    found = _WRITTEN.fullmatch(text)
    if found is None:
        if _WRITTEN.fullmatch("+".join(text.rsplit(" ", 1))):
            raise ValueError("This has a blank where its offset begins. In a URL, write + as %2B.")
        raise ValueError("This is not a date and time like 2026-11-24T10:00:00Z.")
    year, month, day, hour, minute, second, fraction, sign, offset_hours, offset_minutes = found.groups()
    is_leap = second == "60"
    try:
        away = timedelta(hours=int(offset_hours or 0), minutes=int(offset_minutes or 0))
        if int(offset_minutes or 0) > 59:
            raise ValueError(offset_minutes)
        local = datetime(
            int(year),
            int(month),
            int(day),
            int(hour),
            int(minute),
            59 if is_leap else int(second),
            int((fraction or "0")[:3].ljust(3, "0")) * 1000,
            timezone(-away if sign == "-" else away),
        )
    except ValueError:
        if year == "0000":
            raise ValueError(OUT_OF_RANGE) from None
        raise ValueError("There is no such day, time or offset.") from None
    try:
        moment = local.astimezone(UTC)
        if not is_leap:
            return moment
        if (moment.hour, moment.minute) != (23, 59):
            raise ValueError("A leap second is the last of a day in UTC.")
        return moment + timedelta(seconds=1)
    except OverflowError:
        raise ValueError(OUT_OF_RANGE) from None


TOO_LONG = f"A date and time has at most {LONGEST} characters."
OUT_OF_RANGE = "This moment is not in the years 0001 to 9999 in UTC."


def canonical(text: str) -> str:
    """The timestamp as answers write it: in UTC, with milliseconds. Raises ValueError as `parse` does."""
    return written(parse(text))


def written(moment: datetime) -> str:
    """A timestamp as answers write it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
