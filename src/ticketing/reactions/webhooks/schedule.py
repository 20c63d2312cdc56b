"""When a delivery is tried again, and how long an endpoint may fail."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

#: Seconds from one try to the next, as Standard Webhooks recommends them: ten tries in three days.
PAUSES = (5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600)
TRIES = 1 + len(PAUSES)
JITTER = 0.1
LONGEST_WAIT = 24 * 3600
"""However long a receiver asks us to wait."""
WARN_AFTER = timedelta(hours=72)
DISABLE_AFTER = timedelta(hours=120)


def pause_after(tries: int, asked: float = 0) -> float | None:
    """Seconds to the next try after so many, no sooner than the receiver asked for; None after the last."""
    if tries >= TRIES:
        return None
    # Only ever later: so that what failed together does not come back together.
    pause = PAUSES[tries - 1] * (1 + JITTER * random.random())  # noqa: S311 - no secret
    return max(pause, min(asked, LONGEST_WAIT))


def retry_after(header: str, now: datetime) -> float:
    """The seconds that `Retry-After` (RFC 9110, 10.2.3) asks to wait; 0 for what says nothing."""
    text = header.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except (ArithmeticError, LookupError, TypeError, ValueError):  # All of these come of odd texts.
        return 0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())
