"""The benchmarks run: how fast is for who asks, but each request is answered as it should be."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.database
def test_the_comparison_with_a_service_written_by_hand(tmp_path: Path) -> None:
    """With a queue, for which the rival has a statement and an index of its own."""
    found = tmp_path / "found.json"
    command = ["scripts/bench/compare.py", "--quick", "--scenarios", "queue", "--json", str(found)]
    run = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    queue = json.loads(found.read_text())["end_to_end"]["queue"]
    assert {name: each["errors"] for name, each in queue.items()} == {"ours": 0, "rival": 0}
    assert all(each["rate"] > 0 for each in queue.values())
