"""Imports that follow others: whether a ticket is open or closed, of which here and there may differ."""

from __future__ import annotations

import asyncio
from pathlib import Path

import uuid_utils.compat as uuids
from psycopg import AsyncConnection
from test_import_again import notes
from test_import_github import Database, closed, imported, issue, own, written

from ticketing.db import pool, sql

__all__ = ["own"]

OPEN = "status = 'open', resolution = 'none', resolved_at = null, closed_at = null"
CLOSED = "it is open there and was closed here, and stays closed"
REOPENED = "it is closed there and was reopened here, and stays open"
RESOLVED = "status = 'resolved', resolution = 'fixed', resolved_at = now(), closed_at = null"


def close_resolved(url: str) -> None:
    """Close what is resolved, as the service does by itself after some days."""

    async def close() -> None:
        async with await AsyncConnection.connect(**pool.patient(url)) as conn:
            ids = [uuids.uuid7()]
            await sql.tickets.close_resolved_tickets(conn, event_ids=ids, days=0)

    asyncio.run(close())


def status(conn: Database) -> list[str]:
    rows = conn.execute("select status::text as status from tickets order by external_id").fetchall()
    return [row["status"] for row in rows]


def test_what_the_service_closed_by_itself_is_not_reopened(own: tuple[str, Database], tmp_path: Path) -> None:
    url, conn = own
    imported(url, written(tmp_path, [issue(1)]), "player")
    conn.execute(f"update tickets set {RESOLVED}".encode())
    close_resolved(url)
    report = imported(url, written(tmp_path, [issue(1, updatedAt="2024-05-01T09:00:00Z")]), "player")
    assert (report["unchanged"], notes(report), status(conn)) == (1, {CLOSED: ["1"]}, ["closed"])


def test_what_the_service_closed_after_an_import_had_is_not_reopened(own: tuple[str, Database], tmp_path: Path) -> None:
    url, conn = own
    imported(url, written(tmp_path, [issue(1, **closed())]), "player")
    conn.execute(f"update tickets set {RESOLVED}".encode())
    close_resolved(url)
    report = imported(url, written(tmp_path, [issue(1, updatedAt="2024-05-01T09:00:00Z")]), "player")
    assert (report["unchanged"], notes(report), status(conn)) == (1, {CLOSED: ["1"]}, ["closed"])


def test_who_closed_and_reopened_is_known_when_the_events_have_expired(
    own: tuple[str, Database], tmp_path: Path
) -> None:
    url, conn = own
    imported(url, written(tmp_path, [issue(n, **closed()) for n in (1, 2, 3)]), "player")
    conn.execute(f"update tickets set {OPEN} where external_id in ('2', '3')".encode())
    conn.execute("delete from events")
    later = closed("2024-06-01T09:00:00Z")
    after = [issue(1, updatedAt="2024-05-01T09:00:00Z"), issue(2, **closed()), issue(3, **later)]
    report = imported(url, written(tmp_path, after), "player")
    assert (report["updated"], report["different"], notes(report)) == (2, 1, {REOPENED: ["2"]})
    assert status(conn) == ["open", "open", "closed"]
