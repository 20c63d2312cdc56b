"""The chaos suite can fail: what commits first and sends then is seen to lose, and the books find what is planted."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from chaos import accounting, orders
from chaos.accounting import Span
from chaos.faults import Target, all_faults
from chaos.injector import Inflicted
from chaos.journal import Acknowledgement, Journal
from chaos.run import Plan, run

pytestmark = pytest.mark.usefixtures("unmeasured")


@pytest.mark.database
@pytest.mark.slow
def test_commit_then_send_is_seen_to_lose() -> None:
    outcome = run(Plan(seconds=5, faults=2, seed=7, naive=True, only="Valkey: kill", rate=40, quiet=3))
    lost = {entry.what: entry.wrong for entry in outcome.entries}
    assert lost["acknowledged orders without effect"] > 0
    assert outcome.lost


@pytest.fixture
def conn(new_database: Callable[..., str]) -> Any:
    with psycopg.connect(new_database(), autocommit=True, row_factory=dict_row) as conn:
        conn.execute(orders.SCHEMA)
        yield conn


def wrong(entries: list[accounting.Entry]) -> set[str]:
    return {entry.what for entry in entries if entry.wrong}


def test_the_books_find_an_order_without_effect_and_one_with_two(conn: accounting.Database) -> None:
    done, twice, never = (uuid.uuid4() for _ in range(3))
    for order in (done, twice, twice):
        conn.execute("insert into chaos_effects (order_id) values (%s)", [order])
    assert wrong(accounting.orders(conn, [done])) == {"orders with two effects"}
    assert wrong(accounting.orders(conn, [done, never])) == {
        "orders with two effects",
        "acknowledged orders without effect",
    }


def test_the_books_find_a_write_that_is_not_there(conn: accounting.Database, tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.acknowledge(Acknowledgement("ticket", 1, "never written"))
    journal.acknowledge(Acknowledgement("comment", 1, "neither", str(uuid.uuid4())))
    acknowledged = list(journal.acknowledgements())
    journal.close()
    assert wrong(accounting.writes(conn, acknowledged)) == {
        "acknowledged tickets missing",
        "acknowledged comments missing, or other than acknowledged",
        "acknowledged writes without exactly one event",
    }


@pytest.mark.parametrize(
    ("seen", "found"),
    [
        (["a", "b", "c"], ""),
        (["a", "c"], "missed"),
        (["a", "b", "b", "c"], "saw twice"),
        (["b", "a", "c"], "saw out of order"),
    ],
)
def test_the_books_find_what_a_reader_missed_or_mixed_up(seen: list[str], found: str) -> None:
    expected = {f"events that a reader of pages {found}"} if found else set()
    assert wrong(accounting.read("pages", seen, ["a", "b", "c"])) == expected


@pytest.mark.parametrize(
    ("target", "due", "done", "is_late"),
    [
        ("worker", 50, 57, False),
        ("worker", 50, 60, True),  # After the fault there is no excuse,
        ("worker", 12, 60, True),  # nor is there one for ever,
        ("worker", 12, 50, False),  # but until the lost message is sent again.
        ("worker", 30, 50, False),
        ("valkey", 12, 50, True),
        ("receiver", 12, 25, True),
    ],
)
def test_the_books_find_what_was_done_too_late(target: Target, due: float, done: float, is_late: bool) -> None:
    fault = Inflicted("a fault", target, began=10, mended=20, recovery=10)
    entry = accounting.late("late", [Span("a job", due + 1000, done + 1000)], [fault], wall=1000)
    assert (entry.wrong, entry.of) == (int(is_late), 1)


def test_what_has_no_end_is_not_late_but_missing(conn: accounting.Database) -> None:
    done, never = uuid.uuid4(), uuid.uuid4()
    conn.execute(
        "insert into chaos_orders (id, placed_at) values (%s, now() - interval '9 s'), (%s, now())", [done, never]
    )
    conn.execute("insert into chaos_effects (order_id) values (%s), (%s)", [done, done])
    (span,) = accounting.fulfilled(conn)
    assert span.what == f"{done} (no attempt failed)"
    assert accounting.late("late", [span], [], wall=0).wrong == 1


def test_what_died_with_a_poison_job_has_the_time_that_is_promised_after_a_dead_worker(
    conn: accounting.Database,
) -> None:
    order = uuid.uuid4()
    conn.execute("insert into chaos_orders (id, placed_at) values (%s, now() - interval '20 s')", [order])
    conn.execute("insert into chaos_effects (order_id) values (%s)", [order])
    for kind, args in (("chaos.effect", {"order": str(order)}), ("chaos.poison", {})):
        conn.execute("select enqueue_job(%s, %s)", [kind, Jsonb(args)])
    conn.execute("update jobs set errors = with_error(errors, 1, 'its lease ended')")
    wall = time.time() - time.monotonic()
    (span,) = accounting.fulfilled(conn)
    assert span.what == f"{order} (its lease ended)"
    assert accounting.late("late", [span], [], wall).wrong == 1
    assert accounting.late("late", [span], accounting.poisoned(conn, 5, wall), wall).wrong == 0


def test_faults_have_names_of_their_own() -> None:
    names = [fault.name for fault in all_faults(lease=5)]
    assert len(names) == len(set(names)) >= 25
