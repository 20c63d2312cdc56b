"""A PostgreSQL with a migrated template database and a service for each worker, and judged clients."""

from __future__ import annotations

import asyncio
import gc
import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
import structlog
import uuid_utils.compat as uuids
import uvicorn
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row
from structlog.testing import LogCapture

from judged import Judged
from ticketing import app, sealing
from ticketing.access import bearer
from ticketing.db import embedded, migrate, pool
from ticketing.ground import config
from ticketing.log import versions
from ticketing.monitoring import sampling
from ticketing.processes import serve
from working import SETTLED

pytest_plugins = ["receiving", "tiers"]

TEMPLATE = f"ticketing_template_{secrets.token_hex(6)}"
ALL_SCOPES = ("tickets:read", "tickets:write", "admin")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Two more than there are cores, as many tests wait for something."""
    return (os.cpu_count() or 1) + 2


def pytest_collection_finish() -> None:
    """Spare the garbage collector what stays as long as the process: the tests, and all that they import."""
    gc.freeze()


@pytest.fixture(scope="module")
def unmeasured() -> Iterator[None]:
    """Processes that are started meanwhile run at full speed: nobody asks which of their lines have run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
        yield


@pytest.fixture(scope="session", autouse=True)
def _one_trust() -> Iterator[None]:
    """All clients share one SSL context: to make one takes 20 ms, most of a request, and no test needs it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("httpx._transports.default.create_ssl_context", cache(httpx.create_ssl_context))
        yield


@pytest.fixture(scope="session", autouse=True)
def _patience() -> Iterator[None]:
    """Nobody is refused for want of a connection because the machine is busy with other tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool, "WAIT_SECONDS", 10.0)
        patch.setattr(httpx._config.DEFAULT_TIMEOUT_CONFIG, "read", 60.0)
        yield


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """The PostgreSQL server of this worker: on a shared one, a transaction of any test would hold up the log of all."""
    given = os.environ.get("TICKETING_TEST_SERVER")
    with nullcontext(given) if given else embedded.postgres() as url:
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute(sql.SQL("create database {}").format(sql.Identifier(TEMPLATE)))
        asyncio.run(migrate.migrate(make_conninfo(url, dbname=TEMPLATE)))
        yield url


@pytest.fixture(scope="session")
def new_database(server_url: str) -> Callable[..., str]:
    """Make a database: a copy of the migrated template, or an empty one; gives its URL. It goes with the server."""

    def make(template: str = TEMPLATE) -> str:
        name = f"test_{secrets.token_hex(6)}"
        with psycopg.connect(server_url, autocommit=True) as conn:
            conn.execute(
                sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(template))
            )
        return make_conninfo(server_url, dbname=name)

    return make


@pytest.fixture(scope="session")
def unserved(new_database: Callable[..., str]) -> tuple[str, sql.Composed]:
    """A database that no service uses, and the statement that empties it: sooner done than another one is made."""
    url = new_database()
    with psycopg.connect(url) as conn:
        tables = [name for (name,) in conn.execute("select tablename from pg_tables where schemaname = 'public'")]
        empty = [
            table
            for table in map(sql.Identifier, tables)
            if conn.execute(sql.SQL("select from {} limit 1").format(table)).fetchone() is None
        ]
    return url, sql.SQL("truncate {} restart identity").format(sql.SQL(", ").join(empty))


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A Valkey for this worker's tests of jobs."""
    with embedded.valkey() as url:
        yield url


@pytest.fixture(scope="session")
def database_url(new_database: Callable[..., str]) -> str:
    """The database of this worker's service."""
    return new_database()


@pytest.fixture(scope="session")
def service(database_url: str) -> Iterator[str]:
    """The service over HTTP, as production runs it but in a thread of this process; gives its URL."""
    settings = configured(
        database_url=database_url,
        log_level="warning",
        token_cache_ms="0",
        secret_keys=sealing.new_key(),
        webhook_allow="127.0.0.0/8",
    )
    with settings, pytest.MonkeyPatch.context() as patch:
        # Outages are those of a process, and this one has several services, each with a database of its own: a write to
        # one says nothing about another's disk.
        patch.setattr(sampling, "READY_SECONDS", 3600.0)
        patch.setattr(pool, "TRY_SECONDS", 3600.0)
        with served(app.create()) as url:
            yield url


