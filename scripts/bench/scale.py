"""What the portal asks for takes over HTTP with 10,000 tickets and with a million, for each kind of reader.

    make bench-scale                                            fills both databases, and takes some minutes
    make bench-scale ARGS='--tickets 100000 --rounds 10'        sooner
    make bench-scale ARGS='--small URL --large URL'             databases that `make corpus` has filled

A worker first writes the documents of both, which takes a quarter of an hour for a million. Then there is one process
of `ticketing serve` for each, and one connection that sends one request after another. Both are asked in turn, so that
other work of the machine affects both alike. A search that is given up (422) takes for ever. The last lines are tickets
opened and comments written.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import http.client
import json
import math
import os
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from rich.console import Console
from rich.table import Table

import compare
import corpus
from load import BODIES
from ticketing.db import embedded

TARGET_MS = {"search": 125, "counters": 45, "similar": 25}
"""At p95; 30 for all else."""
UNFINISHED = "status=open,in_progress,pending"
SORTS = ("-created", "created", "-updated", "updated", "-priority", "priority")
DESK = {
    "all": "",
    "unfinished": UNFINISHED,
    "closed": "status=closed",
    "mine": f"{UNFINISHED}&assignee=me",
    "unassigned": f"{UNFINISHED}&assignee=none",
    "mine or unassigned": f"{UNFINISHED}&assignee=me,none",
    "of a project": f"{UNFINISHED}&project=project-2",
    "closed of a project": "status=closed&project=project-2",
    "bugs": f"{UNFINISHED}&type=bug",
    "urgent": f"{UNFINISHED}&priority=urgent",
    "high or urgent": f"{UNFINISHED}&priority=high,urgent",
    "critical": f"{UNFINISHED}&severity=critical",
    "in a category": f"{UNFINISHED}&project=project-2&category=category-3",
    "without category": f"{UNFINISHED}&category=none",
    "with a common tag": "tag=tag-1",
    "with a rare tag": f"tag={corpus.RARE_TAG}",
    "of a requester": f"requester={corpus.MANY}",
    "escalated": f"{UNFINISHED}&escalated=true",
    "by a rare word": "title=quasar",
    "by a common word": f"{UNFINISHED}&title=player",
}
"""What agents filter by, as the desk asks for it."""
SUPPORT = {
    "mine, open": f"{UNFINISHED}&requester=me",
    "mine": "requester=me",
    "mine, of a project": f"{UNFINISHED}&requester=me&project=project-2",
    "everybody's, open": UNFINISHED,
    "everybody's": "",
    "everybody's, of a project": "project=project-2",
    "everybody's, by a word": "title=player",
}
"""What requesters ask for."""
SEARCHES = {
    "no hit": "zzyzxq",
    "rare word": corpus.RARE_WORD,
    "internal word": corpus.HUSHED_WORD,
    "common word": "transcoding",
    "very common word": "player",
    "commonest word": "the",
    "two words": "player error",
    "two common words": "with when",
    "phrase": '"when the"',
    "beginning": "transc*",
    "common beginning": "co*",
    "word but not another": "player -error",
    "old only": f"{corpus.RARE_WORD} created:<2023-01-01",
    "number": "4711",
    "word, newest first": "player sort:-created",
    "rare word by priority": f"{corpus.RARE_WORD} sort:-priority",
    "word by priority": "player sort:-priority",
    "word, open": "player status:open,in_progress,pending",
    "word, mine": "player assignee:me",
    "word, of a project": "player project:project-2",
    "word, tag": "player tag:tag-300",
    "word, month": "player created:>=2024-01-01 created:<2024-02-01",
    "rare word, open": f"{corpus.RARE_WORD} status:open,in_progress,pending",
}
"""What everybody looks for."""
SIMILAR = {
    "project": "project-2",
    "title": "Playback stops after a minute on the television",
    "description": "It plays for about a minute, then the picture freezes and the sound goes on.",
}
"""What somebody is about to open, as the portal sends it while they type."""
READERS = {
    "agent of all": (corpus.AGENT, None, DESK, SORTS),
    "agent of 3 projects": (corpus.RESTRICTED_AGENT, None, DESK, SORTS),
    "token of 1 project": (corpus.AGENT, ["project-20"], DESK, SORTS),
    "requester of 5": (corpus.FEW, None, SUPPORT, ("-updated",)),
    "requester of many old": (corpus.MANY, None, SUPPORT, ("-updated",)),
    "colleague of a tenth": (corpus.COLLEAGUE, None, SUPPORT, ("-updated",)),
}


@dataclass(slots=True)
class Client:
    """One connection to a service, and the token of each reader there."""

    connection: http.client.HTTPConnection
    tokens: dict[str, str]
    tickets: int

    def timed(self, reader: str, method: str, path: str, body: Any = None) -> float:
        """Milliseconds until the whole answer is there."""
        headers = {"Content-Type": "application/json"}
        headers["Authorization"] = f"Bearer {self.tokens[reader]}"
        if body is not None:
            headers["Idempotency-Key"] = str(uuid.uuid4())
        began = time.perf_counter()
        self.connection.request(method, f"/api/v1{path}", json.dumps(body) if body else None, headers)
        answer = self.connection.getresponse()
        answer.read()
        if answer.status == 422:
            return math.inf
        if answer.status >= 300:
            sys.exit(f"{reader}: {method} {path} was answered with {answer.status}.")
        return (time.perf_counter() - began) * 1000


def main() -> None:
    """Fill, serve, measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tickets", type=int, default=1_000_000, help="in the large database (default: 1,000,000)")
    parser.add_argument("--rounds", type=int, default=20, help="requests of each kind (default: 20)")
    parser.add_argument("--small", metavar="URL", help="a database with few tickets")
    parser.add_argument("--large", metavar="URL", help="a database with many")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here")
    chosen = parser.parse_args()
    with contextlib.ExitStack() as stack:
        small = stack.enter_context(client(chosen.small, 10_000))
        large = stack.enter_context(client(chosen.large, chosen.tickets))
        figures = measured(small, large, chosen.rounds)
    Console(width=110).print(table(figures, small.tickets, large.tickets))
    if chosen.json:
        chosen.json.write_text(json.dumps(figures, indent=2) + "\n")


