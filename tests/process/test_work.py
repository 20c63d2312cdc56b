"""`ticketing work`, and the worker of `ticketing up`: they work, tell of it, and leave nothing behind."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil  # type: ignore[import-untyped]
import psycopg
import pytest
from test_monitoring import RULES
from test_up import SECONDS, home, started

from conftest import await_, ended
from ticketing.jobs import kinds

__all__ = ["home"]


@pytest.fixture
def settings(new_database: Callable[..., str], redis_url: str) -> dict[str, str]:
    """Where a worker finds its servers."""
    return {
        "TICKETING_DATABASE_URL": new_database(),
        "TICKETING_REDIS_URL": redis_url,
        "TICKETING_LOG_LEVEL": "warning",
        "TICKETING_JOB_LEASE_SECONDS": "2",
    }


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready").is_success
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("processes", [1, 2])
def test_a_worker_works_tells_of_it_and_ends_well(settings: dict[str, str], processes: int) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with started("work", "--processes", str(processes), "--port", str(port), **settings) as command:
        await_(lambda: is_ready(url), SECONDS)
        assert httpx.get(f"{url}/health/live").status_code == 200
        assert httpx.get(f"{url}/elsewhere").status_code == 404
        with psycopg.connect(settings["TICKETING_DATABASE_URL"], autocommit=True) as conn:
            # Its kind is known to nobody, so it is put off, and no attempt is used up.
            conn.execute("select enqueue_job('test.unknown', '{}')")
            put_off = "select from jobs where state = 'available' and run_at > now() and attempt = 0 and fence = 1"
            await_(lambda: bool(conn.execute(put_off).rowcount), SECONDS)
        await_(lambda: 'ticketing_jobs_due{queue="default"} 0.0' in httpx.get(f"{url}/metrics").text, SECONDS)
        # What `increase` is taken of begins at 0, as it is blind to a first value.
        counters = [name for rule in RULES for name in re.findall(r"increase\((\w+)", rule["expr"])]
        assert counters
        ours = [name for name, kind in kinds.KINDS.items() if kind.run.__module__.startswith("ticketing.")]
        told = httpx.get(f"{url}/metrics").text.splitlines()
        assert {f'{name}{{type="{kind}"}} 0.0' for name in counters for kind in ours} <= set(told)
        figures = httpx.get(f"{url}/metrics").text
        # A kind that nobody knows comes again soon.
        assert re.search(r'ticketing_job_attempts_total{outcome="snoozed",type="test.unknown"} [1-9]', figures)
        assert len(psutil.Process(command.process.pid).children()) == (processes if processes > 1 else 0)
        code, out, err = command.stop(signal.SIGTERM)
    assert (code, out) == (0, "")
    assert "Traceback" not in err


def of_processes(url: str) -> tuple[int, str, float]:
    """What readiness answers, and how many processes the figures say that work."""
    ready = httpx.get(f"{url}/health/ready")
    (working,) = re.findall(r"^ticketing_worker_processes (\S+)$", httpx.get(f"{url}/metrics").text, re.MULTILINE)
    return ready.status_code, ready.text, float(working)


def test_a_worker_is_ready_only_while_all_its_processes_work(settings: dict[str, str]) -> None:
    port, processes = free_port(), 2
    url = f"http://127.0.0.1:{port}"

    def lacking(count: int) -> bool:
        status, text, working = of_processes(url)
        return (status, working) == (503, processes - count) and text.startswith(
            f"{processes - count} of {processes} worker processes work; "
        )

    with started("work", "--processes", str(processes), "--port", str(port), **settings) as command:
        await_(lambda: answers_at_all(url), SECONDS)
        await_(lambda: of_processes(url) == (200, "ok\n", processes), SECONDS)
        children = workers_below(command.process.pid)
        for child in children:
            child.suspend()
        await_(lambda: lacking(processes), SECONDS)
        for child in children:
            child.resume()
        await_(lambda: of_processes(url) == (200, "ok\n", processes), SECONDS)
        # Another one takes the place of one that dies, or that somebody else tells to end.
        children[0].kill()
        children[1].terminate()
        await_(lambda: len(set(workers_below(command.process.pid)) - set(children)) == processes, SECONDS)
        await_(lambda: of_processes(url) == (200, "ok\n", processes), SECONDS)
        command.stop(signal.SIGTERM)


def test_a_worker_whose_processes_die_at_once_is_not_ready(settings: dict[str, str], tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    # The parent needs nothing of it.
    (tmp_path / "sitecustomize.py").write_text("import sys\nif '--leashed' in sys.orig_argv: raise SystemExit(3)")
    settings["PYTHONPATH"] = str(tmp_path)
    with started("work", "--processes", "2", "--port", str(port), **settings) as command:
        await_(lambda: answers_at_all(url), SECONDS)
        for _ in range(5):
            assert of_processes(url)[::2] == (503, 0)
            time.sleep(0.5)
        _, _, err = command.stop(signal.SIGTERM)
    assert "a worker ended and is started again" in err


def test_processes_import_nothing_from_the_current_directory(settings: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "orjson.py").write_text("raise SystemExit('shadowed')")
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [str(Path(sys.executable).with_name("ticketing")), "work", "--processes", "2", "--port", str(port)]
    with subprocess.Popen(command, cwd=tmp_path, env=os.environ | settings) as process, ended(process):
        await_(lambda: is_ready(url), SECONDS)


def answers_at_all(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/live").is_success
    except httpx.TransportError:
        return False


def test_a_worker_s_figures_need_a_port_of_their_own(settings: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        with started("work", "--port", str(port), **settings) as command:
            _, err = command.process.communicate(timeout=SECONDS)
    assert command.process.returncode == 1
    assert err.startswith(f"ticketing: Port {port} is in use by process {os.getpid()} (")


@pytest.mark.database
def test_a_worker_that_dies_is_started_again_and_none_outlives_its_parent(home: Path) -> None:
    with started("up", "--home", str(home), "--json", "--port", "0") as command:
        command.ready()
        (worker,) = workers_below(command.process.pid)
        assert os.getpgid(worker.pid) == os.getpgid(command.process.pid)
        worker.kill()
        await_(lambda: any(each.pid != worker.pid for each in workers_below(command.process.pid)), SECONDS)
        (worker,) = workers_below(command.process.pid)
        below = psutil.Process(command.process.pid).children(recursive=True)
        command.process.kill()
        _, alive = psutil.wait_procs(below, timeout=SECONDS)
        assert alive == []


def workers_below(pid: int) -> list[psutil.Process]:
    found = []
    for process in psutil.Process(pid).children():
        try:
            if "work" in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found
