"""Signing in by a code by mail: what it takes, how often it may be tried, and that it tells nobody who is a user."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx
import psycopg
import pytest

from conftest import Person, configured, logged, served
from judged import Judged
from ticketing import app, mail
from ticketing.contract.forwarded import Networks
from ticketing.ground import config
from ticketing.ground.registration import Registration
from ticketing.mail import outbox

Db = psycopg.Connection[dict[str, Any]]
REFUSED = (403, "sign_in_refused")


@pytest.fixture(autouse=True)
def _nobody_asked_before(db: Db) -> None:
    """All tests ask from the same network, which has a limit."""
    db.execute("delete from sign_in_codes")


@pytest.fixture(scope="module")
def proxied(service: str) -> Iterator[Judged]:
    """A service that trusts the proxies of this machine, so that a test chooses where it asks from."""
    settings = replace(config.settings(), trusted_proxies=Networks("127.0.0.0/8"))
    with served(app.create(settings)) as url, Judged(base_url=url, timeout=30) as client:
        yield client


@pytest.fixture
def person(sign_in: Callable[..., Person]) -> Person:
    return sign_in("requester")


def address(person: Person) -> str:
    """Where mail reaches them."""
    return f"{person.id}@lumen.example"


def newcomer() -> str:
    return f"{secrets.token_hex(6)}@new.example"


def asked(client: httpx.Client, email: str, **headers: str) -> httpx.Response:
    return client.post("/sign-in-codes", json={"email": email}, headers=headers)


def mails(db: Db, email: str) -> list[dict[str, Any]]:
    """What was sent there, the newest last."""
    return db.execute("select * from mails where to_email = %s order by id", (email,)).fetchall()


def link(db: Db, email: str) -> dict[str, str]:
    """What the link of the last mail to an address holds."""
    found = re.search(r"http\S+/sign-in#\S+", mails(db, email)[-1]["body"])
    assert found
    held = {name: value for name, (value,) in parse_qs(urlsplit(found[0]).fragment).items()}
    assert held.pop("email") == email
    return {"sign_in_code_id": held["id"], "code": held["code"]}


def code(db: Db, email: str) -> dict[str, str]:
    """The six digits of the last mail to an address, and what they are known by."""
    found = re.search(r"^ +(\d{6})$", mails(db, email)[-1]["body"], re.MULTILINE)
    assert found
    return {**link(db, email), "code": found[1]}


def outcome(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json().get("code", "")


def other(right: str) -> str:
    """Another code."""
    return f"{(int(right) + 1) % 10**6:06}"


# What it takes


@pytest.mark.parametrize("by", ["digits", "link"])
def test_who_reads_the_mail_signs_in_with_its_digits_or_its_link(
    anonymous: Judged, person: Person, db: Db, new_events: Callable[[], list[dict[str, Any]]], by: str
) -> None:
    response = asked(anonymous, address(person))
    assert response.status_code == 202
    told = response.json()
    assert told["email"] == address(person)
    held = {"digits": code, "link": link}[by](db, address(person))
    assert held["sign_in_code_id"] == told["id"]
    assert new_events() == []
    signed_in = anonymous.post("/sessions", json=held)
    assert signed_in.status_code == 201
    assert signed_in.json()["user"]["id"] == person.id
    assert anonymous.get("/me", headers={"Cookie": cookie(signed_in)}).json()["user"]["id"] == person.id
    (event,) = new_events()
    assert (event["type"], str(event["actor_id"]), event["internal"]) == ("session.created", person.id, True)
    assert event["data"] == {**signed_in.json()["session"], "address": None, "current": False}


def cookie(response: httpx.Response) -> str:
    return str(response.headers["set-cookie"].partition(";")[0])


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("localhost:8080", "__Host-ticketing"),
        ("support.example.org", "ticketing"),
        ("10.0.0.7:8080", "ticketing"),
        ("localhost.example.org", "ticketing"),
    ],
)
def test_on_plain_http_elsewhere_the_cookie_has_a_plain_name(
    anonymous: Judged, person: Person, db: Db, host: str, name: str
) -> None:
    asked(anonymous, address(person))
    response = anonymous.post("/sessions", json=code(db, address(person)), headers={"Host": host})
    kept = response.headers["set-cookie"]
    assert kept.startswith(f"{name}=ses_")
    assert ("Secure;" in kept) == (name == "__Host-ticketing")
    assert anonymous.get("/me", headers={"Cookie": cookie(response), "Host": host}).status_code == 200


def test_over_https_it_always_has_the_prefix(anonymous: Judged, person: Person, db: Db) -> None:
    with configured(public_url="https://support.example.org"):
        asked(anonymous, address(person))
        assert "https://support.example.org/sign-in#" in mails(db, address(person))[-1]["body"]
        response = anonymous.post("/sessions", json=code(db, address(person)), headers={"Host": "support.example.org"})
    assert response.headers["set-cookie"].startswith("__Host-ticketing=")


@pytest.mark.parametrize("first", [code, link])
def test_a_mail_is_good_once_and_for_ten_minutes(
    anonymous: Judged, person: Person, db: Db, first: Callable[[Db, str], dict[str, str]]
) -> None:
    asked(anonymous, address(person))
    assert anonymous.post("/sessions", json=first(db, address(person))).status_code == 201
    for held in (code(db, address(person)), link(db, address(person))):
        assert outcome(anonymous.post("/sessions", json=held)) == REFUSED
    asked(anonymous, address(person))
    db.execute("update sign_in_codes set expires_at = now() where used_at is null")
    for held in (code(db, address(person)), link(db, address(person))):
        assert outcome(anonymous.post("/sessions", json=held)) == REFUSED


def test_a_code_holds_only_with_its_own_id(anonymous: Judged, person: Person, db: Db) -> None:
    asked(anonymous, address(person))
    first = code(db, address(person))
    asked(anonymous, address(person))
    second = code(db, address(person))
    mixed = {**first, "code": second["code"] if second["code"] != first["code"] else other(first["code"])}
    assert outcome(anonymous.post("/sessions", json=mixed)) == REFUSED
    assert outcome(anonymous.post("/sessions", json={**first, "sign_in_code_id": str(uuid4())})) == REFUSED
    assert anonymous.post("/sessions", json=first).status_code == 201
    assert anonymous.post("/sessions", json=second).status_code == 201


def test_what_is_stored_opens_nothing(anonymous: Judged, person: Person, db: Db) -> None:
    response = asked(anonymous, address(person))
    (row,) = db.execute("select * from sign_in_codes").fetchall()
    assert response.json()["id"] not in str(row)
    assert code(db, address(person))["code"].encode() not in row["code_hash"]
    assert link(db, address(person))["code"] not in str(row)
    assert len(row["hash"]) == len(row["code_hash"]) == len(row["link_hash"]) == 32


def test_a_link_holds_more_than_anybody_can_guess(anonymous: Judged, person: Person, db: Db) -> None:
    asked(anonymous, address(person))
    first = link(db, address(person))
    asked(anonymous, address(person))
    second = link(db, address(person))
    assert first["code"] != second["code"]
    assert len(base64.urlsafe_b64decode(first["code"] + "==")) == 16
    assert outcome(anonymous.post("/sessions", json={**first, "code": second["code"]})) == REFUSED
    assert anonymous.post("/sessions", json=first).status_code == 201


@pytest.mark.parametrize(
    ("accepted", "subject"),
    [
        ("de-CH,de;q=0.9,en;q=0.5", "Anmelde"),
        ("fr, ar;q=0.3", "تسجيل"),
        ("xx", "Sign in"),
        ("", "Sign in"),
        (",;,--," * 50, "Sign in"),
    ],
)
def test_a_mail_is_in_the_language_of_the_browser_unless_the_reader_has_chosen_one(
    anonymous: Judged, person: Person, db: Db, accepted: str, subject: str
) -> None:
    asked(anonymous, address(person), **{"Accept-Language": accepted})
    assert subject in mails(db, address(person))[-1]["subject"]
    db.execute("update users set locale = 'en' where id = %s", (person.id,))
    asked(anonymous, address(person), **{"Accept-Language": accepted})
    assert "Sign in" in mails(db, address(person))[-1]["subject"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"code": "123456"},
        {"sign_in_code_id": str(uuid4())},
        {"sign_in_code_id": str(uuid4()), "code": "12345"},
        {"sign_in_code_id": str(uuid4()), "code": "1234567"},
        {"sign_in_code_id": str(uuid4()), "code": "a" * 21},
        {"sign_in_code_id": str(uuid4()), "code": "a" * 23},
        {"sign_in_code_id": str(uuid4()), "code": "a" * 21 + "+"},
        {"sign_in_code_id": str(uuid4()), "code": "١٢٣٤٥٦"},
        {"sign_in_code_id": str(uuid4()), "code": 123456},
        {"sign_in_code_id": "x", "code": "123456"},
        {"sign_in_code_id": str(uuid4()), "code": "123456", "demo_user_id": str(uuid4())},
        {"email": "a@b.example", "code": "123456"},
    ],
)
def test_one_shows_in_exactly_one_way_who_one_is(anonymous: Judged, body: dict[str, Any]) -> None:
    assert outcome(anonymous.post("/sessions", json=body)) == (422, "validation_failed")


# How often it may be tried


def test_of_a_hundred_guesses_at_once_five_are_looked_at_and_the_link_still_holds(
    anonymous: Judged, person: Person, db: Db
) -> None:
    asked(anonymous, address(person))
    held = code(db, address(person))
    wrong = {**held, "code": other(held["code"])}
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda _: outcome(anonymous.post("/sessions", json=wrong)), range(100)))
    assert set(answers) == {REFUSED}
    assert db.execute("select attempts, used_at from sign_in_codes").fetchall() == [{"attempts": 5, "used_at": None}]
    assert outcome(anonymous.post("/sessions", json=held)) == REFUSED
    assert anonymous.post("/sessions", json=link(db, address(person))).status_code == 201


def test_after_four_wrong_ones_the_right_one_signs_in(anonymous: Judged, person: Person, db: Db) -> None:
    asked(anonymous, address(person))
    held = code(db, address(person))
    for _ in range(4):
        assert outcome(anonymous.post("/sessions", json={**held, "code": other(held["code"])})) == REFUSED
    assert anonymous.post("/sessions", json=held).status_code == 201


def test_guesses_at_what_a_link_holds_use_nothing_up(anonymous: Judged, person: Person, db: Db) -> None:
    asked(anonymous, address(person))
    held = code(db, address(person))
    for _ in range(10):
        assert outcome(anonymous.post("/sessions", json={**held, "code": secrets.token_urlsafe(16)})) == REFUSED
    assert anonymous.post("/sessions", json=held).status_code == 201


def test_of_all_codes_of_an_address_fifty_guesses_an_hour_are_looked_at(
    anonymous: Judged, person: Person, db: Db
) -> None:
    """More codes are no better chance to guess one; and after that, the link still holds."""
    asked(anonymous, address(person))
    first = code(db, address(person))
    db.execute("update sign_in_codes set attempts = 4")
    _asked_before(db, address(person), 9, network="192.0.2.1", attempts=5)
    asked(anonymous, address(person))
    last = code(db, address(person))
    for guess in ({**last, "code": other(last["code"])}, last, first):
        assert outcome(anonymous.post("/sessions", json=guess)) == REFUSED
    assert db.execute("select sum(attempts) from sign_in_codes").fetchone() == {"sum": 50}
    assert anonymous.post("/sessions", json=link(db, address(person))).status_code == 201


@pytest.mark.parametrize("by", [code, link])
def test_of_twenty_with_the_right_one_at_once_one_signs_in(
    anonymous: Judged, person: Person, db: Db, by: Callable[[Db, str], dict[str, str]]
) -> None:
    asked(anonymous, address(person))
    held = by(db, address(person))
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda _: anonymous.post("/sessions", json=held).status_code, range(20)))
    assert sorted(answers) == [201, *[403] * 19]
    row = db.execute("select count(*) from tokens where user_id = %s and idle is not null", (person.id,)).fetchone()
    assert row == {"count": 1}


# How often one may ask


def _asked_before(
    db: Db, email: str, number: int, *, network: str, site: str | None = None, attempts: int = 0, newcomer: bool = False
) -> None:
    """Have codes been asked for just now, for these addresses (`%` is a number) from these networks."""
    db.execute(
        """insert into sign_in_codes (hash, code_hash, email, network, site, attempts, newcomer, expires_at)
           select sha256(gen_random_uuid()::text::bytea), 'x', replace(%(email)s, '%%', n::text),
                  replace(%(network)s, '%%', n::text), %(site)s, %(attempts)s, %(newcomer)s, now()
             from generate_series(1, %(number)s) n""",
        {
            "email": email,
            "network": network,
            "site": site,
            "attempts": attempts,
            "newcomer": newcomer,
            "number": number,
        },
    )


def whence(address: str) -> dict[str, str]:
    return {"X-Forwarded-For": address}


TOO_MANY = (429, "too_many_sign_in_codes")


@pytest.mark.parametrize("known", [True, False])
def test_an_address_gets_five_codes_an_hour_from_one_network(
    anonymous: Judged, person: Person, db: Db, *, known: bool
) -> None:
    email = address(person) if known else newcomer()
    spellings = [email, email.upper()]
    with ThreadPoolExecutor(10) as threads:
        answers = list(threads.map(lambda number: asked(anonymous, spellings[number % 2]), range(20)))
    statuses = [answer.status_code for answer in answers]
    # On a busy machine, one that has waited too long for the others may be told to come again.
    assert (statuses.count(202), set(statuses) - {202, 503}) == (5, {429})
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.json()["code"] == "too_many_sign_in_codes"
    assert 3500 < int(refused.headers["retry-after"]) <= 3600
    assert len(mails(db, email)) == (5 if known else 0)
    db.execute("update sign_in_codes set created_at = created_at - interval '59 minutes'")
    assert int(asked(anonymous, email).headers["retry-after"]) <= 60
    db.execute("update sign_in_codes set created_at = created_at - interval '1 minute'")
    assert asked(anonymous, email).status_code == 202


def test_a_stranger_keeps_nobody_from_signing_in(proxied: Judged, person: Person, db: Db) -> None:
    """Neither by using up codes nor by guessing at them, as often as they may from one network."""
    for number in range(8):
        response = asked(proxied, address(person), **whence("192.0.2.7"))
        assert response.status_code == (202 if number < 5 else 429)
        if number < 5:
            right = code(db, address(person))["code"]
            guess = {"sign_in_code_id": response.json()["id"], "code": other(right)}
            assert [outcome(proxied.post("/sessions", json=guess)) for _ in range(6)] == [REFUSED] * 6
    assert proxied.post("/sessions", json=link(db, address(person))).status_code == 201
    assert asked(proxied, address(person), **whence("198.51.100.1")).status_code == 202
    assert proxied.post("/sessions", json=code(db, address(person))).status_code == 201


@pytest.mark.parametrize("known", [True, False])
def test_an_address_gets_thirty_codes_an_hour_in_all(proxied: Judged, person: Person, db: Db, *, known: bool) -> None:
    email = address(person) if known else newcomer()
    _asked_before(db, email.upper(), 29, network="192.0.2.%")
    assert asked(proxied, email, **whence("198.51.100.1")).status_code == 202
    refused = asked(proxied, email, **whence("198.51.100.2"))
    assert outcome(refused) == TOO_MANY
    assert 3500 < int(refused.headers["retry-after"]) <= 3600


def test_an_address_gets_ten_codes_an_hour_from_one_site(proxied: Judged, person: Person, db: Db) -> None:
    """Whoever has an IPv6 /48 has 65,536 networks."""
    answers = [
        asked(proxied, address(person), **whence(f"2001:db8:1:{n}::1")).status_code for n in (1, 2, 3) for _ in range(4)
    ]
    assert answers == [202] * 10 + [429] * 2
    assert asked(proxied, address(person), **whence("2001:db8:2::1")).status_code == 202


def test_a_network_gets_a_hundred(proxied: Judged, db: Db) -> None:
    _asked_before(db, "%@lumen.example", 99, network="2001:db8:1:2::/64", site="2001:db8:1::/48")
    assert asked(proxied, newcomer(), **whence("2001:db8:1:2::7")).status_code == 202
    assert outcome(asked(proxied, newcomer(), **whence("2001:db8:1:2:3::"))) == TOO_MANY
    assert asked(proxied, newcomer(), **whence("2001:db8:1:3::")).status_code == 202
    _asked_before(db, "%@lumen.example", 99, network="192.0.2.7")
    assert asked(proxied, newcomer(), **whence("192.0.2.7")).status_code == 202
    assert outcome(asked(proxied, newcomer(), **whence("192.0.2.7"))) == TOO_MANY
    assert asked(proxied, newcomer(), **whence("192.0.2.8")).status_code == 202


def test_a_site_gets_five_hundred(proxied: Judged, db: Db) -> None:
    _asked_before(db, "%@lumen.example", 499, network="2001:db8:1:%::/64", site="2001:db8:1::/48")
    assert asked(proxied, newcomer(), **whence("2001:db8:1:ffff::")).status_code == 202
    assert outcome(asked(proxied, newcomer(), **whence("2001:db8:1:fffe::"))) == TOO_MANY
    assert asked(proxied, newcomer(), **whence("2001:db8:2::")).status_code == 202


def test_mails_to_newcomers_have_a_limit_that_nobody_can_see(anonymous: Judged, person: Person, db: Db) -> None:
    """So that strangers use up no mail server's patience; whoever has an account is mailed all the same."""
    with configured(registration="open", newcomer_mails="3"), logged(outbox) as lines:
        emails = [newcomer() for _ in range(5)]
        answers = [asked(anonymous, email) for email in emails]
        assert [answer.status_code for answer in answers] == [202] * 5
        assert [len(mails(db, email)) for email in emails] == [1, 1, 1, 0, 0]
        guess = {"sign_in_code_id": answers[-1].json()["id"], "code": "000000"}
        assert outcome(anonymous.post("/sessions", json=guess)) == REFUSED
        assert asked(anonymous, address(person)).status_code == 202
        assert len(mails(db, address(person))) == 1
        assert [line["template"] for line in lines if line["event"] == "mail withheld"] == ["sign_in_code"] * 2
        db.execute("update sign_in_codes set created_at = created_at - interval '1 hour'")
        asked(anonymous, emails[-1])
        assert len(mails(db, emails[-1])) == 1


