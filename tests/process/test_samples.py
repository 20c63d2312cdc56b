"""The code that the reference shows for each operation runs, in the order of the documents."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from test_examples import load

import samples
from conftest import configured, spawned
from ticketing import sealing

pytestmark = pytest.mark.usefixtures("unmeasured")


def test_the_samples_in_python_run(new_database: Callable[..., str], tmp_path: Path) -> None:
    """CI runs those of the other languages, too: `make samples`."""
    url, key = new_database(), sealing.new_key()
    with configured(database_url=url, secret_keys=key):
        token = asyncio.run(load(url))
    with spawned(url, TICKETING_SECRET_KEYS=key) as base:
        assert samples.Samples("Python", tmp_path).faults(base, token) == []
