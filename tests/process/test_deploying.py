"""The examples for proxies and systemd do what `docs/deploying.md` says: they are run, with other addresses."""

from __future__ import annotations

import getpass
import json
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from conftest import answers, await_, ended, environment, signed_up
from ticketing.__main__ import app
from ticketing.ground import paths
from ticketing.ground.config import Settings

EXAMPLES = Path(__file__).parents[2] / "docs/deploying"
NGINX = {name: (EXAMPLES / name).read_text() for name in ("nginx.conf", "nginx-subpath.conf")}
CADDY = (EXAMPLES / "Caddyfile").read_text()


class Behind:
    """The service behind a proxy."""

    def __init__(self, port: int, prefix: str, token: str) -> None:
        self.port, self.prefix = port, prefix
        self.url = f"http://127.0.0.1:{port}{prefix}"
        self.client = httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {token}"}, timeout=30)

    def status(self, path: str) -> int:
        """What a path is answered with that is sent as it is."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", path)
        status = connection.getresponse().status
        connection.close()
        return status


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@contextmanager
def nginx(text: str, service: str, folder: Path) -> Iterator[int]:
    """Run nginx on a free port, without TLS."""
    port = free_port()
    text = re.sub(r"listen 443 ssl;", f"listen 127.0.0.1:{port};", text)
    text = re.sub(r"ssl_certificate(_key)? .*;\n", "", text).replace("127.0.0.1:8080", service)
    kinds = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in ("proxy", "fastcgi", "uwsgi", "scgi"))
    main = f"""
        user {getpass.getuser()}; daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
        events {{ worker_connections 256; }}
        http {{ access_log off; client_body_temp_path {folder}/body; {kinds} {text} }}
    """
    (folder / "main.conf").write_text(main)
    command = ["nginx", "-e", f"{folder}/error.log", "-c", f"{folder}/main.conf"]
    with subprocess.Popen(command) as process, ended(process):
        yield port


@contextmanager
def caddy(text: str, service: str, folder: Path) -> Iterator[int]:
    """Run Caddy on a free port, without TLS."""
    port = free_port()
    text = text.replace("support.example.org", f"http://127.0.0.1:{port}").replace("127.0.0.1:8080", service)
    (folder / "Caddyfile").write_text(f"{{\n\tadmin off\n}}\n{text}")
    command = ["caddy", "run", "--adapter", "caddyfile", "--config", f"{folder}/Caddyfile"]
    with subprocess.Popen(command, env={"HOME": str(folder)}, stderr=subprocess.DEVNULL) as process, ended(process):
        yield port


def found() -> list[tuple[str, Callable[[str, str, Path], Any], str, str]]:
    """The examples whose proxy is installed: name, how to run it, text and prefix."""
    known = [
        ("nginx.conf", "nginx", nginx, NGINX["nginx.conf"], ""),
        ("nginx-subpath.conf", "nginx", nginx, NGINX["nginx-subpath.conf"], "/desk"),
        ("Caddyfile", "caddy", caddy, CADDY, ""),
    ]
    return [(name, run, text, prefix) for name, command, run, text, prefix in known if shutil.which(command)]


def test_the_service_works_behind_the_proxies_of_the_examples(new_database: Callable[..., str], tmp_path: Path) -> None:
    """Those that are installed; that the others say what matters, the next test sees."""
    database_url = new_database()
    with psycopg.connect(database_url, autocommit=True) as conn:
        token = signed_up(conn, "admin")[3]
    service = f"127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "ticketing", "serve", "--port", service.rpartition(":")[2]]
    env = environment(database_url, TICKETING_TRUSTED_PROXIES="127.0.0.0/8")
    with subprocess.Popen(command, env=env) as process, ended(process):
        await_(lambda: answers(f"http://{service}"), 60)
        for name, run, text, prefix in found():
            folder = tmp_path / name
            folder.mkdir()
            with run(text, service, folder) as port:
                await_(lambda port=port: _listens(port))  # type: ignore[misc]
                behind = Behind(port, prefix, token)
                with behind.client:
                    _judge(behind)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True


def _judge(behind: Behind) -> None:
    client, prefix = behind.client, behind.prefix
    key = f"p-{time.monotonic_ns()}"
    made = client.post("/api/v1/projects", json={"key": key, "name": "x", "visibility": "public"})
    assert (made.status_code, made.headers["location"]) == (201, f"{prefix}/api/v1/projects/{key}")
    # A client who tells of itself what only the proxy may.
    told = {"X-Forwarded-For": "127.0.0.1", "Forwarded": "for=127.0.0.1", "X-Forwarded-Prefix": "/evil"}
    assert client.get("/api/v1/nothing", headers=told).json()["type"] == f"{prefix}/problems/not-found"
    for path in ("/metrics", "/health/ready", "/%6detrics", "//metrics", "/docs/../metrics", "/health/%72eady"):
        assert behind.status(prefix + path) in (400, 404), path
    assert behind.status(f"{prefix}/health/live") == 200
    # What the contract allows passes.
    text = "x" * 65_536
    opened = client.post("/api/v1/tickets", json={"type": "bug", "project": key, "title": "Long", "description": text})
    assert opened.status_code == 201, opened.text
    too_long = client.post(
        "/api/v1/tickets", json={"type": "bug", "project": key, "title": "Long", "description": "x" * 3_000_000}
    )
    assert too_long.status_code == 413
    assert client.get("/api/v1/me", headers={"X-Large": "x" * 12_000}).status_code == 200
    # Events come as they happen.
    with client.stream("GET", "/api/v1/events/stream") as stream:
        assert stream.status_code == 200
        pieces = stream.iter_text()
        assert next(pieces)
        client.post("/api/v1/projects", json={"key": f"{key}x", "name": "x", "visibility": "public"})
        seen = ""
        while f"{key}x" not in seen:
            seen += next(pieces)


def test_the_examples_say_what_matters() -> None:
    idle = Settings(database_url="").idle_seconds
    document = (paths.SPEC / "dist" / "openapi.yaml").read_text()
    largest = max(map(int, re.findall(r"x-max-body-bytes: (\d+)", document))) // 1024
    for text in NGINX.values():
        assert f"client_max_body_size {largest}k;" in text
        for line in ("proxy_http_version 1.1", 'Connection ""', "X-Forwarded-For $remote_addr", 'Forwarded ""'):
            assert f"{line};" in text
        assert text.count("proxy_pass http://ticketing;") == 2  # With a path, nginx would decode the client's.
        (stream,) = re.findall(r"location = \S*/api/v1/events/stream \{([^}]+)\}", text)
        assert "proxy_buffering off;" in stream
        (kept,) = re.findall(r"keepalive_timeout (\d+)s;", text)
        assert int(kept) < idle
        assert len(re.findall(r"location = \S*/(?:metrics|health/ready) \{\s+return 404;", text)) == 2
    assert int(re.findall(r"keepalive (\d+)s", CADDY)[0]) < idle
    assert {"header_up -Forwarded", "header_up -X-Forwarded-Prefix"} <= {line.strip() for line in CADDY.splitlines()}
    assert "path /metrics /health/ready" in CADDY


@pytest.mark.parametrize("unit", sorted(EXAMPLES.glob("*.service")), ids=lambda path: path.name)
def test_the_commands_of_the_units_exist(unit: Path) -> None:
    (command,) = re.findall(r"^ExecStart=/opt/ticketing/bin/ticketing (.+)$", unit.read_text(), re.MULTILINE)
    app.parse_args(command.split(), exit_on_error=False, print_error=False)


def test_the_units_are_units_of_systemd(tmp_path: Path) -> None:
    """By systemd where that is installed; by their sections everywhere."""
    for path in EXAMPLES.glob("ticketing*.s*"):
        text = path.read_text().replace("/opt/ticketing/bin/ticketing", shutil.which("true") or "/bin/true")
        (tmp_path / path.name).write_text(text)
        assert re.findall(r"^\[(\w+)\]$", text, re.MULTILINE) == [
            "Unit",
            {".service": "Service", ".socket": "Socket"}[path.suffix],
            "Install",
        ]
    if shutil.which("systemd-analyze"):
        units = [str(path) for path in tmp_path.iterdir()]
        done = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, check=False
        )
        ours = [line for line in done.stderr.splitlines() if "ticketing" in line]
        assert ours == [], json.dumps(ours)
