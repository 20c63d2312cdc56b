"""Bundle spec/ into spec/dist: the contract, and the document of what operators see.

Usage: python scripts/bundle.py [--check]        With --check nothing is written; a stale bundle is a fault.
"""

from __future__ import annotations

import sys

from ticketing import contract
from ticketing.ground import paths

ROOTS = {"openapi": paths.SPEC / "openapi.yaml", "ops": paths.SPEC / "ops" / "openapi.yaml"}
BUNDLES = paths.SPEC / "dist"


def main(*arguments: str) -> int:
    """Write the bundles, or report which are stale."""
    check = "--check" in arguments
    bundled = contract.drift if check else contract.write
    stale = [path for name, root in ROOTS.items() for path in bundled(root, BUNDLES, name)]
    for path in stale:
        print(f"{path.name} is stale; run `make generate`." if check else f"Wrote {path.name}.")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
