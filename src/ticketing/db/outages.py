"""PostgreSQL's errors: counted by SQLSTATE, explained in plain words, and logged once per outage.

The first error of a kind is logged with a remedy; while it lasts, one line a minute has its count; a last line says
that it has stopped, which takes an answer of PostgreSQL. Errors that concern only writes have stopped once a write
succeeds. Classes and codes: PostgreSQL's documentation, appendix A.
"""

from __future__ import annotations

import math
import re
import time
from dataclasses import dataclass
from typing import Any

import psycopg
import structlog
from prometheus_client import Counter
from psycopg import AsyncConnection

QUIET_SECONDS = 10.0
"""An error that has not occurred for this long has stopped, if PostgreSQL has answered since."""
REMINDER_SECONDS = 60.0
WRITTEN_SECONDS = 5.0
"""How long a successful write counts as evidence that PostgreSQL takes writes; its disk may fill up at any time."""

ERRORS = Counter("ticketing_database_errors", "Errors of PostgreSQL, and of connections to it.", ["sqlstate"])
log = structlog.get_logger()
# On the data's disk, wherever temporary tables usually go. Rows of 1,900 bytes are not compressed: 25 pages.
SOME_PAGES = """
set local temp_tablespaces = '';
create temporary table written (filler text) on commit drop;
insert into written select repeat('x', 1900) from generate_series(1, 100)
"""


@dataclass(frozen=True, slots=True)
class Cause:
    """Why PostgreSQL refuses, and what an operator can do about it."""

    sentence: str
    remedy: str
    #: Nothing works until it is fixed; otherwise it concerns some statements.
    total: bool = True
    #: Reads still work.
    writes_only: bool = False

    def __str__(self) -> str:
        return f"{self.sentence} {self.remedy}"


UNREACHABLE = "08006"
REPEATED = frozenset({"0A000", "40001", "40P01", "42P13"})
"""Errors that we retry (pool.repeated), and therefore only count."""
CAUSES = {
    "08": Cause("PostgreSQL cannot be reached.", "See whether it runs, and look at host, port and firewall."),
    "08P01": Cause(
        "A pooler refuses: PostgreSQL behind it is down, or the pooler does not pass on our settings.",
        "See whether PostgreSQL runs; PgBouncer needs `ignore_startup_parameters = options` (docs/operating.md).",
    ),
    "25006": Cause(
        "This PostgreSQL takes no writes: it is a standby, or set to read only.",
        "Let TICKETING_DATABASE_URL lead to the primary; target_session_attrs=read-write finds it among several.",
        writes_only=True,
    ),
    "28": Cause("PostgreSQL refuses our user or password.", "Correct TICKETING_DATABASE_URL, or its pg_hba.conf."),
    "3D000": Cause("PostgreSQL does not have the database.", "Correct TICKETING_DATABASE_URL, or create the database."),
    "42501": Cause("Our user lacks rights in the database.", "Serve as the same user that migrates.", total=False),
    "53100": Cause(
        "The disk of PostgreSQL is full.", "Give it more space; writes then resume by themselves.", writes_only=True
    ),
    "53200": Cause("PostgreSQL has no memory left.", "Give it more, or lower its work_mem or max_connections."),
    "53300": Cause(
        "PostgreSQL takes no more connections.",
        "Raise its max_connections, lower TICKETING_POOL_SIZE, or run fewer processes.",
    ),
    "53": Cause("PostgreSQL has reached one of its limits.", "Raise the one that its message names.", total=False),
    "54": Cause("A statement was larger than PostgreSQL accepts.", "Please report it as a fault.", total=False),
    "55P03": Cause(
        "A statement waited for a lock for too long.",
        "`ticketing doctor` names who holds it.",
        total=False,
    ),
    "57014": Cause(
        "A statement took too long.", "See whether PostgreSQL is busy, and look at the slow statements.", total=False
    ),
    "57P": Cause("PostgreSQL is starting, or was stopped.", "If it does not come back, look into its log."),
    "57P04": Cause("The database was dropped.", "Restore it."),
    "58": Cause("PostgreSQL cannot use its files.", "Look into its log, and at the disk.", writes_only=True),
    "XX001": Cause("PostgreSQL has found damaged data.", "Stop it, keep a copy of the disk, and restore a backup."),
    "XX002": Cause("PostgreSQL has found a damaged index.", "Run `reindex` on the index that its log names."),
}
OWN_LIMIT = Cause(
    "PostgreSQL takes no more connections of our role, or to our database.",
    "Raise the limit (`alter role … connection limit`, or `alter database …`), lower TICKETING_POOL_SIZE, or run fewer "
    "processes.",
)
SAID = (
    (r"too many connections for (role|database)", OWN_LIMIT),
    (
        r"max_client_conn",
        Cause(
            "The pooler takes no more connections.",
            "Raise its max_client_conn, lower TICKETING_POOL_SIZE, or run fewer processes.",
        ),
    ),
    (
        r"query_wait_timeout",
        Cause(
            "The pooler had no connection to PostgreSQL for us in time.",
            "See whether PostgreSQL runs, and whether the pooler is paused or its default_pool_size too small.",
        ),
    ),
    (
        r"database .* is disabled",
        Cause("The pooler does not serve the database.", "Run ENABLE on the pooler's console."),
    ),
    (
        r"statement pooling mode",
        Cause("The pooler allows no transactions.", "Set its pool_mode to session or transaction."),
    ),
)
"""What a server or pooler says that means more to us than its SQLSTATE."""
OTHER = Cause("PostgreSQL has refused a statement.", "Look into its log.", total=False)
# libpq gives no SQLSTATE for a failed connection, only the server's message.
SENTENCES = (
    (r"unsupported startup parameter", "08P01"),
    (r"password authentication failed|no password supplied", "28P01"),
    (r"no pg_hba\.conf entry|role .* does not exist|authentication failed|pg_hba\.conf rejects", "28000"),
    (r"database .* does not exist", "3D000"),
    (r"too many (clients|connections)|slots are reserved|connection limit exceeded|no more connections", "53300"),
    (r"database system is|not (currently )?accepting connections", "57P03"),
    (r"session is read-only|server is (in hot standby mode|not in hot standby mode|read-only)", "25006"),
    (r"No space left on device", "53100"),
)


