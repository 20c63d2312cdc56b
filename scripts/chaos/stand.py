"""The stand: both servers behind proxies, two instances of the API, two workers, and an admin's token."""

from __future__ import annotations

import asyncio
import base64
import os
import random
import secrets
import socket
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx
import psycopg
import uuid_utils.compat as uuids
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row

from chaos import orders, worker
from chaos.processes import Program, Server, await_
from chaos.proxy import Proxy
from chaos.receivers import Receiver, Receivers
from ticketing.access import bearer
from ticketing.db import embedded, migrate

PROJECT = "chaos"
SCOPES = ["tickets:read", "tickets:write", "admin"]


@dataclass(frozen=True, slots=True)
class Stand:
    """Everything that runs; the service reaches its servers only through the proxies."""

    home: Path
    postgres: Server
    valkey: Server
    to_postgres: Proxy
    to_valkey: Proxy
    apis: tuple[Program, ...]
    urls: tuple[str, ...]
    workers: tuple[Program, ...]
    receivers: Receivers
    environment: Mapping[str, str]
    token: str

    def database(self) -> psycopg.Connection[dict[str, Any]]:
        """A connection that bypasses the proxy, to check what the service says."""
        return psycopg.connect(self.postgres.url, autocommit=True, row_factory=dict_row)

    def answers(self, url: str) -> bool:
        """Whether this instance is ready."""
        try:
            return httpx.get(f"{url}/health/ready", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def subscribe(self, name: str) -> Receiver:
        """Add a receiver of all events."""
        receiver = self.receivers.add(name)
        headers = {"Authorization": f"Bearer {self.token}"}
        body = {"url": self.receivers.url(name), "description": name}
        answer = httpx.post(f"{self.urls[0]}/api/v1/webhook-endpoints", json=body, headers=headers, timeout=30)
        answer.raise_for_status()
        receiver.id, receiver.secret = answer.json()["id"], answer.json()["secret"]
        return receiver

    def ready(self) -> bool:
        """Whether every instance is ready."""
        return all(self.answers(url) for url in self.urls)


@contextmanager
def standing(
    *,
    apis: int = 2,
    workers: int = 2,
    serve: Sequence[str] = (),
    work: Sequence[str] = worker.COMMAND,
    settings: Mapping[str, str] | None = None,
    draw: random.Random | None = None,
) -> Iterator[Stand]:
    """A stand for the length of the block, ready for requests, on temporary data."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True)))
        home.chmod(0o711)  # The servers of root run as another user, who has to get through.
        postgres = _started(stack, Server("postgres", home, embedded.postgres))
        valkey = _started(stack, Server("valkey", home, embedded.valkey))
        token = _prepared(postgres.url)
        to_postgres = stack.enter_context(Proxy(_socket_of_postgres(postgres.url)))
        to_valkey = stack.enter_context(Proxy(Path(unquote(urlsplit(valkey.url).path))))
        receivers = stack.enter_context(Receivers(draw or random.Random()))  # noqa: S311
        environment = _environment(postgres, to_postgres, to_valkey, receivers) | dict(settings or {})
        ports = [_free_port() for _ in range(apis)]
        stand = Stand(
            home=home,
            postgres=postgres,
            valkey=valkey,
            to_postgres=to_postgres,
            to_valkey=to_valkey,
            apis=tuple(_api(number, port, serve, environment, home) for number, port in enumerate(ports, 1)),
            urls=tuple(f"http://127.0.0.1:{port}" for port in ports),
            workers=tuple(_worker(work, number, environment, home) for number in range(1, workers + 1)),
            receivers=receivers,
            environment=environment,
            token=token,
        )
        for program in (*stand.apis, *stand.workers):
            program.start()
            stack.callback(program.kill)
        await_(stand.ready, "the API answers")
        yield stand


def _started(stack: ExitStack, server: Server) -> Server:
    server.start()
    stack.callback(server.stop)
    return server


def _api(number: int, port: int, serve: Sequence[str], environment: Mapping[str, str], home: Path) -> Program:
    arguments = ["ticketing", "serve", "--port", str(port), *serve]
    return Program(f"api {number}", arguments, environment, home / f"api{number}.log")


def _worker(work: Sequence[str], number: int, environment: Mapping[str, str], home: Path) -> Program:
    return Program(f"worker {number}", work, environment, home / f"worker{number}.log")


def _environment(postgres: Server, to_postgres: Proxy, to_valkey: Proxy, receivers: Receivers) -> dict[str, str]:
    """The environment that tells a process of the service where its servers are, and where it may send."""
    # The proxy must be able to read the traffic.
    plain = {"sslmode": "disable", "gssencmode": "disable"}
    given = conninfo_to_dict(postgres.url) | plain | {"host": "127.0.0.1", "port": str(to_postgres.port)}
    return {
        "TICKETING_DATABASE_URL": make_conninfo("", **given),
        "TICKETING_REDIS_URL": f"redis://127.0.0.1:{to_valkey.port}/0",
        "TICKETING_LOG_LEVEL": "warning",
        "TICKETING_SECRET_KEYS": base64.b64encode(secrets.token_bytes(32)).decode(),
        "TICKETING_WEBHOOK_ALLOW": "127.0.0.1",
        "TICKETING_WEBHOOK_PORTS": str(receivers.port),
        "PYTHONPATH": os.pathsep.join((str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", ""))),
    }


def _socket_of_postgres(url: str) -> Path:
    return Path(str(conninfo_to_dict(url)["host"])) / ".s.PGSQL.5432"


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


def _prepared(url: str) -> str:
    """Give the database its schema, a project and an admin; return the admin's token."""
    asyncio.run(migrate.migrate(url))
    token, admin = bearer.new_token(), uuids.uuid7()
    with psycopg.connect(url) as conn:
        conn.execute(orders.SCHEMA)
        conn.execute(
            "insert into users (id, name, email, role) values (%s, 'Chaos', 'chaos@example.com', 'admin')", [admin]
        )
        conn.execute(
            "insert into tokens (id, user_id, name, hash, prefix, scopes)"
            " values (gen_random_uuid(), %s, 'chaos', %s, %s, %s)",
            [admin, bearer.hash_token(token), token[:12], SCOPES],
        )
        conn.execute(
            "insert into projects (key, name, visibility, ticket_types)"
            " values (%s, 'Chaos', 'public', '{bug,support}')",
            [PROJECT],
        )
    return token
