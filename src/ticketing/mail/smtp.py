"""The mail server: how it is reached, and what it says."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from urllib.parse import unquote, urlsplit

import aiosmtplib

from ticketing.ground.config import InvalidSetting, Settings
from ticketing.mail import addresses
from ticketing.mail.message import Message

SECONDS = 30.0
"""How long a server may take until it wants the mail itself, from the look-up of its name on."""
STEP_SECONDS = 15.0
"""How long it may take to answer one command."""
ACCEPTANCE_SECONDS = 120.0
"""How long it may take to accept what it was given. Whoever leaves sooner sends again what was accepted after all (RFC
5321, 4.5.3.2.6, would have us wait for ten minutes)."""
MOST_SECONDS = SECONDS + ACCEPTANCE_SECONDS
GOODBYE_SECONDS = 2.0
LONGEST_REASON = 300
PORTS = {"smtp": 25, "smtps": 465}


class Failed(Exception):
    """The mail was not accepted, or nobody knows; it is tried again. The message says why."""


class Unheard(Failed):
    """The server was given the mail, and did not say whether it has accepted it."""


class Refused(Failed):
    """The server will not take this mail, however often it is asked."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where mail is handed over, as `smtp_url` says."""

    host: str
    port: int
    tls: bool
    starttls: bool
    user: str | None
    password: str | None = field(repr=False)
    greeting: str
    """The name by which we say hello (RFC 5321, 4.1.1.1): looking up our own could take long."""

    @classmethod
    def of(cls, chosen: Settings) -> Server:
        """Read `smtp://user:password@host:587?starttls`. Raises InvalidSetting, which does not show the URL."""
        fault = InvalidSetting(
            "TICKETING_SMTP_URL cannot be read. Give it as smtp://user:password@host:587?starttls, as "
            "smtps://user:password@host:465, or for a server without TLS as smtp://host:25."
        )
        try:
            url = urlsplit(chosen.smtp_url)
            usual = PORTS[url.scheme]
            port = usual if url.port is None else url.port
        except (KeyError, ValueError):
            raise fault from None
        starttls = url.query == "starttls"
        strange = url.path not in ("", "/") or url.fragment or (url.query and not starttls)
        if not url.hostname or not port or strange or (starttls and url.scheme == "smtps"):
            raise fault
        user = unquote(url.username) if url.username else None
        if user and url.scheme != "smtps" and not starttls and not _is_here(url.hostname):
            raise InvalidSetting(
                "TICKETING_SMTP_URL has a password, which would go over the network as it is. Add ?starttls, or use "
                "smtps://."
            )
        password = unquote(url.password) if url.password else None
        domain = addresses.sender(chosen).email.rpartition("@")[2]
        greeting = domain if domain.isascii() else "localhost"
        return cls(url.hostname, port, url.scheme == "smtps", starttls, user, password, greeting)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    async def deliver(self, message: Message) -> None:
        """Hand a mail over. Raises Refused, Unheard, Failed."""
        client = self._client()
        line: asyncio.BaseTransport | None = None
        try:
            try:
                async with asyncio.timeout(SECONDS):
                    await client.connect()
                    line = client.transport
                    await _announce(client, message)
            except Exception as error:
                raise _failure(error) from error
            try:
                await client.data(message.content, timeout=ACCEPTANCE_SECONDS)
            except (aiosmtplib.SMTPServerDisconnected, OSError) as error:
                raise Unheard(f"The server did not say whether it has accepted the mail. {_failure(error)}") from error
            except aiosmtplib.SMTPException as error:
                raise _failure(error) from error
            # It is accepted. Whatever comes of the farewell, it must not be sent again.
            with suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
                await client.quit(timeout=GOODBYE_SECONDS)
        finally:
            client.close()
            if isinstance(line, asyncio.WriteTransport):
                line.abort()  # Closed, it would stay until the server has read all that it was sent.

    async def check(self) -> str:
        """Connect and sign in, without sending anything; gives what was agreed on. Raises Failed."""
        client = self._client()
        try:
            async with asyncio.timeout(SECONDS):
                await client.connect()
                encrypted = client.get_transport_info("cipher")
                with suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
                    await client.quit(timeout=GOODBYE_SECONDS)
        except Exception as error:
            raise _failure(error) from error
        finally:
            client.close()
        return f"{encrypted[1] if encrypted else 'no TLS'}, {'signed in' if self.user else 'without signing in'}"

    def _client(self) -> aiosmtplib.SMTP:
        return aiosmtplib.SMTP(
            hostname=self.host,
            port=self.port,
            username=self.user,
            password=self.password,
            local_hostname=self.greeting,
            timeout=STEP_SECONDS,
            use_tls=self.tls,
            start_tls=self.starttls,
            tls_context=_trust() if self.tls or self.starttls else None,
        )


async def _announce(client: aiosmtplib.SMTP, message: Message) -> None:
    """Say from whom and to whom it is (RFC 5321, 4.1.1.2 and 4.1.1.3)."""
    if client.is_ehlo_or_helo_needed:
        try:
            await client.ehlo()
        except aiosmtplib.SMTPHeloError:
            await client.helo()
    options, encoding = [], "ascii"
    if message.international:
        if not client.supports_extension("smtputf8"):
            raise Refused("The server takes no addresses with letters beyond ASCII before the @ (SMTPUTF8).")
        options, encoding = ["SMTPUTF8", "BODY=8BITMIME"], "utf-8"
    if client.supports_extension("size"):
        options.append(f"SIZE={len(message.content)}")
    await client.mail(message.sender, options=options, encoding=encoding)
    await client.rcpt(message.recipient, encoding=encoding)


@cache
def _trust() -> ssl.SSLContext:
    # Made once: it reads the system's certificates, or those of SSL_CERT_FILE.
    return ssl.create_default_context()


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _failure(error: Exception) -> Failed:
    """What an error means for the mail: a 5xx about its recipient or content is final (RFC 5321, 4.2.1)."""
    match error:
        case Failed():
            return error
        case aiosmtplib.SMTPRecipientRefused():
            return _refusal("refused the recipient", error)
        case aiosmtplib.SMTPDataError():
            return _refusal("refused the mail", error)
        case aiosmtplib.SMTPAuthenticationError():
            return Failed(f"The server refused the user or password: {_said(error)}")
        case aiosmtplib.SMTPSenderRefused():
            return Failed(f"The server refused the sender: {_said(error)}")
        case aiosmtplib.SMTPResponseException():
            return Failed(f"The server answered {_said(error)}")
        case TimeoutError():
            return Failed("The server took too long.")
        case ssl.SSLError() | aiosmtplib.SMTPException() | OSError():
            reason = addresses.one_line(str(error)) or type(error).__name__
            return Failed(f"The server could not be used: {reason[:LONGEST_REASON]}")
        case _:
            raise error


def _refusal(what: str, error: aiosmtplib.SMTPResponseException) -> Failed:
    final = 500 <= error.code < 600
    return (Refused if final else Failed)(f"The server {what}: {_said(error)}")


def _said(error: aiosmtplib.SMTPResponseException) -> str:
    return f"{error.code} {addresses.one_line(error.message)[:LONGEST_REASON]}".strip()
