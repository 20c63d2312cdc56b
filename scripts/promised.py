"""What of a released contract still has to hold: all but the operations whose end was announced and has come.

Usage: python scripts/promised.py RELEASED NEW      (two contracts; what the first promises of the second, as JSON)

New families of events may come at any time, and clients skip them. So what the first has of families is what the second
has, if none is gone.
"""

from __future__ import annotations

import json
import sys
from copy import deepcopy
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


def grown(released: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The released contract with the families of events that the new one has, if all of its own are among them."""
    schemas = dict(released["components"]["schemas"])
    families = new["components"]["schemas"]["Event"]["anyOf"]
    if all(family in families for family in schemas["Event"]["anyOf"]):
        schemas["Event"] = {**schemas["Event"], "anyOf": families}
        # Of other types is what no family has.
        schemas["YetUnknownEvent"] = deepcopy(schemas["YetUnknownEvent"])
        unknown = new["components"]["schemas"]["YetUnknownEvent"]["properties"]["type"]["not"]
        schemas["YetUnknownEvent"]["properties"]["type"]["not"] = unknown
    added = {name: each for name, each in new["components"]["schemas"].items() if name not in schemas}
    return {**released, "components": {**released["components"], "schemas": {**added, **schemas}}}


def _ended(operation: dict[str, Any], today: date) -> bool:
    sunset = operation.get("x-deprecation", {}).get("sunset")
    return sunset is not None and date.fromisoformat(str(sunset)) < today


if __name__ == "__main__":
    before, after = (contract.load(Path(each)) for each in sys.argv[1:])
    print(json.dumps(promised(grown(before, after), datetime.now(UTC).date())))
