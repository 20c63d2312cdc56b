"""An aiosql adapter for async psycopg: `await queries.get_ticket(conn, number=1)` gives a dict, or None.

`^` gives one row or None, `$` the first value of one row or None, `!` the number of rows touched, and no mark
a list of rows: fetched at once, as a cursor left open would outlive its connection.

A query that locks rows and changes nothing is called `lock_…`, and is refused outside a transaction: its locks would
end with it, before what they are for.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import aiosql
import structlog
from aiosql.queries import Queries
from aiosql.types import SQLOperationType
from aiosql.utils import VAR_REF
from psycopg import AsyncConnection, AsyncRawCursor, errors
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row, tuple_row

log = structlog.get_logger()
slow_seconds = float("inf")
"""How long a statement may take before it is logged (tracing.start)."""

spanned: Callable[[str], AbstractContextManager[Any]] | None = None
"""What goes around a statement, by its name, where there are traces (tracing.start)."""

REPLANNED = (errors.FeatureNotSupported, errors.InvalidFunctionDefinition, errors.InternalError_)
"""What PostgreSQL says of a statement when the schema changes just then: its prepared result is another now, or what it
has read of the schema before it waited for a table no longer fits what it reads then (“too few column names”)."""

_SILENT = re.compile(r"--[^\n]*|'[^']*'")
_LOCKS = re.compile(r"\bfor\s+(?:(?:no\s+key\s+)?update|(?:key\s+)?share)\b|\bpg_advisory_xact_lock\w*", re.IGNORECASE)
_IS_NULL = re.compile(r":(?P<name>\w+)(?:::\w+(?:\[\])?)? is null\b")
_CHANGES = re.compile(r"\b(?:insert\s+into|update|delete\s+from|merge\s+into)\b", re.IGNORECASE)

_DIRECTIVE = re.compile(r"(returns|nullable|compiled|literal|steady): *(.+)")
_NUMBERED = re.compile(r"\$([0-9]+)")

Row = dict[str, Any]
Given = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Compiled:
    """A part of a list's statement that code has put together of fragments, with `$1`, `$2` … for its values.

    It is given like a value, for a parameter that the query calls `compiled`. What a client has sent is in the values
    alone, never in the text.
    """

    text: str
    values: Sequence[Any] = ()
    steady: bool = False
    """Whether one plan serves whatever the values are."""

    def after(self, number: int) -> str:
        """The text, if so many parameters come before its own."""
        return _NUMBERED.sub(lambda place: f"${int(place[1]) + number}", self.text)


def load(path: Path) -> Queries:
    """The queries of one file."""
    queries: Queries = aiosql.from_path(path, "async-psycopg", attribute=None)
    adapter = cast(AsyncPsycopgAdapter, queries.driver_adapter)
    for name in queries.available_queries:
        if not name.endswith("_cursor"):
            adapter.describe(name, getattr(queries, name).__doc__ or "")
    return queries


def directives(comment: str) -> dict[str, str]:
    """What the comment of a query says in lines like `-- nullable: since, until`."""
    lines = (_DIRECTIVE.fullmatch(line) for line in comment.splitlines())
    return {line[1]: line[2] for line in lines if line}


@lru_cache(maxsize=2048)
def parameters(sql: str, literals: tuple[tuple[str, str], ...] | None = None) -> tuple[str, list[str]]:
    """A statement with `$1` for the first of its named parameters and so on, and their names.

    Parameters named in `literals` are written into it instead; if there are literals, all others are not null.
    """
    names: list[str] = []
    written = dict(literals or ())
    if literals is not None:
        sql = _IS_NULL.sub(lambda test: test[0] if test["name"] in written else "false", sql)

    def positional(match: Any) -> str:
        name = match["var_name"]
        if name is None:  # In quotes, a colon is just that.
            return cast(str, match[0])
        if name in written:
            return f"{match['lead']}{written[name]}"
        if name not in names:
            names.append(name)
        return f"{match['lead']}${names.index(name) + 1}"

    return VAR_REF.sub(positional, sql), names


LOCK = "lock_"


def locks(sql: str) -> bool:
    """Whether a statement locks rows for a later one. One that also changes something locks them for itself."""
    text = _SILENT.sub("", sql)
    return _LOCKS.search(text) is not None and _CHANGES.search(_LOCKS.sub("", text)) is None


class AsyncPsycopgAdapter:
    """Runs statements with `$1` for parameters, so nothing is left for psycopg to parse at every call."""

    # So that aiosql passes our coroutines through; for async drivers it wraps them, lists in generators.
    is_aio_driver = False

    def __init__(self) -> None:
        self._names: dict[str, list[str]] = {}
        self._sources: dict[str, str] = {}
        self._literal: dict[str, frozenset[str]] = {}
        self._steady: dict[str, frozenset[str]] = {}

    def describe(self, query_name: str, comment: str) -> None:
        """Take in what a list says of its parameters: those that are written into it, and those of no weight for it."""
        said = directives(comment)
        self._literal[query_name] = LITERAL.union(re.findall(r"\w+", said.get("literal", "")))
        self._steady[query_name] = STEADY.union(re.findall(r"\w+", said.get("steady", "")))

    def process_sql(self, query_name: str, op_type: SQLOperationType, sql: str) -> str:
        """Called once a query, when its file is loaded."""
        if op_type not in SUPPORTED:
            raise ValueError(f"{query_name}: this operation is not supported")
        if query_name.startswith(LOCK) != locks(sql):
            raise ValueError(
                f"{query_name}: what locks rows and changes nothing is called {LOCK}…, and nothing else is"
            )
        self._sources[query_name] = sql
        positional, self._names[query_name] = parameters(sql)
        return positional

    async def select(self, conn: Any, query_name: str, sql: str, given: Given, _: None) -> list[Row]:
        return await (await self._executed(conn, query_name, sql, given, dict_row)).fetchall()

    async def select_one(self, conn: Any, query_name: str, sql: str, given: Given, _: None) -> Row | None:
        return await (await self._executed(conn, query_name, sql, given, dict_row)).fetchone()

    async def select_value(self, conn: Any, query_name: str, sql: str, given: Given) -> Any:
        row = await (await self._executed(conn, query_name, sql, given, tuple_row)).fetchone()
        return row[0] if row else None

    async def insert_update_delete(self, conn: Any, query_name: str, sql: str, given: Given) -> int:
        return (await self._executed(conn, query_name, sql, given, tuple_row)).rowcount

    async def _executed(
        self, conn: AsyncConnection[Any], query_name: str, sql: str, given: Given, row_factory: Any
    ) -> AsyncRawCursor[Any]:
        names = self._names[query_name]
        try:
            values = [given[name] for name in names]
        except KeyError as missing:
            raise TypeError(f"{query_name}() misses the parameter {missing}") from None
        if len(given) > len(names):
            raise TypeError(f"{query_name}() has no parameter {', '.join(sorted(given.keys() - set(names)))}")
        prepare = True
        if query_name.startswith(LOCK) and conn.autocommit and _is_idle(conn):
            raise RuntimeError(f"{query_name}() is called outside a transaction, so its locks would end at once")
        if query_name.startswith("list_"):
            sql, names = parameters(self._sources[query_name], _literals(given, self._literal[query_name]))
            values = [given[name] for name in names]
            prepare = self._steady[query_name].issuperset(names)
            for name, part in given.items():
                if isinstance(part, Compiled):
                    sql = sql.replace(_mark(name), part.after(len(values)))
                    values += part.values
                    prepare = prepare and part.steady
        cursor = _cursor(conn, row_factory)
        began = time.perf_counter()
        try:
            with spanned(query_name) if spanned else nullcontext():
                try:
                    return await cursor.execute(sql, values, prepare=prepare)
                except REPLANNED:
                    # Outside a transaction it can run again.
                    if not _is_idle(conn):
                        raise
                    # psycopg forgets what it has prepared when it sees this for the first time.
                    await conn.execute(f"deallocate all -- {time.monotonic_ns()}".encode())
                    return await cursor.execute(sql, values, prepare=prepare)
        finally:
            if (seconds := time.perf_counter() - began) > slow_seconds:
                log.warning("slow statement", query=query_name, ms=round(seconds * 1000, 1))


# A list's filters are optional, and so is the place after which its page begins: `:status is null or status = :status`.
# PostgreSQL drops what is null, and chooses an index by the values of the rest, only when it knows them. So what says
# which of them are given is written into the statement: `null`, or `false` for the whole test. The statement is
# prepared, that is planned once a connection, only if the values left cannot change the plan: these, and those that a
# query calls `steady`. Numbers are written into it that decide on the plan and are always the same few: how long a page
# is, and what a query calls `literal`.
LITERAL = frozenset({"page_size"})
STEADY = frozenset(
    {"viewer_id", "user_id", "ticket", "after", "after_id", "after_number"}
    | {"after_transaction", "after_position", "reader", "scopes", "scan", "scan_bytes", "page_bytes", "longest"}
)


def _literals(given: Given, numbers: frozenset[str]) -> tuple[tuple[str, str], ...]:
    """What decides on the plan of a list: which filters are absent, what the viewer may see, how long a page is."""
    return tuple(
        (name, _literal(name, value))
        for name, value in given.items()
        if value is None or isinstance(value, (bool, Compiled)) or name in numbers
    )


def _literal(name: str, value: Any) -> str:
    if isinstance(value, Compiled):
        return _mark(name)
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(int(value))


def _mark(name: str) -> str:
    """What stands for a compiled part in a statement, whose form is kept without it."""
    return f"/* {name} */"


def _is_idle(conn: AsyncConnection[Any]) -> bool:
    return conn.pgconn.transaction_status == TransactionStatus.IDLE


def _cursor(conn: AsyncConnection[Any], row_factory: Any) -> AsyncRawCursor[Any]:
    # A cursor learns how to read each type of column; one that stays with its connection learns it once.
    cursors: dict[Any, AsyncRawCursor[Any]] = vars(conn).setdefault("_cursors_by_row", {})
    if row_factory not in cursors:
        cursors[row_factory] = AsyncRawCursor(conn, row_factory=row_factory)
    return cursors[row_factory]


SUPPORTED = {
    SQLOperationType.SELECT,
    SQLOperationType.SELECT_ONE,
    SQLOperationType.SELECT_VALUE,
    SQLOperationType.INSERT_UPDATE_DELETE,
}

aiosql.register_adapter("async-psycopg", cast(Any, AsyncPsycopgAdapter))
