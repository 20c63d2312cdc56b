"""Migrations: `migrations/NNNN_what_it_does.sql`, applied in order, forward only.

Each runs in one transaction together with its row in `schema_migrations`, under a lock, so any number of
processes may migrate at once. An applied file never changes; what it got wrong is mended by the next one.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg import AsyncConnection, errors
from psycopg.rows import tuple_row

from ticketing.db import pool
from ticketing.ground import paths
from ticketing.ground.refused import Refused

LOCK = 0x7469636B6574  # "ticket": one number of many, but the same in every version of this program.
NAME = re.compile(r"(?P<version>\d{4})_(?P<name>[a-z0-9]+(_[a-z0-9]+)*)\.sql")
HISTORY = """
create table if not exists schema_migrations (
    version    text primary key,
    name       text not null,
    checksum   text not null,
    applied_at timestamptz not null default now()
)
"""


class MigrationError(Refused):
    """The database and the migrations do not fit together; the message says how to go on."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file."""

    version: str
    name: str
    text: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    def __str__(self) -> str:
        return f"{self.version}_{self.name}"


async def migrate(url: str, folder: Path = paths.MIGRATIONS) -> list[str]:
    """Apply what is pending and name it. Raises MigrationError."""
    migrations = load(folder)
    done = []
    async with await AsyncConnection.connect(**pool.patient(url)) as conn:
        while applied := await _apply_next(conn, migrations):
            done.append(str(applied))
    return done


async def pending(conn: AsyncConnection[Any], folder: Path = paths.MIGRATIONS) -> list[str]:
    """The migrations that the database lacks."""
    history = await _history(conn)
    return [str(migration) for migration in load(folder) if migration.version not in history]


async def disagreement(conn: AsyncConnection[Any], folder: Path = paths.MIGRATIONS) -> str | None:
    """Why these migrations are not those of the database: it is of a later release, or a file was changed."""
    try:
        _check(await _history(conn), load(folder))
    except MigrationError as error:
        return str(error)
    return None


async def current(conn: AsyncConnection[Any]) -> str | None:
    """The last migration applied."""
    history = await _history(conn)
    return next((f"{version}_{name}" for version, (name, _) in reversed(history.items())), None)


def load(folder: Path) -> list[Migration]:
    """The migrations of a folder, in order. Raises MigrationError for a name that has no place in it."""
    migrations: dict[str, Migration] = {}
    for path in sorted(folder.glob("*.sql")):
        match = NAME.fullmatch(path.name)
        if match is None:
            raise MigrationError(f"{path.name} is not a migration's name. Call it NNNN_what_it_does.sql.")
        migration = Migration(match["version"], match["name"], path.read_text(encoding="utf-8"))
        other = migrations.setdefault(migration.version, migration)
        if other is not migration:
            raise MigrationError(f"{other} and {migration} have the same number. Renumber the one not yet applied.")
    return list(migrations.values())


async def _apply_next(conn: AsyncConnection[Any], migrations: list[Migration]) -> Migration | None:
    async with conn.transaction():
        await conn.execute("select pg_advisory_xact_lock(%s)", [LOCK])
        await conn.execute(HISTORY)
        history = await _history(conn)
        _check(history, migrations)
        migration = next((each for each in migrations if each.version not in history), None)
        if migration is None:
            return None
        # A change that waits for a long query makes all queries behind it wait; rather give up.
        await conn.execute("set local lock_timeout = '10s'")
        # It comes from a file of ours and takes no parameters, so psycopg sends it as it is: many statements.
        await conn.execute(migration.text)
        await conn.execute(
            "insert into schema_migrations (version, name, checksum) values (%s, %s, %s)",
            [migration.version, migration.name, migration.checksum],
        )
    return migration


async def _history(conn: AsyncConnection[Any]) -> dict[str, tuple[str, str]]:
    """Name and checksum of every migration applied, by version."""
    try:
        async with conn.transaction(), conn.cursor(row_factory=tuple_row) as cursor:
            await cursor.execute("select version, name, checksum from schema_migrations order by version")
            return {version: (name, checksum) for version, name, checksum in await cursor.fetchall()}
    except errors.UndefinedTable:
        return {}


def _check(history: dict[str, tuple[str, str]], migrations: list[Migration]) -> None:
    known = {migration.version: migration for migration in migrations}
    for version, (name, checksum) in history.items():
        migration = known.get(version)
        if migration is None:
            raise MigrationError(f"The database has the migration {version}_{name}, of a later release. Install that.")
        if (migration.name, migration.checksum) != (name, checksum):
            raise MigrationError(
                f"{migration} is not what was applied as {version}_{name}. Restore that file, and put the "
                "change into a new migration."
            )
    late = [migration for migration in migrations if migration.version not in history and history]
    if late and late[0].version < max(history):
        raise MigrationError(f"{late[0]} comes before {max(history)}, which is applied already. Give it a new number.")
