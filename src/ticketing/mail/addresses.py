"""Addresses of mail: a person's, and the sender's."""

from __future__ import annotations

import re
from email import headerregistry
from email.errors import HeaderParseError, MessageError
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ticketing.contract.addresses import parted
from ticketing.ground.config import InvalidSetting, Settings

LONGEST_NAME = 100
UNWRITABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
"""Controls, line ends and half characters, which no header may hold (RFC 5322, 2.2)."""
READ = headerregistry.HeaderRegistry()


class Address(NamedTuple):
    """A person's name, or "", and their e-mail address."""

    name: str
    email: str

    def written(self) -> headerregistry.Address:
        """The address as headers and envelopes take it: the name on one line, the domain in ASCII (RFC 5891).

        Raises ValueError if mail cannot be sent to it.
        """
        local, domain = parted(self.email)
        try:
            return headerregistry.Address(header_text(self.name)[:LONGEST_NAME], local, domain)
        except (HeaderParseError, MessageError, UnicodeError, ValueError, IndexError):
            raise ValueError("The part after the @ is not the name of a domain.") from None


def one_line(text: str) -> str:
    """The text without controls and line ends, and with single spaces."""
    return " ".join(UNWRITABLE.sub(" ", text).split())


def header_text(text: str) -> str:
    """The text on one line, and so that no reader takes a part of it for an encoded word (RFC 2047, 2)."""
    return one_line(text).replace("=?", "= ?")


def sender(chosen: Settings) -> Address:
    """Whom mails come from: `mail_from`, or without it an address at the public URL's host. Raises InvalidSetting."""
    if not chosen.mail_from:
        host = urlsplit(chosen.public_url).hostname or ""
        return Address(chosen.name, f"no-reply@{host if re.search('[a-z]', host) and ':' not in host else 'localhost'}")
    fault = InvalidSetting(
        f"TICKETING_MAIL_FROM is {chosen.mail_from[:50]!r}. Give it an address such as Support <support@example.org>."
    )
    try:
        read: Any = READ("from", chosen.mail_from)
        (only,) = read.addresses
        given = Address(only.display_name, only.addr_spec)
        given.written()
    except ValueError:
        raise fault from None
    if read.defects:
        raise fault
    return given
