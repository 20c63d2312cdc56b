"""Rows, as statements take them."""

from __future__ import annotations

from typing import Any

import orjson
from psycopg.types.json import Jsonb

Row = dict[str, Any]


def as_json(rows: list[Row]) -> Jsonb:
    """JSON, with timestamps and ids, which the standard library does not encode."""
    return Jsonb(rows, dumps=orjson.dumps)
