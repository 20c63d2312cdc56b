"""Who is told of what by mail, once, and who is not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

import working
from conftest import Person, await_, configured
from mailing import FROM, mailbox

Db = psycopg.Connection[dict[str, Any]]
New = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def _told(service: str, db: Db) -> Iterator[None]:
    """What happened before a test is told before it."""
    working.notify()
    db.execute("delete from mails")
    yield
    db.execute("delete from mails")
    db.execute("delete from jobs")


@pytest.fixture
def told(db: Db) -> Callable[[], list[tuple[str, str]]]:
    """Who was told since this was last asked: the user's id, and of what."""

    def told() -> list[tuple[str, str]]:
        working.notify()
        rows = db.execute("delete from mails returning id, user_id, template").fetchall()
        return sorted((str(row["user_id"]), row["template"]) for row in rows)

    return told


def reply(by: Person, ticket: dict[str, Any], body: str = "Which version?", **fields: Any) -> dict[str, Any]:
    answer = by.post(f"/tickets/{ticket['number']}/comments", json={"body": body, **fields})
    assert answer.status_code == 201, answer.text
    comment: dict[str, Any] = answer.json()
    return comment


def change(by: Person, ticket: dict[str, Any], **fields: Any) -> dict[str, Any]:
    answer = by.request("PATCH", f"/tickets/{ticket['number']}", json=fields)
    assert answer.status_code == 200, answer.text
    changed: dict[str, Any] = answer.json()
    return changed


def mails(admin: Person) -> list[dict[str, Any]]:
    return [admin.get(f"/ops/v1/mails/{each['id']}").json() for each in admin.pages("/ops/v1/mails")]


def assign(by: Person, ticket: dict[str, Any], to: Person) -> None:
    change(by, ticket, assignee={"id": to.id})


def test_a_requester_is_told_of_a_public_reply(
    admin: Person, agent: Person, requester: Person, new_ticket: New
) -> None:
    ticket = new_ticket(title="Playback <stops>")
    reply(agent, ticket, "Which version?\n\n<b>2.3</b>?")
    working.notify()
    (mail,) = mails(admin)
    assert (mail["template"], mail["to"]["name"], mail["status"]) == ("reply", requester.name, "captured")
    assert mail["subject"] == f"[#{ticket['number']}] Playback <stops>"
    assert f"{agent.name} has replied to your ticket:" in mail["text"]
    assert "> Which version?\n>\n> <b>2.3</b>?" in mail["text"]
    assert ticket["html_url"] in mail["text"]
    assert "/support/profile" in mail["text"]
    assert "<b>" not in mail["html"]


def test_an_assignee_is_told_of_replies_and_nobody_of_their_own(
    agent: Person, requester: Person, new_ticket: New, told: Callable[[], Any]
) -> None:
    ticket = new_ticket()
    assign(agent, ticket, agent)
    assert told() == []
    reply(requester, ticket)
    assert told() == [(agent.id, "reply")]
    reply(agent, ticket)
    assert told() == [(requester.id, "reply")]


def test_what_is_internal_is_told_to_no_requester(agent: Person, new_ticket: New, told: Callable[[], Any]) -> None:
    ticket = new_ticket()
    reply(agent, ticket, "A canary", visibility="internal")
    change(agent, ticket, priority="high")
    assert told() == []


def test_a_requester_is_told_of_the_resolution_with_its_note(
    admin: Person, agent: Person, requester: Person, new_ticket: New, told: Callable[[], Any]
) -> None:
    ticket = new_ticket()
    change(agent, ticket, status="resolved", resolution="fixed", resolution_note="In 2.4.")
    working.notify()
    (mail,) = mails(admin)
    assert (mail["template"], mail["to"]["name"]) == ("resolution", requester.name)
    assert "it is fixed" in mail["text"] and "> In 2.4." in mail["text"] and "14 days" in mail["text"]


def test_an_agent_is_told_of_an_assignment_by_somebody_else(
    admin: Person, agent: Person, new_ticket: New, told: Callable[[], Any]
) -> None:
    ticket = new_ticket()
    assign(admin, ticket, agent)
    assert told() == [(agent.id, "assignment")]
    change(admin, ticket, priority="high")
    assert told() == []
    change(admin, ticket, assignee=None)
    assert told() == []


def test_who_is_no_longer_assigned_when_mail_is_written_is_not_told(
    admin: Person, agent: Person, sign_in: Callable[..., Person], new_ticket: New, told: Callable[[], Any]
) -> None:
    other = sign_in("agent")
    ticket = new_ticket()
    assign(admin, ticket, other)
    assign(admin, ticket, agent)
    assert told() == [(agent.id, "assignment")]


