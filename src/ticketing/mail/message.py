"""A mail as the bytes that a server takes: RFC 5322, with a text and HTML."""

from __future__ import annotations

from email import policy
from email.headerregistry import Address as HeaderAddress
from email.message import EmailMessage
from email.utils import format_datetime
from typing import NamedTuple

from ticketing.db import sql
from ticketing.mail.addresses import Address, header_text


class Message(NamedTuple):
    """What is handed to a server: the envelope, and the bytes."""

    sender: str
    recipient: str
    content: bytes
    international: bool
    """Whether an address has letters beyond ASCII before its @, which takes SMTPUTF8 (RFC 6531)."""


def written(mail: sql.MailToSend, sender: Address) -> Message:
    """A mail as it is sent: every time with the same Message-ID and Date. Raises ValueError for an unusable address."""
    origin, to = sender.written(), Address(mail["to_name"], mail["to_email"]).written()
    international = not (origin.addr_spec + to.addr_spec).isascii()
    message = EmailMessage(policy.SMTPUTF8 if international else policy.SMTP)
    message["Date"] = format_datetime(mail["created_at"])
    message["Message-ID"] = f"<{mail['id']}@{origin.domain}>"
    message["From"] = origin
    message["To"] = to
    message["Subject"] = header_text(mail["subject"])
    # RFC 3834, 5: so that no out-of-office replies to it, and programs that answer mail leave it alone.
    message["Auto-Submitted"] = "auto-generated"
    if mail["thread"]:
        # RFC 5322, 3.6.4. Nobody has sent what they name, but what names the same stands together.
        message["In-Reply-To"] = message["References"] = f"<{mail['thread']}@{origin.domain}>"
    if mail["unsubscribe"]:
        message["List-Unsubscribe"] = f"<{mail['unsubscribe']}>"  # RFC 2369, 3.2
    message.set_content(mail["body"], cte="quoted-printable")
    message.add_alternative(mail["html_body"], subtype="html", cte="quoted-printable")
    message.set_boundary(f"=_{mail['id'].hex}")
    return Message(_spec(origin), _spec(to), message.as_bytes(), international)


def _spec(address: HeaderAddress) -> str:
    return f"{address.username}@{address.domain}"
