"""Look at the reference, the guides and the other pages in Chromium, with axe; use the reference as a reader does.

Usage: python scripts/pages [URL]      without it, a service of its own is started
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import chromium
import examples
import node
from ticketing.ground import paths
from ticketing.web.reference import REFERENCES

FOLDER = Path(__file__).parent


def main(*arguments: str) -> int:
    """Look; the exit status says whether nothing is wrong."""
    browser = chromium.find()
    if browser is None:
        print(f"Not looked at. {chromium.MISSING}")
        return 2
    guides = [f"/docs/guides/{path.stem}" for path in sorted(paths.GUIDES.glob("*.md"))]
    pages = [*REFERENCES, *guides, "/problems", "/problems/not-found"]
    with nullcontext((arguments[0], "")) if arguments else examples.demo() as (url, _):
        command = ["node", str(FOLDER / "look.mjs"), browser, url, *pages]
        return subprocess.run(command, env=node.environment(FOLDER), check=False).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
