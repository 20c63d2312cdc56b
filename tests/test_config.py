"""Settings: what is wrong with one is told by its name."""

from __future__ import annotations

import pytest

from ticketing.config import InvalidSetting, Settings

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
        (DATABASE | {"TICKETING_POOL_SIZE": "many"}, r"TICKETING_POOL_SIZE is 'many'\. Give it a whole number\."),
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
    with pytest.raises(InvalidSetting, match=r"TICKETING_TRUSTED_PROXIES is '10\.0\.0\.1/8'"):
        Settings.from_environ(DATABASE | {"TICKETING_TRUSTED_PROXIES": "10.0.0.1/8"})
    with pytest.raises(InvalidSetting, match=r"TICKETING_PUBLIC_URL is 'https://example\.org/a//b'"):
        _ = Settings.from_environ(DATABASE | {"TICKETING_PUBLIC_URL": "https://example.org/a//b"}).prefix