@dataclass(slots=True)
class _Outage:
    meaning: Cause
    began: float
    last: float
    reported: float
    times: int = 1


_open: dict[str, _Outage] = {}
_written = -math.inf
_answered = -math.inf


def sqlstate(error: psycopg.Error) -> str:
    """The code of an error; for a failed connection, which has none, the code that its message implies."""
    if error.sqlstate:
        return error.sqlstate
    found = (code for pattern, code in SENTENCES if re.search(pattern, str(error), re.IGNORECASE))
    return next(found, UNREACHABLE)


def cause(code: str) -> Cause:
    """What a SQLSTATE means to us: by the whole code, or else by the longest prefix that we know."""
    known = (CAUSES.get(code[:length]) for length in (5, 3, 2))
    return next((each for each in known if each), OTHER)


def explain(error: psycopg.Error) -> Cause:
    """What an error means to us: by what it says, or else by its code."""
    said = (meaning for pattern, meaning in SAID if re.search(pattern, str(error)))
    return next(said, None) or cause(sqlstate(error))


def note(error: psycopg.Error) -> Cause:
    """Count an error, and log it unless it was logged recently; return what it means."""
    code = sqlstate(error)
    meaning = explain(error)
    ERRORS.labels(code).inc()
    if code in REPEATED:
        return meaning
    now = time.monotonic()
    settle()
    outage = _open.get(code)
    if outage is None:
        _open[code] = _Outage(meaning, now, now, now)
        _log(code, meaning, error=message(error))
        return meaning
    outage.last = now
    outage.times += 1
    if now - outage.reported >= REMINDER_SECONDS:
        outage.reported = now
        _log(code, meaning, error=message(error), times=outage.times, seconds=round(now - outage.began))
    return meaning


def answered() -> None:
    """PostgreSQL has answered, so that errors that occur no more have stopped."""
    global _answered
    if _open:
        _answered = time.monotonic()


def settle() -> None:
    """Log errors that have stopped. Silence alone ends none: perhaps nobody has asked, or tried to write."""
    now = time.monotonic()
    for code, outage in list(_open.items()):
        if now - outage.last >= QUIET_SECONDS and _answered > outage.last and not outage.meaning.writes_only:
            over(code)


async def write(conn: AsyncConnection[Any]) -> None:
    """Have PostgreSQL write some pages to its disk and free them; success ends an outage. Raises psycopg.Error."""
    global _written
    async with conn.transaction(force_rollback=True):
        await conn.execute(SOME_PAGES, prepare=False)
    _written = time.monotonic()
    for code in [code for code, outage in _open.items() if outage.meaning.writes_only]:
        over(code)


def may_not_write() -> bool:
    """Whether writes are refused, or none has been tried recently."""
    return sentence(writes_only=True) is not None or time.monotonic() - _written >= WRITTEN_SECONDS


def over(code: str) -> None:
    """Log that an error has stopped, if it had occurred, without waiting for QUIET_SECONDS."""
    if outage := _open.pop(code, None):
        seconds = round(outage.last - outage.began, 1)
        log.warning("database error has stopped", sqlstate=code, times=outage.times, seconds=seconds)


def sentence(*, writes_only: bool = False) -> str | None:
    """What prevents all work, or all writes, just now, in words for an operator; the latest if there are several."""
    settle()
    found = [
        (outage.last, code, outage.meaning)
        for code, outage in _open.items()
        if (outage.meaning.writes_only if writes_only else outage.meaning.total)
    ]
    if not found:
        return None
    _, code, meaning = max(found, key=lambda each: each[0])
    return f"{meaning} (SQLSTATE {code})"


def message(error: Exception) -> str:
    """The first line of a driver's message, without details, which may hold people's data."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".") + "."


def _log(code: str, meaning: Cause, **figures: object) -> None:
    write_line = log.error if meaning.total else log.warning
    write_line("database error", sqlstate=code, meaning=meaning.sentence, remedy=meaning.remedy, **figures)
