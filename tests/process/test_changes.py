"""The changelog of the contract says what changed for its clients."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import changes
from ticketing import contract
from ticketing.ground import paths


def test_what_clients_notice_is_listed(tmp_path: Path) -> None:
    before: Any = contract.load(paths.DOCUMENTS[paths.API])
    after = copy.deepcopy(before)
    del after["paths"]["/me"]
    after["paths"]["/tickets"]["get"]["parameters"].append(
        {"name": "shade", "in": "query", "description": "New.", "schema": {"type": "string"}}
    )
    after["paths"]["/tickets"]["get"]["summary"] = "Other words"
    files = [tmp_path / "before.json", tmp_path / "after.json"]
    for file, document in zip(files, (before, after), strict=True):
        file.write_text(json.dumps(document))
    text = changes.compared(*files)
    breaking, new = text.split("### New")
    assert "/me" in breaking and "/tickets" not in breaking
    assert "GET /tickets" in new and "shade" in new
    assert "Other words" not in text
    assert changes.compared(files[0], files[0]) == "Nothing that matters to clients.\n"


def test_a_new_family_of_events_breaks_no_client(tmp_path: Path) -> None:
    """Clients skip what they do not know, so the gate lets it pass; the changelog says the same."""
    after: Any = contract.load(paths.DOCUMENTS[paths.API])
    before = copy.deepcopy(after)
    before["components"]["schemas"]["Event"]["anyOf"].pop(0)
    before["components"]["schemas"]["YetUnknownEvent"]["properties"]["type"]["not"]["enum"].pop()
    files = [tmp_path / "before.json", tmp_path / "after.json"]
    for file, document in zip(files, (before, after), strict=True):
        file.write_text(json.dumps(document))
    assert "### Breaking" not in changes.compared(*files)


def test_a_version_has_one_section_and_earlier_ones_stay() -> None:
    first = changes.section("0.1.0", "One.\n", changes.HEAD)
    both = changes.section("0.2.0", "Two.\n", first)
    again = changes.section("0.2.0", "Three.\n", both)
    assert again.index("## 0.2.0") < again.index("Three.") < again.index("## 0.1.0") < again.index("One.")
    assert "Two." not in again
    assert changes.section("0.2.0", "Three.\n", again) == again
