"""Compares the service's speed with a minimal FastAPI service for the same routes (rival.py), on the same database.

    python scripts/bench/compare.py [--quick] [--rounds N] [--seconds S] [--json FILE]

Both run as one uvicorn process each, with access logs, and take turns under the same load. Every figure is the median
of the rounds, so that other work of the machine affects both alike. Only ratios mean anything on other machines. Their
PostgreSQL does not wait for the disk.
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
from ticketing.access import bearer
from ticketing.db import embedded, migrate

HERE = Path(__file__).parent
SCENARIOS = ("get", "list", "create", "comment")
CONNECTIONS = 16
TARGET = 1.5
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
                     created_at, updated_at)
select 'support', 'bench', case when i %% 2 = 0 then 'player' end, 'How do I set this up, number ' || i,
       repeat('I have read the guide twice and still do not see where to begin. ', 6), '{setup}',
       '{"app": "4.2.1", "os": "Debian 12"}', requesters[1 + i %% 1980], agents[1 + i %% 20],
       moment, moment
  from people, generate_series(1, %(tickets)s) i,
       lateral (select now() - (%(tickets)s - i) * interval '1 minute' as moment) m;
"""


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
    with embedded.postgres() as url:
        token = prepared(url, options.tickets)
        with running(url) as servers:
            figures = compared(url, token, servers, options)
        statements = counted(url, token, options)
    console.print(table(figures, statements))
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
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="turns of each server in each scenario")
    parser.add_argument("--seconds", type=float, default=4, help="length of a turn")
    parser.add_argument("--tickets", type=int, default=20_000, help="tickets in the database")
    parser.add_argument("--quick", action="store_true", help="one short turn each, to see that it works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds, options.tickets = 1, 0.5, 1000
    return options


def prepared(url: str, tickets: int) -> str:
    """Give the database its schema and content, and return a token that may read and write."""
    token = bearer.new_token()
    asyncio.run(migrate.migrate(url))
    with psycopg.ClientCursor(psycopg.connect(url, autocommit=True)) as cursor:
        cursor.execute(SEED, {"hash": bearer.hash_token(token), "tickets": tickets})
        cursor.execute("vacuum analyze")
        cursor.connection.close()
    return token


# Servers ------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def running(url: str) -> Iterator[tuple[Server, Server]]:
    """Both servers, each in one process, with production logging."""
    ours = ["ticketing", "serve"]
    rival = ["uvicorn", "--app-dir", str(HERE), "rival:app", "--loop", "uvloop", "--http", "httptools"]
    with contextlib.ExitStack() as stack:
        logs = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        yield (
            stack.enter_context(serving("ours", ours, {"TICKETING_DATABASE_URL": url}, logs)),
            stack.enter_context(serving("rival", rival, {"RIVAL_DATABASE_URL": url}, logs)),
        )


@contextlib.contextmanager
def serving(name: str, arguments: list[str], environ: dict[str, str], logs: Path) -> Iterator[Server]:
    """One process of a server, once it answers."""
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
        for scenario in SCENARIOS:
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
    before = _cpu([server.process]), _cpu(postmaster.children())
    load = _load(server, token, scenario, options.tickets, options.seconds)
    after = _cpu([server.process]), _cpu(postmaster.children())
    server_cpu, postgres_cpu = ((y - x) / load["requests"] for x, y in zip(before, after, strict=True))
    return Figures(load["rate"], load["p50"], load["p99"], server_cpu, postgres_cpu, load["errors"])


def _load(server: Server, token: str, scenario: str, tickets: int, seconds: float) -> dict[str, Any]:
    job = {"port": server.port, "token": token, "scenario": scenario, "tickets": tickets}
    job |= {"connections": CONNECTIONS, "seconds": seconds}
    output = subprocess.run([sys.executable, HERE / "load.py", json.dumps(job)], check=True, capture_output=True).stdout
    answer: dict[str, Any] = json.loads(output)
    return answer


def _cpu(processes: list[psutil.Process]) -> float:
    times = [process.cpu_times() for process in processes]
    return float(sum(each.user + each.system for each in times))


def _median(turns: list[Figures]) -> Figures:
    medians = {name: statistics.median(getattr(each, name) for each in turns) for name in Figures.__slots__}
    return Figures(**{**medians, "errors": sum(each.errors for each in turns)})


def counted(url: str, token: str, options: argparse.Namespace) -> dict[str, dict[str, float]]:
    """The number of statements per request of each server, by scenario.

    Outside a transaction block each statement is a transaction, and PostgreSQL counts those of a session at its end. So
    the servers are started just for this, once briefly and once for longer, because starting takes statements too.
    """
    found: dict[str, dict[str, float]] = {}
    with psycopg.connect(url, autocommit=True) as conn:
        for scenario in SCENARIOS:
            found[scenario] = {}
            for number, name in enumerate(("ours", "rival")):
                counts = []
                for seconds in (options.seconds / 4, options.seconds * 5 / 4):
                    before = _transactions(conn)
                    with running(url) as servers:
                        load = _load(servers[number], token, scenario, options.tickets, seconds)
                    counts.append((_transactions(conn) - before, load["requests"]))
                (few, short), (many, long) = counts
                found[scenario][name] = (many - few) / (long - short)
    return found


def _transactions(conn: psycopg.Connection[Any]) -> int:
    row = conn.execute("select xact_commit from pg_stat_database where datname = current_database()").fetchone()
    assert row is not None
    return int(row[0])


def table(figures: dict[str, dict[str, Figures]], statements: dict[str, dict[str, float]]) -> Table:
    """The comparison, for people."""
    shown = Table(title=f"End to end: 1 process each, {CONNECTIONS} connections", title_justify="left")
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
