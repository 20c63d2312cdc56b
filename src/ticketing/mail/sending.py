"""The job of one mail: hand it to the server, and write down what came of that."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog
from prometheus_client import Counter, Histogram

from ticketing import jobs
from ticketing.db import pool, sql
from ticketing.ground.config import settings
from ticketing.jobs import kinds
from ticketing.mail import addresses, message, smtp

KIND = "mail.send"
HELD_SECONDS = 60.0
"""How long a mail waits where nothing is sent, until that is asked again."""
AT_ONCE = 4
"""Mails on their way at once: few enough that servers do not mind."""
ATTEMPTS = 80
"""A little more than two days, as the pauses grow to an hour: a server is back after a weekend."""
DOUBT_SECONDS = 600.0
"""The least pause after a mail that may have been accepted. Each is as long as the mail is old, so copies are few."""
DOUBT_DAYS = 2
EXPIRED = "It could not be sent while it was of use."

MAILS = Counter("ticketing_mails", "Attempts to send a mail, by what came of them.", ["outcome"])
SECONDS = Histogram(
    "ticketing_mail_seconds",
    "Seconds from when a mail was written until it was accepted by the server.",
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 86400),
)
log = structlog.get_logger()


@jobs.handler(
    KIND,
    queue="mail",
    max_attempts=ATTEMPTS,
    timeout=smtp.MOST_SECONDS + 3 * smtp.GOODBYE_SECONDS,
    group_limit=AT_ONCE,
    shown=("mail_id",),
)
async def send_mail(job: jobs.Job) -> None:
    """Send a mail, unless it is settled or of no use any more, or nothing is sent now."""
    chosen = settings()
    if chosen.outbound == "off":
        raise jobs.Snooze(HELD_SECONDS)
    async with pool.connection() as conn:
        mail = await sql.mails.get_mail_to_send(conn, mail_id=UUID(job.args["mail_id"]))
    if mail is None:
        return
    if mail["expired"]:
        await _settle(job, mail["id"], "failed", EXPIRED, tries=0)
    elif not chosen.smtp_url:
        await _settle(job, mail["id"], "captured", None, tries=0)
    else:
        await _hand_over(job, mail, smtp.Server.of(chosen), addresses.sender(chosen))


async def _hand_over(job: jobs.Job, mail: sql.MailToSend, server: smtp.Server, sender: addresses.Address) -> None:
    try:
        await server.deliver(message.written(mail, sender))
    except (smtp.Refused, ValueError) as refusal:
        await _settle(job, mail["id"], "failed", str(refusal))
    except smtp.Unheard as doubt:
        age = _age(mail)
        if age > timedelta(days=DOUBT_DAYS):
            await _settle(job, mail["id"], "failed", str(doubt))
        else:
            await _try_again(job, mail["id"], str(doubt), max(DOUBT_SECONDS, age.total_seconds()))
    except smtp.Failed as failure:
        await _try_again(job, mail["id"], str(failure), kinds.pause(job.attempt))
    else:
        await _settle(job, mail["id"], "sent", None)
        SECONDS.observe(max(0.0, _age(mail).total_seconds()))


def _age(mail: sql.MailToSend) -> timedelta:
    return datetime.now(UTC) - mail["created_at"]


async def _settle(job: jobs.Job, mail_id: UUID, status: sql.MailStatus, error: str | None, tries: int = 1) -> None:
    async with job.finish(ring=False) as conn:
        await sql.mails.settle_mail(conn, mail_id=mail_id, status=status, error=error, tries=tries)
    MAILS.labels(status).inc()
    (log.warning if status == "failed" else log.info)("mail settled", id=str(mail_id), status=status, error=error)


async def _try_again(job: jobs.Job, mail_id: UUID, error: str, pause: float) -> None:
    last = job.attempt >= job.max_attempts
    async with job.retry(pause, error) as conn:
        if last:
            await sql.mails.settle_mail(conn, mail_id=mail_id, status="failed", error=error, tries=1)
        else:
            await sql.mails.note_mail_attempt(conn, mail_id=mail_id, error=error)
    MAILS.labels("failed" if last else "retried").inc()
    log.warning("mail not accepted", id=str(mail_id), last=last, error=error)
