"""What lists, gets, comments and timelines cost for readers who see few, many or all of a million tickets.

Usage: python scripts/bench/lists.py [--tickets N] [--rounds N] [--url URL]

PostgreSQL runs here, unless a database is given, which is filled if it is empty. Each statement is the one that the
service runs. For each reader and question: milliseconds at the median and at worst, and how many rows and entries of
indexes were read. What a requester with many tickets asks for in another order than theirs still reads all of these.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from ticketing.access.actors import ANONYMOUS, Actor
from ticketing.db import embedded, migrate, pool, sql
from ticketing.rules.tickets import SORTS

Connection = psycopg.AsyncConnection[Any]
Question = Callable[[Connection, Actor], Awaitable[Any]]

PROJECTS = 20
FILTERS = (
    *("project", "type", "status", "resolution", "priority", "severity", "channel", "category", "tags"),
    *("assignee_ids", "requester_ids", "created_since", "created_before", "updated_since", "updated_before"),
    *("external_sources", "external_ids", "words", "numbered", "escalated"),
)
UNFILTERED = dict.fromkeys(FILTERS) | dict.fromkeys(("no_category", "no_assignee", "no_reference"), False)
"""What a list is given without filters."""
FEW, MANY, AGENT = UUID(int=1), UUID(int=2), UUID(int=3)

# Of the tickets 93 % have ended, a tenth is an organization's, 30 % are public, a twentieth is one requester's who
# stopped long ago. A fifth has no category, but of the projects p-1 and p-2 one in 5,000; a tenth was imported. Few are
# spam, and none came from GitHub.
FILL = """
insert into projects (key, name, visibility, ticket_types)
select 'p-' || n, 'x', case when n %% 2 = 0 then 'public' else 'private' end::visibility, '{bug,support}'
  from generate_series(1, %(projects)s) n;
insert into categories (project, key, name)
select 'p-' || n, 'c-' || c, 'x' from generate_series(1, %(projects)s) n cross join generate_series(1, 10) c;
insert into organizations (key, name) values ('acme', 'Acme');
insert into users (id, name, role)
select lpad(to_hex(n), 32, '0')::uuid, 'x', case when n between 3 and 40 then 'agent' else 'requester' end::user_role
  from generate_series(1, 20000) n;
insert into tickets (type, project, category, title, description, status, resolution, resolved_at, closed_at, priority,
                     channel, external_source, external_id, requester_id, assignee_id, organization, visibility,
                     created_at, updated_at)
select 'support', 'p-' || 1 + n %% %(projects)s,
       case when (hashint8(n + 8) & 1048575) %% 5000 >= case when n %% %(projects)s < 2 then 1 else 1000 end
            then 'c-' || 1 + (hashint8(n + 9) & 1048575) %% 10 end,
       'Ticket ' || n, repeat('What happened. ', 20), status,
       case when status < 'resolved' then 'none' when odd = 0 then 'spam' when odd < 50 then 'duplicate'
            when odd < 400 then 'answered' else 'fixed' end::ticket_resolution,
       case when status < 'resolved' then null else moment end, case when status = 'closed' then moment end,
       (array['low', 'normal', 'normal', 'normal', 'high', 'urgent'])[1 + (hashint8(n + 7) & 31) %% 6]::ticket_priority,
       (case when odd %% 10 = 1 then 'import' when odd %% 10 < 5 then 'email' else 'portal' end)::ticket_channel,
       case when odd %% 10 = 1 then 'zendesk:acme' end, case when odd %% 10 = 1 then n::text end,
       lpad(to_hex(case when n %% (%(tickets)s / 5) = 9 then 1 when n <= %(tickets)s / 20 then 2
                        else 50 + (hashint8(n) & 1048575) %% 19900 end), 32, '0')::uuid,
       case when n %% 3 = 0 then lpad(to_hex(3 + (hashint8(n + 1) & 1048575) %% 38), 32, '0')::uuid end,
       case when (hashint8(n + 2) & 1048575) %% 10 = 0 then 'acme' end,
       case when n %% %(projects)s %% 2 = 1 and (hashint8(n + 3) & 1048575) %% 10 < 6
            then 'public' else 'private' end::visibility,
       moment, moment + (hashint8(n + 4) & 1048575) %% 1000000 * interval '1 second'
  from generate_series(1, %(tickets)s) n
 cross join lateral (
    select timestamptz '2020-01-01' + n * interval '1 minute' as moment,
           (hashint8(n + 6) & 1048575) %% 1000 as odd,
           case (hashint8(n + 5) & 1048575) %% 100 when 0 then 'pending' when 1 then 'in_progress'
                when 2 then 'open' when 3 then 'open' when 4 then 'open' when 5 then 'open' when 6 then 'open'
                when 7 then 'resolved' else 'closed' end::ticket_status as status
  ) made;
