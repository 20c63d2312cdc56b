"""What the service needs, checked: for `ticketing doctor`, and for the health page. Each finding is a sentence."""

from __future__ import annotations

import resource
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import tuple_row
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, RedisError

from ticketing import sealing
from ticketing.db import migrate, outages, pool, sessions, sql
from ticketing.db.watched import WatchedConnection
from ticketing.ground import config
from ticketing.ground.config import Settings
from ticketing.jobs import kinds, link, messages
from ticketing.log import upkeep
from ticketing.mail import smtp
from ticketing.monitoring import files, lateness

OLDEST_POSTGRES = 15
PATIENCE_SECONDS = 5
OPEN_SECONDS = 60.0
"""How long a writing transaction may be open. Ours end within seconds."""
LOCKED_SECONDS = 2.0
"""How long a transaction may hold a lock that the service needs, whose statements wait as long for it."""
LATE_SECONDS = 60.0
"""How long a schedule, or an event's webhook deliveries, may be overdue. A running worker makes them at once."""
BEHIND_BYTES = 1 << 30
SPARE_CONNECTIONS = 5


Status = Literal["ok", "warning", "failed"]


@dataclass(frozen=True, slots=True)
class Check:
    """What was checked, and the finding; what to do about it, if anything."""

    what: str
    passed: bool
    finding: str
    hint: str = ""
    limited: bool = False
    """Something does not work as it could, though nothing is wrong."""

    @property
    def status(self) -> Status:
        """Whether all is well."""
        return "failed" if not self.passed else "warning" if self.limited else "ok"

    @property
    def sentences(self) -> str:
        """The finding, with what to do."""
        return f"{self.finding} {self.hint}".rstrip()


def configured(chosen: Settings) -> Iterator[Check]:
    """Check what the settings say, which takes no time."""
    strangers = config.unknown()
    yield Check("Settings", not strangers, " ".join(strangers) or "they can be read.")
    yield _files(chosen)
    yield _outbound(chosen)


def _files(chosen: Settings) -> Check:
    _, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    shortage = files.shortage(chosen, limit)
    return Check("Files", not shortage, shortage or "a process may open as many as it needs.")


def _outbound(chosen: Settings) -> Check:
    sends = chosen.outbound != "off"
    finding = "webhooks and mails are sent." if sends else "nothing is sent: TICKETING_OUTBOUND is off."
    return Check("Outbound", True, finding, limited=not sends)


def mail(chosen: Settings) -> Check:
    """Say where mail goes."""
    if not chosen.smtp_url:
        finding = "it is captured, for admins to read: TICKETING_SMTP_URL names no server."
        return Check("Mail", True, finding, limited=True)
    return Check(
        "Mail", True, f"it is sent by {smtp.Server.of(chosen)}.", "`ticketing doctor --mail` tries the server."
    )


async def mail_server(chosen: Settings) -> Check:
    """Try the mail server, without sending anything."""
    server = smtp.Server.of(chosen)
    try:
        agreed = await server.check()
    except smtp.Failed as failure:
        return Check(
            "Mail",
            False,
            f"{server} takes none. {str(failure).rstrip('.')}.",
            "Check TICKETING_SMTP_URL, and the server.",
        )
    return Check("Mail", True, f"it is sent by {server} ({agreed}).")


async def database(chosen: Settings) -> AsyncIterator[Check]:
    """Check PostgreSQL and what is in it, one thing after the other; nothing is changed."""
    try:
        conn = await _connect(chosen)
    except psycopg.Error as error:
        yield Check("PostgreSQL", False, *_refusal(error))
        return
    async with conn:
        try:
            async for check in _looked_at(conn, chosen):
                yield check
        except psycopg.Error as error:
            yield Check("PostgreSQL", False, *_refusal(error))


async def _connect(chosen: Settings) -> AsyncConnection[Any]:
    """A connection like the service's own."""
    return await WatchedConnection.connect(**pool.parameters(chosen.database_url), row_factory=tuple_row)


