"""Where the service finds its files: in the installed package, or in the checkout beside `src/`."""

from __future__ import annotations

from pathlib import Path

_INSTALLED = Path(__file__).parents[1] / "_data"
_ROOT = _INSTALLED if _INSTALLED.is_dir() else Path(__file__).parents[3]

SPEC = _ROOT / "spec"
API, OPS = "/api/v1", "/ops/v1"
DOCUMENTS = {API: SPEC / "dist" / "openapi.json", OPS: SPEC / "dist" / "ops.json"}
"""The contract, and the document of what operators see, by the path below which each is served. Both are there in YAML,
too."""
COLLECTION = SPEC / "dist" / "collection.json"
QUERIES = _ROOT / "sql" / "queries"
SHAPES = _ROOT / "sql" / "shapes"
MIGRATIONS = _ROOT / "migrations"
GUIDES = _ROOT / "docs" / "guides"
CHANGES = SPEC / "CHANGELOG.md"
