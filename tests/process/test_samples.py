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


@pytest.mark.parametrize("language", ["curl", "Python", "TypeScript"])
def test_the_samples_of_a_language_run(language: str, new_database: Callable[..., str], tmp_path: Path) -> None:
    """Those in Go take minutes: `make samples` runs them as well."""
    url, key = new_database(), sealing.new_key()
    with configured(database_url=url, secret_keys=key):
        token = asyncio.run(load(url))
    with spawned(url, TICKETING_SECRET_KEYS=key) as base:
        assert samples.Samples(language, tmp_path).faults(base, token) == []
