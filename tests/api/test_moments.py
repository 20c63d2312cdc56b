"""Moments: what is taken is read back as the same moment everywhere, and what nobody holds is refused in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_tickets import Events, New

from conftest import Person
from ticketing.ground import moments


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("2026-11-24T10:00:00Z", "2026-11-24T10:00:00.000Z"),
        ("2026-11-24t10:00:00.5z", "2026-11-24T10:00:00.500Z"),
        ("2026-11-24T10:00:00.123999999999Z", "2026-11-24T10:00:00.123Z"),
        ("2026-11-24T10:00:00+20:43", "2026-11-23T13:17:00.000Z"),
        ("2026-11-24T10:00:00-00:00", "2026-11-24T10:00:00.000Z"),
        ("2026-11-24T10:00:00+0000", "2026-11-24T10:00:00.000Z"),
        ("2026-11-24T10:00:00.5-0530", "2026-11-24T15:30:00.500Z"),
        ("2026-11-24T10:00:00+01", "2026-11-24T09:00:00.000Z"),
        ("2026-11-24 10:00:00.123456+00", "2026-11-24T10:00:00.123Z"),
        ("2026-11-24 10:00:00z", "2026-11-24T10:00:00.000Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z"),
        ("2016-12-31T18:59:60.5-05:00", "2017-01-01T00:00:00.500Z"),
        ("9999-12-31T23:59:59.9999Z", "9999-12-31T23:59:59.999Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"),
        ("0001-01-01T05:30:00+05:30", "0001-01-01T00:00:00.000Z"),
    ],
)
def test_what_is_a_moment(given: str, read: str) -> None:
    assert moments.canonical(given) == read
    assert moments.canonical(read) == read


NO_MOMENT = {"code": "wrong_format", "expected": {"format": "date-time"}}
WORDS = "This is not a date and time like 2026-11-24T10:00:00Z."
BLANK = "This has a blank where its offset begins. In a URL, write + as %2B."
NO_SUCH = "There is no such day, time or offset."
NO_MOMENTS = [
    ("", WORDS),
    ("soon", WORDS),
    ("2026-11-24", WORDS),
    ("2026-W48-2", WORDS),
    ("2026-11-24T10:00:00", WORDS),
    ("2026-11-24T10:00Z", WORDS),
    ("2026-11-24T10:00:00.Z", WORDS),
    ("2026-11-24T10:00:00,5Z", WORDS),
    ("2026-11-24T10:00:00+01:00:30", WORDS),
    ("2026-11-24T10:00:00+1", WORDS),
    ("2026-11-24T10:00:00+100", WORDS),
    ("2026-11-24T10:00:00+01:", WORDS),
    ("2026-11-24T10:00:00Z+00", WORDS),
    ("2026-11-24  10:00:00Z", WORDS),
    ("2026-11-24\t10:00:00Z", WORDS),
    ("2026-11-24+10:00:00Z", WORDS),
    ("2026-11-24T10:00:00 01:00", BLANK),
    ("2026-11-24 10:00:00 0100", BLANK),
    ("2026-11-24 10:00:00 01", BLANK),
    ("٢٠٢٦-11-24T10:00:00Z", WORDS),
    ("2026-11-24T10:00:00." + "0" * 30 + "Z", moments.TOO_LONG),
    ("+12026-11-24T10:00:00Z", WORDS),
    ("2026-02-30T10:00:00Z", NO_SUCH),
    ("2026-13-01T10:00:00Z", NO_SUCH),
    ("2026-11-24T24:00:00Z", NO_SUCH),
    ("2026-11-24T10:00:61Z", NO_SUCH),
    ("2026-11-24T10:00:00+24:00", NO_SUCH),
    ("2026-11-24T10:00:00+01:60", NO_SUCH),
    ("2026-11-24T10:00:00+2400", NO_SUCH),
    ("2026-11-24T10:00:00-0160", NO_SUCH),
    ("2026-11-24T10:00:60Z", "A leap second is the last of a day in UTC."),
    ("0000-12-31T23:59:59Z", moments.OUT_OF_RANGE),
    ("0001-01-01T00:00:00+00:01", moments.OUT_OF_RANGE),
    ("9999-12-31T23:59:59-00:01", moments.OUT_OF_RANGE),
    ("9999-12-31T23:59:60Z", moments.OUT_OF_RANGE),
]


@pytest.mark.parametrize(("given", "why"), NO_MOMENTS, ids=lambda value: ascii(value)[:40])
def test_what_is_no_moment(given: str, why: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - the sentence is what matters
        moments.parse(given)
    assert str(refused.value) == why


WRITTEN = st.builds(
    lambda moment, digits, zone, between: (
        moment.isoformat(between, timespec="seconds") + ("." + digits if digits else "") + zone
    ),
    st.datetimes(),
    st.text("0123456789", max_size=12),
    st.sampled_from(["Z", "z", "+00:00", "-00:00", "+0000", "-00", "+05:30", "-0530", "+05", "-23:59", "+2359"]),
    st.sampled_from("Tt "),
)


def by_the_calendar(text: str) -> datetime | None:
    """What Python reads of it; None beyond the years that it knows."""
    fraction = text[20:].rstrip("zZ").partition("+")[0].partition("-")[0] if text[19] == "." else ""
    zone = text[19 + len(fraction) + bool(fraction) :].upper().replace("Z", "+00:00")
    sign = -1 if zone[0] == "-" else 1
    away = timezone(sign * timedelta(hours=int(zone[1:3]), minutes=int(zone[3:].lstrip(":") or 0)))
    try:
        whole = datetime.fromisoformat(text[:19].upper()).replace(tzinfo=away).astimezone(UTC)
    except OverflowError:
        return None
    return whole + timedelta(milliseconds=int(fraction[:3].ljust(3, "0") or 0))


@given(WRITTEN)
def test_every_moment_is_read_as_the_calendar_has_it(text: str) -> None:
    expected = by_the_calendar(text)
    if expected is None:
        with pytest.raises(ValueError, match="not in the years"):
            moments.parse(text)
    else:
        assert moments.parse(text) == expected
        assert moments.parse(moments.canonical(text)) == expected


FUTURE = st.datetimes(min_value=datetime(2100, 1, 1)) | st.just(datetime.max)  # noqa: DTZ001, DTZ901 - zones come later


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(FUTURE, st.text("0123456789", max_size=12), st.sampled_from(["Z", "z", "+05:30", "-23:59", "+23:59"]))
def test_what_is_taken_is_the_same_moment_everywhere(
    admin: Person,
    new_events: Events,
    moment: datetime,
    digits: str,
    zone: str,
) -> None:
    text = moment.isoformat(timespec="seconds") + ("." + digits if digits else "") + zone
    response = admin.post("/tokens", json={"name": "x", "scopes": ["tickets:read"], "expires_at": text})
    if by_the_calendar(text) is None:
        assert response.status_code == 422
        assert response.json()["errors"] == [NO_MOMENT | {"pointer": "#/expires_at", "detail": moments.OUT_OF_RANGE}]
        return
    assert response.status_code == 201, (text, response.text)
    made, kept = response.json(), moments.canonical(text)
    assert made["expires_at"] == kept
    assert new_events()[-1]["data"]["expires_at"] == kept
    assert admin.get(f"/tokens/{made['id']}").json()["expires_at"] == kept
    with Person(str(admin.base_url), UUID(admin.id), admin.name, "admin", made["token"]) as bearer:
        assert bearer.get("/me").json()["token"]["expires_at"] == kept
        # A token is asked for with it: its end is compared with the new one's.
        again = bearer.post("/tokens", json={"name": "y", "scopes": ["tickets:read"], "expires_at": kept})
        assert again.status_code in (201, 403)


@pytest.mark.parametrize(("given", "why"), NO_MOMENTS, ids=lambda value: ascii(value)[:40])
def test_what_is_no_moment_is_refused_in_words(admin: Person, new_events: Events, given: str, why: str) -> None:
    body = {"name": "x", "scopes": ["tickets:read"], "expires_at": given}
    response = admin.post("/tokens", json=body)
    assert (response.status_code, response.json()["errors"]) == (
        422,
        [NO_MOMENT | {"pointer": "#/expires_at", "detail": why}],
    )
    for name in ("created_since", "created_before", "updated_since", "updated_before"):
        response = admin.get("/tickets", params={name: given})
        assert (response.status_code, response.json()["errors"]) == (
            400,
            [NO_MOMENT | {"parameter": name, "detail": why}],
        )
    assert new_events() == []


def test_a_filter_takes_every_way_to_write_a_moment(agent: Person, project: str, new_ticket: New) -> None:
    ticket = new_ticket()
    opened = moments.parse(ticket["created_at"])
    east = opened.astimezone(timezone(timedelta(hours=5, minutes=30))).isoformat(timespec="microseconds")
    written = [ticket["created_at"], ticket["created_at"].lower(), east, east.replace("000+", "999999+")]
    for text in (*written, east.replace("+05:30", "+0530"), east.replace("T", " ")):
        for name, numbers in (("created_since", [ticket["number"]]), ("created_before", [])):
            listed: list[dict[str, Any]] = agent.get("/tickets", params={"project": project, name: text}).json()[
                "items"
            ]
            assert [each["number"] for each in listed] == numbers, (name, text)
