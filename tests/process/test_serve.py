"""`ticketing serve`: no worker outlives its parent, a taken port is explained, and a reload is logged."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil  # type: ignore[import-untyped]
import pytest
from test_succession import COMMAND, SECONDS, SERVE, Notified, ended, free_port, gone

from conftest import answers, await_, configured, environment
from ticketing.ground.config import InvalidSetting
from ticketing.processes import listening, serve


@pytest.mark.parametrize("reloaded", [False, True])
def test_no_worker_outlives_its_parent(new_database: Callable[..., str], tmp_path: Path, reloaded: bool) -> None:
    port, path = free_port(), tmp_path / "notify"
    command = [*SERVE, "--port", str(port), "--workers", "2"]
    with (
        Notified(path) as notified,
        subprocess.Popen(command, env=environment(new_database(), NOTIFY_SOCKET=str(path))) as process,
        ended(process) as pids,
    ):
        assert notified.next("READY") == "1"
        if reloaded:
            process.send_signal(signal.SIGHUP)
            pids.append(int(notified.next("MAINPID")))
            assert process.wait(SECONDS) == 0
        below = psutil.Process(pids[-1]).children(recursive=True)
        assert len(below) >= 2
        os.kill(pids[-1], signal.SIGKILL)
        await_(lambda: all(gone(each.pid) for each in below))
        serve.listen("127.0.0.1", port).close()


def test_no_worker_outlives_a_parent_that_is_killed_while_it_starts(new_database: Callable[..., str]) -> None:
    command = [*SERVE, "--port", str(free_port()), "--workers", "2"]
    with subprocess.Popen(command, env=environment(new_database())) as process, ended(process):
        parent = psutil.Process(process.pid)
        await_(lambda: len(parent.children()) >= 2, SECONDS)
        below = parent.children(recursive=True)
        process.kill()
        await_(lambda: all(gone(each.pid) for each in below))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_reload_is_logged_when_it_begins_and_when_it_ends(
    new_database: Callable[..., str], tmp_path: Path, workers: int
) -> None:
    path, written = tmp_path / "notify", tmp_path / "log"
    # A successor takes a while: the second signal comes meanwhile.
    (tmp_path / "sitecustomize.py").write_text("import os, time\nif 'SERVE_HANDED_OVER' in os.environ: time.sleep(2)")
    python_path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    settings = {"NOTIFY_SOCKET": str(path), "TICKETING_LOG_LEVEL": "info", "PYTHONPATH": python_path}
    command = [*SERVE, "--port", str(free_port()), "--workers", str(workers)]

    def logged() -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in written.read_text().splitlines()]
        return [line for line in lines if "successor" in line["event"]]

    with (
        Notified(path) as notified,
        written.open("wb") as log,
        subprocess.Popen(command, env=environment(new_database(), **settings), stderr=log) as process,
        ended(process) as pids,
    ):
        assert notified.next("READY") == "1"
        process.send_signal(signal.SIGHUP)
        await_(lambda: len(logged()) == 1, SECONDS)
        process.send_signal(signal.SIGHUP)
        await_(lambda: len(logged()) == 2, SECONDS)
        pids.append(int(notified.next("MAINPID")))
        assert process.wait(SECONDS) == 0
    begun, again, done = logged()
    assert begun["event"] == "SIGHUP: a successor is being started; this process serves until it answers"
    assert again["event"] == "SIGHUP: a successor is being started already"
    assert done["event"] == "the successor serves; this process finishes its requests and ends"
    assert {line["pid"] for line in (begun, again, done)} == {pids[1]}
    assert done["seconds"] >= 2


@pytest.mark.parametrize(("host", "other"), [("localhost", "127.0.0.1"), ("127.0.0.1", "127.0.0.1"), ("::1", "::")])
def test_a_taken_port_is_explained_by_its_holder(host: str, other: str) -> None:
    serving = f"import socket; s = socket.create_server(({other!r}, 0), family={int(listening.family(other))}); print"
    program = f"{serving}(s.getsockname()[1], flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program, "ticketing", "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        port = int(process.stdout.readline())
        with pytest.raises(listening.CannotListen) as refused:
            serve.listen(host, port)
        assert str(refused.value) == (
            f"Port {port} is in use by process {process.pid} (ticketing serve). Stop that, or choose another with "
            "--port; 0 takes any free one."
        )
        process.communicate("\n")


def test_of_processes_that_share_a_socket_the_first_is_named(new_database: Callable[..., str]) -> None:
    port = free_port()
    command = [COMMAND, "serve", "--port", str(port)]
    env = environment(new_database())
    with subprocess.Popen([*command, "--workers", "2"], env=env) as process, ended(process):
        await_(lambda: answers(f"http://127.0.0.1:{port}"), SECONDS)
        second = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=SECONDS)
    assert second.returncode == 1
    assert second.stderr.startswith(f"ticketing: Port {port} is in use by process {process.pid} (ticketing serve).")


def test_a_port_that_is_taken_at_another_address_is_not_explained_by_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        assert listening.holder("127.0.0.2", port) is None
        assert listening.holder("::", port) == listening.holder("127.0.0.1", port) is not None


@pytest.mark.parametrize("host", ["", "256.1.1.1", "192.0.2.1", "2001:db8::1", "no-such-host.invalid", "x" * 70])
def test_an_address_of_another_machine_is_refused_in_one_sentence(host: str) -> None:
    with pytest.raises(listening.CannotListen, match="is no address of this machine"):
        serve.listen(host, 0)


@pytest.mark.parametrize(("host", "allowed"), [("127.0.0.1", True), ("::1", True), ("::", False)])
def test_the_demo_is_entered_without_a_code_from_this_machine_alone(host: str, allowed: bool) -> None:
    with configured(database_url="postgresql://nowhere/x", demo_users=str(uuid4())), serve.listen(host, 0) as listener:
        if allowed:
            serve.check_demo([listener])
        else:
            with pytest.raises(InvalidSetting, match=r"--host 127\.0\.0\.1 alone"):
                serve.check_demo([listener])
