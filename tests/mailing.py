"""Mail servers for tests: real ones in threads, as well or as badly behaved as a test wants them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

FROM = "Support <support@lumen.example>"


@dataclass
class Mailbox:
    """What a server accepted, and how it answers."""

    port: int = 0
    envelopes: list[Envelope] = field(default_factory=list)
    helloes: list[str] = field(default_factory=list)
    on_rcpt: Callable[[str], str | None] = lambda address: None
    """The answer to RCPT, unless the recipient is accepted."""
    on_data: Callable[[int], str | None] = lambda tries: None
    """The answer after the content, by how often content came."""
    tries: int = 0

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    @property
    def messages(self) -> list[EmailMessage]:
        return [read(envelope.content) for envelope in self.envelopes if isinstance(envelope.content, bytes)]

    async def handle_EHLO(self, server: SMTP, session: Session, envelope: Envelope, name: str, told: list[str]) -> Any:  # noqa: N802
        session.host_name = name
        self.helloes.append(name)
        return told

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any) -> str:  # noqa: N802
        if answer := self.on_rcpt(address):
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.tries += 1
        if answer := self.on_data(self.tries):
            return answer
        self.envelopes.append(envelope)
        return "250 OK"


def read(content: bytes) -> EmailMessage:
    """A message as a mail program reads it."""
    message = BytesParser(policy=policy.SMTPUTF8).parsebytes(content)
    assert isinstance(message, EmailMessage)
    return message


@contextmanager
def mailbox(**options: Any) -> Iterator[Mailbox]:
    """A mail server of RFC 5321; `options` are those of aiosmtpd."""
    box = Mailbox()
    options = {"enable_SMTPUTF8": True, **options}
    controller = Controller(box, hostname="127.0.0.1", port=0, ready_timeout=20, **options)
    with _any_port(controller, box):
        yield box


@contextmanager
def _any_port(controller: Controller, box: Mailbox) -> Iterator[None]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        box.port = controller.port = free.getsockname()[1]
    controller.start()
    try:
        yield
    finally:
        controller.stop()


def of_user(name: str, password: str) -> Callable[..., AuthResult]:
    """Lets in who has this name and password."""

    def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, given: Any) -> AuthResult:
        right = isinstance(given, LoginPassword) and given == LoginPassword(name.encode(), password.encode())
        return AuthResult(success=right, handled=False)

    return authenticate


@contextmanager
def talking(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server of whose connections each is left to a function; gives its URL."""
    server = socket.create_server(("127.0.0.1", 0))
    open_: list[socket.socket] = []

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = server.accept()
                open_.append(connection)
                threading.Thread(target=_talk, args=(talk, connection), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"smtp://127.0.0.1:{server.getsockname()[1]}"
    finally:
        for each in (server, *open_):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


def _talk(talk: Callable[[socket.socket], None], connection: socket.socket) -> None:
    with suppress(OSError):
        talk(connection)