def test_an_agent_who_may_not_see_the_ticket_any_more_is_not_told(
    requester: Person, admin: Person, sign_in: Callable[..., Person], new_ticket: New, told: Callable[[], Any], db: Db
) -> None:
    other = sign_in("agent")
    ticket = new_ticket()
    assign(admin, ticket, other)
    assert told() == [(other.id, "assignment")]
    db.execute("update users set everywhere = false where id = %s", (other.id,))
    reply(requester, ticket)
    assert told() == []


def test_a_comment_deleted_before_mail_is_written_or_read_is_not_told(
    admin: Person, agent: Person, new_ticket: New, told: Callable[[], Any]
) -> None:
    ticket = new_ticket()
    gone = reply(agent, ticket, "Never mind")
    agent.delete(f"/tickets/{ticket['number']}/comments/{gone['id']}")
    assert told() == []
    gone = reply(agent, ticket, "A secret")
    working.notify()
    assert len(mails(admin)) == 1
    agent.delete(f"/tickets/{ticket['number']}/comments/{gone['id']}")
    working.notify()
    assert mails(admin) == []


@pytest.mark.parametrize("column", ["mail_replies", "mail_resolutions", "mail_assignments"])
def test_people_choose_what_they_are_told(
    column: str, admin: Person, sign_in: Callable[..., Person], new_ticket: New, told: Callable[[], Any]
) -> None:
    asking, helping = sign_in("requester"), sign_in("agent")
    for person in (asking, helping):
        chosen = {name: f"mail_{name}" != column for name in ("replies", "resolutions", "assignments")}
        answer = person.request("PATCH", "/me", json={"preferences": {"mail_notifications": chosen}})
        assert answer.status_code == 200, answer.text
    ticket = new_ticket(by=asking)
    assign(admin, ticket, helping)
    reply(admin, ticket)
    change(admin, ticket, status="resolved", resolution="answered")
    all_ = {
        "mail_assignments": [(helping.id, "assignment")],
        "mail_replies": [(asking.id, "reply"), (helping.id, "reply")],
        "mail_resolutions": [(asking.id, "resolution")],
    }
    assert told() == sorted(each for name, mails_ in all_.items() if name != column for each in mails_)


def test_mail_is_in_the_readers_language(
    admin: Person, agent: Person, sign_in: Callable[..., Person], new_ticket: New
) -> None:
    reader = sign_in("requester")
    reader.request("PATCH", "/me", json={"preferences": {"locale": "de"}})
    reply(agent, new_ticket(by=reader))
    working.notify()
    (mail,) = mails(admin)
    assert mail["locale"] == "de" and "hat auf Ihr Ticket geantwortet" in mail["text"]


def test_who_was_deactivated_or_has_no_address_is_not_told(
    agent: Person, sign_in: Callable[..., Person], new_ticket: New, told: Callable[[], Any], db: Db
) -> None:
    for change_ in ("active = false", "email = null"):
        reader = sign_in("requester")
        ticket = new_ticket(by=reader)
        db.execute(f"update users set {change_} where id = %s".encode(), (reader.id,))
        reply(agent, ticket)
    assert told() == []


def test_of_what_was_written_in_the_past_nobody_is_told(
    agent: Person, requester: Person, new_ticket: New, told: Callable[[], Any], db: Db
) -> None:
    """As imports and the demo write it."""
    ticket = new_ticket()
    reply(agent, ticket)
    db.execute(
        "update events set occurred_at = recorded_at - interval '1 minute' where ticket = %s", (ticket["number"],)
    )
    imported = reply(agent, ticket)
    db.execute(
        "insert into imported_comments (comment, ticket, occasion) values (%s, %s, 'comment')",
        (imported["id"], ticket["number"]),
    )
    assert told() == []


def test_one_event_is_one_mail_however_often_the_log_is_read(
    admin: Person, agent: Person, new_ticket: New, db: Db
) -> None:
    place = db.execute("select * from notification_place").fetchone()
    assert place
    reply(agent, new_ticket())
    working.notify()
    first = mails(admin)
    db.execute(
        "update notification_place set transaction_id = %s::xid8, position = %s",
        (str(place["transaction_id"]), place["position"]),
    )
    working.notify()
    assert mails(admin) == first and len(first) == 1


