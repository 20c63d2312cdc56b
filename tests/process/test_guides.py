"""The guides say what is so: their programs run, and their receivers take genuine messages only."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import os
import re
import secrets
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

import programs
from conftest import await_, configured, spawned
from ticketing import sealing
from ticketing.commands import demo
from ticketing.db import pool
from ticketing.ground import paths

pytestmark = pytest.mark.usefixtures("unmeasured")

GUIDES = {path.stem: path.read_text() for path in sorted(paths.GUIDES.glob("*.md"))}
LANGUAGES = [each for each in ("bash", "python", "typescript", "go", "java") if not programs.missing(each)]


def blocks(guide: str) -> list[tuple[str, str, str]]:
    """The code of a guide: its language, a word about it, and the text."""
    return re.findall(r"^```(\w+) ?(\w*)\n(.*?)^```$", GUIDES[guide], re.MULTILINE | re.DOTALL)


def marked(word: str) -> list[tuple[str, str]]:
    return [(language, code) for guide in GUIDES for language, mark, code in blocks(guide) if mark == word]


def joined(guide: str, language: str) -> str:
    """The program that the blocks of a language make, one after the other."""
    return "\n".join(code for each, mark, code in blocks(guide) if (each, mark) == (language, ""))


PROGRAMS = [(guide, language) for guide in GUIDES for language in LANGUAGES if joined(guide, language)]
RECEIVERS = {language: code for language, code in marked("receiver") if language in LANGUAGES}
TYPESCRIPT = {guide: joined(guide, language) for guide, language in PROGRAMS if language == "typescript"}


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Mapping[str, str]]:
    """Where the programs in TypeScript are, compiled at once, and the environment to run them in."""
    folder = tmp_path_factory.mktemp("modules")
    return folder, programs.compiled({**TYPESCRIPT, "receiver": RECEIVERS["typescript"]}, folder)


@pytest.fixture(scope="module")
def installation(new_database: Callable[..., str]) -> Iterator[dict[str, str]]:
    """What programs read of a service with the demo: its address, and an admin's token."""

    async def load() -> str:
        async with pool.connected(url, 1), pool.connection() as conn:
            await demo.load(conn)
            return (await demo.sign_in(conn, {}))["admin"]

    url, key = new_database(), sealing.new_key()
    with configured(database_url=url, secret_keys=key):
        token = asyncio.run(load())
    with spawned(url, TICKETING_SECRET_KEYS=key) as base:
        yield {"API": f"{base}/api/v1", "TOKEN": token}