@contextmanager
def served(application: Any) -> Iterator[str]:
    """Serve an application from a thread; gives its URL."""
    with serve.listen("127.0.0.1", 0) as listener:
        server = uvicorn.Server(
            uvicorn.Config(
                application,
                http=serve.UVICORN["http"],
                log_config=None,
                access_log=False,
                proxy_headers=False,
                lifespan="on",
            )
        )
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        # With its first connection it reads the settings, which may be others later.
        await_(lambda: server.started and answers(url))
        yield url
        server.should_exit = True
        thread.join(20)


@contextmanager
def configured(**settings: str | None) -> Iterator[None]:
    """Have this process use other settings, named as in config.Settings, for as long as the block runs; None unsets.

    The services of other tests in this process read settings, too. So those of before are back before anyone reads.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            variable = f"TICKETING_{name.upper()}"
            if value is None:
                patch.delenv(variable)
            else:
                patch.setenv(variable, value)
        config.settings.cache_clear()
        try:
            yield
        finally:
            patch.undo()
            config.settings.cache_clear()


@contextmanager
def logged(module: ModuleType) -> Iterator[list[MutableMapping[str, Any]]]:
    """What a module logs in the block. structlog's own capture_logs does not reach loggers that were used before."""
    caught = LogCapture()
    with pytest.MonkeyPatch.context() as patch:
        everything = structlog.make_filtering_bound_logger(0)  # Whatever level the services here log.
        patch.setattr(module, "log", structlog.wrap_logger(None, processors=[caught], wrapper_class=everything))
        yield caught.entries


@contextmanager
def spawned(database_url: str, **settings: str) -> Iterator[str]:
    """Serve from a process of its own, on a database of its own; gives its URL."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "ticketing.app:create", "--factory", "--port", str(port)]
    command += ["--http", str(serve.UVICORN["http"]), "--log-level", "warning", "--no-proxy-headers"]
    env = environment(database_url, **settings)
    env.pop("COVERAGE_PROCESS_CONFIG", None)  # Its lines run in the service of this process as well.
    with subprocess.Popen(command, env=env) as process, ended(process):
        await_(lambda: answers(f"http://127.0.0.1:{port}"))
        yield f"http://127.0.0.1:{port}"


@contextmanager
def ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """End it with the block."""
    try:
        yield
    finally:
        process.terminate()


def environment(database_url: str, **settings: str) -> dict[str, str]:
    """What a process of the service is to be told."""
    return os.environ | {"TICKETING_DATABASE_URL": database_url, "TICKETING_LOG_LEVEL": "warning"} | settings


def await_(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until it holds; fail if it does not in time, which is plenty: other tests use the machine as well."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def settled(conn: psycopg.Connection[Any]) -> None:
    """Wait until the log has settled: whatever else the service does just now may hold it back."""
    await_(lambda: bool(conn.execute(SETTLED).fetchall()))


def answers(url: str) -> bool:
    """Whether a service runs there."""
    try:
        return httpx.get(f"{url}/health/live").is_success
    except httpx.TransportError:
        return False


@pytest.fixture(scope="session")
def db(database_url: str) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    """The service's database, to look behind its answers and to move its clock."""
    with psycopg.connect(database_url, autocommit=True, row_factory=dict_row) as conn:
        yield conn


@dataclass(frozen=True)
class Secluded:
    """A service on a database of its own, which this process's settings name as well."""

    url: str
    db: psycopg.Connection[dict[str, Any]]
    clients: ExitStack

    def sign_in(self, role: str) -> Person:
        return self.clients.enter_context(Person(self.url, *signed_up(self.db, role)))


