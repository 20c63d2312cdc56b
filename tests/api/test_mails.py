"""Mails, from the transaction that wants one to the server that takes it, and as operators see them."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

import working
from conftest import Person, await_, configured
from judged import whole
from mailing import FROM, Mailbox, mailbox, talking
from ticketing import mail
from ticketing.db import pool
from ticketing.ground.config import settings
from ticketing.mail import sending, upkeep

Db = psycopg.Connection[dict[str, Any]]
OF_INVITATION = {"inviter": "Ada", "url": "https://lumen.example/invitation#token=once", "days": 7}
JONAS = mail.Address("Jonas", "jonas@brueckner.example")


@pytest.fixture(autouse=True)
def _no_mails(service: str, db: Db) -> Iterator[None]:
    db.execute("delete from mails")
    db.execute("delete from jobs")
    yield
    db.execute("delete from mails")
    db.execute("delete from jobs")


@contextmanager
def served(**options: Any) -> Iterator[Mailbox]:
    """A mail server that the settings name."""
    with mailbox(**options) as box, configured(smtp_url=box.url, mail_from=FROM):
        yield box


def write(to: mail.Address = JONAS, *, commit: bool = True, **options: Any) -> str:
    """Write an invitation in a transaction of its own; gives its id."""

    async def within() -> UUID:
        given = {"template": "invitation", "to": to, "locale": "en", "values": OF_INVITATION} | options
        async with (
            pool.connected(settings().database_url, 1),
            pool.connection() as conn,
            conn.transaction(force_rollback=not commit),
        ):
            return await mail.send(conn, **given)

    return str(asyncio.run(within()))


def found(admin: Person, mail_id: str) -> Any:
    answer = admin.get(f"/ops/v1/mails/{mail_id}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def states(db: Db, kind: str) -> list[str]:
    return [row["state"] for row in db.execute("select state from jobs where kind = %s", (kind,)).fetchall()]


def work(db: Db, until: str = "not exists (select from mails where status = 'pending')") -> None:
    working.work(lambda: bool(db.execute(f"select 1 where {until}").fetchall()))


def bodies(db: Db, mail_id: str) -> tuple[Any, Any]:
    row = db.execute("select body, html_body from mails where id = %s", (mail_id,)).fetchone()
    assert row
    return row["body"], row["html_body"]


# Captured -----------------------------------------------------------------------------------------------------------


def test_without_a_server_a_mail_is_captured_whole(admin: Person, db: Db) -> None:
    mail_id = write(mail.Address("Jonas", "jonas@brueckner.example"), locale="de-AT")
    captured = found(admin, mail_id)
    assert {name: captured[name] for name in ("template", "locale", "to", "status", "attempt_count", "error")} == {
        "template": "invitation",
        "locale": "de",
        "to": {"name": "Jonas", "email": "jonas@brueckner.example"},
        "status": "captured",
        "attempt_count": 0,
        "error": None,
    }
    assert captured["subject"] == "Ada lädt Sie zu Ticketing ein"
    assert "https://lumen.example/invitation#token=once" in captured["text"]
    assert 'href="https://lumen.example/invitation#token=once"' in captured["html"]
    assert captured["settled_at"] >= captured["created_at"]
    assert db.execute("select from jobs").fetchall() == []


def test_a_mail_exists_only_if_its_transaction_commits(db: Db) -> None:
    with served():
        write(commit=False)
    assert db.execute("select id from mails union all select id from jobs").fetchall() == []


def test_mails_are_listed_newest_first_by_status_template_and_person(admin: Person) -> None:
    first = write(mail.Address("", "one@lumen.example"))
    second = write(mail.Address("", "Two@Lumen.example"))
    third = write(mail.Address("", "not an address"))
    with served():
        fourth = write(
            mail.Address("", "one@lumen.example"),
            template="sign_in_code",
            values={"code": "482913", "url": "https://lumen.example/sign-in", "minutes": 10},
        )
    for filters, expected in (
        ({}, [fourth, third, second, first]),
        ({"status": "captured"}, [second, first]),
        ({"status": "pending,failed"}, [fourth, third]),
        ({"template": "sign_in_code"}, [fourth]),
        ({"template": "invitation", "to": "one@lumen.example"}, [first]),
        ({"to": "TWO@lumen.example"}, [second]),
        ({"to": "nobody@lumen.example"}, []),
    ):
        assert [each["id"] for each in admin.pages("/ops/v1/mails", limit=1, **filters)] == expected, filters
    assert all("text" not in each for each in admin.pages("/ops/v1/mails"))


def test_what_a_mail_is_for_is_a_closed_list() -> None:
    assert set(whole()["components"]["schemas"]["MailTemplate"]["enum"]) == set(mail.TEMPLATES)


# Sent ---------------------------------------------------------------------------------------------------------------


def test_a_sent_mail_is_erased_and_what_became_of_it_is_kept(admin: Person, db: Db) -> None:
    with served() as box:
        mail_id = write(thread="ticket-1042", unsubscribe="https://lumen.example/profile")
        pending = found(admin, mail_id)
        assert (pending["status"], pending["settled_at"], pending["text"], pending["html"]) == (
            "pending",
            None,
            None,
            None,
        )
        assert bodies(db, mail_id) != (None, None)
        work(db)
    sent = found(admin, mail_id)
    assert (sent["status"], sent["attempt_count"], sent["error"], sent["text"]) == ("sent", 1, None, None)
    assert bodies(db, mail_id) == (None, None)
    (message,) = box.messages
    assert message["Message-ID"] == f"<{mail_id}@lumen.example>"
    assert message["To"] == "Jonas <jonas@brueckner.example>"
    assert message["References"] == "<ticket-1042@lumen.example>"
    text = message.get_body(("plain",))
    assert text and "https://lumen.example/invitation#token=once" in text.get_content()
    (job,) = admin.pages("/ops/v1/jobs", type="mail.send")
    assert (job["status"], job["args"], job["queue"]) == ("completed", {"mail_id": mail_id}, "mail")


def test_a_mail_that_is_refused_has_failed_at_once(admin: Person, db: Db) -> None:
    with served() as box:
        box.on_rcpt = lambda address: "550 5.1.1 no such user"
        mail_id = write()
        work(db)
    failed = found(admin, mail_id)
    assert (failed["status"], failed["attempt_count"]) == ("failed", 1)
    assert failed["error"] == "The server refused the recipient: 550 5.1.1 no such user"
    assert bodies(db, mail_id) == (None, None)
    (job,) = admin.pages("/ops/v1/jobs", type="mail.send")
    assert job["status"] == "completed"


def test_a_mail_that_is_put_off_is_tried_again_with_the_same_id(admin: Person, db: Db) -> None:
    with served() as box:
        box.on_data = lambda tries: "451 4.3.0 disk is full" if tries < 3 else None
        mail_id = write()
        work(db, until=f"exists (select from mails where attempt_count = 1 and id = '{mail_id}')")
        put_off = found(admin, mail_id)
        assert (put_off["status"], put_off["error"]) == (
            "pending",
            "The server refused the mail: 451 4.3.0 disk is full",
        )
        for _ in range(2):
            db.execute("update jobs set run_at = now() where state = 'available'")
            work(db, until="not exists (select from jobs where state = 'available' and run_at <= now())")
    sent = found(admin, mail_id)
    assert (sent["status"], sent["attempt_count"], sent["error"]) == ("sent", 3, None)
    assert [message["Message-ID"] for message in box.messages] == [f"<{mail_id}@lumen.example>"]


@contextmanager
def deaf() -> Iterator[list[bytes]]:
    """A mail server that the settings name, and that hangs up once it has a mail; the ids of what it got."""
    got: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        connection.sendall(b"220 here\r\n")
        lines = connection.makefile("rb", buffering=0)
        for line in lines:
            connection.sendall(b"354 go on\r\n" if line.startswith(b"DATA") else b"250 OK\r\n")
            if line.startswith(b"DATA"):
                break
        got.extend(line for line in iter(lines.readline, b".\r\n") if line.startswith(b"Message-ID"))
        connection.shutdown(socket.SHUT_RDWR)

    with talking(talk) as url, configured(smtp_url=url, mail_from=FROM):
        yield got


def test_what_may_have_been_accepted_is_sent_again_seldom_and_not_for_ever(admin: Person, db: Db) -> None:
    with deaf() as got:
        mail_id = write()
        for tries, age in enumerate((0, 3), start=1):
            db.execute("update mails set created_at = created_at - %s * interval '1 hour'", (age,))
            db.execute("update jobs set run_at = now() where state = 'available'")
            work(db, until=f"exists (select from mails where attempt_count = {tries} and id = '{mail_id}')")
            doubted = found(admin, mail_id)
            assert doubted["status"] == "pending"
            assert "did not say whether it has accepted" in doubted["error"]
            asked = "select extract(epoch from run_at - now()) / 60 as minutes from jobs where state = 'available'"
            (job,) = db.execute(asked).fetchall()
            assert max(9, age * 60 - 1) < job["minutes"] <= max(10, age * 60 + 10)
        db.execute("update mails set created_at = created_at - interval '2 days'")
        db.execute("update jobs set run_at = now() where state = 'available'")
        work(db)
    assert found(admin, mail_id)["status"] == "failed"
    assert len(got) == 3 and len(set(got)) == 1


def test_after_its_last_try_a_mail_has_failed(admin: Person, db: Db) -> None:
    with served() as box:
        box.on_rcpt = lambda address: "450 4.2.1 try later"
        mail_id = write()
        db.execute("update jobs set attempt = max_attempts - 1")
        work(db)
    failed = found(admin, mail_id)
    assert (failed["status"], failed["error"]) == (
        "failed",
        "The server refused the recipient: 450 4.2.1 try later",
    )
    assert bodies(db, mail_id) == (None, None)
    (job,) = admin.pages("/ops/v1/jobs", type="mail.send")
    assert job["status"] == "discarded"


def test_what_is_of_no_use_any_more_is_not_sent(admin: Person, db: Db) -> None:
    with served() as box:
        late = write(expires_at=datetime.now(UTC) - timedelta(seconds=1))
        in_time = write(expires_at=datetime.now(UTC) + timedelta(minutes=1))
        work(db)
    assert found(admin, late)["error"] == sending.EXPIRED
    assert (found(admin, late)["status"], found(admin, in_time)["status"]) == ("failed", "sent")
    assert len(box.envelopes) == 1


def test_an_address_of_nobody_fails_the_mail_and_not_its_sender(admin: Person, db: Db) -> None:
    with served() as box:
        mail_id = write(
            mail.Address("Eve\r\nBcc: all@lumen.example", "eve@lumen.example\r\nRCPT TO:<all@lumen.example>")
        )
        work(db)
    failed = found(admin, mail_id)
    assert (failed["status"], failed["to"]["name"]) == ("failed", "Eve Bcc: all@lumen.example")
    assert failed["error"] == "The part before the @ is not one that mail is sent to."
    assert (box.envelopes, db.execute("select from jobs").fetchall()) == ([], [])


def test_where_nothing_is_sent_mails_wait(admin: Person, db: Db) -> None:
    with served() as box:
        mail_id = write()
        with configured(smtp_url=box.url, mail_from=FROM, outbound="off"):
            work(db, until="exists (select from jobs where fence > 0 and state = 'available')")
        assert found(admin, mail_id)["status"] == "pending"
        assert box.envelopes == []
        db.execute("update jobs set run_at = now()")
        work(db)
    assert found(admin, mail_id)["status"] == "sent"


def test_a_worker_without_a_server_captures_what_was_meant_for_one(admin: Person, db: Db) -> None:
    with served():
        mail_id = write()
    work(db)
    captured = found(admin, mail_id)
    assert captured["status"] == "captured" and "token=once" in captured["text"]


def test_an_operator_who_retries_a_mail_that_has_ended_sends_nothing(admin: Person, db: Db) -> None:
    with served() as box:
        box.on_rcpt = lambda address: "450 4.2.1 try later"
        write()
        db.execute("update jobs set attempt = max_attempts - 1")
        work(db)
        box.on_rcpt = lambda address: None
        (job,) = admin.pages("/ops/v1/jobs", type="mail.send")
        assert admin.post(f"/ops/v1/jobs/{job['id']}/retries").status_code == 202
        work(db, until="not exists (select from jobs where state = 'available')")
    assert box.envelopes == []


@pytest.mark.slow
def test_a_worker_that_dies_before_it_notes_what_was_accepted_sends_it_again(admin: Person, db: Db) -> None:
    """Once, under the same Message-ID and with the same content, by which mail programs know it."""
    with served() as box:
        mail_id = write()
        with working.spawned() as (worker,):
            kept = box.handle_DATA

            async def die(*given: Any) -> str:
                answer = await kept(*given)
                worker.kill()
                return answer

            box.__dict__["handle_DATA"] = die
            assert worker.wait(20) == -signal.SIGKILL
        del box.__dict__["handle_DATA"]
        assert found(admin, mail_id)["status"] == "pending"
        db.execute("update jobs set lease_until = now() - interval '1 second' where state = 'running'")
        assert asyncio.run(working.rescue()) == [1]
        work(db)
    assert found(admin, mail_id)["status"] == "sent"
    first, second = box.envelopes
    assert first.content == second.content
    assert {message["Message-ID"] for message in box.messages} == {f"<{mail_id}@lumen.example>"}


@pytest.mark.slow
def test_of_many_mails_none_is_lost_when_workers_die(admin: Person, db: Db) -> None:
    with served() as box:
        ids = {write(mail.Address("", f"{place}@lumen.example")) for place in range(40)}
        with working.spawned(2) as workers:
            await_(lambda: len(box.envelopes) >= 10)
            workers[0].kill()
            # It may have held all the places that there are; they are free once its leases have ended.
            await_(lambda: bool(asyncio.run(working.rescue())) or len(box.envelopes) >= 20)
            await_(lambda: len(box.envelopes) >= 20)
            workers[1].kill()
        db.execute("update jobs set lease_until = now() - interval '1 second' where state = 'running'")
        asyncio.run(working.rescue())
        work(db)
    assert {each["status"] for each in admin.pages("/ops/v1/mails")} == {"sent"}
    told = [str(message["Message-ID"]) for message in box.messages]
    assert {f"<{mail_id}@lumen.example>" for mail_id in ids} == set(told)
    # What a killed worker had handed over and not noted: four at once at most, of each of two.
    assert len(told) <= 40 + 2 * sending.AT_ONCE


@pytest.mark.slow
def test_a_silent_server_holds_up_no_other_work(admin: Person, db: Db) -> None:
    def listen(connection: socket.socket) -> None:
        while connection.recv(65536):
            pass

    with talking(listen) as url, configured(smtp_url=url, mail_from=FROM):
        for place in range(20):
            write(mail.Address("", f"{place}@lumen.example"))
        db.execute("select enqueue_job('webhooks.upkeep', '{}')")
        with working.spawned():
            await_(
                lambda: (
                    not db.execute(
                        "select from jobs where kind = 'webhooks.upkeep' and state <> 'completed'"
                    ).fetchall()
                )
            )
            running = db.execute(
                "select count(*) as n from jobs where kind = 'mail.send' and state = 'running'"
            ).fetchone()
    assert running and running["n"] == sending.AT_ONCE


# Forgotten ----------------------------------------------------------------------------------------------------------


def test_a_mail_whose_job_was_cancelled_has_failed(admin: Person, db: Db) -> None:
    with served():
        cancelled, waiting = write(), write()
    job = next(job for job in admin.pages("/ops/v1/jobs") if job["args"] == {"mail_id": cancelled})
    assert admin.post(f"/ops/v1/jobs/{job['id']}/cancellations").status_code == 202
    working.do(upkeep.upkeep)
    assert found(admin, cancelled)["status"] == "pending"
    db.execute("update mails set created_at = now() - interval '1 hour'")
    working.do(upkeep.upkeep)
    assert (found(admin, cancelled)["status"], found(admin, cancelled)["error"]) == ("failed", upkeep.STRAY)
    assert bodies(db, cancelled) == (None, None)
    assert found(admin, waiting)["status"] == "pending"


def test_old_mails_are_forgotten_and_of_captured_ones_all_but_the_newest(
    admin: Person, db: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [write(mail.Address("", f"{place}@lumen.example")) for place in range(4)]
    with served():
        waiting = write()
    db.execute("update mails set created_at = now() - interval '31 days' where id = any(%s)", ([ids[0], waiting],))
    working.do(upkeep.upkeep)
    assert [each["id"] for each in admin.pages("/ops/v1/mails")] == [waiting, *reversed(ids[1:])]
    monkeypatch.setattr(upkeep, "MOST_CAPTURED", 2)
    working.do(upkeep.upkeep)
    assert [each["id"] for each in admin.pages("/ops/v1/mails")] == [waiting, *reversed(ids[2:])]
