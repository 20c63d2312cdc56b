"""Where the service finds its files: in the installed package, or in the checkout beside `src/`."""

from __future__ import annotations

from pathlib import Path

_INSTALLED = Path(__file__).parents[1] / "_data"
_ROOT = _INSTALLED if _INSTALLED.is_dir() else Path(__file__).parents[3]

SPEC = _ROOT / "spec"
QUERIES = _ROOT / "sql" / "queries"
SHAPES = _ROOT / "sql" / "shapes"
MIGRATIONS = _ROOT / "migrations"