@pytest.mark.slow
def test_workers_that_race_and_die_tell_everybody_once(
    agent: Person, requester: Person, new_ticket: New, db: Db
) -> None:
    ticket = new_ticket()
    told = "select event_id from mails where user_id = %s and template = 'reply'"
    with configured(notification_mails="1000"), telling(3) as tellers:
        for place in range(60):
            reply(agent, ticket, f"Number {place}")
            if place in (20, 40):
                tellers[place // 20 - 1].kill()
        await_(lambda: len(db.execute(told, (requester.id,)).fetchall()) >= 60)
    events = [row["event_id"] for row in db.execute(told, (requester.id,)).fetchall()]
    assert len(events) == len(set(events)) == 60


LAST = "This is the last mail for an hour"


def test_who_is_told_much_is_told_when_that_ends_for_an_hour(
    admin: Person,
    agent: Person,
    requester: Person,
    sign_in: Callable[..., Person],
    new_ticket: New,
    db: Db,
    told: Callable[[], Any],
) -> None:
    ticket, others = new_ticket(), new_ticket(by=(other := sign_in("requester")))
    assign(admin, ticket, agent)
    told()
    with configured(notification_mails="3"):
        for number in range(5):
            reply(requester, ticket, f"Number {number}")
            if number % 2:
                working.notify()
        reply(agent, others)
        working.notify()
        sent = sorted(mails(admin), key=lambda mail: str(mail["created_at"]))
        texts = [mail["text"] for mail in sent if mail["to"]["email"].startswith(agent.id)]
        assert [[f"Number {number}" in text, LAST in text] for number, text in enumerate(texts)] == [
            [True, False],
            [True, False],
            [True, True],
        ]
        assert "\nSee what happens:\nhttp" in texts[-1] and "/desk\n" in texts[-1]
        [(to, text)] = [(mail["to"], mail["text"]) for mail in sent if mail["to"]["email"].startswith(other.id)]
        assert LAST not in text, to
        db.execute("update mails set created_at = created_at - interval '59 minutes'")
        reply(requester, ticket)
        working.notify()
        assert len(mails(admin)) == 4
        db.execute("update mails set created_at = created_at - interval '1 minute'")
        reply(requester, ticket, "Again")
        working.notify()
        [again] = [mail["text"] for mail in mails(admin) if "Again" in mail["text"]]
        assert LAST not in again
        assert len(mails(admin)) == 5


def test_a_requester_who_is_told_much_is_led_to_their_tickets(admin: Person, agent: Person, new_ticket: New) -> None:
    with configured(notification_mails="1"):
        reply(agent, new_ticket())
        working.notify()
    [mail] = mails(admin)
    assert LAST in mail["text"] and LAST in mail["html"]
    assert "/support\n" in mail["text"]


@pytest.mark.slow
def test_workers_that_race_and_die_tell_nobody_more_than_they_may_be_told(
    agent: Person, requester: Person, new_ticket: New, db: Db
) -> None:
    ticket = new_ticket()
    told = "select event_id, body from mails where user_id = %s order by id"
    untold = (
        "select from events e, notification_place p"
        " where (e.transaction_id, e.position) > (p.transaction_id, p.position)"
    )
    with configured(notification_mails="10"), telling(3) as tellers:
        for place in range(30):
            reply(agent, ticket, f"Number {place}")
            if place in (10, 20):
                tellers[place // 10 - 1].kill()
        await_(lambda: not db.execute(untold).fetchall())
    rows = db.execute(told, (requester.id,)).fetchall()
    assert len({row["event_id"] for row in rows}) == len(rows) == 10
    assert [LAST in row["body"] for row in rows] == [False] * 9 + [True]


@contextmanager
def telling(count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes that do nothing but tell people of the log."""
    command = [sys.executable, "-c", "import working\nwhile True: working.notify()"]
    folder = Path(working.__file__).parent
    with ExitStack() as stack:
        processes = [stack.enter_context(subprocess.Popen(command, cwd=folder)) for _ in range(count)]
        for process in processes:
            stack.callback(process.kill)
        yield processes


def test_mails_of_a_ticket_stand_together_and_say_how_to_stop_them(agent: Person, new_ticket: New, db: Db) -> None:
    ticket = new_ticket()
    with mailbox() as box, configured(smtp_url=box.url, mail_from=FROM):
        reply(agent, ticket)
        change(agent, ticket, status="resolved", resolution="answered")
        working.notify()
        working.work(lambda: len(box.envelopes) == 2)
    for message in box.messages:
        assert message["References"] == message["In-Reply-To"] == f"<ticket-{ticket['number']}@lumen.example>"
        assert message["Subject"] == f"[#{ticket['number']}] Playback stops"
        assert message["List-Unsubscribe"].endswith("/support/profile>")
    assert len({message["Message-ID"] for message in box.messages}) == 2
