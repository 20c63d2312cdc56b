"""`send`: a mail becomes a row, with the job that sends it, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
import uuid_utils.compat as uuids

from ticketing import jobs
from ticketing.db import sql
from ticketing.ground.config import InvalidSetting, Settings, settings
from ticketing.mail import addresses, sending, smtp, wording
from ticketing.mail.addresses import Address

log = structlog.get_logger()


async def send(
    conn: sql.Connection,
    *,
    template: str,
    to: Address,
    locale: str,
    values: Mapping[str, Any],
    expires_at: datetime | None = None,
    thread: str | None = None,
    unsubscribe: str | None = None,
    pausing: str | None = None,
    event_id: UUID | None = None,
    user_id: UUID | None = None,
) -> UUID:
    """Send a mail if the caller's transaction commits; gives its id.

    `values` are those that `TEMPLATES` declares. `locale` is a BCP 47 tag, or "" for English. After `expires_at` it is
    not sent any more. Mails with the same `thread` stand together in a mailbox. `unsubscribe` is the URL where the
    reader says what they want to be sent. `pausing` is the URL where they see what happens, if this is the last mail of
    its kind for an hour. Of an event, by its id, a user is sent one mail, however often that is asked.

    An address to which no mail can be sent is no error: the mail is there, and has failed.
    """
    words = wording.word(template, locale, values, unsubscribe=unsubscribe, pausing=pausing)
    mail_id, error = uuids.uuid7(), None
    status: sql.MailStatus = "pending" if settings().smtp_url else "captured"
    try:
        to.written()
    except ValueError as fault:
        status, error = "failed", str(fault)
    kind = jobs.kind(sending.KIND)
    assert kind.group_limit is not None
    await sql.mails.insert_mail(
        conn,
        mail_id=mail_id,
        template=template,
        locale=wording.nearest(locale),
        to_name=addresses.one_line(to.name)[: addresses.LONGEST_NAME],
        to_email=to.email,
        subject=words.subject,
        body=words.text,
        html_body=words.html,
        thread=thread,
        unsubscribe=unsubscribe,
        pausing=pausing is not None,
        status=status,
        error=error,
        expires_at=expires_at,
        event_id=event_id,
        user_id=user_id,
        queue=kind.queue,
        max_attempts=kind.max_attempts,
        group_limit=kind.group_limit,
    )
    log.info("mail", id=str(mail_id), template=template, status=status)
    return mail_id


def withheld(template: str) -> None:
    """Note that a mail is not written, as too many were within an hour."""
    sending.MAILS.labels("withheld").inc()
    log.info("mail withheld", template=template)


def check_settings(chosen: Settings) -> None:
    """Raise InvalidSetting unless the settings of mail can be used."""
    addresses.sender(chosen)
    if not chosen.smtp_url:
        return
    smtp.Server.of(chosen)
    if not chosen.mail_from:
        raise InvalidSetting(
            "TICKETING_SMTP_URL is set, and TICKETING_MAIL_FROM is not. Give it the address that mail comes from, such "
            "as Support <support@example.org>."
        )