async def _looked_at(conn: AsyncConnection[Any], chosen: Settings) -> AsyncIterator[Check]:
    release = conn.info.server_version // 10_000
    yield Check(
        "PostgreSQL",
        release >= OLDEST_POSTGRES,
        f"release {release}." if release >= OLDEST_POSTGRES else f"release {release}; {OLDEST_POSTGRES} is needed.",
    )
    asked = time.time()
    figures = await sql.doctor.get_server_figures(conn)
    assert figures is not None
    yield _clock(figures["clock"] or 0, asked, time.time())
    yield _connections(figures)
    yield _limits(figures)
    yield _session(figures)
    yield await _sessions(conn, chosen)
    yield await _writing(conn, figures)
    yield await _standbys(conn)
    yield await _locks(conn)
    yield await _indexes(conn)
    pending = await migrate.pending(conn)
    disagreement = await migrate.disagreement(conn)
    if pending and not disagreement:
        yield Check("Schema", False, f"pending: {', '.join(pending)}.", "Run `ticketing migrate`.")
        return
    finding = disagreement or f"it is at {await migrate.current(conn)}."
    unfinished = not disagreement and await migrate.unfinished(conn)
    hint = "When no process of an older release runs any more, run `ticketing migrate --finish`." if unfinished else ""
    yield Check("Schema", not disagreement, finding, hint)
    ahead = await upkeep.ahead(conn)
    yield Check(
        "Event log",
        not ahead,
        "it is ahead of this server, as after a restore." if ahead else "it can be read on.",
        upkeep.MEND if ahead else "",
    )
    yield await _transactions(conn, ahead=ahead)
    yield await _worker(conn)
    yield await _fan_out(conn)
    yield await _search(conn)
    yield await _mails(conn, chosen)
    yield await _queues(conn)
    yield await _secrets(conn, chosen)


def _clock(theirs: float, asked: float, answered: float) -> Check:
    """Compare our clock with one that was read at some moment between two of ours."""
    behind = theirs - (asked + answered) / 2
    right = abs(behind) <= lateness.SKEW_SECONDS + (answered - asked) / 2
    how = "behind" if behind > 0 else "ahead of"
    return Check(
        "Clock",
        right,
        "it agrees with that of PostgreSQL."
        if right
        else f"it is {abs(behind):.0f} s {how} that of PostgreSQL. Receivers refuse webhooks that are signed at "
        "a wrong time.",
        "" if right else "Synchronise both (chrony, systemd-timesyncd).",
    )


def _connections(figures: sql.ServerFigures) -> Check:
    taken, limit = figures["connections"] or 0, figures["max_connections"] or 0
    enough = taken + SPARE_CONNECTIONS <= limit
    return Check(
        "Connections",
        enough,
        f"{taken} of {limit} are taken.",
        "" if enough else outages.cause("53300").remedy,
    )


def _limits(figures: sql.ServerFigures) -> Check:
    return Check(
        "Limits",
        bool(figures["limits"]),
        "slow statements and waits for locks end."
        if figures["limits"]
        else "slow statements and waits for locks do not end, as a pooler drops our settings.",
        "" if figures["limits"] else _of_the_role(pool.LIMITS),
    )


def _session(figures: sql.ServerFigures) -> Check:
    right = not figures["jit"] and bool(figures["utc"])
    return Check(
        "Session",
        right,
        "its time zone is UTC, and PostgreSQL does not compile statements."
        if right
        else f"its time zone is {figures['timezone']}, and jit is {'on' if figures['jit'] else 'off'}, as a pooler "
        "drops our settings.",
        "" if right else _of_the_role(pool.SESSION),
    )


def _of_the_role(session: Mapping[str, str]) -> str:
    named = ", ".join(f"{name} = '{value}'" for name, value in session.items())
    return f"Set {named} for our role by `alter role`."


async def _sessions(conn: AsyncConnection[Any], chosen: Settings) -> Check:
    """Whether a connection is a session. A pooler in transaction mode is no fault, but an operator should know."""
    kept = await pool.leads_to_postgres(conn) or await sessions.keeps_its_session(conn, chosen.database_url)
    return Check(
        "Sessions",
        True,
        "each connection keeps its session."
        if kept
        else "a pooler exchanges them after each transaction. So events and jobs are found up to half a second later, "
        "and `migrate` and `import` need a direct connection to PostgreSQL.",
        limited=not kept,
    )


async def _writing(conn: AsyncConnection[Any], figures: sql.ServerFigures) -> Check:
    if figures["read_only"]:
        return Check("Writing", False, str(outages.cause("25006")))
    try:
        await outages.write(conn)
    except psycopg.Error as error:
        return Check("Writing", False, *_refusal(error))
    return Check("Writing", True, "PostgreSQL takes writes.")


