"""Clients that well-known generators make of the published contract: they compile strictly, and drive the service."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

import node
from conftest import Person
from ticketing.ground import paths

pytestmark = pytest.mark.usefixtures("unmeasured")

PROGRAMS = Path(__file__).parents[1] / "clients"
DOCUMENT = paths.SPEC / "dist" / "openapi.json"
BIN = Path(sys.executable).parent


def run(*command: str | Path, cwd: Path, env: Mapping[str, str] | None = None, **variables: str) -> str:
    """What a command prints; fails if it does."""
    environment = {**(env or os.environ), **variables}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_python_client(service: str, admin: Person, tmp_path: Path) -> None:
    path = os.pathsep.join([str(BIN), os.environ["PATH"]])  # Its formatter is ruff.
    package = tmp_path / "ticketing_client"
    generate = ["openapi-python-client", "generate", "--fail-on-warning", "--meta", "none"]
    run(BIN / generate[0], *generate[1:], "--path", DOCUMENT, "--output-path", package, cwd=tmp_path, PATH=path)
    shutil.copy(PROGRAMS / "drive.py", tmp_path)
    strict = ["--strict", "--follow-imports=silent", "--config-file=", f"--cache-dir={os.devnull}"]
    run(sys.executable, "-m", "mypy", *strict, "drive.py", cwd=tmp_path)
    run(sys.executable, "drive.py", cwd=tmp_path, URL=service, TOKEN=admin.token)


def test_a_typescript_client(service: str, admin: Person, tmp_path: Path) -> None:
    """The compiler also fails if it finds nothing wrong with one of the mistakes in `mistakes.mts`."""
    folder = shutil.copytree(PROGRAMS, tmp_path / "clients")
    env = node.environment()
    (folder / "node_modules").symlink_to(node.CONTRACT / "node_modules")
    run("openapi-typescript", DOCUMENT, "--output", "api.mts", cwd=folder, env=env)
    run("tsc", "--project", ".", cwd=folder, env=env)
    run("node", "drive.mjs", cwd=folder, env=env, URL=service, TOKEN=admin.token)


@pytest.mark.parametrize("version", [None, "v18.20.4"])
def test_node_is_at_hand_where_the_path_has_none_or_an_old_one(
    version: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("node", "npm") if version else ():
        (tmp_path / name).write_text(f"#!/bin/sh\necho {version}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = node.find()
    assert found.folder != tmp_path
    told = run(found.folder / "node", "--version", cwd=tmp_path)
    assert tuple(map(int, told.strip().lstrip("v").split("."))) >= node.OLDEST
    assert run(*found.npm, "--version", cwd=tmp_path)