def test_all_code_of_the_guides_is_known() -> None:
    """So that no program escapes the other tests."""
    fences = {guide: len(re.findall(r"^```", text, re.MULTILINE)) // 2 for guide, text in GUIDES.items()}
    assert {guide: len(blocks(guide)) for guide in GUIDES} == fences
    run = {"bash", "python", "typescript", "go", "java"}
    shown = {"json", "text", "console", "http"}
    tried_by_make_clients = {"sh", "ts", "yaml"}
    assert {language for guide in GUIDES for language, _, _ in blocks(guide)} - run <= shown | tried_by_make_clients
    assert {language for language, _ in marked("receiver")} == run - {"bash"}
    assert [language for language, _ in marked("endless")] == ["python"]


@pytest.mark.parametrize(("guide", "language"), PROGRAMS)
def test_the_programs_of_a_guide_run(
    guide: str, language: str, installation: dict[str, str], request: pytest.FixtureRequest
) -> None:
    if language == "typescript":
        folder, environment = request.getfixturevalue("modules")
        programs.finished(["node", f"{guide}.mjs"], {**environment, **installation}, folder)
    else:
        programs.run(language, joined(guide, language), installation)


def test_the_program_that_follows_a_stream_prints_what_happens(installation: dict[str, str], tmp_path: Path) -> None:
    [(_, code)] = marked("endless")
    headers = {"Authorization": f"Bearer {installation['TOKEN']}"}
    command, environment = programs.prepared("python", code, tmp_path)
    with (
        httpx.Client(base_url=installation["API"], headers=headers) as api,
        started(command, environment, tmp_path, **installation) as out,
    ):
        ticket = {"type": "bug", "project": "media-server", "title": "x", "description": "x"}

        def told() -> bool:
            api.post("/tickets", json=ticket).raise_for_status()
            return "ticket.created" in out.read_text()

        await_(told)
        assert re.match(r"ticket\.created \d+\n", out.read_text())


@contextmanager
def started(command: list[str], environment: Mapping[str, str], folder: Path, **variables: str) -> Iterator[Path]:
    """A running program; gives the file to which it writes."""
    out = folder / "out.txt"
    with (
        out.open("w") as file,
        subprocess.Popen(
            command, cwd=folder, env={**environment, **variables}, stdout=file, start_new_session=True
        ) as process,
    ):
        try:
            yield out
        finally:
            os.killpg(process.pid, 15)


def listens(port: int) -> bool:
    with socket.socket() as attempt:
        return attempt.connect_ex(("127.0.0.1", port)) == 0


def signed(key: bytes, id: str, timestamp: str, body: bytes) -> str:
    return "v1," + base64.b64encode(hmac.digest(key, f"{id}.{timestamp}.".encode() + body, hashlib.sha256)).decode()


@pytest.mark.parametrize("language", RECEIVERS)
def test_a_receiver_takes_genuine_messages_once(language: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    if language == "typescript":
        folder, environment = request.getfixturevalue("modules")
        command = ["node", "receiver.mjs"]
    else:
        folder = tmp_path
        command, environment = programs.prepared(language, RECEIVERS[language], folder)
    key, other = secrets.token_bytes(32), secrets.token_bytes(32)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/hook"
    secret = "whsec_" + base64.b64encode(key).decode()

    def sent(id: str, body: bytes, *, moment: float = 0, signature: str | None = None, **changes: str) -> int:
        timestamp = str(int(time.time() + moment))
        headers = {
            "webhook-id": id,
            "webhook-timestamp": timestamp,
            "webhook-signature": signed(key, id, timestamp, body) if signature is None else signature,
            **{name.replace("_", "-"): value for name, value in changes.items()},
        }
        return httpx.post(url, content=body, headers=headers, timeout=20).status_code

    with started(command, environment, folder, SECRET=secret, PORT=str(port)) as out:
        await_(lambda: listens(port), 120)
        now, first, second = str(int(time.time())), str(uuid4()), str(uuid4())
        body = '{"type":"ticket.created","title":"日本"}'.encode()
        assert sent(first, body) == 204
        assert sent(first, body) == 204
        both = f"{signed(other, second, now, body)} {signed(key, second, now, body)}"
        assert sent(second, body, signature=both, webhook_timestamp=now) == 204
        large = b'{"text":"' + b"x" * 1_000_000 + b'"}'
        assert sent(str(uuid4()), large) == 204
        refused = [
            sent(first, body, moment=-400),
            sent(first, body, moment=400),
            sent(first, body, signature=signed(other, first, now, body), webhook_timestamp=now),
            sent(first, body + b" ", signature=signed(key, first, now, body), webhook_timestamp=now),
            sent(second, body, signature=signed(key, first, now, body), webhook_timestamp=now),
            sent(first, body, signature=signed(key, first, now, body).removeprefix("v1,"), webhook_timestamp=now),
            sent(first, body, signature=""),
            sent(first, body, signature="v1, v2,x v1,A"),
            *(sent(first, body, webhook_timestamp=odd) for odd in ("", "x", "9" * 400, "-1", "1e9", "NaN")),
        ]
        assert refused == [401] * len(refused)
        assert httpx.post(url, content=b"{}", timeout=20).status_code == 401
        await_(lambda: len(out.read_bytes().splitlines()) == 3)
        assert out.read_bytes().splitlines() == [body, body, large]


def test_the_vector_of_the_guide_is_right() -> None:
    rows = dict(re.findall(r"^\| `?([\w-]+)`? \| `(.+)` \|$", GUIDES["webhooks"], re.MULTILINE))
    key = base64.b64decode(rows["secret"].removeprefix("whsec_"))
    assert rows["webhook-signature"] == signed(
        key, rows["webhook-id"], rows["webhook-timestamp"], rows["body"].encode()
    )