async def _standbys(conn: AsyncConnection[Any]) -> Check:
    lagging = await sql.doctor.list_lagging_standbys(conn, behind_bytes=BEHIND_BYTES)
    if not lagging:
        return Check("Standbys", True, "no standby makes PostgreSQL retain WAL.")
    names = ", ".join(
        f"{row['name']} ({(row['behind'] or 0) / 2**30:.1f} GiB{'' if row['active'] else ', not connected'})"
        for row in lagging
    )
    return Check("Standbys", False, f"PostgreSQL retains WAL for {names}.", "Mend the standby, or drop its slot.")


async def _locks(conn: AsyncConnection[Any]) -> Check:
    """Whether somebody keeps the service from writing: its statements wait two seconds for a lock."""
    blockers = await sql.doctor.list_blockers(conn, open_seconds=LOCKED_SECONDS)
    if not blockers:
        return Check("Locks", True, "nobody keeps the service from writing.")
    return Check(
        "Locks",
        False,
        f"{'; '.join(map(_blocker, blockers))}. The service waits two seconds for a lock, then answers 503.",
        "End the transaction, or its process: `select pg_terminate_backend(pid)`.",
    )


def _blocker(row: sql.Blocker) -> str:
    application = f" ({row['application']})" if row["application"] else ""
    age = "" if row["seconds"] is None else f", whose transaction began {row['seconds']:.0f} s ago"
    state = f" and is {row['state']}" if row["state"] else ""
    lock = f" holds a lock on {row['table_name']}" if row["table_name"] else " holds a lock that others wait for"
    return f"process {row['pid']} of the role {row['role']}{application}{age}{state},{lock}"


async def _indexes(conn: AsyncConnection[Any]) -> Check:
    invalid = [str(row["name"]) for row in await sql.doctor.list_invalid_indexes(conn)]
    if not invalid:
        return Check("Indexes", True, "all are valid.")
    return Check(
        "Indexes",
        False,
        f"invalid, because building was interrupted: {', '.join(invalid)}. They slow down writes and speed up nothing.",
        "Run `ticketing migrate`, which builds those of its own pending steps again; "
        "then `reindex index concurrently` for each that is still invalid, or drop it if its name ends in _ccnew.",
    )


async def _transactions(conn: AsyncConnection[Any], *, ahead: bool) -> Check:
    """Feed, streams and webhooks wait for every older transaction that writes, in any database of the server."""
    long = await sql.doctor.list_long_transactions(conn, open_seconds=OPEN_SECONDS)
    # Transactions beyond the server's own counter cannot be open on it.
    held = None if ahead else await sql.doctor.get_held_event_seconds(conn)
    if not long and (held is None or held < OPEN_SECONDS):
        return Check("Transactions", True, "no open transaction holds up feed and webhooks.")
    names = ", ".join(
        f"{row['name']} of {row['whose']} in {row['database']} for {row['seconds']:.0f} s" for row in long
    )
    return Check(
        "Transactions",
        False,
        (f"open: {names}. " if names else "one that we may not see is open. ")
        + (f"Feed and webhooks have been waiting for it for {held:.0f} s." if held else "Events wait until it ends."),
        "End it: `select pg_terminate_backend(pid)`, or `rollback prepared`.",
    )


async def _worker(conn: AsyncConnection[Any]) -> Check:
    """Whether somebody keeps the schedules, as any worker does."""
    schedules = await sql.doctor.list_late_schedules(conn, names=list(kinds.SCHEDULES))
    late, name = max(((row["late_seconds"] or 0, row["name"]) for row in schedules), default=(-1.0, ""))
    if not schedules:
        finding = "none has run on this database yet: no mail is sent, and nothing else that takes time is done."
        return Check("Worker", True, finding, "Start `ticketing work`.", limited=True)
    if late < LATE_SECONDS:
        return Check("Worker", True, "no schedule is overdue.")
    return Check(
        "Worker",
        False,
        f"the schedule {name} has been due for {late:.0f} s.",
        "See whether `ticketing work` runs, and what its log says.",
    )


async def _mails(conn: AsyncConnection[Any], chosen: Settings) -> Check:
    """Whether mail leaves: the server may take none, without anybody hearing of it."""
    oldest = await sql.doctor.get_oldest_pending_mail(conn)
    late = oldest["seconds"] or 0 if oldest else 0
    if oldest is None or late < LATE_SECONDS or chosen.outbound == "off":
        return Check("Sent mail", True, "none has been waiting for long.")
    return Check(
        "Sent mail",
        True,
        f"one has been waiting for {late:.0f} s. {oldest['error'] or 'It has not been tried yet.'}",
        "`ticketing doctor --mail` tries the server, and `/ops/v1/mails?status=pending` lists what waits.",
        limited=True,
    )


