"""What of a released contract still has to hold: all but the operations whose end was announced and has come.

Usage: python scripts/promised.py RELEASED      (the released contract; what is promised is printed as JSON)
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from ticketing import contract
from ticketing.contract.document import METHODS


def promised(released: dict[str, Any], today: date) -> dict[str, Any]:
    """The contract without operations that it calls deprecated and whose sunset is past."""
    paths = {
        path: {
            name: part
            for name, part in item.items()
            if not (name in METHODS and part.get("deprecated") and _ended(part, today))
        }
        for path, item in released["paths"].items()
    }
    kept = {path: item for path, item in paths.items() if any(name in METHODS for name in item)}
    return {**released, "paths": kept}


def _ended(operation: dict[str, Any], today: date) -> bool:
    sunset = operation.get("x-deprecation", {}).get("sunset")
    return sunset is not None and date.fromisoformat(str(sunset)) < today


if __name__ == "__main__":
    print(json.dumps(promised(contract.load(Path(sys.argv[1])), datetime.now(UTC).date())))
