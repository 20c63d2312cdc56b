"""Bundle spec/ into spec/dist, the one document that is published.

Usage: python scripts/bundle.py [--check]        With --check nothing is written; a stale bundle is a fault.
"""

from __future__ import annotations

import sys

from ticketing import contract
from ticketing.ground import paths

ROOT = paths.SPEC / "openapi.yaml"
BUNDLE = paths.SPEC / "dist"


def main(*arguments: str) -> int:
    """Write the bundle, or report whether it is stale."""
    check = "--check" in arguments
    stale = contract.drift(ROOT, BUNDLE) if check else contract.write(ROOT, BUNDLE)
    for path in stale:
        print(f"{path.name} is stale; run `make generate`." if check else f"Wrote {path.name}.")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
