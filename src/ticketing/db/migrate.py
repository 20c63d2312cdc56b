"""Migrations: `migrations/NNNN_what_it_does.sql`, applied in order, forward only; and after them the shapes.

What is pending is applied in one transaction, with the functions and views that statements share (shapes.py): all of
it or nothing, and no process sees half of it. The first line of a file may say otherwise:

* `-- transaction: own` commits it alone: for what takes long, or adds a word to an enum.
* `-- transaction: none` runs its statements one by one, as `create index concurrently` needs it. They must be safe to
  run again; an index that an earlier run left invalid is dropped first.

A file `NNNN_what_it_does.post.sql` waits for `finish`, when no process of an older release runs any more. An applied
file never changes; what it got wrong is mended by the next one. Any number of processes may migrate at once.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from psycopg import AsyncConnection, errors
from psycopg.rows import scalar_row, tuple_row

from ticketing.db import sessions, shapes
from ticketing.db.shapes import Shapes
from ticketing.ground import paths
from ticketing.ground.refused import Refused

LOCK = 0x7469636B6574  # "ticket": one number of many, but the same in every version of this program.
TURN_SECONDS = 0.1
"""How often is looked whether another process has migrated. To wait in a statement would hold up a concurrent build."""
LOCK_TIMEOUT = "800ms"
"""How long a change of a table waits for its lock: all that use the table wait behind it, and they give up after 2 s.
It is less than `deadlock_timeout`, so that a deadlock ends with us and not with a request."""
PATIENCE_SECONDS = 60.0
PAUSE_SECONDS = 0.5
"""For how long an upgrade that did not get its locks is tried again, and after which pauses."""
UNRELEASED = (
    "The database was made by a version that was never released, or files of this installation were changed by hand. "
    "Install the release that made the database, or restore a backup; docs/upgrades.md says how."
)
SHAPES = "functions and views"
RETIRED = "the end of retired functions and views"
"""What is done besides migrations, as it is named among them."""
SENTENCES = {
    SHAPES: "Updated the functions and views that statements use.",
    RETIRED: "Removed the functions and views that only older releases used.",
}
NAME = re.compile(r"(?P<version>\d{4})_(?P<name>[a-z0-9]+(_[a-z0-9]+)*(\.post)?)\.sql")
MODE = re.compile(r"-- transaction: (own|none)\n")
CONCURRENT = re.compile(
    r"\bcreate\s+(?:unique\s+)?index\s+concurrently\s+(?P<safe>if\s+not\s+exists\s+)?(?P<name>\w+)", re.IGNORECASE
)
STATEMENT = re.compile(r"(?:\$\$.*?\$\$|[^;]|;(?![ \t]*(?:\n|\Z)))+", re.DOTALL)
"""What ends with a semicolon at the end of a line, outside a body between `$$`."""
HISTORY = """
create table if not exists schema_migrations (
    version    text primary key,
    name       text not null,
    checksum   text not null,
    applied_at timestamptz not null default now()
)
"""
INVALID = """
select c.oid::regclass::text
  from pg_index i join pg_class c on c.oid = i.indexrelid
 where not i.indisvalid and c.relname = any(%s) and c.relnamespace = current_schema()::regnamespace
