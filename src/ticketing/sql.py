"""Every statement the service runs, one namespace a file of `sql/`: `await sql.tickets.get_ticket(conn, number=1, …)`.

Rows are plain dicts whose keys are the contract's property names. For people and type checkers, sql.pyi (generated
by scripts/sqltypes.py from the schema itself) says what every query takes and gives.
"""

from __future__ import annotations

from typing import Any

from psycopg import AsyncConnection

from ticketing import queries, resources

Connection = AsyncConnection[Any]

# File by file: loading the folder would let the second of two queries with the same name silently win.
globals().update({path.stem: queries.load(path) for path in sorted(resources.SQL.glob("*.sql"))})
