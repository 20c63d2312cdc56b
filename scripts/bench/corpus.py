"""Fills a database with tickets as an installation has them after years: words, people, states and ages are skewed.

    make corpus N=1000000                                   a million tickets and two million comments, in .corpus
    make up ARGS='--home .corpus'                           … and the portal on them
    make corpus N=10000 ARGS='--home /tmp/small --seed 2'   others, elsewhere
    make corpus N=1000000 ARGS='--comments 5'               five comments a ticket, on average
    make corpus ARGS='--url postgresql://me@db/corpus'      100,000 tickets in a database of yours

The database must be empty; it gets its schema here. The same options give the same content with every release that has
the same generator, whatever the machine. 93 % of the tickets have ended, most words are rare, 15 % of the comments are
internal. The log has the events of the newest tickets only, as where TICKETING_EVENT_DAYS is set.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import random
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

from ticketing.access import bearer
from ticketing.db import embedded, migrate
from ticketing.ground.refused import Refused

HOME = Path(".corpus")
BATCH = 5_000
"""Tickets that are made at once. Each batch has its own random numbers, so that several processes can make them."""
SINCE = datetime(2020, 11, 1, tzinfo=UTC)
SPAN = timedelta(days=6 * 365)
"""When the first ticket was opened, and how much later the last."""

PROJECTS = 20
PUBLIC = (2, 4, 7)
CATEGORIES = 10
ORGANIZATIONS = 300
AGENTS = 40
TAGS = 500
WORDS = 40_000
"""Words that there are: those of the file first, and made-up ones, which are rare."""


def person(number: int) -> UUID:
    """The id of a person: 0 is an admin, agents begin with 1, and requesters with 100."""
    return UUID(f"00000000-0000-7000-8000-{number:012x}")


# The first of each role have the addresses of the demo's people, so that `ticketing up` lets one sign in as them.
ADMIN, AGENT, RESTRICTED_AGENT = person(0), person(1), person(AGENTS)
FEW, MANY, COLLEAGUE = person(100), person(101), person(102)
"""A requester of five tickets, one of a twentieth of all who stopped years ago, and one of the largest organization."""
OPENED_OFTEN = (FEW, MANY, COLLEAGUE)
FIRST_REQUESTER = 100
LARGE = "acme"
"""The organization of a tenth of all tickets."""
RESTRICTED = ("project-1", "project-3", "project-5")
"""What the agents staff that do not staff everything."""
RARE_TAG, RARE_WORD, HUSHED_WORD = "heisenbug", "quasarite", "hushword"
"""A tag and a word of seven tickets; and a word that stands in internal comments alone."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What decides on the content."""

    tickets: int
    comments: float = 2
    """A ticket, on average."""
    seed: int = 1

    @property
    def requesters(self) -> int:
        """How many people open tickets."""
        return max(self.tickets // 20, 200)


# Texts --------------------------------------------------------------------------------------------------------------


@cache
def words() -> tuple[list[str], list[float]]:
    """All words, the commonest first, and their cumulated weights (Zipf and Mandelbrot's law)."""
    common = list(dict.fromkeys((Path(__file__).parent / "words.txt").read_text().split()))
    draw = random.Random("words")  # noqa: S311
    starts = (*"bcdfghklmnprstvw", "br", "ch", "dr", "gl", "pr", "qu", "st", "tr")
    middles, ends = "aeiou", (*"nrlmx", "st")
    made = dict.fromkeys(common)
    while len(made) < WORDS:
        syllables = (draw.choice(starts) + draw.choice(middles) for _ in range(draw.choice((2, 2, 3, 3, 4))))
        made["".join(syllables) + draw.choice(ends)] = None
    return list(made), list(accumulate(1 / (rank + 3.7) ** 1.02 for rank in range(WORDS)))


def text(draw: random.Random, mean: float, least: int) -> str:
    """About so many words."""
    known, weights = words()
    return " ".join(draw.choices(known, cum_weights=weights, k=max(int(draw.gammavariate(2.0, mean / 2)), least)))


# Rows ---------------------------------------------------------------------------------------------------------------

PROJECT_WEIGHTS = list(accumulate(1 / (n + 1.5) for n in range(PROJECTS)))
TAG_WEIGHTS = list(accumulate(1 / (n + 8) ** 0.9 for n in range(TAGS)))
PROJECT_KEYS = [f"project-{n}" for n in range(1, PROJECTS + 1)]
TAG_NAMES = [f"tag-{n}" for n in range(1, TAGS + 1)]
TYPES = ("bug", "support", "feature_request")
OPEN_STATES, RESOLUTIONS = (
    ("open", "in_progress", "pending"),
    ("fixed", "answered", "shipped", "wont_fix", "duplicate", "spam"),
)
PRIORITIES, SEVERITIES = ("normal", "high", "low", "urgent"), ("medium", "low", "high", "critical", "none")
CHANNELS = ("portal", "email", "api")
NULL = r"\N"

TICKET_COLUMNS = (
    *("number", "id", "type", "project", "category", "title", "description", "status", "resolution", "priority"),
    *("severity", "tags", "environment", "channel", "requester_id", "assignee_id", "organization", "visibility"),
    *("external_source", "external_id", "created_at", "updated_at", "resolved_at", "closed_at"),
)
COMMENT_COLUMNS = ("id", "ticket", "author_id", "body", "visibility", "created_at", "updated_at")
ESCALATION_COLUMNS = ("ticket", "escalated_at")


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows as COPY takes them."""

    tickets: str
    comments: str
    escalations: str


def batch(plan: Plan, first: int) -> Batch:
    """Tickets from a number on, with their comments."""
    draw = random.Random(f"{plan.seed} {first}")  # noqa: S311
    tickets: list[str] = []
    comments: list[str] = []
    escalations: list[str] = []
    for number in range(first, min(first + BATCH, plan.tickets + 1)):
        _ticket(plan, draw, number, tickets, comments, escalations)
    return Batch(*("".join(f"{row}\n" for row in rows) for rows in (tickets, comments, escalations)))


def _ticket(
    plan: Plan, draw: random.Random, number: int, tickets: list[str], comments: list[str], escalations: list[str]
) -> None:
    place = (number - draw.random()) / plan.tickets
    age = 1 - place
    created = SINCE + place * SPAN
    # Open are 7 %, most of them young.
    open_ = draw.random() < (0.75 if age < 0.02 else 0.25 if age < 0.1 else 0.035)
    status = draw.choices(OPEN_STATES, (6, 3, 1))[0] if open_ else "resolved" if age < 0.04 else "closed"
    type_ = draw.choices(TYPES, (4, 4, 2))[0]
    severity = draw.choices(SEVERITIES, (3, 3, 2, 1, 1))[0] if type_ == "bug" else "none"
    project = draw.choices(PROJECT_KEYS, cum_weights=PROJECT_WEIGHTS)[0]
    requester = _requester(plan, draw, number)
    members = organization(requester)
    assigned = draw.random() < (0.7 if open_ else 0.9)
    assignee = draw.choice(_staff(project)) if draw.random() < 0.5 else 1 + min(int(draw.expovariate(0.2)), AGENTS - 11)
    lasted = timedelta(days=draw.expovariate(1 / 12))
    imported = draw.random() < 0.1
    tags = {*draw.choices(TAG_NAMES, cum_weights=TAG_WEIGHTS, k=draw.randrange(4))}
    description = text(draw, 55, 8)
    if draw.random() < 0.08:
        code, library, release = (draw.randrange(most) for most in (9973, 9, 90))
        description += f"\n\n    ERR_CONN_{code:04d} in libplayer.so.{library} of 4.{release}.1"
    if (number - 1) % max(plan.tickets // 7, 1) == 5:
        tags.add(RARE_TAG)
        description += f" {RARE_WORD}"
    updated = created + lasted if not open_ else created
    updated = max(updated, _comments(plan, draw, number, requester, project, created, lasted, comments))
    ended = NULL if open_ else _moment(created + lasted)
    tickets.append(
        "\t".join(
            (
                *(str(number), _id(draw, created), type_, project),
                f"category-{draw.randrange(CATEGORIES) + 1}" if draw.random() < 0.8 else NULL,
                text(draw, 6, 3).capitalize(),
                description.replace("\n", r"\n"),
                status,
                "none" if open_ else draw.choices(RESOLUTIONS, (40, 40, 8, 6, 5, 1))[0],
                draw.choices(PRIORITIES, (5, 2, 2, 1))[0],
                severity,
                "{" + ",".join(sorted(tags)) + "}",
                f'{{"app": "4.{draw.randrange(90)}.1"}}' if type_ == "bug" else "{}",
                "import" if imported else draw.choices(CHANNELS, (5, 4, 1))[0],
                str(person(requester)),
                str(person(assignee)) if assigned else NULL,
                members or NULL,
                "public" if project in _public() and draw.random() < 0.6 else "private",
                *(("zendesk:acme", str(number)) if imported else (NULL, NULL)),
                *(_moment(created), _moment(updated), ended, ended if status == "closed" else NULL),
            )
        )
    )
    if severity == "critical" and open_ and draw.random() < 0.5:
        escalations.append(f"{number}\t{_moment(created + timedelta(hours=4))}")


def _comments(
    plan: Plan,
    draw: random.Random,
    number: int,
    requester: int,
    project: str,
    created: datetime,
    lasted: timedelta,
    rows: list[str],
) -> datetime:
    """Add the comments of a ticket, and tell when the last public one was written."""
    count = int(draw.expovariate(math.log(1 + 1 / plan.comments))) if plan.comments else 0
    last = created
    for moment in sorted(created + lasted * draw.random() for _ in range(min(count, 200))):
        internal = draw.random() < 0.15
        author = requester if not internal and draw.random() < 0.5 else draw.choice(_staff(project))
        body = text(draw, 28, 3)
        if internal:
            body += f" {HUSHED_WORD}" if draw.random() < 0.05 else ""
        else:
            last = moment
        at = _moment(moment)
        visibility = "internal" if internal else "public"
        rows.append("\t".join((_id(draw, moment), str(number), str(person(author)), body, visibility, at, at)))
    return last


def _requester(plan: Plan, draw: random.Random, number: int) -> int:
    if number % max(plan.tickets // 5, 1) == 0:
        return FIRST_REQUESTER
    if number <= plan.tickets // 20:
        return FIRST_REQUESTER + 1
    if number % max(plan.tickets // 7, 1) == 1:
        return FIRST_REQUESTER + 2
    # Of most people there are a few tickets, of some there are many.
    drawn = draw.random() if draw.random() < 0.8 else draw.random() ** 4
    return FIRST_REQUESTER + 3 + int(drawn * (plan.requesters - 3))


def organization(requester: int) -> str | None:
    """The organization that a requester belongs to, which is also that of their tickets."""
    if requester == FIRST_REQUESTER + 2 or (requester >= FIRST_REQUESTER + 3 and requester % 10 == 4):
        return LARGE
    return f"org-{requester % ORGANIZATIONS}" if requester % 10 == 5 else None


@cache
def _public() -> frozenset[str]:
    return frozenset(f"project-{n}" for n in PUBLIC)


@cache
def _staff(project: str) -> Sequence[int]:
    """Agents of a project: the last ten staff some projects only."""
    return range(1, AGENTS + 1 if project in RESTRICTED else AGENTS - 9)


def _id(draw: random.Random, moment: datetime) -> str:
    """A UUID of version 7."""
    lower = draw.getrandbits(74)
    value = int(moment.timestamp() * 1000) << 80 | 7 << 76 | (lower >> 62) << 64 | 2 << 62 | lower & (1 << 62) - 1
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _moment(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")


# Loading ------------------------------------------------------------------------------------------------------------

NAMES = ("Ada", "Bao", "Chen", "Dina", "Emre", "Fatou", "Grace", "Hiro", "Ines", "Jonas", "Kofi", "Layla", "Mateo")
SURNAMES = ("Okonkwo", "Nguyen", "Rivas", "Mori", "Haddad", "Kaya", "Diallo", "Novak", "Silva", "Weber", "Cohen")
SIGNED_IN = {0: "ada.okonkwo@lumen.example", 1: "mateo.rivas@lumen.example", 100: "jonas@brueckner.example"}
LOADED = ("tickets", "comments", "escalations")
EVENTS = 100
"""One in so many tickets, the newest ones, has its events in the log."""
FROM_THE_START = """
insert into events (id, type, occurred_at, ticket, project, actor_id, internal, data)
select coalesce(c.id, t.id), case when c.id is null then 'ticket.created' else 'comment.created' end, made.at, t.number,
       t.project, coalesce(c.author_id, t.requester_id), c.visibility = 'internal',
       coalesce(of_comment.data, of_ticket.data)
  from tickets t
 cross join lateral (select null::comments as c, t.created_at as at
                      union all select c, c.created_at from comments c where c.ticket = t.number) made
  left join comments c on c.id = (made.c).id
  left join lateral (select to_jsonb(r) as data from comment_entry(c) r) of_comment on c.id is not null
  left join lateral (
      select to_jsonb(r) as data
        from ticket_resource(jsonb_populate_record(t, '{
            "status": "open", "resolution": "none", "assignee_id": null, "resolved_at": null, "closed_at": null}')) r
  ) of_ticket on c.id is null
 where t.number > %(after)s
 order by made.at, t.number;
update webhook_fan_out p set transaction_id = e.transaction_id, position = e.position
  from (select transaction_id, position from events order by transaction_id desc, position desc limit 1) e;
update notification_place p set transaction_id = f.transaction_id, position = f.position from webhook_fan_out f;
update search_progress p set transaction_id = f.transaction_id, position = f.position from webhook_fan_out f;
"""
ASIDE = """
select format('alter table %%s drop constraint %%I', conrelid::regclass, conname),
       format('alter table %%s add constraint %%I %%s', conrelid::regclass, conname, pg_get_constraintdef(oid))
  from pg_constraint where contype = 'f' and conrelid = any(%(tables)s::regclass[])
union all
select format('drop index %%s', i.indexrelid::regclass), pg_get_indexdef(i.indexrelid)
  from pg_index i
 where i.indrelid = any(%(tables)s::regclass[]) and not i.indisprimary
   and not exists (select from pg_constraint c where c.conindid = i.indexrelid)
"""


class NotEmpty(Refused):
    """The database holds something already."""


def fill(url: str, plan: Plan, *, processes: int = 1, say: Any = None) -> None:
    """Give an empty database its schema and content, in one transaction. Raises NotEmpty."""
    tell = say or (lambda _: None)
    asyncio.run(migrate.migrate(url, finish=True))
    with psycopg.connect(url) as conn:
        if conn.execute("select from projects union all select from users limit 1").fetchone() is not None:
            raise NotEmpty("The database is not empty. Name an empty one by --url, or a new folder by --home.")
        _copy(conn, "users", ("id", "name", "email", "role", "everywhere", "created_at"), _people(plan))
        _places(conn)
        members = ((org, person(n), n == FIRST_REQUESTER + 2) for n, org in _members(plan) if org)
        _copy(conn, "organization_members", ("organization", "user_id", "sees_tickets"), members)
        # Indexes and references cost less once all is there.
        aside = conn.execute(ASIDE, {"tables": list(LOADED)}).fetchall()
        for drop, _ in aside:
            conn.execute(drop.encode())
        _load(conn, plan, processes, tell)
        tell("Making indexes …")
        for _, make in reversed(aside):
            conn.execute(make.encode())
        conn.execute("select setval(pg_get_serial_sequence('tickets', 'number'), %s)", [plan.tickets])
        tell("Writing the log of the newest tickets …")
        conn.execute("analyze tickets, comments")
        with psycopg.ClientCursor(conn) as cursor:
            cursor.execute(FROM_THE_START.encode(), {"after": plan.tickets - plan.tickets // EVENTS})
    tell("Vacuuming …")
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("vacuum analyze")


def _load(conn: psycopg.Connection[Any], plan: Plan, processes: int, tell: Any) -> None:
    began = time.monotonic()
    for first, made in zip(range(1, plan.tickets + 1, BATCH), _batches(plan, processes), strict=True):
        for table, columns, rows in (
            ("tickets", TICKET_COLUMNS, made.tickets),
            ("comments", COMMENT_COLUMNS, made.comments),
            ("escalations", ESCALATION_COLUMNS, made.escalations),
        ):
            with conn.cursor().copy(f"copy {table} ({', '.join(columns)}) from stdin".encode()) as copy:
                copy.write(rows)
        done = min(first + BATCH - 1, plan.tickets)
        if done % (BATCH * 10) == 0 or done == plan.tickets:
            tell(f"{done:>12,} tickets, {done / (time.monotonic() - began):,.0f} a second")


def _batches(plan: Plan, processes: int) -> Iterator[Batch]:
    """All batches in order, made a few ahead."""
    firsts = range(1, plan.tickets + 1, BATCH)
    if processes == 1:
        yield from (batch(plan, first) for first in firsts)
        return
    with ProcessPoolExecutor(processes) as makers:
        ahead: deque[Future[Batch]] = deque()
        for first in firsts:
            ahead.append(makers.submit(batch, plan, first))
            if len(ahead) > 2 * processes:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def _copy(conn: psycopg.Connection[Any], table: str, columns: Sequence[str], rows: Any) -> None:
    with conn.cursor().copy(f"copy {table} ({', '.join(columns)}) from stdin".encode()) as copy:
        for row in rows:
            copy.write_row(row)


def _people(plan: Plan) -> Iterator[tuple[Any, ...]]:
    numbers = (*range(AGENTS + 1), *range(FIRST_REQUESTER, FIRST_REQUESTER + plan.requesters))
    for number in numbers:
        role = "requester" if number >= FIRST_REQUESTER else "agent" if number else "admin"
        email = SIGNED_IN.get(number, f"person{number}@corpus.example")
        name = f"{NAMES[number % len(NAMES)]} {SURNAMES[number % len(SURNAMES)]}"
        yield person(number), name, email, role, not AGENTS - 10 < number <= AGENTS, SINCE


def _members(plan: Plan) -> Iterator[tuple[int, str | None]]:
    for number in range(FIRST_REQUESTER, FIRST_REQUESTER + plan.requesters):
        yield number, organization(number)


def _places(conn: psycopg.Connection[Any]) -> None:
    types = ["bug", "feature_request", "support"]
    projects = (
        (key, key.replace("-", " ").capitalize(), "public" if key in _public() else "private", types, SINCE)
        for key in PROJECT_KEYS
    )
    _copy(conn, "projects", ("key", "name", "visibility", "ticket_types", "created_at"), projects)
    categories = ((p, f"category-{n}", f"Category {n}", SINCE) for p in PROJECT_KEYS for n in range(1, CATEGORIES + 1))
    _copy(conn, "categories", ("project", "key", "name", "created_at"), categories)
    organizations = [(LARGE, "Acme", SINCE), *((f"org-{n}", f"Organization {n}", SINCE) for n in range(ORGANIZATIONS))]
    _copy(conn, "organizations", ("key", "name", "created_at"), organizations)
    staff = ((person(n), project) for n in range(AGENTS - 9, AGENTS + 1) for project in RESTRICTED)
    _copy(conn, "project_staff", ("user_id", "project"), staff)


def new_token(url: str, user: UUID, *, limits: Sequence[str] | None = None) -> str:
    """A token of one of its people, that may read and write; with limits, in these projects alone."""
    token = bearer.new_token()
    with psycopg.connect(url) as conn:
        conn.execute(
            """insert into tokens (id, user_id, name, hash, prefix, scopes, projects)
               values (gen_random_uuid(), %s, 'corpus', %s, 'tkt_corpus', '{tickets:read,tickets:write}', %s)""",
            [user, bearer.hash_token(token), None if limits is None else list(limits)],
        )
    return token


# The command --------------------------------------------------------------------------------------------------------


@contextmanager
def database(home: Path) -> Iterator[str]:
    """PostgreSQL on a folder that `ticketing up` takes as well."""
    home.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
    (home / "lock").touch(mode=0o600)
    with embedded.postgres(home) as url:
        yield url


def main() -> None:
    """Fill, and tell how to use it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, usage="make corpus [N=…] [ARGS='…']"
    )
    parser.add_argument("--tickets", type=int, default=100_000, help="how many; N of make (default: 100,000)")
    parser.add_argument("--comments", type=float, default=2, help="a ticket, on average (default: 2)")
    parser.add_argument("--seed", type=int, default=1, help="another one gives other content (default: 1)")
    parser.add_argument(
        "--processes", type=int, default=os.cpu_count() or 1, help="that make texts (default: one a core)"
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--url", help="an empty database; by default PostgreSQL runs here")
    where.add_argument("--home", type=Path, default=HOME, help="the folder of that (default: .corpus)")
    chosen = parser.parse_args()
    if chosen.tickets < 1 or chosen.comments < 0 or chosen.processes < 1:
        parser.error("there must be a ticket, and a process that makes it, and comments cannot be fewer than none")
    began = time.monotonic()
    plan = Plan(chosen.tickets, chosen.comments, chosen.seed)
    try:
        with nullcontext(chosen.url) if chosen.url else database(chosen.home) as url:
            fill(url, plan, processes=chosen.processes, say=lambda text: print(text, file=sys.stderr, flush=True))
    except Refused as refused:
        sys.exit(str(refused))
    print(f"{plan.tickets:,} tickets in {time.monotonic() - began:.0f} s.")
    if not chosen.url:
        print(f"Look at them by: make up ARGS='--home {chosen.home}'")


if __name__ == "__main__":
    main()