insert into comments (id, ticket, author_id, body, visibility, created_at)
select gen_random_uuid(), number, requester_id, 'I see.',
       case n when 3 then 'internal' else 'public' end::comment_visibility, created_at + n * interval '1 hour'
  from tickets cross join generate_series(1, 3) n where number %% 10 = 0;
insert into events (id, type, ticket, project, audience, data)
select gen_random_uuid(), 'comment.created', ticket, 'p-1', visibility, '{}' from comments;
vacuum analyze;
"""
READ = """
select coalesce(sum(pg_stat_get_xact_tuples_returned(part.oid)), 0)::int as rows
  from (select oid from pg_class where relname in ('tickets', 'comments', 'events')
        union all select indexrelid from pg_index i join pg_class t on t.oid = i.indrelid
                   where t.relname in ('tickets', 'comments', 'events')) part
"""


def readers() -> dict[str, Actor]:
    """Who asks."""
    few = Actor(id=FEW, requester_id=FEW, role="requester")
    return {
        "requester of 5": few,
        "requester of many old": Actor(id=MANY, requester_id=MANY, role="requester"),
        "colleague": Actor(id=FEW, requester_id=FEW, role="requester", organizations=frozenset({"acme"})),
        "anonymous": ANONYMOUS,
        "agent of 3 projects": Actor(
            id=AGENT, requester_id=AGENT, role="agent", projects=frozenset({"p-1", "p-3", "p-4"})
        ),
        "agent of all": Actor(id=AGENT, requester_id=AGENT, role="agent", everywhere=True),
    }


def listed(sort: str, *, after: Any = None, **filters: Any) -> Question:
    """A page of a list."""
    given: dict[str, Any] = UNFILTERED | filters

    async def ask(conn: Connection, actor: Actor) -> Any:
        place: dict[str, Any] = {
            "after": after,
            "after_number": 1 if after else None,
            "page_size": 26,
            "page_bytes": 2 << 20,
        }
        return await SORTS[sort][0](conn, **actor.viewer(), **given, **place)

    return ask


def questions(tickets: int, number: int) -> dict[str, Question]:
    """What is asked; a number is that of a ticket that the reader sees."""
    middle = datetime.fromtimestamp(datetime(2020, 1, 1, tzinfo=UTC).timestamp() + tickets * 30, UTC)
    page: dict[str, Any] = {"page_size": 26, "page_bytes": 2 << 20}
    return {
        "newest": listed("-created"),
        "newest, from the middle": listed("-created", after=middle),
        "-updated": listed("-updated"),
        "-priority": listed("-priority"),
        "open": listed("-created", status=["open"]),
        "open, -priority": listed("-priority", status=["open"]),
        "of a project": listed("-created", project=["p-1"]),
        "of a project, open, -updated": listed("-updated", project=["p-1"], status=["open"]),
        "of two projects, open or pending": listed("-created", project=["p-1", "p-4"], status=["open", "pending"]),
        "without category": listed("-created", no_category=True),
        "of a project, without category": listed("-created", project=["p-4"], no_category=True),
        "of a project with few of these": listed("-created", project=["p-1"], no_category=True),
        "without or with a category, open": listed(
            "-updated", project=["p-4"], status=["open"], category=["c-3"], no_category=True
        ),
        "without or with an assignee": listed("-created", assignee_ids=[AGENT], no_assignee=True),
        "of two assignees, open": listed("-updated", status=["open"], assignee_ids=[AGENT, UUID(int=4)]),
        "duplicates": listed("-created", resolution=["duplicate"]),
        "spam": listed("-created", resolution=["spam"]),
        "spam of a project, -updated": listed("-updated", project=["p-1"], resolution=["spam"]),
        "by e-mail, open": listed("-created", status=["open"], channel=["email"]),
        "by a word of its title": listed("-created", words="'4711':*"),
        "by a word of every title": listed("-created", words="'tick':*"),
        "by words or a number": listed("-created", words="'4711':*", numbered=4711),
        "escalated": listed("-created", escalated=True),
        "not escalated, open": listed("-created", escalated=False, status=["open"]),
        "from GitHub": listed("-created", channel=["github"]),
        "not imported": listed("-created", no_reference=True),
        "get": lambda conn, actor: sql.tickets.get_ticket(conn, number=number, **actor.viewer()),
        "comments": lambda conn, actor: sql.comments.list_comments(
            conn, ticket=number, **actor.viewer(), after=None, after_id=UUID(int=0), **page
        ),
        "timeline": lambda conn, actor: sql.events.list_ticket_events(
            conn, ticket=number, **actor.viewer(), after=None, **page
        ),
    }


def fill(url: str, tickets: int) -> None:
    """Give an empty database its schema, and so many tickets."""
    asyncio.run(migrate.migrate(url))
    with psycopg.connect(url, autocommit=True) as conn, psycopg.ClientCursor(conn) as cursor:
        if conn.execute("select from tickets limit 1").fetchone() is None:
            print(f"Writing {tickets:,} tickets …", file=sys.stderr)
            for statement in FILL.split(";\n"):
                if statement.strip():
                    cursor.execute(statement.encode(), {"projects": PROJECTS, "tickets": tickets})


async def measure(url: str, tickets: int, rounds: int) -> None:
    """Ask everything, and tell the figures."""
    options = pool.parameters(url) | {"prepare_threshold": pool.PREPARE_AFTER}
    print(f"{'':24}{'':34}{'p50 ms':>8}{'worst':>8}{'items':>7}{'read':>9}")
    async with await psycopg.AsyncConnection.connect(**options, row_factory=dict_row) as conn:
        for reader, actor in readers().items():
            newest: Any = await listed("-created")(conn, actor)
            numbers = [row["number"] for row in newest]
            number = next((number for number in numbers if number % 10 == 0), numbers[0])
            for question, ask in questions(tickets, number).items():
                try:
                    times = [await _timed(ask, conn, actor) for _ in range(rounds + 1)][1:]
                    async with conn.transaction(force_rollback=True):
                        before = await rows_read(conn)
                        found = await ask(conn, actor)
                        rows = await rows_read(conn) - before
                except psycopg.errors.QueryCanceled:
                    print(f"{reader:24}{question:34}  no answer in time")
                    continue
                items = len(found) if isinstance(found, list) else int(found is not None)
                print(
                    f"{reader:24}{question:34}{statistics.median(times):8.2f}{max(times):8.2f}{items:7}{rows:9,}",
                    flush=True,
                )


async def _timed(ask: Question, conn: Connection, actor: Actor) -> float:
    began = time.perf_counter()
    await ask(conn, actor)
    return (time.perf_counter() - began) * 1000


async def rows_read(conn: Connection) -> int:
    """How many rows and entries of indexes this transaction has read so far."""
    row: Any = await (await conn.execute(READ.encode())).fetchone()
    return int(row["rows"])


@contextmanager
def database(url: str | None) -> Iterator[str]:
    """The one that is given, or one of its own."""
    if url:
        yield url
    else:
        with embedded.postgres() as own:
            yield own


def main() -> None:
    """Fill, and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tickets", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--url", help="a database to use; filled if it is empty")
    chosen = parser.parse_args()
    with database(chosen.url) as url:
        fill(url, chosen.tickets)
        asyncio.run(measure(url, chosen.tickets, chosen.rounds))


if __name__ == "__main__":
    main()