@pytest.fixture
def secluded(new_database: Callable[..., str]) -> Iterator[Secluded]:
    """For a test that changes everybody's rows: what others have written is theirs, and they may yet read it."""
    database_url = new_database()
    with (
        configured(database_url=database_url),
        served(app.create()) as url,
        psycopg.connect(database_url, autocommit=True, row_factory=dict_row) as conn,
        ExitStack() as clients,
    ):
        yield Secluded(url, conn, clients)


@pytest.fixture(scope="session")
def sign_in(service: str, db: psycopg.Connection[dict[str, Any]]) -> Iterator[Callable[..., Person]]:
    """Add a user with a token, and give a client of theirs."""
    clients: list[Person] = []

    def sign_in(role: str, *, name: str | None = None, scopes: tuple[str, ...] = ALL_SCOPES) -> Person:
        clients.append(person := Person(service, *signed_up(db, role, name=name, scopes=scopes)))
        return person

    yield sign_in
    for client in clients:
        client.close()


def signed_up(
    conn: psycopg.Connection[Any], role: str, *, name: str | None = None, scopes: tuple[str, ...] = ALL_SCOPES
) -> tuple[UUID, str, str, str]:
    """Add a user with a token; what a Person is made of: their id, name and role, and the token."""
    user_id, secret = uuids.uuid7(), bearer.new_token()
    name = name or f"{role.title()} {secrets.token_hex(3)}"
    conn.execute(
        "insert into users (id, name, email, role) values (%s, %s, %s, %s)",
        (user_id, name, f"{user_id}@lumen.example", role),
    )
    conn.execute(
        "insert into tokens (id, user_id, name, hash, prefix, scopes) values (%s, %s, 'test', %s, %s, %s)",
        (uuids.uuid7(), user_id, bearer.hash_token(secret), secret[:12], list(scopes)),
    )
    return user_id, name, role, secret


class Person(Judged):
    """A signed-in user's client, which knows who they are."""

    def __init__(self, service: str, user_id: UUID, name: str, role: str, token: str) -> None:
        super().__init__(base_url=service, headers={"Authorization": f"Bearer {token}"}, timeout=30)
        self.id, self.name, self.role, self.token = str(user_id), name, role, token

    @property
    def ref(self) -> dict[str, str]:
        """How answers name them."""
        return {"id": self.id, "name": self.name}


class Browser(Judged):
    """A browser in which somebody is signed in: it sends their cookie, and with what changes something also the proof.

    httpx would keep a Secure cookie to itself on http; browsers send one to the machine on which they run.
    """

    def __init__(self, service: str, person: Person) -> None:
        super().__init__(base_url=service, timeout=30)
        self.id, self.name, self.role = person.id, person.name, person.role
        with configured(demo_users=person.id):
            response = self.post("/sessions", json={"demo_user_id": person.id})
        assert response.status_code == 201, response.text
        told = response.json()
        self.session_id: str = told["session"]["id"]
        self.csrf_token: str = told["csrf_token"]
        self.cookie = response.headers["set-cookie"].partition(";")[0]
        self.cookies.clear()
        self.headers.update({"Cookie": self.cookie, "X-CSRF-Token": self.csrf_token})


@pytest.fixture(scope="session")
def browse(service: str) -> Iterator[Callable[[Person], Browser]]:
    """Sign somebody in in another browser."""
    browsers: list[Browser] = []

    def browse(person: Person) -> Browser:
        browsers.append(browser := Browser(service, person))
        return browser

    yield browse
    for browser in browsers:
        browser.close()


@pytest.fixture(scope="session")
def admin(sign_in: Callable[..., Person]) -> Person:
    return sign_in("admin")


@pytest.fixture(scope="session")
def agent(sign_in: Callable[..., Person]) -> Person:
    return sign_in("agent")


@pytest.fixture(scope="session")
def requester(sign_in: Callable[..., Person]) -> Person:
    return sign_in("requester")


