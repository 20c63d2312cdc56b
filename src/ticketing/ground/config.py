"""Settings, read once from the environment."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit
from uuid import UUID

from ticketing.contract.cors import NO_ORIGINS, Origins
from ticketing.contract.forwarded import NOBODY, Networks, prefix_of
from ticketing.ground.refused import Refused
from ticketing.ground.registration import CLOSED, Registration

PREFIX = "TICKETING_"
REDIS_HERE = "redis://127.0.0.1:6379/0"
REGISTRATION = Registration(CLOSED)
PRIVATE = Networks("unix,127.0.0.0/8,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,169.254.0.0/16,::1/128,fc00::/7,fe80::/10")
ELSEWHERE = frozenset({"TICKETING_CHROMIUM", "TICKETING_HOME", "TICKETING_POSTGRES_BIN", "TICKETING_TEST_SERVER"})
"""Variables that are read elsewhere."""


class InvalidSetting(Refused):
    """A setting is missing or invalid; the message names the variable and says what it accepts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Each field is the variable `TICKETING_<NAME>`; the comment above it is its documentation."""

    #: PostgreSQL, as a `postgresql://` URL (libpq syntax).
    database_url: str
    #: Redis or Valkey for background jobs, as a `redis://` URL.
    redis_url: str = REDIS_HERE
    #: Most database connections a process holds, plus two for LISTEN and NOTIFY, and four for queries.
    pool_size: Annotated[int, range(1, 1_001)] = 8
    #: `debug`, `info`, `warning` or `error`.
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    #: `json` for machines, `text` for people.
    log_format: Literal["json", "text"] = "json"
    #: Milliseconds after which a statement is logged as slow, with its name; 0 for never.
    slow_statement_ms: Annotated[int, range(3_600_001)] = 1000
    #: Where to send traces by OTLP over HTTP, such as `http://collector:4318`; needs the extra `otel`.
    otlp_url: str = ""
    #: Days for which a requester may reopen a resolved ticket.
    reopen_days: Annotated[int, range(36_501)] = 14
    #: Days after which a resolved ticket is closed; 0 for never.
    close_days: Annotated[int, range(36_501)] = 14
    #: Hours after which a critical ticket without an agent's answer is escalated; 0 for never.
    escalate_hours: Annotated[int, range(876_001)] = 4
    #: Days for which an invitation can be accepted.
    invitation_days: Annotated[int, range(1, 366)] = 7
    #: Milliseconds for which an accepted token is cached, and so how late a revocation may take effect.
    token_cache_ms: Annotated[int, range(3_600_001)] = 500
    #: Who becomes a requester by signing in: everybody (`open`), nobody (`closed`), or whose address has these domains.
    registration: Registration = REGISTRATION
    #: Most codes for signing in that are mailed within an hour to addresses without an account, in all.
    newcomer_mails: Annotated[int, range(1, 1_000_001)] = 500
    #: Days after which a browser session ends that is not used.
    session_idle_days: Annotated[int, range(1, 3_651)] = 14
    #: Days after which a browser session ends in any case.
    session_days: Annotated[int, range(1, 3_651)] = 90
    #: Ids of users as whom anybody may sign in from this machine, separated by commas; `ticketing up` sets it.
    demo_users: str = ""
    #: Days for which events are kept; 0 keeps them for ever.
    event_days: Annotated[int, range(36_501)] = 0
    #: Most event streams open in a process.
    streams: Annotated[int, range(1, 1_000_001)] = 2000
    #: Most event streams a user may have open in a process.
    streams_per_user: Annotated[int, range(1, 1_000_001)] = 20
    #: Seconds of silence after which a stream sends a heartbeat.
    heartbeat_seconds: Annotated[int, range(1, 3_601)] = 15
    #: Most client connections open in a process, besides those with an open stream.
    connections: Annotated[int, range(1, 1_000_001)] = 2000
    #: Most of these for one IP address (for IPv6, one /64 network); never more than are still free.
    connections_per_address: Annotated[int, range(1, 1_000_001)] = 1000
    #: Seconds for a new connection to begin a request, and for a request's head to arrive after its first byte.
    head_seconds: Annotated[int, range(1, 3_601)] = 10
    #: Seconds the body of a request has to arrive.
    body_seconds: Annotated[int, range(1, 86_401)] = 30
    #: Seconds after which an idle connection is closed; longer than proxies keep theirs.
    idle_seconds: Annotated[int, range(1, 3_601)] = 75
    #: Keys that encrypt webhook secrets, newest first, separated by commas: each 32 random bytes in Base64.
    secret_keys: str = field(default="", repr=False)
    #: Hosts and networks that may receive webhooks although they are not public, by http too; separated by commas.
    webhook_allow: str = ""
    #: Ports of public hosts that may receive webhooks, separated by commas; allowed hosts may use any.
    webhook_ports: str = "443"
    #: Days for which the log of settled webhook deliveries is kept.
    delivery_days: Annotated[int, range(1, 36_501)] = 30
    #: The mail server, as `smtp://user:password@host:587?starttls` or `smtps://…`; without one, mail is captured.
    smtp_url: str = field(default="", repr=False)
    #: Whom mail comes from, such as `Support <support@example.org>`; needed if there is a server.
    mail_from: str = ""
    #: Most mails about tickets that a person is sent within an hour; the last one says that no more follow for an hour.
    notification_mails: Annotated[int, range(1, 1_000_001)] = 30
    #: Days for which it is kept whom mail was sent to, and how that went; captured mail whole.
    mail_days: Annotated[int, range(1, 36_501)] = 30
    #: `off` sends nothing to anybody: webhooks and mail wait. For a restored copy, or a worker that must not send.
    outbound: Literal["on", "off"] = "on"
    #: What this installation is called: at the head of its pages, in their titles, and in mail.
    name: str = "Ticketing"
    #: The URL at which people reach this installation; `html_url` and links in messages begin with it.
    public_url: str = "http://127.0.0.1:8080"
    #: Networks of proxies whose `Forwarded` and `X-Forwarded-*` are trusted, separated by commas; `unix` for sockets.
    trusted_proxies: Networks = NOBODY
    #: Origins whose pages may call the API (CORS), such as `https://portal.example.org`, separated by commas.
    cors_origins: Origins = NO_ORIGINS
    #: Origins that images in texts may come from, such as `https://img.example.org`, separated by commas.
    image_sources: Origins = NO_ORIGINS
    #: Networks that may read `/metrics` and `/health/ready`, separated by commas; private ones by default.
    operators: Networks = PRIVATE
    #: Seconds of silence after which a worker's jobs are given to another one.
    job_lease_seconds: Annotated[int, range(1, 3_601)] = 15
    #: Seconds after which a job that no worker has started is announced in Redis again.
    job_resend_seconds: Annotated[int, range(1, 86_401)] = 20
    #: Seconds that running jobs have to finish when their worker is stopped.
    job_stop_seconds: Annotated[int, range(3_601)] = 10
    #: Most announcements waiting in Redis for each queue.
    job_window: Annotated[int, range(1, 1_000_001)] = 2000
    #: Hours for which completed jobs are kept.
    job_completed_hours: Annotated[int, range(876_001)] = 24
    #: Days for which discarded and cancelled jobs are kept.
    job_failed_days: Annotated[int, range(36_501)] = 30

    @property
    def prefix(self) -> str:
        """The prefix of every public path of this installation, such as `/support`; or nothing."""
        try:
            return prefix_of(self.public_url)
        except ValueError:
            raise InvalidSetting(
                f"{PREFIX}PUBLIC_URL is {self.public_url[:50]!r}. Give it an address such as https://example.org/support."
            ) from None

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Read `TICKETING_*`. Raises InvalidSetting, naming the variable at fault."""
        given: dict[str, Any] = {}
        for name, kind in get_type_hints(cls, include_extras=True).items():
            variable = PREFIX + name.upper()
            if text := environ.get(variable):
                given[name] = _read(variable, text, kind)
        if "database_url" not in given:
            raise InvalidSetting(f"{PREFIX}DATABASE_URL is not set. Give it a postgresql:// URL.")
        read = cls(**given)
        _check_urls(read)
        _check_ids(read.demo_users)
        return read


