"""Build wheel and sdist as pip does for anybody, install each where there is no Node.js, and ask it for the portal.

Usage: python scripts/packages.py
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.request import Request, urlopen

ROOT = Path(__file__).parents[1]


def main() -> int:
    """Build, install and ask; raises whatever goes wrong."""
    with tempfile.TemporaryDirectory(prefix="ticketing-packages-", ignore_cleanup_errors=True) as folder:
        here = Path(folder)
        here.chmod(0o711)  # Root's servers run as another user.
        source = ["hatchling", "build", "-t", "sdist", "-d", str(here / "dist")]
        subprocess.run([sys.executable, "-m", *source], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
        wheel = [
            "pip",
            "--disable-pip-version-check",
            "-q",
            "wheel",
            "--no-deps",
            "--wheel-dir",
            str(here / "dist"),
            ".",
        ]
        subprocess.run([sys.executable, "-m", *wheel], check=True, cwd=ROOT)
        for package in sorted((here / "dist").iterdir()):
            print(f"{package.name}: {package.stat().st_size / 2**20:.1f} MiB", flush=True)
            installed = here / f"installed-{package.suffix[1:]}"
            subprocess.run([sys.executable, "-m", "venv", installed], check=True)
            pip = [str(installed / "bin/pip"), "--disable-pip-version-check", "-q", "install", f"{package}[embedded]"]
            subprocess.run(pip, check=True, cwd=here, env=_without_node())
            print(f"  shows the portal, with {_portal(installed / 'bin/ticketing', here)} files", flush=True)
    return 0


def _without_node() -> dict[str, str]:
    """Our environment, without the folders of the PATH in which there is a Node.js, and without our settings."""
    kept = [each for each in os.environ.get("PATH", os.defpath).split(os.pathsep) if not (Path(each) / "node").exists()]
    others = {name: text for name, text in os.environ.items() if not name.startswith("TICKETING_")}
    return others | {"PATH": os.pathsep.join(kept), "TICKETING_LOG_LEVEL": "warning"}


def _portal(command: Path, folder: Path) -> int:
    """Start it, load its start page and all that this names; give the number of files."""
    up = [str(command), "up", "--ephemeral", "--json", "--port", "0"]
    with subprocess.Popen(up, stdout=subprocess.PIPE, text=True, cwd=folder, env=_without_node()) as service:
        try:
            assert service.stdout is not None
            url = json.loads(service.stdout.readline())["url"]
            with urlopen(Request(f"{url}/", headers={"Accept": "text/html"})) as page:
                named = set(re.findall(r'"(/(?:_app/|theme)[^"]+)"', page.read().decode()))
            for path in named:
                with urlopen(url + path) as file:
                    assert file.read(), path
        finally:
            service.send_signal(signal.SIGINT)
    assert len(named) > 5, named
    return len(named)


if __name__ == "__main__":
    sys.exit(main())
