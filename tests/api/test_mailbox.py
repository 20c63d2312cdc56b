"""The mailbox of `ticketing up`: what a browser on the same machine reads there, and that nobody else does."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest
from test_mails import Db, _no_mails, write

from conftest import Person, configured
from ticketing import mail

__all__ = ["_no_mails"]
A_PERSON = {"Accept": "text/html"}


@pytest.fixture
def browser(service: str, admin: Person) -> Iterator[httpx.Client]:
    """A browser beside a service that `ticketing up` runs."""
    with (
        configured(demo_users=admin.id, name="Lumen Help"),
        httpx.Client(base_url=service, headers=A_PERSON) as browser,
    ):
        yield browser


def test_mails_are_read_newest_first(browser: httpx.Client) -> None:
    assert "No mail yet" in browser.get("/dev/mailbox").text
    first = write(mail.Address("Zoë <b>", "zoe@lumen.example"))
    second = write(mail.Address("", "two@lumen.example"), locale="ar")
    page = browser.get("/dev/mailbox")
    assert page.headers["cache-control"] == "no-store"
    assert re.findall('href="mailbox/([^"]+)"', page.text) == [second, first]
    assert "Zoë &lt;b&gt;" in page.text and "two@lumen.example" in page.text
    shown = browser.get(f"/dev/mailbox/{first}").text
    assert "Ada invites you to Lumen Help" in shown and f'src="{first}/body"' in shown
    assert "https://lumen.example/invitation#token=once" in shown
    for asset in ("css", "js"):
        assert browser.get(f"/dev/mailbox.{asset}").status_code == 200


def test_what_a_mail_says_can_do_nothing_but_look_like_one(browser: httpx.Client) -> None:
    mail_id = write()
    body = browser.get(f"/dev/mailbox/{mail_id}/body")
    assert 'href="https://lumen.example/invitation#token=once"' in body.text
    policy = body.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "sandbox allow-popups" in policy and "script" not in policy
    (style,) = re.findall("<style>(.*?)</style>", body.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy and "unsafe" not in policy


def test_what_is_not_kept_or_was_never_there_is_not_found(browser: httpx.Client, db: Db) -> None:
    mail_id = write(mail.Address("", "not an address"))
    shown = browser.get(f"/dev/mailbox/{mail_id}")
    assert shown.status_code == 200 and "is not kept" in shown.text
    for path in (f"{mail_id}/body", str(uuid4()), f"{uuid4()}/body", "1", f"{mail_id}/", "../mails", "%00"):
        assert browser.get(f"/dev/mailbox/{path}").status_code == 404, path
    assert browser.post("/dev/mailbox").status_code == 405


def test_nobody_else_reads_it(service: str, admin: Person, anonymous: httpx.Client) -> None:
    mail_id = write()
    paths = ("", ".css", f"/{mail_id}", f"/{mail_id}/body")
    for path in paths:
        assert httpx.get(f"{service}/dev/mailbox{path}", headers=A_PERSON).status_code == 404
    with configured(demo_users=admin.id):
        for told in ({"X-Forwarded-For": "127.0.0.1"}, {"Host": "rebound.example"}):
            for path in paths:
                answer = httpx.get(f"{service}/dev/mailbox{path}", headers=A_PERSON | told)
                assert answer.status_code == 404 and "lumen.example" not in answer.text, (path, told)
