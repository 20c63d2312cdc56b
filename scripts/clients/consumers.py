"""Try the contract and a service with what consumers run in their CI: Prism, Specmatic and Pact.

Usage: python -m clients.consumers
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

import collection
import examples
import node
from clients.tools import HERE, ROOT
from ticketing import contract
from ticketing.ground import paths

BIN = ROOT / ".venv-clients" / "bin"
PROGRAMS = ROOT / "tests" / "consumers"
LAPSED = {"Cookie": "__Host-ticketing=ended", "X-CSRF-Token": "ended"}
"""A session that has ended: to the operations of a browser it is nobody, and Prism wants to see one."""
PRISM_MOCK = "prism mock openapi.yaml --multiprocess=false --port={}"
PRISM_PROXY = "prism proxy openapi.yaml $URL/api/v1 --errors --multiprocess=false --port={}"
WITHOUT_SESSIONS = "python without_sessions.py openapi.yaml"
SPECMATIC_MOCK = "specmatic mock openapi.yaml --examples=examples --port={}"
SPECMATIC_TEST = "specmatic test --strict --examples=examples --testBaseURL=$URL/api/v1"
PACT = ("python pact_of_a_consumer.py pacts", "python pact_verification.py pacts")
#: Specmatic otherwise makes up what does not exist, and combines all values of all fields.
LIMITS = {"IGNORE_INLINE_EXAMPLES": "true", "MAX_TEST_REQUEST_COMBINATIONS": "1"}
PATIENCE = 60


def start(command: str) -> subprocess.Popen[bytes]:
    """Start a command of a shell; what it prints goes to `log`."""
    with Path("log").open("wb") as log:
        return subprocess.Popen(["sh", "-c", command], stdout=log, stderr=log, start_new_session=True)


@contextmanager
def server(command: str) -> Iterator[str]:
    """Run a server until the end; gives its URL."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = start(command.format(port))
    try:
        for _ in range(PATIENCE * 4):
            with socket.socket() as asking:
                if asking.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None, Path("log").read_text()
            time.sleep(0.25)
        yield f"http://127.0.0.1:{port}"
    finally:
        with suppress(ProcessLookupError):  # It has ended by itself.
            os.killpg(process.pid, signal.SIGTERM)  # Some tools are started by a program of their own.
        process.wait()


def run(command: str) -> list[str]:
    """What a command complains about."""
    process = start(command)
    return [] if process.wait() == 0 else [Path("log").read_text(errors="replace")[-3000:]]


def try_examples(url: str) -> list[str]:
    """Send every example of the contract; what is answered otherwise than documented, or breaks the contract."""
    faults = []
    token = {"Authorization": f"Bearer {os.environ['TOKEN']}"}
    with httpx.Client(base_url=url, timeout=PATIENCE) as client:
        for step in collection.steps(contract.load(paths.SPEC / "dist" / "openapi.json"), ""):
            if step.operation_id == collection.ENDLESS:
                continue
            headers = token if step.takes_token else LAPSED
            headers = headers | ({"Content-Type": step.media_type} if step.media_type else {})
            content = json.dumps(step.body) if step.media_type else None
            answer = client.request(step.method, step.target, headers=headers, content=content)
            if answer.status_code != step.status:
                faults.append(f"{step.name}: {step.method} {step.target}: {answer.status_code}: {answer.text[:600]}")
    return faults


def prism_mock() -> list[str]:
    """Every request is valid, and has an answer of its own."""
    with server(PRISM_MOCK) as url:
        return try_examples(url)


def prism_proxy() -> list[str]:
    """Every answer of the service is valid."""
    with server(PRISM_PROXY) as url:
        return try_examples(url)


def specmatic_mock() -> list[str]:
    """What the example names is answered."""
    if faults := run(WITHOUT_SESSIONS):
        return faults
    with server(SPECMATIC_MOCK) as url:
        command = (
            f"curl -fsS --retry 30 --retry-connrefused --retry-delay 1 -H 'Authorization: Bearer x' {url}/tickets/1042"
        )
        return run(command)


def specmatic_test() -> list[str]:
    """What the example names is answered by the service, as the contract says."""
    return run(SPECMATIC_TEST)


def pact() -> list[str]:
    """What a consumer wrote down is answered by the service."""
    return run(" && ".join(PACT))


CHECKS: dict[str, Callable[[], list[str]]] = {
    "Prism, as a mock": prism_mock,
    "Prism, as a proxy": prism_proxy,
    "Specmatic, as a mock": specmatic_mock,
    "Specmatic, as a test": specmatic_test,
    "Pact, verified": pact,
}


def main() -> int:
    """Run all; the exit status says whether all is well."""
    bad = False
    os.environ.update(node.environment(HERE))
    os.environ["PATH"] = os.pathsep.join([str(BIN), os.environ["PATH"]])
    with tempfile.TemporaryDirectory() as folder, examples.demo() as (url, token):
        os.environ.update(LIMITS, URL=url, TOKEN=token)
        shutil.copytree(PROGRAMS, folder, dirs_exist_ok=True)
        shutil.copy(paths.SPEC / "dist" / "openapi.yaml", folder)
        os.chdir(folder)
        for name, check in CHECKS.items():
            if name.startswith("Specmatic") and shutil.which("java") is None:
                print(f"{name:<24}left out: java not found", flush=True)
                continue
            faults = check()
            print(f"{name:<24}{'FAILED' if faults else 'as it should be'}", *faults, sep="\n    ", flush=True)
            bad |= bool(faults)
        os.chdir(ROOT)
    return bad


if __name__ == "__main__":
    sys.exit(main())
