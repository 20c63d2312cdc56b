"""Mail itself: what a message is made of, whatever names and addresses hold, and what comes of any kind of server."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.headerregistry import Address as HeaderAddress
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import escape
from test_outbound import authority

from conftest import configured
from judged import whole
from mailing import FROM, mailbox, of_user, read, talking
from ticketing import mail
from ticketing.db import sql
from ticketing.ground.config import InvalidSetting, Settings
from ticketing.mail import addresses, message, smtp, wording
from ticketing.mail.addresses import Address

__all__ = ["authority"]
MAIL_ID = UUID("01a20d20-4a10-7e2b-8c4d-1f5a9b7c3e60")
WORDED = ("assigned", "resolution")
"""What a template says in words of its own."""
VALUES: dict[str, dict[str, Any]] = {
    "sign_in_code": {"code": "482913", "url": "https://lumen.example/sign-in#id=1&code=482913", "minutes": 10},
    "invitation": {"inviter": "Ada", "url": "https://lumen.example/invitation#token=x", "days": 7},
    "reply": {
        "author": "Mateo",
        "number": 1042,
        "title": "Playback stops",
        "body": "Which version?",
        "url": "https://lumen.example/support/tickets/1042",
        "assigned": False,
    },
    "resolution": {
        "number": 1042,
        "title": "Playback stops",
        "resolution": "fixed",
        "note": "In 2.4.",
        "url": "https://lumen.example/support/tickets/1042",
        "days": 14,
    },
    "assignment": {
        "actor": "Ada",
        "number": 1042,
        "title": "Playback stops",
        "body": "After ten minutes.",
        "url": "https://lumen.example/support/tickets/1042",
    },
}


@pytest.fixture(scope="module", autouse=True)
def _settings(database_url: str) -> Iterator[None]:
    with configured(database_url=database_url, public_url="https://tickets.lumen.example", name="Lumen Help"):
        yield


def chosen(url: str = "", *, mail_from: str = FROM, public_url: str = "https://tickets.lumen.example") -> Settings:
    return Settings(database_url="", smtp_url=url, mail_from=mail_from, public_url=public_url)


def row(**fields: Any) -> sql.MailToSend:
    given: dict[str, Any] = {
        "id": MAIL_ID,
        "to_name": "Jonas",
        "to_email": "jonas@brueckner.example",
        "subject": "Come",
        "body": "Come here.\n",
        "html_body": "<p>Come here.</p>",
        "thread": None,
        "unsubscribe": None,
        "created_at": datetime(2026, 11, 30, 12, tzinfo=UTC),
        "expired": False,
    }
    return given | fields  # type: ignore[return-value]


def written(**fields: Any) -> message.Message:
    return message.written(row(**fields), addresses.sender(chosen()))


# Wording ------------------------------------------------------------------------------------------------------------


def test_every_template_is_tried_here() -> None:
    assert VALUES.keys() == mail.TEMPLATES.keys()


@pytest.mark.parametrize("locale", mail.LOCALES)
@pytest.mark.parametrize("template", mail.TEMPLATES)
def test_every_template_says_the_same_in_text_and_html(template: str, locale: str) -> None:
    values = VALUES[template]
    words = wording.word(template, locale, values, unsubscribe="https://lumen.example/profile")
    assert words.subject
    assert f'lang="{locale}" dir="{"rtl" if locale == "ar" else "ltr"}"' in words.html
    said = [str(value) for name, value in values.items() if name not in WORDED]
    for value in (*said, "https://lumen.example/profile"):
        assert value in words.text + words.subject, value
        assert str(escape(value)) in words.html, value
    assert "{{" not in words.text + words.html
    assert "style=" not in words.html
    assert "Lumen Help" in words.text


def test_templates_differ_from_language_to_language() -> None:
    for template, values in VALUES.items():
        assert len({wording.word(template, locale, values).text for locale in mail.LOCALES}) == len(mail.LOCALES)


@pytest.mark.parametrize("locale", mail.LOCALES)
def test_every_resolution_has_words_of_its_own(locale: str) -> None:
    words = whole()["components"]["schemas"]["TicketResolution"]["enum"]
    words = [word for word in words if word != "none"]
    said = [wording.word("resolution", locale, VALUES["resolution"] | {"resolution": word}).text for word in words]
    assert len(set(said)) == len(words)
    unknown = wording.word("resolution", locale, VALUES["resolution"] | {"resolution": "none"}).text
    assert unknown not in said


def test_what_is_optional_is_left_out() -> None:
    bare = wording.word("resolution", "en", VALUES["resolution"] | {"note": "", "days": 0}).text
    assert "said about it" not in bare and "reopen" not in bare and "\n\n\n" not in bare
    bare = wording.word("assignment", "en", VALUES["assignment"] | {"actor": "", "body": ""}).text
    assert bare.startswith("This ticket was assigned to you:\n\nPlayback stops\n\nOpen the ticket:\n")


def test_a_quote_keeps_its_lines_and_is_no_markup() -> None:
    words = wording.word("reply", "en", VALUES["reply"] | {"body": "One\n\n<b>Two</b>\n  Three"})
    assert "> One\n>\n> <b>Two</b>\n>   Three\n" in words.text
    assert '<blockquote dir="auto">One<br><br>&lt;b&gt;Two&lt;/b&gt;<br>  Three</blockquote>' in words.html
    long = wording.word("reply", "en", VALUES["reply"] | {"body": "x" * 20_000})
    assert len(long.text) < 11_000 and "x …" in long.text


@pytest.mark.parametrize(
    ("locale", "language"), [("", "en"), ("de-AT", "de"), ("DE", "de"), ("ar-EG", "ar"), ("fr", "en"), ("en-GB", "en")]
)
def test_the_nearest_language_is_taken(locale: str, language: str) -> None:
    assert wording.nearest(locale) == language


@pytest.mark.parametrize(
    "values",
    [
        {"inviter": "Ada", "days": 7},
        {"inviter": "Ada", "url": "https://lumen.example/", "days": 7, "more": 1},
        {"inviter": "Ada", "url": "javascript:alert(1)", "days": 7},
        {"inviter": "Ada", "url": "https://lumen.example/\nBcc: x", "days": 7},
    ],
)
def test_values_are_those_that_the_template_declares(values: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="invitation"):
        wording.word("invitation", "en", values)


def test_what_people_write_is_escaped_and_starts_no_paragraph() -> None:
    values = VALUES["invitation"] | {"inviter": "<script>alert(1)</script>\n\n<img src=x>\r\nBcc: all@lumen.example"}
    words = wording.word("invitation", "en", values)
    assert "<script" not in words.html and "<img" not in words.html
    assert "\n" not in words.subject and "\r" not in words.subject
    assert "\nBcc:" not in words.text


# Messages -----------------------------------------------------------------------------------------------------------


def test_a_message_has_the_headers_of_an_automatic_mail() -> None:
    sent = read(written(thread="ticket-1042", unsubscribe="https://lumen.example/profile").content)
    assert sent["From"] == FROM
    assert sent["To"] == "Jonas <jonas@brueckner.example>"
    assert sent["Date"].datetime == datetime(2026, 11, 30, 12, tzinfo=UTC)
    assert sent["Message-ID"] == f"<{MAIL_ID}@lumen.example>"
    assert sent["Auto-Submitted"] == "auto-generated"
    assert sent["In-Reply-To"] == sent["References"] == "<ticket-1042@lumen.example>"
    assert sent["List-Unsubscribe"] == "<https://lumen.example/profile>"
    plain, html = sent.iter_parts()
    assert (plain.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    assert plain.get_content() == "Come here.\r\n"


HOSTILE = (
    "Eve\r\nBcc: all@lumen.example",
    'Eve" <all@lumen.example>, "',
    "a@b.example, c@d.example",
    "Eve\n\n<script>",
    "=?utf-8?q?=0D=0ABcc:_all@lumen.example?=",
    "\u2028\u202eEve\x00\x1b[2J",
    "Zoë, Groß; (und) <Söhne>: @",
    "名前" * 60,
    "," * 99,
    "(" * 50,
    "\\",
    "",
    " ",
)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_nothing_but_a_name(name: str) -> None:
    assert_only_to(name, "jonas@brueckner.example")


@settings(max_examples=200, deadline=None)
@given(name=st.text(max_size=150))
def test_any_name_is_nothing_but_a_name(name: str) -> None:
    assert_only_to(name, "jonas@brueckner.example")


@settings(max_examples=200, deadline=None)
@given(subject=st.text(max_size=300))
def test_any_subject_is_nothing_but_a_subject(subject: str) -> None:
    line = addresses.one_line(subject)
    sent = read(written(subject=line).content)
    assert sent["To"].addresses == (HeaderAddress("Jonas", "jonas", "brueckner.example"),)
    assert "Bcc" not in sent and sent.is_multipart()


def assert_only_to(name: str, email: str) -> None:
    made = written(to_name=name, to_email=email)
    assert made.recipient == email
    head = made.content.partition(b"\r\n\r\n")[0]
    assert all(line.startswith((b" ", b"\t")) or b":" in line for line in head.split(b"\r\n"))
    assert all(len(line) <= 998 for line in head.split(b"\r\n"))
    sent = read(made.content)
    assert [each.addr_spec for each in sent["To"].addresses] == [email]
    assert set(sent.keys()) == {
        "Date", "Message-ID", "From", "To", "Subject", "Auto-Submitted", "MIME-Version", "Content-Type"
    }  # fmt: skip
    assert not any(part.defects for part in sent.walk())


@pytest.mark.parametrize(
    ("email", "recipient"),
    [
        ("jonas@brückner.example", "jonas@xn--brckner-o2a.example"),
        ("jonas@BÜCHER.example", "jonas@xn--bcher-kva.example"),
        ("jörg@brückner.example", "jörg@xn--brckner-o2a.example"),
        ("用户@例子.example", "用户@xn--fsqu00a.example"),
        ("o'neil+tickets@lumen.example", "o'neil+tickets@lumen.example"),
    ],
)
def test_addresses_of_other_scripts_are_written_as_servers_take_them(email: str, recipient: str) -> None:
    made = written(to_email=email)
    assert made.recipient == recipient
    assert made.international is not recipient.isascii()
    (to,) = read(made.content)["To"].addresses
    assert to.addr_spec.encode("utf-8", "surrogateescape").decode() == recipient


@pytest.mark.parametrize(
    "email",
    [
        "", "@", "a", "a@", "@b.example", "a b@c.example", "a@b c.example", "a@b.example\r\nRCPT TO:<x@y.example>",
        "a@b.example>", "<a@b.example", "a,b@c.example", "a@b@c.example", '"a\r\n"@b.example', "a\x00@b.example",
        "a..b@c.example", ".a@c.example", "a@-.example", "a@b..example", "a@[127.0.0.1]", "a@" + "b" * 64 + ".example",
    ],
)  # fmt: skip
def test_an_address_to_which_nothing_can_be_sent_is_refused(email: str) -> None:
    with pytest.raises(ValueError, match="The part"):
        written(to_email=email)


# Settings -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.lumen.example", ("mail.lumen.example", 25, False, False, None, None)),
        ("smtp://mail:2525/", ("mail", 2525, False, False, None, None)),
        ("smtp://u:p%40ss@mail:587?starttls", ("mail", 587, False, True, "u", "p@ss")),
        ("smtps://me%40lumen.example:x@mail", ("mail", 465, True, False, "me@lumen.example", "x")),
        ("smtp://u:p@127.0.0.1:25", ("127.0.0.1", 25, False, False, "u", "p")),
        ("smtp://[::1]:25", ("::1", 25, False, False, None, None)),
    ],
)
def test_a_server_is_read_from_its_url(url: str, server: tuple[Any, ...]) -> None:
    read_ = smtp.Server.of(chosen(url))
    assert (read_.host, read_.port, read_.tls, read_.starttls, read_.user, read_.password) == server
    assert read_.greeting == "lumen.example"


@pytest.mark.parametrize(
    "url",
    [
        "mail.lumen.example", "http://mail", "smtp://", "smtp://mail:0", "smtp://mail:x", "smtp://mail/path",
        "smtp://mail?tls", "smtps://mail?starttls", "smtp://u:hunter2@mail", "smtp://u:hunter2@mail:99999",
        "smtp://u:hunter2@[mail", "smpts://u:hunter2@mail:465", "smtp+starttls://u:hunter2@mail:587", "http://mail:25",
    ],
)  # fmt: skip
def test_a_url_that_is_none_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(InvalidSetting) as refused:
        mail.check_settings(chosen(url))
    assert "TICKETING_SMTP_URL" in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "sender", ["nobody", "a@b.example, c@d.example", "A <a@b.example> x", "A <a@>", '"A <a@b.example>']
)
def test_the_sender_is_one_address(sender: str) -> None:
    with pytest.raises(InvalidSetting, match="TICKETING_MAIL_FROM"):
        mail.check_settings(chosen("smtp://mail", mail_from=sender))


def test_with_a_server_mail_comes_from_somebody() -> None:
    with pytest.raises(InvalidSetting, match="TICKETING_MAIL_FROM is not"):
        mail.check_settings(chosen("smtp://mail", mail_from=""))
    mail.check_settings(chosen("smtp://mail"))


@pytest.mark.parametrize(
    ("url", "email"),
    [
        ("https://tickets.lumen.example/support", "no-reply@tickets.lumen.example"),
        ("http://127.0.0.1:8080", "no-reply@localhost"),
        ("http://[::1]:8080", "no-reply@localhost"),
    ],
)
def test_captured_mail_comes_from_the_public_host(url: str, email: str) -> None:
    assert addresses.sender(chosen(mail_from="", public_url=url)) == Address("Ticketing", email)


def test_a_password_is_in_no_representation() -> None:
    server = smtp.Server.of(chosen("smtps://u:hunter2@mail"))
    assert "hunter2" not in repr(server) + str(server) + repr(chosen("smtps://u:hunter2@mail"))


# Servers ------------------------------------------------------------------------------------------------------------


def deliver(url: str, made: message.Message | None = None) -> None:
    asyncio.run(smtp.Server.of(chosen(url)).deliver(made or written()))


def test_a_server_gets_the_message_as_it_is() -> None:
    with mailbox() as box:
        deliver(box.url)
    (envelope,) = box.envelopes
    assert (envelope.mail_from, envelope.rcpt_tos) == ("support@lumen.example", ["jonas@brueckner.example"])
    assert envelope.content == written().content
    assert box.helloes == ["lumen.example"]


def test_an_address_beyond_ascii_takes_a_server_that_knows_them() -> None:
    made = written(to_email="jörg@lumen.example")
    with mailbox() as box:
        deliver(box.url, made)
        assert box.envelopes[0].rcpt_tos == ["jörg@lumen.example"]
    with mailbox(enable_SMTPUTF8=False) as box, pytest.raises(smtp.Refused, match="SMTPUTF8"):
        deliver(box.url, made)


@pytest.mark.parametrize(
    ("answer", "raised", "told"),
    [
        ("550 5.1.1 no such user", smtp.Refused, "refused the recipient: 550 5.1.1 no such user"),
        ("450 4.2.1 try later", smtp.Failed, "refused the recipient: 450 4.2.1 try later"),
    ],
)
def test_a_refused_recipient_is_final_if_the_server_says_so(answer: str, raised: type, told: str) -> None:
    with mailbox() as box:
        box.on_rcpt = lambda address: answer
        with pytest.raises(smtp.Failed, match=told) as failure:
            deliver(box.url)
    assert type(failure.value) is raised


@pytest.mark.parametrize(
    ("answer", "raised"), [("554 5.7.1 looks like spam", smtp.Refused), ("451 4.3.0 disk is full", smtp.Failed)]
)
def test_refused_content_is_final_if_the_server_says_so(answer: str, raised: type) -> None:
    with mailbox() as box:
        box.on_data = lambda tries: answer
        with pytest.raises(smtp.Failed, match=answer) as failure:
            deliver(box.url)
    assert type(failure.value) is raised


def test_no_server_is_a_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"smtp://127.0.0.1:{closed.getsockname()[1]}"
    with pytest.raises(smtp.Failed, match="could not be used"):
        deliver(url)


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"554 5.7.1 not you\r\n",
        b"421 4.3.2 shutting down\r\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"220 " + b"x" * 100_000,
        b"220-more\r\n" * 50_000,
        b"\xff\xfe\x00" * 1000 + b"\r\n",
    ],
)
def test_a_server_that_says_something_else_is_a_failure_and_not_a_refusal(said: bytes) -> None:
    with talking(lambda connection: _say(connection, said)) as url, pytest.raises(smtp.Failed) as failure:
        deliver(url)
    assert type(failure.value) is smtp.Failed
    assert len(str(failure.value)) < 500 and "\n" not in str(failure.value)


def _say(connection: socket.socket, said: bytes) -> None:
    connection.sendall(said)
    connection.shutdown(socket.SHUT_RDWR)


def test_whether_a_server_that_hangs_up_after_the_content_has_it_is_unheard() -> None:
    with talking(_hang_up_in_data) as url, pytest.raises(smtp.Unheard, match="did not say"):
        deliver(url, written(body="x" * 500_000))


def _hang_up_in_data(connection: socket.socket) -> None:
    _answer_until_data(connection)
    connection.recv(100)
    connection.shutdown(socket.SHUT_RDWR)


def _answer_until_data(connection: socket.socket) -> None:
    connection.sendall(b"220 here\r\n")
    lines = connection.makefile("rb", buffering=0)
    for line in lines:
        if line.startswith(b"DATA"):
            connection.sendall(b"354 go on\r\n")
            return
        connection.sendall(b"250 OK\r\n")


@pytest.mark.slow
@pytest.mark.parametrize("silent", ["at once", "after DATA"])
def test_a_silent_server_is_left_in_time(silent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "STEP_SECONDS", 0.3)
    monkeypatch.setattr(smtp, "ACCEPTANCE_SECONDS", 0.3)

    def talk(connection: socket.socket) -> None:
        if silent == "after DATA":
            _answer_until_data(connection)
        while connection.recv(65536):
            pass

    started = time.monotonic()
    with talking(talk) as url, pytest.raises(smtp.Failed, match="took too long") as failure:
        deliver(url)
    assert isinstance(failure.value, smtp.Unheard) is (silent == "after DATA")
    assert time.monotonic() - started < smtp.SECONDS


@pytest.mark.slow
def test_a_server_that_drips_is_left_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "SECONDS", 0.5)

    def talk(connection: socket.socket) -> None:
        while True:
            connection.sendall(b"220-patience\r\n")
            time.sleep(0.05)

    with talking(talk) as url, pytest.raises(smtp.Failed, match="took too long"):
        deliver(url)


def test_an_accepted_mail_is_accepted_whatever_comes_of_the_farewell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "GOODBYE_SECONDS", 0.05)

    def talk(connection: socket.socket) -> None:
        _answer_until_data(connection)
        content = b""
        while not content.endswith(b"\r\n.\r\n"):
            content += connection.recv(65536)
        connection.sendall(b"250 accepted\r\n")
        while connection.recv(65536):
            pass

    with talking(talk) as url:
        deliver(url)


# TLS and signing in -------------------------------------------------------------------------------------------------


@pytest.fixture
def context(authority: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[ssl.SSLContext]:
    """The TLS of a server called localhost, which is trusted because SSL_CERT_FILE says so."""
    certificate = authority("localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.with_name("authority.pem")))
    smtp._trust.cache_clear()
    yield context
    smtp._trust.cache_clear()


LOGIN = {"auth_required": True, "authenticator": of_user("support", "hunter2")}


def check(url: str) -> str:
    return asyncio.run(smtp.Server.of(chosen(url)).check())


def test_mail_goes_over_tls_with_starttls(context: ssl.SSLContext) -> None:
    with mailbox(tls_context=context, require_starttls=True, **LOGIN) as box:
        url = f"smtp://support:hunter2@localhost:{box.port}?starttls"
        assert check(url) == "TLSv1.3, signed in"
        deliver(url)
        assert len(box.envelopes) == 1
        with pytest.raises(smtp.Failed, match="530"):
            deliver(f"smtp://localhost:{box.port}")


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")
def test_mail_goes_over_tls_from_the_start(context: ssl.SSLContext) -> None:
    with mailbox(ssl_context=context, auth_require_tls=False, **LOGIN) as box:
        url = f"smtps://support:hunter2@localhost:{box.port}"
        assert check(url) == "TLSv1.3, signed in"
        deliver(url)
        assert len(box.envelopes) == 1


def test_a_server_without_starttls_gets_nothing_if_that_is_asked_for() -> None:
    with mailbox() as box, pytest.raises(smtp.Failed) as failure:
        deliver(f"{box.url}?starttls")
    assert type(failure.value) is smtp.Failed and "STARTTLS" in str(failure.value)
    assert box.envelopes == []


def test_a_certificate_that_is_not_trusted_or_for_another_gets_nothing(
    context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    with mailbox(tls_context=context) as box:
        with pytest.raises(smtp.Failed, match="certificate"):
            deliver(f"{box.url}?starttls")
        monkeypatch.delenv("SSL_CERT_FILE")
        smtp._trust.cache_clear()
        with pytest.raises(smtp.Failed, match="certificate"):
            deliver(f"smtp://localhost:{box.port}?starttls")
    assert box.envelopes == []


def test_a_wrong_password_is_a_failure_that_can_be_mended_and_is_not_shown(context: ssl.SSLContext) -> None:
    with mailbox(tls_context=context, **LOGIN) as box:
        for attempt in (deliver, check):
            with pytest.raises(smtp.Failed, match="refused the user or password: 535") as failure:
                attempt(f"smtp://support:wrong-one@localhost:{box.port}?starttls")
            assert type(failure.value) is smtp.Failed
            assert "wrong-one" not in str(failure.value)
    assert box.envelopes == []


def test_a_check_sends_nothing() -> None:
    with mailbox() as box:
        assert check(box.url) == "no TLS, without signing in"
        assert box.envelopes == []