@contextlib.contextmanager
def client(given: str | None, tickets: int) -> Iterator[Client]:
    """A service on a database, and a connection to it."""
    with contextlib.ExitStack() as stack:
        url = given or stack.enter_context(embedded.postgres())
        if not given:
            say: Any = lambda text: print(text, file=sys.stderr, flush=True)  # noqa: E731
            corpus.fill(url, corpus.Plan(tickets), processes=os.cpu_count() or 1, say=say)
            say("Writing documents …")
        asyncio.run(compare.index(url))
        tokens = {name: corpus.new_token(url, who, limits=limits) for name, (who, limits, *_) in READERS.items()}
        with psycopg.connect(url) as conn:
            row: Any = conn.execute("select max(number) from tickets").fetchone()
        logs = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(
            compare.serving("ours", ["ticketing", "serve"], {"TICKETING_DATABASE_URL": url}, logs)
        )
        connection = stack.enter_context(contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port)))
        yield Client(connection, tokens, row[0])


Figures = dict[str, dict[str, list[float]]]


def measured(small: Client, large: Client, rounds: int) -> Figures:
    """p50 and p95 of each question, for the small and the large database."""
    found: Figures = {}
    for reader, (_, _, questions, sorts) in READERS.items():
        found[reader] = {}
        for name, query in questions.items():
            for sort in sorts:
                path = f"/tickets?sort={sort}" + (f"&{query}" if query else "")
                found[reader][f"{name}, {sort}"] = _pair(small, large, rounds, reader, "GET", path)
        for name, q in SEARCHES.items():
            path = f"/tickets?q={quote(q)}&include=matches"
            found[reader][f"search: {name}"] = _pair(small, large, rounds, reader, "GET", path)
        found[reader]["counters"] = _pair(small, large, rounds, reader, "GET", "/view-counts")
        found[reader]["similar"] = _pair(small, large, rounds, reader, "POST", "/tickets/similar", SIMILAR)
    agent = next(iter(READERS))
    body = BODIES["create"] | {"project": "project-1", "category": "category-1"}
    path = f"/tickets/{small.tickets}/comments"
    found["writes"] = {
        "open a ticket": _pair(small, large, rounds * 10, agent, "POST", "/tickets", body),
        "comment": _pair(small, large, rounds * 10, agent, "POST", path, BODIES["comment"]),
    }
    return found


def _pair(small: Client, large: Client, rounds: int, *request: Any) -> list[float]:
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(rounds + 2):
        for service, taken in zip((small, large), times, strict=True):
            took = service.timed(*request)
            if turn >= 2:
                taken.append(took)
    return [figure for taken in times for figure in (statistics.median(taken), sorted(taken)[len(taken) * 95 // 100])]


def table(figures: Figures, small: int, large: int) -> Table:
    """The figures, for people."""
    shown = Table(title="Lists over HTTP: milliseconds, one process, one connection", title_justify="left")
    shown.add_column("")
    shown.add_column("")
    for count in (small, large):
        shown.add_column(f"{count:,}: p50", justify="right")
        shown.add_column("p95", justify="right")
    for reader, questions in figures.items():
        for place, (question, row) in enumerate(questions.items()):
            style = "red" if row[3] > TARGET_MS.get(question.partition(":")[0], 30) else "none"
            last = place == len(questions) - 1
            shown.add_row(reader, question, *(f"[{style}]{each:.1f}[/]" for each in row), end_section=last)
    return shown


if __name__ == "__main__":
    main()
