"""Build the portal into the package, or develop it.

Usage: python scripts/portal.py                 builds it, unless the build there is of these very sources
       python scripts/portal.py run SCRIPT...   runs scripts of its package.json, such as `check` and `lint`
       python scripts/portal.py dev [URL]       serves it with hot reload, on the service at URL or one of its own
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import node

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src/portal"
BUILT = ROOT / "src/ticketing/web/portal"
#: What is there of the contract, whose types the portal is checked with.
CONTRACT = (ROOT / "spec/dist/openapi.json", ROOT / "spec/dist/ops.json")
#: In the build: of which sources it is. The last file that is written.
STAMP = BUILT / ".sources"
MADE = {"node_modules", ".svelte-kit"}


def build() -> bool:
    """Build it if it is not there, or of other sources; say whether that was needed. Processes may do so at once."""
    with (SOURCE / "package.json").open("rb") as one_at_a_time:
        fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
        sources = fingerprint()
        if STAMP.is_file() and STAMP.read_text() == sources:
            return False
        print("Building the portal, half a minute or less …", file=sys.stderr, flush=True)
        STAMP.unlink(missing_ok=True)
        release = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
        # A page that was loaded before asks for this when a file of its build is gone, and loads anew.
        found = node.environment(SOURCE) | {"TICKETING_RELEASE": f"{release}+{sources[:12]}"}
        done = subprocess.run(
            ["node", "--run", "build"],
            cwd=SOURCE,
            env=found,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        if done.returncode:
            sys.stderr.buffer.write(done.stdout)
            sys.exit("The portal cannot be built: see above.")
        STAMP.write_text(sources)
        return True


def fingerprint() -> str:
    """What the build depends on, as a hash: the sources without what tools put beside them, and the contract."""
    digest = hashlib.sha256()
    for path in sorted([*_sources(SOURCE), *CONTRACT]):
        digest.update(f"{path.relative_to(ROOT)}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def _sources(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.is_dir():
            yield from () if path.name in MADE else _sources(path)
        elif not path.name.endswith("schema.d.ts"):
            yield path


def run(*scripts: str) -> int:
    """Run scripts of its package.json, one after the other; return the first exit status that tells of a fault."""
    found = node.environment(SOURCE)
    return next(filter(None, (subprocess.call(["node", "--run", each], cwd=SOURCE, env=found) for each in scripts)), 0)


def develop(url: str | None) -> int:
    """Serve it with hot reload until it is interrupted."""
    with nullcontext(url) if url else _demo() as service:
        print(f"The portal with hot reload, on the service at {service}; Ctrl-C stops it.", file=sys.stderr, flush=True)
        try:
            return subprocess.call(
                ["node", "--run", "dev"], cwd=SOURCE, env=node.environment(SOURCE) | {"TICKETING_URL": str(service)}
            )
        except KeyboardInterrupt:
            return 0


@contextmanager
def _demo() -> Iterator[str]:
    """A service with the demo data, beside one that may run already; gives its URL."""
    print("Starting a service with the demo data …", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "ticketing", "up", "--ephemeral", "--json", "--port", "0"]
    # A group of its own: Ctrl-C is for us, and we stop it when nothing asks it any more.
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, process_group=0) as service:
        assert service.stdout is not None
        line = service.stdout.readline()
        if not line:
            sys.exit(service.wait())
        ready = json.loads(line)
        for role, token in ready["tokens"].items():
            print(f"  {role}: {token}", file=sys.stderr)
        try:
            yield ready["url"]
        finally:
            service.send_signal(signal.SIGINT)


def main(*arguments: str) -> int:
    """Do what the arguments say; return the exit status."""
    match arguments:
        case ():
            build()
            return 0
        case ("run", *scripts):
            return run(*scripts)
        case ("dev",):
            return develop(os.environ.get("TICKETING_URL"))
        case ("dev", url):
            return develop(url)
    sys.exit(__doc__)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
