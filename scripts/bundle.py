"""Bundle spec/ into spec/dist: the contract, the document of what operators see, and the collection of their examples.

Usage: python scripts/bundle.py [--check]        With --check nothing is written; a stale bundle is a fault.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import collection
from ticketing import contract
from ticketing.ground import paths

ROOTS = {"openapi": paths.SPEC / "openapi.yaml", "ops": paths.SPEC / "ops" / "openapi.yaml"}
BUNDLES = paths.SPEC / "dist"


def main(*arguments: str) -> int:
    """Write the bundles, or report which are stale."""
    check = "--check" in arguments
    bundled = contract.drift if check else contract.write
    stale = [path for name, root in ROOTS.items() for path in bundled(root, BUNDLES, name)]
    stale += _collection(check=check)
    for path in stale:
        print(f"{path.name} is stale; run `make generate`." if check else f"Wrote {path.name}.")
    return 1 if check and stale else 0


def _collection(*, check: bool) -> list[Path]:
    """The collection's file, if it is not what the bundles say; then it is written, unless this is a check."""
    text = json.dumps(collection.postman(collection.everything()), indent=2, ensure_ascii=False) + "\n"
    if paths.COLLECTION.exists() and paths.COLLECTION.read_text(encoding="utf-8") == text:
        return []
    if not check:
        paths.COLLECTION.write_text(text, encoding="utf-8")
    return [paths.COLLECTION]


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
