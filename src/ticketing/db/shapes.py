"""Shapes: the SQL functions and views that statements share, each defined once in `sql/shapes/<noun>.sql`.

A migration changes tables and never changes itself; a shape is edited in place, and `install` makes what the database
has what the files say. It lets processes of an older release go on meanwhile:

* What can be replaced in place is, so that a statement that has just found it still does.
* What cannot, as its result has other columns, is renamed, and the new one takes its name.
* What the files no longer have stays until `drop_retired`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, LiteralString

from psycopg import AsyncConnection, errors
from psycopg.rows import scalar_row, tuple_row
from psycopg.sql import Literal
from psycopg.types.json import Jsonb

from ticketing.ground.refused import Refused

TABLE = """
create table if not exists schema_shapes (
    digest       text primary key,
    place        bigint generated always as identity,
    shapes       jsonb not null,
    retired      text[] not null default '{}',
    installed_at timestamptz not null default now()
)
"""
"""Every set that was ever installed; the last is what there is: `shapes` has the digest of each, `retired` is what only
older releases use. A shape is called as in `drop function f(text)` and `drop view v`."""

PART = r"[^,()'\"]|'[^']*'|\"[^\"]*\"|\([^()]*\)"
DEFINITION = re.compile(
    rf"create or replace (?P<kind>function|view) (?P<name>\w+)\s*(?:\((?P<arguments>(?:{PART}|,)*)\))?"
)
COMMENT = re.compile(r"(?:--.*\n|\n)*")
SHAPES = """
select 'function ' || p.oid::regprocedure from pg_proc p
 where p.pronamespace = current_schema()::regnamespace
   and not exists (select from pg_depend d
                    where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')
 union all
select 'view ' || c.oid::regclass from pg_class c
 where c.relkind = 'v' and c.relnamespace = current_schema()::regnamespace
"""
FIND = """
select case kind when 'function' then 'function ' || to_regprocedure(signature)
                 when 'view' then 'view ' || to_regclass(signature) end
  from unnest(%s::text[], %s::text[]) with ordinality as s (kind, signature, place)
 order by place
"""
KNOWN = "select name from unnest(%s::text[]) name where to_regtype(name) is not null"
OID: dict[str, LiteralString] = {
    "function": "select to_regprocedure(%s)::oid::bigint",
    "view": "select to_regclass(%s)::oid::bigint",
}
# What can be called with as many arguments would make a call ambiguous.
RIVALS = """
select 'function ' || old.oid::regprocedure
  from pg_proc new
  join pg_proc old on old.proname = new.proname and old.pronamespace = new.pronamespace and old.oid <> new.oid
 where new.oid = to_regprocedure(%s)
   and old.pronargs >= new.pronargs - new.pronargdefaults
   and old.pronargs - old.pronargdefaults <= new.pronargs
"""
# What of a table uses a function: defaults, triggers, checks, indexes.
HOLDERS = """
select pg_describe_object(d.classid, d.objid, d.objsubid)
  from pg_depend d
 where d.refclassid = 'pg_proc'::regclass and d.refobjid = to_regprocedure(%s)
   and d.classid <> all ('{pg_proc,pg_rewrite}'::regclass[])
 order by 1
"""


class ShapeError(Refused):
    """A file of shapes that cannot be read or installed; the message says what to change."""


@dataclass(frozen=True)
class Shape:
    """One function or view, as its file has it."""

    noun: str
    kind: str
    name: str
    #: The types of a function's arguments.
    arguments: tuple[str, ...]
    description: str
    text: str

    @cached_property
    def signature(self) -> str:
        """Such as `enqueue_job(text, jsonb)`, or the name of a view."""
        return self.name if self.kind == "view" else f"{self.name}({', '.join(self.arguments)})"

    def uses(self, other: Shape) -> bool:
        """Whether it names another one."""
        return other.is_named_by(self._words)

    def is_named_by(self, words: frozenset[str]) -> bool:
        """Whether SQL of these words names it."""
        return (self.name if self.kind == "view" else f"{self.name}(") in words

    @cached_property
    def _words(self) -> frozenset[str]:
        return words(self.text[self.text.index(self.name) + len(self.name) :])


@dataclass(frozen=True)
class Shapes:
    """All of them, each after those that it uses."""

    shapes: Sequence[Shape]

    @cached_property
    def digests(self) -> Mapping[Shape, str]:
        """What changes with a shape, and with those that it uses."""
        digests: dict[Shape, str] = {}
        for shape in self.shapes:
            digests[shape] = _digest(shape.text, *(digest for other, digest in digests.items() if shape.uses(other)))
        return digests

    @cached_property
    def digest(self) -> str:
        """What changes with any of them."""
        return _digest(*sorted(self.digests.values()))


@dataclass(frozen=True)
class Installed:
    """What a database has: the last set, what only older releases use, and the digests of all sets it ever had."""

    digest: str = ""
    shapes: Mapping[str, str] = field(default_factory=dict)
    retired: Sequence[str] = ()
    digests: frozenset[str] = frozenset()


def words(text: str) -> frozenset[str]:
    """The words of SQL, each also with the parenthesis that follows it."""
    return frozenset(re.findall(r"\w+", text)) | frozenset(re.findall(r"\w+\(", text))


def load(folder: Path) -> Shapes:
    """The shapes of a folder. Raises ShapeError for anything else in it, and for two with one signature."""
    found: dict[str, Shape] = {}
    for path in sorted(folder.glob("*.sql")):
        for shape in _read(path):
            other = found.setdefault(shape.signature, shape)
            if other is not shape:
                raise ShapeError(f"{other.noun}.sql and {shape.noun}.sql both define {shape.signature}.")
    return Shapes(_in_order(found.values()))


async def installed(conn: AsyncConnection[Any]) -> Installed:
    """What the database has."""
    if not await exists(conn, "schema_shapes"):
        return Installed()
    async with conn.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute("select digest, shapes, retired from schema_shapes order by place desc")
        rows = await cursor.fetchall()
    if not rows:
        return Installed()
    digest, shapes, retired = rows[0]
    return Installed(digest, shapes, retired, frozenset(each[0] for each in rows))


async def exists(conn: AsyncConnection[Any], table: str) -> bool:
    """Whether there is such a table; to select from it would put an error into PostgreSQL's log if there is none."""
    return await _all(conn, "select to_regclass(%s) is not null", table) == [True]


async def missing(conn: AsyncConnection[Any], there: Installed) -> list[str]:
    """What was installed and is gone, as somebody dropped it."""
    known = set(await _all(conn, SHAPES))
    return [shape for shape in there.shapes if shape not in known]


async def install(conn: AsyncConnection[Any], wanted: Shapes) -> None:
    """Make what the database has what the files say, within the caller's transaction. Raises ShapeError."""
    before = await installed(conn)
    ours = {*before.shapes, *before.retired} & set(await _all(conn, SHAPES))
    kept = await _found(conn, wanted.shapes)
    for shape, digest in wanted.digests.items():
        old = kept.get(shape)
        # To replace a view, all statements that use it are waited for.
        if old is None or before.shapes.get(old) != digest:
            await _create(conn, shape, ours)
        if old is None and shape.kind == "function":
            for rival in {*await _all(conn, RIVALS, shape.signature)} & ours - {*kept.values()}:
                await _rename(conn, shape, rival, ours)
    new = {name: wanted.digests[shape] for shape, name in (await _found(conn, wanted.shapes)).items()}
    await conn.execute(
        "insert into schema_shapes (digest, shapes, retired) values (%s, %s, %s)"
        " on conflict (digest) do update set shapes = excluded.shapes, retired = excluded.retired,"
        " place = default, installed_at = default",
        [wanted.digest, Jsonb(new), sorted(ours - new.keys())],
    )


async def drop_retired(conn: AsyncConnection[Any]) -> list[str]:
    """Drop what only older releases use, and name it. Raises psycopg.errors.DependentObjectsStillExist."""
    there = await installed(conn)
    left = list(there.retired)
    while left:
        kept = [shape for shape in left if await _refusal(conn, _drop(shape), "dependent_objects_still_exist")]
        if kept == left:
            await conn.execute(_drop(left[0]).encode())
        left = kept
    if there.retired:
        await conn.execute("update schema_shapes set retired = '{}' where digest = %s", [there.digest])
    return list(there.retired)


def _drop(shape: str) -> str:
    # PostgreSQL wrote the signature, with the quotes that it needs.
    kind, _, signature = shape.partition(" ")
    return f"drop {kind} if exists {signature}"


async def _create(conn: AsyncConnection[Any], shape: Shape, ours: set[str]) -> None:
    """Replace a shape in place, or rename the old one if its result is another."""
    try:
        refusal = await _refusal(conn, shape.text, "invalid_function_definition", "invalid_table_definition")
    except errors.ProgrammingError as error:
        raise _refused(shape, error) from error
    if not refusal:
        return
    old = (await _found(conn, [shape])).get(shape)
    if old is None or old not in ours:
        raise _refused(shape, refusal)
    await _rename(conn, shape, old, ours)
    await conn.execute(shape.text.encode())


def _refused(shape: Shape, why: object) -> ShapeError:
    return ShapeError(f"{shape.noun}.sql, {shape.name}: PostgreSQL says: {why}")


async def _refusal(conn: AsyncConnection[Any], statement: str, *conditions: str) -> str:
    """Run a statement in the caller's transaction; why PostgreSQL refused it for one of these conditions, or nothing.

    PL/pgSQL catches them, so that they are no errors in PostgreSQL's log.
    """
    quoted = Literal(statement).as_string(conn)
    await conn.execute(
        f"do $attempt$ begin execute {quoted}; perform set_config('ticketing.refusal', '', true);"
        f" exception when {' or '.join(conditions)} then"
        " perform set_config('ticketing.refusal', sqlerrm, true); end $attempt$".encode()
    )
    (refusal,) = await _all(conn, "select current_setting('ticketing.refusal')")
    return str(refusal)


async def _rename(conn: AsyncConnection[Any], shape: Shape, old: str, ours: set[str]) -> None:
    """Give an old shape a name that nobody uses; statements that have found it already go on."""
    kind, _, signature = old.partition(" ")
    if kind == "function" and (holders := await _all(conn, HOLDERS, signature)):
        raise ShapeError(
            f"{shape.noun}.sql, {shape.name}: its arguments and its result have to stay, as it is used by "
            f"{', '.join(holders)}. Give the new one another name."
        )
    (oid,) = await _all(conn, OID[kind], signature)
    name = f"{shape.name[:50]}_{oid}"
    await conn.execute(f"alter {old} rename to {name}".encode())
    ours.remove(old)
    ours.add(old.replace(shape.name, name, 1))


async def _found(conn: AsyncConnection[Any], shapes: Sequence[Shape]) -> dict[Shape, str]:
    """Those of the shapes that are there, and how PostgreSQL calls them."""
    types = {type for shape in shapes for type in shape.arguments}
    # PostgreSQL 15 refuses to look for a function of a type that is not there yet.
    known = {*await _all(conn, KNOWN, sorted(types))}
    signatures = [shape.signature if known.issuperset(shape.arguments) else None for shape in shapes]
    names = await _all(conn, FIND, [shape.kind for shape in shapes], signatures)
    return {shape: name for shape, name in zip(shapes, names, strict=True) if name}


async def _all(conn: AsyncConnection[Any], statement: str, *values: Any) -> list[Any]:
    cursor = conn.cursor(row_factory=scalar_row)
    return await (await cursor.execute(statement.encode(), values or None)).fetchall()


def _digest(*texts: str) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


# Files --------------------------------------------------------------------------------------------------------


def _read(path: Path) -> Iterable[Shape]:
    """The shapes of a file: each a definition that begins a line, directly below its comment."""
    text = path.read_text(encoding="utf-8")
    place = 0
    while True:
        comment = COMMENT.match(text, place)
        assert comment is not None
        place = comment.end()
        if place == len(text):
            return
        found = DEFINITION.match(text, place)
        if found is None:
            line = text[place:].partition("\n")[0]
            raise ShapeError(f"{path.name}: {line!r} begins neither `create or replace function` nor `… view`.")
        end = _end(path, text, place)
        above = comment[0].strip("\n") if not comment[0].endswith("\n\n") else ""
        arguments = re.findall(rf"(?:{PART})+", found["arguments"] or "") if found["kind"] == "function" else []
        yield Shape(
            noun=path.stem,
            kind=found["kind"],
            name=found["name"],
            arguments=tuple(_type(argument.strip()) for argument in arguments if argument.strip()),
            description=above.rpartition("\n\n")[2].partition("\n")[0].removeprefix("--").strip(),
            text=text[place:end],
        )
        place = end


def _end(path: Path, text: str, begin: int) -> int:
    """Where a definition ends: at the first semicolon that ends a line outside of its body."""
    line = begin
    body = None
    while line < len(text):
        following = text.find("\n", line) + 1 or len(text)
        code = text[line:following].rstrip()
        if body is None:
            opened = re.search(r"\$\w*\$|\bbegin atomic$", code)
            body = opened[0] if opened and code.count(opened[0]) == 1 else None
        elif body in code or (body == "begin atomic" and code == "end;"):
            body = None
        if body is None and code.endswith(";"):
            return following
        line = following
    raise ShapeError(f"{path.name}: {text[begin:].partition('(')[0]} has no end.")


def _type(argument: str) -> str:
    """The type of an argument: what comes after its name and before its default."""
    name_and_type = re.split(r"\s+default\b|\s*=", argument.removeprefix("variadic "), maxsplit=1)[0]
    return name_and_type.split(None, 1)[1]


def _in_order(shapes: Iterable[Shape]) -> list[Shape]:
    """Each after those that it uses. Raises ShapeError if two need each other."""
    every = {shape.signature: shape for shape in sorted(shapes, key=lambda shape: (shape.noun, shape.signature))}
    needs = {
        signature: [other.signature for other in every.values() if other is not shape and shape.uses(other)]
        for signature, shape in every.items()
    }
    try:
        return [every[signature] for signature in TopologicalSorter(needs).static_order()]
    except CycleError as error:
        raise ShapeError(f"These use each other: {', '.join(error.args[1])}.") from None