# That it tells nobody who is a user


def test_the_answer_is_the_same_for_whoever_has_the_address(
    anonymous: Judged, admin: Person, sign_in: Callable[..., Person], db: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And so is the work, of which all but a little is to word and to write the mail."""
    worded: list[str] = []
    send = mail.send

    async def counted(*args: Any, to: mail.Address, **options: Any) -> Any:
        worded.append(to.email)
        return await send(*args, to=to, **options)

    monkeypatch.setattr(mail, "send", counted)
    inactive, machine = sign_in("requester"), f"{secrets.token_hex(6)}@lumen.example"
    patch = {"Content-Type": "application/merge-patch+json"}
    assert admin.request("PATCH", f"/users/{inactive.id}", json={"active": False}, headers=patch).is_success
    assert admin.post("/users", json={"name": "x", "email": machine, "service_account": True}).is_success
    known = sign_in("requester")
    for email in (address(known), newcomer(), address(inactive), machine):
        response = asked(anonymous, email)
        assert response.status_code == 202
        assert {**response.json(), "id": "", "expires_at": ""} == {"id": "", "email": email, "expires_at": ""}
        guessed = {"sign_in_code_id": response.json()["id"], "code": "000000"}
        refusals = [anonymous.post("/sessions", json=guessed).json() for _ in range(7)]
        assert {each["code"] for each in refusals} == {"sign_in_refused"}
        assert len({each["detail"] for each in refusals}) == 1
        assert worded == [email]
        worded.clear()
        assert len(mails(db, email)) == (email == address(known))
    attempts = db.execute("select attempts from sign_in_codes").fetchall()
    assert attempts == [{"attempts": 5}] * 4


def test_a_mail_goes_to_the_address_that_is_known(anonymous: Judged, person: Person, db: Db) -> None:
    """Not to one that the database takes for the same."""
    assert asked(anonymous, address(person).upper()).status_code == 202
    assert len(mails(db, address(person))) == 1
    assert mails(db, address(person).upper()) == []


# Who registers


def test_who_has_no_account_gets_one_with_the_code_where_registration_is_open(
    anonymous: Judged, db: Db, new_events: Callable[[], list[dict[str, Any]]]
) -> None:
    email = newcomer()
    with configured(registration="open"):
        assert asked(anonymous, email).status_code == 202
        assert anonymous.get("/").json()["sign_in"]["registration"] == "open"
        assert new_events() == []
        response = anonymous.post("/sessions", json=code(db, email))
    assert response.status_code == 201
    user = response.json()["user"]
    assert (user["email"], user["name"], user["role"]) == (email, email.partition("@")[0], "requester")
    created, began = new_events()
    assert (created["type"], str(created["actor_id"])) == ("user.created", user["id"])
    assert created["data"]["email"] == email
    assert began["type"] == "session.created"


def test_one_address_has_one_account_however_many_register_with_it(anonymous: Judged, db: Db) -> None:
    email = newcomer()
    with configured(registration="open"):
        held = []
        for _ in range(5):
            asked(anonymous, email)
            held.append(code(db, email))
        with ThreadPoolExecutor(5) as threads:
            answers = list(threads.map(lambda each: anonymous.post("/sessions", json=each), held))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["user"]["id"] for answer in answers}) == 1


def test_only_these_domains(anonymous: Judged, db: Db) -> None:
    name = secrets.token_hex(6)
    with configured(registration="new.example, Lumen.Example"):
        assert anonymous.get("/").json()["sign_in"]["registration"] == "domains"
        for domain, sent in (("NEW.example", 1), ("lumen.example", 1), ("sub.new.example", 0), ("evil.example", 0)):
            assert asked(anonymous, f"{name}@{domain}").status_code == 202
            assert len(mails(db, f"{name}@{domain}")) == sent
        held = code(db, f"{name}@lumen.example")
    assert outcome(anonymous.post("/sessions", json=held)) == REFUSED, "it was closed meanwhile"


@pytest.mark.parametrize("text", ["opened", "example", "*.example.org", "a@example.org", "ex ample.org", ","])
def test_registration_is_open_closed_or_domains(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        Registration(text)


def test_by_default_nobody_registers(anonymous: Judged, db: Db) -> None:
    email = newcomer()
    assert anonymous.get("/").json()["sign_in"]["registration"] == "closed"
    asked(anonymous, email)
    assert mails(db, email) == []