def unknown(environ: Mapping[str, str] = os.environ) -> list[str]:
    """A sentence for each variable that looks like a setting but is not, with a suggestion."""
    known = {PREFIX + name.upper() for name in get_type_hints(Settings)} | ELSEWHERE
    strangers = sorted(name for name in environ if name.startswith(PREFIX) and name not in known)
    return [f"{name} is not a setting{_meant(name, known)}." for name in strangers]


def _check_urls(read: Settings) -> None:
    """Raise InvalidSetting for an unusable URL; a URL that may hold a password is not shown."""
    from psycopg import ProgrammingError  # noqa: PLC0415 - here, as these take longer to import than all the rest
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415

    try:
        conninfo_to_dict(read.database_url)
    except ProgrammingError:
        raise InvalidSetting(
            f"{PREFIX}DATABASE_URL cannot be read. Give it as postgresql://user:password@host/name."
        ) from None
    if read.redis_url != REDIS_HERE:
        _check_redis_url(read.redis_url)
    for name, example in (("public_url", "https://example.org/support"), ("otlp_url", "http://collector:4318")):
        url = getattr(read, name)
        if url and not _leads_somewhere(url):
            raise InvalidSetting(f"{PREFIX}{name.upper()} is {url[:50]!r}. Give it an address such as {example}.")
    _ = read.prefix


