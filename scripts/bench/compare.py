"""Compares the service's speed with a minimal FastAPI service for the same routes (rival.py).

    make bench
    make bench ARGS='--durable --workers 2'
    make bench ARGS='--scenarios queue,search --json FILE'

Both run under uvicorn, with access logs, and take turns under the same load. Every figure is the median of the rounds,
so that other work of the machine affects both alike. Only ratios mean anything on other machines. Each has a database
of its own with the same tickets, in one PostgreSQL: ours with all that it keeps, the rival's with the tables and the
indexes that its statements need, and nothing else.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import psycopg
from rich.console import Console
from rich.table import Table

import contract_layer
import corpus
from ticketing.access import bearer
from ticketing.db import embedded, migrate, pool
from ticketing.search import documents

HERE = Path(__file__).parent
SCENARIOS = ("get", "list", "queue", "search", "create", "comment")
CONNECTIONS = 16
TARGET = 2
SEED = """
insert into users (id, name, email, role)
select gen_random_uuid(), 'Person ' || i, 'person' || i || '@example.com',
       case when i <= 20 then 'agent' else 'requester' end::user_role
  from generate_series(1, 2000) i;

insert into tokens (id, user_id, name, hash, prefix, scopes)
select gen_random_uuid(), id, 'bench', %(hash)s, 'tkt_bench', '{tickets:read,tickets:write}'
  from users where name = 'Person 1';

insert into projects (key, name, visibility, ticket_types)
values ('bench', 'Bench', 'public', '{bug,feature_request,support}');
insert into categories (project, key, name) values ('bench', 'player', 'Player');

with people as (select array_agg(id order by name) filter (where role = 'agent') as agents,
                       array_agg(id order by name) filter (where role = 'requester') as requesters from users)
insert into tickets (type, project, category, title, description, tags, environment, requester_id, assignee_id,
                     status, resolution, created_at, updated_at, resolved_at, closed_at)
select 'support', 'bench', case when i %% 2 = 0 then 'player' end,
       'How do I set the ' || words[1 + i * 7 %% cardinality(words)] || ' up, number ' || i,
       repeat('I have read the guide twice and still do not see where to begin. ', 5)
       || 'It ends with ' || words[1 + i * 11 %% cardinality(words)] || '.', '{setup}',
       '{"app": "4.2.1", "os": "Debian 12"}', requesters[1 + i %% 1980], agents[1 + i %% 20],
       case when open then 'open' else 'closed' end::ticket_status,
       case when open then 'none' else 'answered' end::ticket_resolution,
       moment, moment, case when not open then moment end, case when not open then moment end
  from people, (select %(words)s::text[] as words) w, generate_series(1, %(tickets)s) i,
       lateral (select now() - (%(tickets)s - i) * interval '1 minute' as moment, i / 20 %% 14 = 0 as open) m;
"""
RIVAL = """
create index on tickets (created_at desc, number desc);
create index on tickets (assignee_id, created_at desc, number desc) where status in ('open', 'in_progress', 'pending');
create index on tickets using gin (to_tsvector('english', title || ' ' || description));
create index on comments (ticket, created_at);
"""
"""What a person who writes that service by hand would create."""


@dataclass(frozen=True, slots=True)
class Server:
    """One of the two, running."""

    name: str
    port: int
    process: psutil.Process


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one turn under load, or the median of several: seconds, per request except `rate`."""

    rate: float
    p50: float
    p99: float
    server_cpu: float
    postgres_cpu: float
    errors: int


def main() -> None:
    """Run everything, print the tables, and fail if any request failed."""
    options = _arguments()
    console = Console(width=110)
    layer = contract_layer.compare(rounds=options.rounds)
    console.print(contract_layer.table(layer))
    with database(durable=options.durable) as url:
        token = prepared(url, options.tickets)
        rival_url = rivals(url)
        with running(url, rival_url, options.workers) as servers:
            figures = compared(url, token, servers, options)
        statements = counted(url, rival_url, token, options)
    console.print(table(figures, statements, options))
    if options.json:
        end_to_end = {
            scenario: {name: asdict(each) for name, each in both.items()} for scenario, both in figures.items()
        }
        found = {"contract_layer": layer, "end_to_end": end_to_end, "statements": statements}
        options.json.write_text(json.dumps(found, indent=2) + "\n")
    errors = sum(each.errors for both in figures.values() for each in both.values())
    if errors:
        sys.exit(f"{errors} requests failed.")


