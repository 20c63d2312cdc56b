"""Write into spec/CHANGELOG.md what the contract changes against its last release, in spec/released.

Usage: python scripts/changes.py

The section of the present version is written anew; those of earlier versions stay. `redocly diff` compares.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import node
import promised
from ticketing import contract
from ticketing.ground import paths

LOG = paths.SPEC / "CHANGELOG.md"
RULES = Path(__file__).parent / "contract" / "redocly-diff.yaml"
HEAD = """# Changelog of the contract

What changed for clients from release to release, made by `make changes`. For the service, see the changelog beside the
README.
"""
KINDS = {"major": "Breaking", "minor": "New"}
FIRST = "The first release: there is none before it to compare it with.\n"


def compared(before: Path, after: Path) -> str:
    """What changed between two documents that matters to clients, as Markdown. What may grow has not changed."""
    documents = {"base": contract.load(before), "revision": contract.load(after)}
    with tempfile.NamedTemporaryFile("w", suffix=".json") as grown:
        json.dump(promised.grown(documents["base"], documents["revision"]), grown)
        grown.flush()
        command = ["redocly", "diff", grown.name, str(after), "--config", str(RULES), "--format=json", "--fail-on=none"]
        done = subprocess.run(command, env=node.environment(), capture_output=True, text=True, check=True)
    changes = json.loads(done.stdout)["changes"]
    parts = []
    for impact, title in KINDS.items():
        lines = dict.fromkeys(
            line for change in changes if change["impact"] == impact for line in _lines(change, documents)
        )
        if lines:
            parts.append(f"### {title}\n\n" + "\n".join(lines) + "\n")
    return "\n".join(parts) or "Nothing that matters to clients.\n"


def _lines(change: Mapping[str, Any], documents: Mapping[str, Any]) -> Iterator[str]:
    place = [part.replace("~1", "/").replace("~0", "~") for part in change["path"].removeprefix("#/").split("/")]
    document = documents["base" if change["kind"] == "removed" else "revision"]
    match place:
        case ["paths", path, method, "parameters", index, *inner]:
            parameter = document["paths"][path][method]["parameters"][int(index)]
            named = parameter.get("name") or parameter["$ref"].rpartition("/")[2]
            name, inner = f"{method.upper()} {path}", [f"parameter {named}", *inner]
        case ["paths", path, method, *inner]:
            name = f"{method.upper()} {path}"
        case [_, name, *inner]:
            pass
        case _:
            name, inner = "/".join(place), []
    where = " ".join(part for part in inner if part not in ("content", "schema", "properties", "post"))
    told = [verdict["message"] for verdict in change["verdicts"] if verdict.get("message")]
    for what in told or [f"{change['kind']}."]:
        yield f"- `{name}`{f', {where}' if where else ''}: {what}"


def section(version: str, text: str, log: str) -> str:
    """The changelog with the section of a version in its place: at the top, or where it was."""
    old = re.compile(rf"^## {re.escape(version)}\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
    made = f"## {version}\n\n{text}\n"
    if old.search(log):
        return old.sub(lambda _: made, log).rstrip() + "\n"
    head, mark, rest = log.partition("\n## ")
    return f"{head.rstrip()}\n\n{made}{mark.lstrip()}{rest}".rstrip() + "\n"


def main() -> int:
    """Write the section of the present version."""
    after = paths.SPEC / "dist" / "openapi.yaml"
    before = paths.SPEC / "released" / "openapi.yaml"
    version = contract.load(after)["info"]["version"]
    text = compared(before, after) if before.exists() else FIRST
    LOG.write_text(section(version, text, LOG.read_text() if LOG.exists() else HEAD))
    return 0


if __name__ == "__main__":
    sys.exit(main())