@pytest.fixture(scope="session")
def stranger(sign_in: Callable[..., Person]) -> Person:
    """Another requester, who has nothing to do with the first one's tickets."""
    return sign_in("requester")


ORGANIZATION = "lumen"


@pytest.fixture(scope="session")
def colleague(sign_in: Callable[..., Person], db: psycopg.Connection[dict[str, Any]]) -> Person:
    """A requester who sees the tickets of ORGANIZATION."""
    person = sign_in("requester")
    db.execute("insert into organizations (key, name) values (%s, 'Lumen')", (ORGANIZATION,))
    db.execute("insert into organization_members values (%s, %s, true)", (ORGANIZATION, person.id))
    return person


@pytest.fixture(scope="session")
def agent_here(sign_in: Callable[..., Person], db: psycopg.Connection[dict[str, Any]]) -> Person:
    """An agent of a project in which nobody does anything, and of those for which a test says so by `staff`."""
    db.execute("insert into projects (key, name, ticket_types) values ('here', 'Here', '{bug,support}')")
    person = _restricted(sign_in("agent"), db)
    staff(db, person, "here")
    return person


@pytest.fixture(scope="session")
def agent_elsewhere(sign_in: Callable[..., Person], db: psycopg.Connection[dict[str, Any]]) -> Person:
    """An agent of one project, in which nobody else does anything."""
    db.execute("insert into projects (key, name, ticket_types) values ('elsewhere', 'Elsewhere', '{bug,support}')")
    person = _restricted(sign_in("agent"), db)
    staff(db, person, "elsewhere")
    return person


def _restricted(person: Person, db: psycopg.Connection[dict[str, Any]]) -> Person:
    db.execute("update users set everywhere = false where id = %s", (person.id,))
    return person


def staff(db: psycopg.Connection[dict[str, Any]], person: Person, project: str) -> None:
    """Have an agent staff a project."""
    db.execute("insert into project_staff (user_id, project) values (%s, %s)", (person.id, project))


@pytest.fixture(scope="session")
def anonymous(service: str) -> Iterator[Judged]:
    with Judged(base_url=service, timeout=30) as client:
        yield client


@pytest.fixture
def project(admin: Person) -> str:
    """The key of a new public project with the categories movies and music."""
    key = f"p-{secrets.token_hex(5)}"
    assert admin.post("/projects", json={"key": key, "name": "Media", "visibility": "public"}).status_code == 201
    for category in ("movies", "music"):
        admin.post(f"/projects/{key}/categories", json={"key": category, "name": category.title()})
    return key


@pytest.fixture
def new_ticket(requester: Person, project: str) -> Callable[..., dict[str, Any]]:
    """Open a ticket, the requester's own unless `by` says otherwise."""

    def new_ticket(by: Person | None = None, **fields: Any) -> dict[str, Any]:
        body = {"type": "bug", "project": project, "title": "Playback stops", "description": "After ten minutes."}
        response = (by or requester).post("/tickets", json=body | fields)
        assert response.status_code == 201, response.text
        ticket: dict[str, Any] = response.json()
        return ticket

    return new_ticket


@pytest.fixture
def new_events(db: psycopg.Connection[dict[str, Any]]) -> Callable[[], list[dict[str, Any]]]:
    """The events recorded since this fixture was set up, or since it was last asked; `internal` are those for staff.

    Their `data` is what answers make of it.
    """
    position = _last(db)

    def new_events() -> list[dict[str, Any]]:
        nonlocal position
        rows = db.execute(
            "select e.*, p.data, p.previous, d.internal or event_is_internal(e) as internal"
            "  from events e cross join lateral event_parts(e) p left join event_types d on d.type = e.type"
            " where e.position > %s order by e.position",
            (position,),
        ).fetchall()
        position = _last(db)
        for event in rows:
            event["data"] = versions.completed(event["type"], event["data"])
        return rows

    return new_events


def _last(db: psycopg.Connection[dict[str, Any]]) -> int:
    row = db.execute("select coalesce(max(position), 0) as position from events").fetchone()
    assert row
    return int(row["position"])