def _arguments() -> argparse.Namespace:
    summary, _, more = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=more, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="turns of each server in each scenario")
    parser.add_argument("--seconds", type=float, default=4, help="length of a turn")
    parser.add_argument("--tickets", type=int, default=20_000, help="tickets in the database")
    parser.add_argument("--workers", type=int, default=1, help="processes of each server")
    parser.add_argument("--durable", action="store_true", help="PostgreSQL waits for the disk at each commit")
    parser.add_argument("--scenarios", type=lambda text: text.split(","), default=SCENARIOS, metavar="A,B")
    parser.add_argument("--quick", action="store_true", help="one short turn each, to see that it works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds, options.tickets = 1, 0.5, 1000
    return options


@contextlib.contextmanager
def database(*, durable: bool) -> Iterator[str]:
    """An empty PostgreSQL."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        with embedded.postgres(Path(folder) if durable else None) as url:
            yield url


def prepared(url: str, tickets: int) -> str:
    """Give the database its schema and content, and return a token that may read and write."""
    token = bearer.new_token()
    asyncio.run(migrate.migrate(url))
    with psycopg.ClientCursor(psycopg.connect(url, autocommit=True)) as cursor:
        cursor.execute(SEED, {"hash": bearer.hash_token(token), "tickets": tickets, "words": rare_words()})
        asyncio.run(index(url))
        cursor.execute("vacuum analyze")
        cursor.connection.close()
    return token


async def index(url: str) -> None:
    """Write the documents of all tickets, as a worker does."""
    async with pool.connected(url, 2):
        while await documents.follow():
            pass


def rare_words() -> list[str]:
    """Words that are searched for: each is in two tickets of a thousand."""
    return corpus.words()[0][600:1600]


def rivals(url: str) -> str:
    """Copy what there is into a database of the rival's, without what only ours needs, and return its URL."""
    own = url.replace("/ticketing?", "/rival?")
    with psycopg.connect(url.replace("/ticketing?", "/postgres?"), autocommit=True) as conn:
        conn.execute("create database rival template ticketing")
    with psycopg.connect(own, autocommit=True) as conn:
        dropped = conn.execute(
            """select i.indexrelid::regclass::text from pg_index i
                where i.indrelid in ('tickets'::regclass, 'comments'::regclass) and not i.indisprimary
                  and not exists (select from pg_constraint c where c.conindid = i.indexrelid)"""
        )
        for (name,) in dropped.fetchall():
            conn.execute(f"drop index {name}")
        for statement in RIVAL.strip().split(";\n"):
            conn.execute(statement)
        conn.execute("vacuum analyze")
    return own


# Servers ------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def running(url: str, rival_url: str, workers: int) -> Iterator[tuple[Server, Server]]:
    """Both servers, each in that many processes, with production logging."""
    ours = ["ticketing", "serve"]
    rival = ["uvicorn", "--app-dir", str(HERE), "rival:app", "--loop", "uvloop", "--http", "httptools"]
    for command in (ours, rival):
        command += ["--workers", str(workers)]
    with contextlib.ExitStack() as stack:
        logs = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        yield (
            stack.enter_context(serving("ours", ours, {"TICKETING_DATABASE_URL": url}, logs)),
            stack.enter_context(serving("rival", rival, {"RIVAL_DATABASE_URL": rival_url}, logs)),
        )


@contextlib.contextmanager
def serving(name: str, arguments: list[str], environ: dict[str, str], logs: Path) -> Iterator[Server]:
    """A server, once it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", *arguments, "--port", str(port)]
    with (logs / f"{name}.log").open("w+") as log:
        process = subprocess.Popen(command, env={**os.environ, **environ}, stdout=log, stderr=log)
        try:
            _await_answer(port, process, Path(log.name))
            yield Server(name, port, psutil.Process(process.pid))
        finally:
            process.terminate()
            process.wait()


def _await_answer(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/tickets/1", timeout=5)
        except urllib.error.HTTPError:  # It answered a request without a token, so it is up.
            return
        except OSError:
            time.sleep(0.1)
    sys.exit(f"A server did not start:\n{log.read_text()}")


# Turns --------------------------------------------------------------------------------------------------------------


def compared(
    url: str, token: str, servers: tuple[Server, Server], options: argparse.Namespace
) -> dict[str, dict[str, Figures]]:
    """The median figures of each server, by scenario."""
    found: dict[str, dict[str, Figures]] = {}
    with psycopg.connect(url, autocommit=True) as conn:
        for scenario in options.scenarios:
            turns: dict[str, list[Figures]] = {server.name: [] for server in servers}
            for server in servers:
                _load(server, token, scenario, options.tickets, options.seconds / 4)
            for _ in range(options.rounds):
                for server in servers:
                    turns[server.name].append(turn(conn, server, token, scenario, options))
            found[scenario] = {name: _median(each) for name, each in turns.items()}
    return found


def turn(
    conn: psycopg.Connection[Any], server: Server, token: str, scenario: str, options: argparse.Namespace
) -> Figures:
    """Load a server for a while."""
    postmaster = psutil.Process(conn.info.backend_pid).parent()
    assert postmaster is not None
    before = _cpu(_processes(server)), _cpu(postmaster.children())
    load = _load(server, token, scenario, options.tickets, options.seconds)
    after = _cpu(_processes(server)), _cpu(postmaster.children())
    server_cpu, postgres_cpu = ((y - x) / load["requests"] for x, y in zip(before, after, strict=True))
    return Figures(load["rate"], load["p50"], load["p99"], server_cpu, postgres_cpu, load["errors"])


def _load(server: Server, token: str, scenario: str, tickets: int, seconds: float) -> dict[str, Any]:
    job = {"port": server.port, "token": token, "scenario": scenario, "tickets": tickets, "words": rare_words()}
    job |= {"connections": CONNECTIONS, "seconds": seconds}
    output = subprocess.run([sys.executable, HERE / "load.py", json.dumps(job)], check=True, capture_output=True).stdout
    answer: dict[str, Any] = json.loads(output)
    return answer


def _processes(server: Server) -> list[psutil.Process]:
    return [server.process, *server.process.children(recursive=True)]


def _cpu(processes: list[psutil.Process]) -> float:
    times = [process.cpu_times() for process in processes]
    return float(sum(each.user + each.system for each in times))


def _median(turns: list[Figures]) -> Figures:
    medians = {name: statistics.median(getattr(each, name) for each in turns) for name in Figures.__slots__}
    return Figures(**{**medians, "errors": sum(each.errors for each in turns)})


def counted(url: str, rival_url: str, token: str, options: argparse.Namespace) -> dict[str, dict[str, float]]:
    """The number of statements per request of each server, by scenario.

    Outside a transaction block each statement is a transaction, and PostgreSQL counts those of a session at its end. So
    the servers are started just for this, once briefly and once for longer, because starting takes statements too.
    """
    found: dict[str, dict[str, float]] = {}
    with psycopg.connect(url, autocommit=True) as conn:
        for scenario in options.scenarios:
            found[scenario] = {}
            for number, name in enumerate(("ours", "rival")):
                counts = []
                for seconds in (options.seconds / 4, options.seconds * 5 / 4):
                    before = _transactions(conn)
                    with running(url, rival_url, 1) as servers:
                        load = _load(servers[number], token, scenario, options.tickets, seconds)
                    counts.append((_transactions(conn) - before, load["requests"]))
                (few, short), (many, long) = counts
                found[scenario][name] = (many - few) / (long - short)
    return found


def _transactions(conn: psycopg.Connection[Any]) -> int:
    row = conn.execute(
        "select sum(xact_commit) from pg_stat_database where datname in ('ticketing', 'rival')"
    ).fetchone()
    assert row is not None
    return int(row[0])


def table(
    figures: dict[str, dict[str, Figures]], statements: dict[str, dict[str, float]], options: argparse.Namespace
) -> Table:
    """The comparison, for people."""
    title = (
        f"End to end: processes of each: {options.workers}, connections: {CONNECTIONS}, tickets: {options.tickets:,}"
    )
    shown = Table(title=title + (", durable" if options.durable else ""), title_justify="left")
    shown.add_column("")
    for heading in ("requests/s", "p50 ms", "p99 ms", "server µs CPU", "PostgreSQL µs CPU", "statements", "errors"):
        shown.add_column(heading, justify="right")
    for scenario, both in figures.items():
        for name, each in both.items():
            shown.add_row(
                f"{scenario}, {name}",
                f"{each.rate:,.0f}",
                f"{each.p50 * 1e3:.2f}",
                f"{each.p99 * 1e3:.2f}",
                f"{each.server_cpu * 1e6:.0f}",
                f"{each.postgres_cpu * 1e6:.0f}",
                f"{statements[scenario][name]:.2f}",
                str(each.errors),
            )
        ratio = both["ours"].rate / both["rival"].rate
        style = "green" if ratio >= TARGET else "red"
        shown.add_row("", f"[{style}]{ratio:.2f} ×[/{style}]", end_section=True)
    return shown


if __name__ == "__main__":
    main()