def _check_ids(text: str) -> None:
    try:
        _ = [UUID(each) for each in text.split(",") if each]
    except ValueError:
        raise InvalidSetting(
            f"{PREFIX}DEMO_USERS is {text[:50]!r}. Give it ids of users, separated by commas."
        ) from None


def _check_redis_url(url: str) -> None:
    from redis.asyncio.connection import parse_url  # noqa: PLC0415

    try:
        parse_url(url)
    except ValueError:
        raise InvalidSetting(f"{PREFIX}REDIS_URL cannot be read. Give it as redis://host:6379/0.") from None


def _leads_somewhere(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _meant(name: str, known: Collection[str]) -> str:
    near = get_close_matches(name, known, n=1, cutoff=0.75)
    return f"; {near[0]} is" if near else ""


def _read(variable: str, text: str, kind: Any) -> Any:
    if get_origin(kind) is Annotated:
        (allowed,) = kind.__metadata__
        if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) not in allowed:
            raise InvalidSetting(
                f"{variable} is {text[:50]!r}. Give it a whole number from {allowed[0]} to {allowed[-1]}."
            )
        return int(text)
    if kind is Networks:
        try:
            return Networks(text)
        except ValueError:
            raise InvalidSetting(
                f"{variable} is {text[:50]!r}. Give it addresses and networks such as 10.0.0.0/8, separated by commas."
            ) from None
    if kind is Registration:
        try:
            return Registration(text)
        except ValueError:
            raise InvalidSetting(
                f"{variable} is {text[:50]!r}. Give it `open`, `closed`, or domains such as example.org, separated by"
                " commas."
            ) from None
    if kind is Origins:
        try:
            return Origins(text)
        except ValueError:
            raise InvalidSetting(
                f"{variable} is {text[:50]!r}. Give it origins such as https://portal.example.org or "
                "http://localhost:3000, separated by commas, as browsers write them: no path, usual port or wildcard."
            ) from None
    if (choices := get_args(kind)) and text not in choices:
        raise InvalidSetting(f"{variable} is {text[:50]!r}. Give it one of {', '.join(choices)}.")
    return text


@cache
def settings() -> Settings:
    """The settings of this process."""
    return Settings.from_environ()