async def _fan_out(conn: AsyncConnection[Any]) -> Check:
    late = await sql.doctor.get_fan_out_late_seconds(conn) or 0
    if late < LATE_SECONDS:
        return Check("Webhooks", True, "the event log has been read for them.")
    return Check(
        "Webhooks",
        False,
        f"an event of {late:.0f} s ago has no deliveries yet.",
        "See whether `ticketing work` runs, and what its log says "
        "of `webhooks.fan_out`; after a restore, run `analyze`.",
    )


async def _search(conn: AsyncConnection[Any]) -> Check:
    row = await sql.doctor.get_search_lateness(conn)
    late = (row and row["late_seconds"]) or 0
    if late >= LATE_SECONDS:
        return Check(
            "Full text",
            False,
            f"what was written {late:.0f} s ago is not found yet.",
            "See whether `ticketing work` runs, and what its log says of `search.documents`; after a restore, run "
            "`analyze`.",
        )
    if row and row["last"] is not None:
        return Check(
            "Full text",
            True,
            f"tickets are being read again, up to number {row['done']} of {row['last']}; what is not read yet is not "
            "found by its words, or by those of before.",
            "`ticketing work` does it, and `ticketing search rebuild` does it now; `ticketing search status` shows how "
            "far it is.",
            limited=True,
        )
    return Check("Full text", True, "all that was written is found.")


async def _queues(conn: AsyncConnection[Any]) -> Check:
    paused = await sql.doctor.list_pauses(conn)
    if not paused:
        return Check("Queues", True, "none is paused.")
    names = ", ".join(f"{row['queue']} (for {_age(row['seconds'] or 0)})" for row in paused)
    return Check("Queues", False, f"paused: {names}.", "Their jobs wait until `ticketing jobs resume QUEUE`.")


def _age(seconds: float) -> str:
    for length, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


async def _secrets(conn: AsyncConnection[Any], chosen: Settings) -> Check:
    known = sealing.keys(chosen.secret_keys)
    lost = [row for row in await sql.doctor.list_sealing_keys(conn) if row["key_id"] not in known]
    if not lost:
        return Check("Secrets", True, "the keys of all webhook endpoints are there.")
    names = ", ".join(f"{row['key_id']} (of {row['endpoints']} endpoints)" for row in lost)
    return Check(
        "Secrets",
        False,
        f"TICKETING_SECRET_KEYS lacks the keys {names}. Nothing can be sent to these endpoints.",
        "Add the keys, or rotate the endpoints' secrets.",
    )


async def redis(chosen: Settings) -> AsyncIterator[Check]:
    """Check Redis; nothing is changed but a key of this check's own."""
    try:
        async with Redis.from_url(chosen.redis_url, socket_connect_timeout=PATIENCE_SECONDS) as client:
            await link.try_out(client, f"{messages.NAMESPACE}:doctor")
            try:
                memory = await client.info("memory")
            except NoPermissionError:
                yield Check("Redis", True, "it answers, and takes writes.")
                yield Check(
                    "Redis memory",
                    True,
                    "our user may not ask for its maxmemory-policy, which must be noeviction.",
                    limited=True,
                )
                return
    except (RedisError, OSError, ValueError) as error:
        yield Check(
            "Redis",
            False,
            outages.message(error),
            f"{link.remedy(error)} Jobs are done without it, up to half a second later.",
        )
        return
    yield Check("Redis", True, "it answers, and takes writes.")
    yield _memory(memory)


def _memory(memory: dict[str, Any]) -> Check:
    policy = memory.get("maxmemory_policy", "noeviction")
    return Check(
        "Redis memory",
        policy == "noeviction",
        "it forgets nothing."
        if policy == "noeviction"
        else f"its maxmemory-policy is {policy}, with which it forgets what jobs are due.",
        "" if policy == "noeviction" else "Set it to noeviction.",
    )


def _refusal(error: psycopg.Error) -> tuple[str, str]:
    """What PostgreSQL says, and what to do."""
    return outages.message(error), outages.explain(error).remedy
