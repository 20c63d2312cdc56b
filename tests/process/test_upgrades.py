"""A rolling upgrade: processes of one release serve while the next one migrates, and no request fails."""

from __future__ import annotations

import asyncio
import re
import secrets
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import uuid_utils.compat as uuids
from psycopg.types.json import Jsonb

from conftest import Person, await_, configured, served, signed_up, spawned
from ticketing import app
from ticketing.db import migrate, queries
from ticketing.ground import paths

RELEASE_BEFORE = Path(__file__).parents[1] / "data" / "release_before"
"""All statements of the release before this one, as it ships them; whoever makes a release copies sql/queries there."""
LAST_OF_RELEASE_BEFORE = "0014"
WORKERS = 4
ROUNDS = 5
"""Clients at once, and how often each does everything before, while and after the schema changes."""


class Load:
    """Threads that do the same again and again, and note what went wrong."""

    def __init__(self, *works: Callable[[], None]) -> None:
        self.faults: list[str] = []
        self.rounds = [0] * len(works)
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=each) for each in enumerate(works)]

    def _run(self, number: int, work: Callable[[], None]) -> None:
        while not self._over.is_set():
            try:
                work()
            except Exception as error:  # noqa: BLE001 - whatever it is, it should not be.
                self.faults.append(f"{type(error).__name__}: {error}")
            self.rounds[number] += 1

    def go_on(self) -> None:
        """Wait until everybody has done everything a few times more."""
        before = list(self.rounds)
        await_(lambda: all(now - then > ROUNDS for now, then in zip(self.rounds, before, strict=True)))

    @contextmanager
    def running(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            self.go_on()
            yield
            self.go_on()
        finally:
            self._over.set()
            for thread in self._threads:
                thread.join()


def due_on(home: Path) -> migrate.Schema:
    """The schema of a next release: tickets have one more column. That is one migration and one edited function."""
    shutil.copytree(paths.MIGRATIONS, home / "migrations")
    shutil.copytree(paths.SHAPES, home / "shapes")
    (home / "migrations" / "9001_due.sql").write_text("alter table tickets add due_on date default '2027-01-31';\n")
    path = home / "shapes" / "tickets.sql"
    shape = r"(function ticket_resource\(.*?returns table \()(.*?\bselect )"
    text, edits = re.subn(shape, r"\1due_on date, \2t.due_on, ", path.read_text(), flags=re.DOTALL)
    assert edits == 1
    path.write_text(text)
    return migrate.read(home / "migrations", home / "shapes")


def test_a_column_is_added_to_tickets_under_load(new_database: Callable[..., str], tmp_path: Path) -> None:
    url = new_database()
    with psycopg.connect(url, autocommit=True) as conn:
        _, _, _, token = signed_up(conn, "admin")

    def everything() -> Callable[[], None]:
        client = clients.enter_context(
            httpx.Client(base_url=f"{service}/api/v1", headers={"Authorization": f"Bearer {token}"}, timeout=30)
        )

        def ask(method: str, path: str, **options: Any) -> Any:
            response = client.request(method, path, **options)
            assert response.is_success, f"{method} {path}: {response.status_code} {response.text}"
            return response.json()

        def work() -> None:
            key = {"Idempotency-Key": secrets.token_hex(8)}
            ticket = ask("POST", "/tickets", json=NEW, headers=key)
            assert ask("POST", "/tickets", json=NEW, headers=key)["number"] == ticket["number"]
            path = f"/tickets/{ticket['number']}"
            ask("POST", f"{path}/comments", json={"body": "I see it, too."})
            ask("PATCH", path, json={"priority": "high"}, headers={"Content-Type": "application/merge-patch+json"})
            for read in ("", "/events", "/comments", "?status=open", "?sort=-updated", "?limit=5"):
                ask("GET", f"/tickets{read}" if read.startswith("?") else f"{path}{read}")
            ask("GET", "/events?limit=5")

        return work

    with ExitStack() as clients:
        service = clients.enter_context(spawned(url))
        admin = httpx.Client(base_url=f"{service}/api/v1", headers={"Authorization": f"Bearer {token}"})
        project = {"key": "desk", "name": "Desk", "visibility": "public"}
        assert clients.enter_context(admin).post("/projects", json=project).is_success
        load = Load(*(everything() for _ in range(WORKERS)))
        with load.running():
            assert asyncio.run(migrate.migrate(url, due_on(tmp_path))) == ["9001_due", migrate.SHAPES]
        assert load.faults == []
        ticket = admin.get("/tickets/1").json()
        assert ticket["due_on"] == "2027-01-31"
        assert {each["due_on"] for each in admin.get("/tickets").json()["items"]} == {"2027-01-31"}
        assert httpx.get(f"{service}/health/ready").is_success
        created = admin.post("/tickets", json=NEW, headers={"Idempotency-Key": "last"}).json()
        with psycopg.connect(url) as conn:
            data = conn.execute("select data from events where type = 'ticket.created' order by position desc limit 1")
            told = {name: value for name, value in created.items() if name not in ("html_url", "version")}
            assert data.fetchone() == (told,)
            assert created["due_on"] == "2027-01-31"


NEW = {"type": "bug", "project": "desk", "title": "Playback stops", "description": "After ten minutes."}


def statements() -> dict[str, str]:
    """What the release before runs, by name, with named parameters."""
    found: dict[str, str] = {}
    for path in sorted(RELEASE_BEFORE.glob("*.sql")):
        for block in re.split(r"^-- name: ", path.read_text(), flags=re.MULTILINE)[1:]:
            heading, _, text = block.partition("\n")
            code = re.sub(r"^\s*--.*\n", "", text, flags=re.MULTILINE)
            found[f"{path.stem}.{heading.partition('(')[0]}"] = code.strip().rstrip(";")
    return found


class Before:
    """A connection of a process of the release before: it prepares what it runs, and repeats what the adapter does."""

    def __init__(self, conn: psycopg.Connection[Any]) -> None:
        self.cursor = psycopg.RawCursor(conn)
        self.statements = statements()

    def run(self, name: str, **given: Any) -> list[Any]:
        text, names = queries.parameters(self.statements[name])
        values = [given.get(each) for each in names]
        try:
            self.cursor.execute(text.encode(), values, prepare=True)
        except queries.REPLANNED:
            self.cursor.execute("deallocate all")
            self.cursor.execute(text.encode(), values, prepare=True)
        return self.cursor.fetchall()


@pytest.fixture
def upgraded(new_database: Callable[..., str], tmp_path: Path) -> tuple[str, Callable[[], list[str]]]:
    """A database as the release before left it, and what brings it to this one."""
    url = new_database("template1")
    for path in paths.MIGRATIONS.glob("*.sql"):
        if path.name[:4] <= LAST_OF_RELEASE_BEFORE:
            shutil.copy(path, tmp_path)
    asyncio.run(migrate.migrate(url, migrate.read(tmp_path, tmp_path / "none")))
    return url, lambda: asyncio.run(migrate.migrate(url))


def test_every_statement_of_the_release_before_runs_on_the_schema_of_this_one(
    upgraded: tuple[str, Callable[[], list[str]]],
) -> None:
    url, upgrade = upgraded
    upgrade()
    refused = {}
    with psycopg.connect(url, autocommit=True) as conn:
        for name, text in statements().items():
            result = conn.pgconn.prepare(b"", queries.parameters(text)[0].encode())
            if message := result.error_message:
                refused[name] = message.decode()
    assert len(statements()) > 150
    assert refused == {}


def test_statements_of_the_release_before_run_while_this_one_migrates(
    upgraded: tuple[str, Callable[[], list[str]]],
) -> None:
    """And what they write is what this release reads."""
    url, upgrade = upgraded
    with psycopg.connect(url, autocommit=True) as conn:
        admin = signed_up(conn, "admin")
        conn.execute("insert into projects (key, name, ticket_types) values ('desk', 'Desk', '{bug}')")

    def everything() -> Callable[[], None]:
        before = Before(connections.enter_context(psycopg.connect(url, autocommit=True)))
        listed = {"viewer_id": admin[0], "staff": True, "unassigned": False, "page_size": 26, "page_bytes": 1 << 20}

        def work() -> None:
            key = {"actor_id": admin[0], "idempotency_key": secrets.token_hex(8), "fingerprint": b"x"}
            ((ticket,),) = before.run(
                "tickets.insert_ticket", event_id=uuids.uuid7(), staff=True, **key, **NEW, severity="low", tags=["a"],
                environment=Jsonb({}), priority="normal", channel="api", requester_id=admin[0],
            )  # fmt: skip
            number = ticket["number"]
            ((comment,),) = before.run(
                "comments.insert_comment", event_id=uuids.uuid7(), staff=True, **key | {"idempotency_key": None},
                ticket=number, comment_id=uuids.uuid7(), body="I see it, too.", visibility="public",
            )  # fmt: skip
            assert comment["ticket"] == number
            assert len(before.run("tickets.get_ticket", number=number, **listed)) == 1
            assert before.run("tickets.list_tickets_by_created_desc", **listed)
            assert len(before.run("events.list_ticket_events", ticket=number, **listed)) == 2
            before.run(
                "events.list_feed", after_transaction=0, after_position=0, scan=20, scan_bytes=1 << 20, page_size=9
            )

        return work

    with ExitStack() as connections:
        load = Load(*(everything() for _ in range(WORKERS)))
        with load.running():
            assert migrate.SHAPES in upgrade()
    assert load.faults == []
    settings = configured(database_url=url, log_level="warning")
    with settings, served(app.create()) as service, Person(service, *admin) as person:
        number = sum(load.rounds)
        last = person.get("/tickets?sort=-created&limit=1").json()["items"][0]
        assert last["number"] >= number, "each round has opened one"
        types = [event["type"] for event in person.get(f"/tickets/{last['number']}/events").json()["items"]]
        assert types == ["ticket.created", "comment.created"]
    with psycopg.connect(url) as conn:
        told = conn.execute("select count(*) from events where type = 'ticket.created'").fetchone()
        opened = conn.execute("select count(*) from tickets").fetchone()
        assert told == opened


def test_the_release_before_finds_the_end_of_a_pause_that_this_one_has_written(
    upgraded: tuple[str, Callable[[], list[str]]],
) -> None:
    """Otherwise what the pause held back would stay where it is, if a worker of the release before reads of its end."""
    url, upgrade = upgraded
    upgrade()
    endpoint_id = uuids.uuid7()
    merge_patch = {"Content-Type": "application/merge-patch+json"}
    with psycopg.connect(url, autocommit=True) as conn:
        admin = signed_up(conn, "admin")
        conn.execute("insert into webhook_endpoints (id, url) values (%s, 'https://a.example/')", (endpoint_id,))
        with configured(database_url=url), served(app.create()) as service, Person(service, *admin) as person:
            for status in ("paused", "active"):
                path = f"/webhook-endpoints/{endpoint_id}"
                assert person.patch(path, json={"status": status}, headers=merge_patch).is_success
        before = Before(conn)
        rows = before.run("webhooks.list_events_to_fan_out", page_size=9, page_bytes=1 << 20, longest=1 << 20)
        told = [dict(zip((each.name for each in before.cursor.description or ()), row, strict=True)) for row in rows]
    assert [each["released"] for each in told if each["type"] == "webhook.updated"] == [False, True]
