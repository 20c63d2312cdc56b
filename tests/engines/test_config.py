"""Settings: what is wrong with one is told by its name."""

from __future__ import annotations

from typing import Annotated, get_origin, get_type_hints

import pytest

from ticketing.ground.config import InvalidSetting, Settings

DATABASE = {"TICKETING_DATABASE_URL": "postgresql://db/ticketing"}


def test_what_is_not_set_has_its_default() -> None:
    assert Settings.from_environ(DATABASE | {"TICKETING_POOL_SIZE": ""}) == Settings(
        database_url="postgresql://db/ticketing"
    )


def test_what_is_set_is_read() -> None:
    read = Settings.from_environ(DATABASE | {"TICKETING_POOL_SIZE": "12", "TICKETING_LOG_LEVEL": "debug"})
    assert (read.pool_size, read.log_level) == (12, "debug")


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({}, r"TICKETING_DATABASE_URL is not set\. Give it a postgresql:// URL\."),
        (
            DATABASE | {"TICKETING_POOL_SIZE": "many"},
            r"TICKETING_POOL_SIZE is 'many'\. Give it a whole number from 1 to 1000",
        ),
        (DATABASE | {"TICKETING_POOL_SIZE": "-1"}, "whole number"),
        (DATABASE | {"TICKETING_POOL_SIZE": "٣"}, "whole number"),
        (DATABASE | {"TICKETING_POOL_SIZE": "1" * 10}, "whole number"),
        (
            DATABASE | {"TICKETING_LOG_LEVEL": "loud"},
            r"TICKETING_LOG_LEVEL is 'loud'\. Give it one of debug, info, warning, error\.",
        ),
        (DATABASE | {"TICKETING_LOG_FORMAT": "xml"}, "one of json, text"),
    ],
)
def test_what_cannot_be_read_is_named(environ: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidSetting, match=message):
        Settings.from_environ(environ)


def test_networks_and_prefixes_that_cannot_be_read_are_named() -> None:
    with pytest.raises(InvalidSetting, match=r"TICKETING_CORS_ORIGINS is '\*'\. Give it origins"):
        Settings.from_environ(DATABASE | {"TICKETING_CORS_ORIGINS": "*"})
    with pytest.raises(InvalidSetting, match=r"TICKETING_TRUSTED_PROXIES is '10\.0\.0\.1/8'"):
        Settings.from_environ(DATABASE | {"TICKETING_TRUSTED_PROXIES": "10.0.0.1/8"})
    with pytest.raises(InvalidSetting, match=r"TICKETING_PUBLIC_URL is 'https://example\.org/a//b'"):
        Settings.from_environ(DATABASE | {"TICKETING_PUBLIC_URL": "https://example.org/a//b"})


NUMBERS = {
    f"TICKETING_{name.upper()}": kind.__metadata__[0]
    for name, kind in get_type_hints(Settings, include_extras=True).items()
    if get_origin(kind) is Annotated
}


def test_every_number_has_bounds() -> None:
    assert not [name for name, kind in get_type_hints(Settings, include_extras=True).items() if kind is int]
    for field in get_type_hints(Settings):
        if (allowed := NUMBERS.get(f"TICKETING_{field.upper()}")) is not None:
            assert getattr(Settings(database_url=""), field) in allowed


@pytest.mark.parametrize("variable", NUMBERS)
def test_a_number_out_of_bounds_is_refused_with_the_bounds(variable: str) -> None:
    """Such as a pool of no connection, or days before the year one, either of which would end the service."""
    allowed = NUMBERS[variable]
    for number in (allowed[0], allowed[-1]):
        field = variable.removeprefix("TICKETING_").lower()
        assert getattr(Settings.from_environ(DATABASE | {variable: str(number)}), field) == number
    for number in {max(0, allowed[0] - 1), allowed[-1] + 1} - {allowed[0]}:
        with pytest.raises(InvalidSetting, match=f"{variable} is .*from {allowed[0]} to {allowed[-1]}"):
            Settings.from_environ(DATABASE | {variable: str(number)})


@pytest.mark.parametrize(
    "variable",
    [
        "TICKETING_POOL_SIZE", "TICKETING_CONNECTIONS", "TICKETING_CONNECTIONS_PER_ADDRESS", "TICKETING_HEAD_SECONDS",
        "TICKETING_BODY_SECONDS", "TICKETING_IDLE_SECONDS", "TICKETING_HEARTBEAT_SECONDS", "TICKETING_STREAMS",
        "TICKETING_JOB_WINDOW", "TICKETING_JOB_LEASE_SECONDS", "TICKETING_JOB_RESEND_SECONDS",
    ],
)  # fmt: skip
def test_what_may_not_be_zero_is_refused(variable: str) -> None:
    with pytest.raises(InvalidSetting, match=f"{variable} is '0'"):
        Settings.from_environ(DATABASE | {variable: "0"})


@pytest.mark.parametrize(
    ("variable", "url"),
    [
        ("TICKETING_DATABASE_URL", "postgres"),
        ("TICKETING_DATABASE_URL", "https://db/ticketing"),
        ("TICKETING_REDIS_URL", "127.0.0.1:6379"),
        ("TICKETING_REDIS_URL", "http://valkey"),
        ("TICKETING_PUBLIC_URL", "support.example.org"),
        ("TICKETING_PUBLIC_URL", "ftp://example.org"),
        ("TICKETING_PUBLIC_URL", "https://"),
        ("TICKETING_PUBLIC_URL", "https://example.org:many"),
        ("TICKETING_PUBLIC_URL", "https://[example.org"),
        ("TICKETING_OTLP_URL", "collector:4318"),
    ],
)
def test_a_url_that_leads_nowhere_is_refused(variable: str, url: str) -> None:
    with pytest.raises(InvalidSetting, match=f"^{variable} "):
        Settings.from_environ(DATABASE | {variable: url})


def test_a_url_that_cannot_be_read_is_not_shown_with_its_password() -> None:
    for variable in ("TICKETING_DATABASE_URL", "TICKETING_REDIS_URL"):
        with pytest.raises(InvalidSetting) as refused:
            Settings.from_environ(DATABASE | {variable: "user:secret@host"})
        assert "secret" not in str(refused.value)