"""

EXTENSIONS = ("unaccent", "btree_gin", "pg_trgm")
"""What full text is made with. They come with PostgreSQL, and whoever may create in the database may add them."""

Say = Callable[[str], None]


class MigrationError(Refused):
    """The database and the migrations do not fit together; the message says how to go on."""


@dataclass(frozen=True)
class Migration:
    """One file."""

    version: str
    name: str
    text: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def post(self) -> bool:
        """Whether it waits until no process of an older release runs."""
        return self.name.endswith(".post")

    @cached_property
    def mode(self) -> str:
        """Which transaction it runs in: `shared`, `own` or `none`."""
        match = MODE.match(self.text)
        return match[1] if match else "shared"

    def __str__(self) -> str:
        return f"{self.version}_{self.name}"


@dataclass(frozen=True)
class Schema:
    """What a release wants of its database."""

    migrations: Sequence[Migration]
    shapes: Shapes


@cache
def ours() -> Schema:
    """What the files of this release say; they are read once."""
    return read(paths.MIGRATIONS, paths.SHAPES)


def read(migrations: Path, shapes_folder: Path) -> Schema:
    """The schema of two folders. Raises MigrationError, ShapeError."""
    return Schema(load(migrations), shapes.load(shapes_folder))


def _nothing(_: str) -> None:
    """Say nothing."""


async def migrate(url: str, schema: Schema | None = None, *, finish: bool = False, say: Say = _nothing) -> list[str]:
    """Bring the database to this schema, and name what was done. Raises MigrationError, ShapeError, Shared.

    With `finish`, and in a database that had nothing, also what no process of an older release would survive. Each
    step of an upgrade is said when it begins, and when it is committed.
    """
    schema = schema or ours()
    done: list[str] = []
    # The session of a process that was killed shall end soon, and its lock with it.
    async with sessions.opened(url, own=True, client_connection_check_interval="1s") as conn:
        await _take_turn(conn, say)
        await conn.execute(HISTORY)
        await conn.execute(shapes.TABLE)
        history = await _history(conn)
        _check(history, schema.migrations)
        tell = say if history else _nothing
        if not history:
            say("Setting up the database …")
        lacking = [each for each in schema.migrations if each.version not in history]
        groups = _groups([each for each in lacking if not each.post])
        # With the last transaction; an index that is built after it is not waited for.
        last = max((number for number, group in enumerate(groups) if not _outside(group)), default=None)
        if last is None:
            groups, last = [[], *groups], 0
        if lacking:
            await _add_extensions(conn, schema.migrations)
        for number, group in enumerate(groups):
            done += await _apply(conn, group, schema.shapes if number == last else None, tell)
        if finish or not history:
            done += await _drop_retired(conn, tell)
            for step in lacking:
                done += await _apply(conn, [step], None, tell) if step.post else []
        if not history:
            say("Set up the database.")
    return done


async def pending(conn: AsyncConnection[Any], schema: Schema | None = None) -> list[str]:
    """What the database lacks. Shapes of ours that a later release has replaced are not lacking."""
    schema = schema or ours()
    history = await _history(conn)
    lacking = [str(each) for each in schema.migrations if each.version not in history and not each.post]
    there = await shapes.installed(conn)
    return lacking if schema.shapes.digest in there.digests else [*lacking, SHAPES]


async def unfinished(conn: AsyncConnection[Any], schema: Schema | None = None) -> list[str]:
    """What is left to be done once no process of an older release runs."""
    history = await _history(conn)
    steps = [str(each) for each in (schema or ours()).migrations if each.version not in history and each.post]
    return [*(await shapes.installed(conn)).retired, *steps]


async def disagreement(conn: AsyncConnection[Any], schema: Schema | None = None) -> str | None:
    """Why the schema is not this one: it is of a later release, or somebody changed one or the other."""
    schema = schema or ours()
    try:
        _check(await _history(conn), schema.migrations)
    except MigrationError as error:
        return str(error)
    there = await shapes.installed(conn)
    if missing := await shapes.missing(conn, there):
        return f"it lacks {', '.join(missing)}. Run `ticketing migrate`, which makes them again."
    if there.digest != schema.shapes.digest and schema.shapes.digest in there.digests:
        return "its functions and views are those of another release. Run `ticketing migrate` of the newest."
    return None


async def current(conn: AsyncConnection[Any]) -> str | None:
    """The last migration applied."""
    history = await _history(conn)
    return next((f"{version}_{name}" for version, (name, _) in reversed(history.items())), None)


def load(folder: Path) -> list[Migration]:
    """The migrations of a folder, in order. Raises MigrationError for what cannot be one."""
    migrations: dict[str, Migration] = {}
    for path in sorted(folder.glob("*.sql")):
        match = NAME.fullmatch(path.name)
        if match is None:
            raise MigrationError(f"{path.name} is not a migration's name. Call it NNNN_what_it_does.sql.")
        migration = Migration(match["version"], match["name"], path.read_text(encoding="utf-8"))
        other = migrations.setdefault(migration.version, migration)
        if other is not migration:
            raise MigrationError(f"{other} and {migration} have the same number. Renumber the one not yet applied.")
        for index in CONCURRENT.finditer(migration.text):
            if migration.mode != "none":
                raise MigrationError(
                    f"{migration} builds {index['name']} concurrently. Begin with `-- transaction: none`."
                )
            if not index["safe"]:
                raise MigrationError(f"{migration} may run again. Say `create index concurrently if not exists`.")
    return list(migrations.values())


async def _add_extensions(conn: AsyncConnection[Any], migrations: Sequence[Migration]) -> None:
    """Add what the migrations need, so that what stands in the way is said in a sentence."""
    for name in EXTENSIONS:
        if not any(f"extension if not exists {name}" in migration.text for migration in migrations):
            continue
        try:
            await conn.execute(f"create extension if not exists {name}".encode())
        except (errors.UndefinedFile, errors.FeatureNotSupported) as error:
            raise MigrationError(
                f"PostgreSQL lacks its extension {name}, which full text needs. Install the package of your system "
                "that has PostgreSQL's additional modules (often called postgresql-contrib), and run this again."
            ) from error
        except errors.InsufficientPrivilege as error:
            raise MigrationError(
                f"The role may not add PostgreSQL's extension {name}, which full text needs. Let a superuser run "
                f"`create extension {name}` in the database, or `grant create on database … to …` for the role, and "
                "run this again."
            ) from error


async def _take_turn(conn: AsyncConnection[Any], say: Say) -> None:
    """Wait until nobody else migrates; from then on nobody does, as long as this connection is open."""
    cursor = conn.cursor(row_factory=scalar_row)
    waiting = False
    while True:
        await cursor.execute("select pg_try_advisory_lock(%s)", [LOCK])
        if await cursor.fetchone():
            return
        if not waiting:
            say("Another process is migrating. Waiting for it …")
            waiting = True
        await asyncio.sleep(TURN_SECONDS)


def _groups(migrations: Sequence[Migration]) -> list[list[Migration]]:
    """What runs together, in order; the first may be empty."""
    groups: list[list[Migration]] = [[]]
    for migration in migrations:
        if groups[-1] and (migration.mode != "shared" or groups[-1][-1].mode != "shared"):
            groups.append([])
        groups[-1].append(migration)
    return groups


def _outside(group: list[Migration]) -> bool:
    return bool(group) and group[0].mode == "none"


async def _apply(conn: AsyncConnection[Any], group: list[Migration], wanted: Shapes | None, say: Say) -> list[str]:
    """Apply a group, perhaps with the shapes, and name what was done."""
    if group:
        say(f"Applying {' to '.join(dict.fromkeys((str(group[0]), str(group[-1]))))} …")
    if _outside(group):
        return _said([await _run_outside(conn, migration) for migration in group], say)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return _said(await _apply_at_once(conn, group, wanted), say)
        except (errors.LockNotAvailable, errors.DeadlockDetected) as error:
            if time.monotonic() > deadline:
                raise MigrationError(
                    f"{', '.join(map(str, group)) or SHAPES}: a transaction holds a lock that is needed, and has held "
                    f"it for {PATIENCE_SECONDS:.0f} seconds. Nothing was changed. Look at pg_stat_activity, and run "
                    "this again."
                ) from error
        await asyncio.sleep(PAUSE_SECONDS)


def _said(done: list[str], say: Say) -> list[str]:
    for step in done:
        say(SENTENCES.get(step, f"Applied {step}."))
    return done


async def _apply_at_once(conn: AsyncConnection[Any], group: list[Migration], wanted: Shapes | None) -> list[str]:
    done = []
    async with conn.transaction():
        await conn.execute(f"set local lock_timeout = '{LOCK_TIMEOUT}'".encode())
        for migration in group:
            # It comes from a file of ours and takes no parameters, so psycopg sends it as it is: many statements.
            await conn.execute(migration.text.encode())
            done.append(await _record(conn, migration))
        if wanted is not None:
            there = await shapes.installed(conn)
            if there.digest != wanted.digest or await shapes.missing(conn, there):
                await shapes.install(conn, wanted)
                done.append(SHAPES)
    return done


async def _run_outside(conn: AsyncConnection[Any], migration: Migration) -> str:
    """Run a migration statement by statement; what an earlier run has done is there, or is done again."""
    indexes = [index["name"].lower() for index in CONCURRENT.finditer(migration.text)]
    cursor = conn.cursor(row_factory=scalar_row)
    await cursor.execute(INVALID, [indexes])
    for index in await cursor.fetchall():
        await conn.execute(f"drop index concurrently if exists {index}".encode())
    for statement in STATEMENT.findall(migration.text):
        if re.sub(r"--.*", "", statement).strip():
            await conn.execute(statement.encode())
    return await _record(conn, migration)


async def _drop_retired(conn: AsyncConnection[Any], say: Say) -> list[str]:
    try:
        async with conn.transaction():
            dropped = await shapes.drop_retired(conn)
        return _said([RETIRED] if dropped else [], say)
    except errors.DependentObjectsStillExist as error:
        raise MigrationError(
            f"What only older releases call cannot be dropped, as something else needs it. {error.diag.message_detail}"
        ) from error


async def _record(conn: AsyncConnection[Any], migration: Migration) -> str:
    await conn.execute(
        "insert into schema_migrations (version, name, checksum) values (%s, %s, %s)",
        [migration.version, migration.name, migration.checksum],
    )
    return str(migration)


async def _history(conn: AsyncConnection[Any]) -> dict[str, tuple[str, str]]:
    """Name and checksum of every migration applied, by version."""
    if not await shapes.exists(conn, "schema_migrations"):
        return {}
    async with conn.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute("select version, name, checksum from schema_migrations order by version")
        return {version: (name, checksum) for version, name, checksum in await cursor.fetchall()}


def _check(history: dict[str, tuple[str, str]], migrations: Sequence[Migration]) -> None:
    known = {migration.version: migration for migration in migrations}
    for version, (name, checksum) in history.items():
        migration = known.get(version)
        if migration is None:
            raise MigrationError(
                f"The database has {version}_{name}, which this release does not know. Install the later release that "
                f"it is of. If there is none: {UNRELEASED}"
            )
        if migration.name != name:
            raise MigrationError(
                f"The database has {version}_{name} in place of this release's {migration}. {UNRELEASED}"
            )
        if migration.checksum != checksum:
            raise MigrationError(f"The {migration} applied to the database differs from this release's. {UNRELEASED}")
    # A post step may be applied after later migrations, which therefore do not build on it.
    late = [each for each in migrations if each.version not in history and not each.post and history]
    if late and late[0].version < max(history):
        raise MigrationError(
            f"The database has {max(history)}, but not {late[0]}, which this release applies before it. {UNRELEASED}"
        )
