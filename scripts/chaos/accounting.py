"""The accounting: of every acknowledged write, every event, delivery, job and order, and of every answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg

from chaos.injector import Inflicted
from chaos.journal import Acknowledgement, Exchange

Database = psycopg.Connection[dict[str, Any]]
REFUSAL_SECONDS = 6.0
"""The promise is 3 s; this machine does everything else as well, and gets twice as long."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A count that must be zero, and the number of things checked."""

    what: str
    wrong: int
    of: int
    examples: tuple[str, ...] = ()


def entry(what: str, wrong: Iterable[object], of: int) -> Entry:
    """An entry for what is wrong, with the first few as examples."""
    found = [str(each) for each in wrong]
    return Entry(what, len(found), of, tuple(found[:3]))


# Full text ------------------------------------------------------------------------------------------------------------


def documents(conn: Database) -> Entry:
    """Each ticket has the documents that its texts make, and nothing else has one."""
    rows = conn.execute(
        """
        select coalesce(t.number, d.number) as number, (d.text, d.internal, s.text) is distinct from
               (o.text, o.internal, o.staff_text) as wrong
          from tickets t full join ticket_documents d on d.number = t.number
          left join staff_documents s on s.number = d.number left join lateral documents_of(t.number) o on true
        """
    ).fetchall()
    return entry("documents that are not what their ticket says", [r["number"] for r in rows if r["wrong"]], len(rows))


# Writes and events ---------------------------------------------------------------------------------------------------


def writes(conn: Database, acknowledgements: Sequence[Acknowledgement]) -> list[Entry]:
    """Each acknowledged write exists once, as it was acknowledged, and has one event."""
    rows = conn.execute("select type, ticket, data from events where ticket is not null").fetchall()
    # Every text is unique, so if two writes have the same text, one is a duplicate.
    told = Counter(_said(row["type"], row["ticket"], row["data"]) for row in rows)
    opened = Counter(row["description"] for row in conn.execute("select description from tickets"))
    comments = Counter((row["ticket"], str(row["id"]), row["body"]) for row in conn.execute("select * from comments"))
    bodies = Counter(body for _, _, body in comments.elements())
    of = Counter(each.kind for each in acknowledgements)
    tickets = [each for each in acknowledgements if each.kind == "ticket"]
    commented = [each for each in acknowledgements if each.kind == "comment"]
    return [
        entry("acknowledged tickets missing", (a for a in tickets if not opened[_about(a)]), of["ticket"]),
        entry("tickets opened twice", (text for text, times in opened.items() if times > 1), of["ticket"]),
        entry(
            "acknowledged comments missing, or other than acknowledged",
            (a for a in commented if not comments[a.ticket, a.id or "", a.text]),
            of["comment"],
        ),
        entry("comments written twice", (body for body, times in bodies.items() if times > 1), of["comment"]),
        entry(
            "acknowledged writes without exactly one event",
            (a for a in acknowledgements if told[EVENTS[a.kind], a.ticket, a.text] != 1),
            of.total(),
        ),
        entry("changes told of twice", (said for said, times in told.items() if times > 1), told.total()),
        entry("tickets not in the state of their last event", _diverged(conn), len(opened)),
    ]


EVENTS = {"ticket": "ticket.created", "comment": "comment.created", "patch": "ticket.updated"}


def _about(ticket: Acknowledgement) -> str:
    return f"What {ticket.text} is about."


def _said(type: str, ticket: int, data: Mapping[str, Any]) -> tuple[str, int, str]:
    return type, ticket, data["body"] if type.startswith("comment.") else data["title"]


def _diverged(conn: Database) -> Iterable[object]:
    return conn.execute(
        "select t.number from tickets t where t.title is distinct from"
        " (select e.data ->> 'title' from events e where e.ticket = t.number and e.type like 'ticket.%%'"
        "   order by e.transaction_id desc, e.position desc limit 1)"
    ).fetchall()


def log(conn: Database) -> list[str]:
    """The ids of all events in the order of the log."""
    return [
        str(row["id"]) for row in conn.execute("select id from events order by transaction_id, position").fetchall()
    ]


def read(name: str, seen: Sequence[str], ids: Sequence[str]) -> list[Entry]:
    """A reader of the feed has seen every event once, in the order of the log."""
    times = Counter(seen)
    place = {id: number for number, id in enumerate(ids)}
    places = [place[id] for id in seen if id in place]
    return [
        entry(f"events that a reader of {name} missed", (id for id in ids if not times[id]), len(ids)),
        entry(f"events that a reader of {name} saw twice", (id for id, n in times.items() if n > 1), len(ids)),
        entry(
            f"events that a reader of {name} saw out of order",
            (seen[n] for n in range(1, len(places)) if places[n] < places[n - 1]),
            len(ids),
        ),
    ]


# Deliveries, jobs and orders -----------------------------------------------------------------------------------------


def deliveries(conn: Database, received: Mapping[str, Mapping[str, Sequence[float]]]) -> list[Entry]:
    """Every event has one delivery per endpoint, and was received; `received` is by endpoint and `webhook-id`."""
    rows = conn.execute("select endpoint_id, event_id, status from deliveries").fetchall()
    made = Counter((str(row["endpoint_id"]), str(row["event_id"])) for row in rows)
    events = [str(row["id"]) for row in conn.execute("select id from events where type not like 'webhook.%'")]
    pairs = [(endpoint, event) for endpoint in received for event in events]
    accepted = conn.execute(
        "select delivery_id from delivery_attempts where status between 200 and 299 group by 1 having count(*) > 1"
    ).fetchall()
    return [
        entry("events without exactly one delivery to an endpoint", (p for p in pairs if made[p] != 1), len(pairs)),
        entry("deliveries that never arrived", (p for p in pairs if not received[p[0]].get(p[1])), len(pairs)),
        entry("deliveries not settled", _unsettled(rows, received), len(pairs)),
        entry("successes written down twice", accepted, len(pairs)),
        entry(
            "messages received that are no event",
            set().union(*received.values()) - set(events),
            sum(map(len, received.values())),
        ),
    ]


def _unsettled(rows: Sequence[Mapping[str, Any]], received: Mapping[str, object]) -> Iterable[object]:
    return (row for row in rows if str(row["endpoint_id"]) in received and row["status"] != "delivered")


def doubled(received: Mapping[str, Mapping[str, Sequence[float]]]) -> int:
    """How many messages arrived more than once, which is allowed."""
    return sum(len(moments) > 1 for messages in received.values() for moments in messages.values())


def jobs(conn: Database) -> list[Entry]:
    """Every due job has ended, and only poison jobs were discarded."""
    total = conn.execute("select count(*) from jobs").fetchone()
    of = int(total["count"]) if total else 0
    unfinished = conn.execute("select kind, state from unfinished_jobs").fetchall()
    discarded = conn.execute(
        "select kind, errors from jobs where state = 'discarded' and kind <> 'chaos.poison'"
    ).fetchall()
    survived = conn.execute(
        "select id from jobs where kind = 'chaos.poison' and (state <> 'discarded' or attempt <> max_attempts)"
    ).fetchall()
    return [
        entry("jobs not at their end", unfinished, of),
        entry("jobs given up", discarded, of),
        entry("poison jobs not given up after their last attempt", survived, of),
    ]


def orders(conn: Database, acknowledged: Sequence[UUID]) -> list[Entry]:
    """Each acknowledged order has had its effect, exactly once."""
    effects = Counter(row["order_id"] for row in conn.execute("select order_id from chaos_effects"))
    return [
        entry("acknowledged orders without effect", (o for o in acknowledged if not effects[o]), len(acknowledged)),
        entry("orders with two effects", (o for o, times in effects.items() if times > 1), len(effects)),
    ]


# Lateness -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Span:
    """The time from when something was due until it was done, in wall-clock seconds."""

    what: str
    due: float
    done: float


def fulfilled(conn: Database) -> list[Span]:
    """Orders, from placement to first effect, with what happened to the attempts of each."""
    rows = conn.execute(
        "select o.id, extract(epoch from o.placed_at)::float8 as due,"
        "       extract(epoch from min(e.done_at))::float8 as done,"
        "       (select string_agg(f->>'error', '; ') from jobs j, jsonb_array_elements(j.errors) f"
        "         where j.kind = 'chaos.effect' and j.args->>'order' = o.id::text) as failures"
        "  from chaos_orders o join chaos_effects e on e.order_id = o.id group by o.id"
    ).fetchall()
    return [Span(f"{row['id']} ({row['failures'] or 'no attempt failed'})", row["due"], row["done"]) for row in rows]


def poisoned(conn: Database, lease: float, wall: float) -> list[Inflicted]:
    """Each death of a worker by a poison job, as a fault that ends when its lease has ended. It takes other jobs along.

    The injector only enqueues a poison job, and does not know when its attempts run.
    """
    rows = conn.execute(
        "select extract(epoch from (e->>'at')::timestamptz)::float8 - %s as noticed"
        "  from jobs, jsonb_array_elements(errors) e where kind = 'chaos.poison'",
        [wall],
    ).fetchall()
    return [Inflicted("worker: died of poison", "worker", row["noticed"] - lease, row["noticed"], 0.0) for row in rows]


def told(conn: Database, received: Mapping[str, Sequence[float]]) -> list[Span]:
    """Events, from recording to first receipt by a receiver that is always healthy."""
    rows = conn.execute("select id, extract(epoch from occurred_at)::float8 as due from events").fetchall()
    return [
        Span(str(row["id"]), row["due"], min(received[str(row["id"])])) for row in rows if str(row["id"]) in received
    ]


def late(what: str, spans: Sequence[Span], inflicted: Sequence[Inflicted], wall: float) -> Entry:
    """What was done later than promised; `wall` is the wall clock minus the monotonic clock.

    Outside faults the limit is `LATE_SECONDS`. Whatever was due before a fault ended has as long as is promised after
    that fault; a fault of one receiver does not count for the others.
    """

    def deadline(span: Span) -> float:
        ends = [
            fault.mended + (fault.recovery or 0) + wall + PROMISED_SECONDS[fault.target]
            for fault in inflicted
            if fault.target in PROMISED_SECONDS
            and fault.began + wall <= span.done
            and span.due <= fault.mended + (fault.recovery or 0) + wall
        ]
        return max([span.due + LATE_SECONDS, *ends])

    found = (f"{span.what}: {span.done - span.due:.1f} s" for span in spans if span.done > deadline(span))
    return entry(what, found, len(spans))


LATE_SECONDS = 8.0
"""The promise is a second (`make bench-jobs`, `make bench-webhooks`); this machine does everything else as well."""
PROMISED_SECONDS = {"postgres": 20.0, "api": 5.0, "valkey": 10.0, "worker": 25.0}
"""Seconds from the end of a fault, by its target. An attempt that failed without PostgreSQL is retried after a pause; a
job that a relay marked but did not send before it was killed is sent again after `TICKETING_JOB_RESEND_SECONDS`."""


# Answers -------------------------------------------------------------------------------------------------------------


def answers(exchanges: Sequence[Exchange], inflicted: Sequence[Inflicted]) -> list[Entry]:
    """No answer is a 500, refusals are quick and have a Retry-After, and the API does not depend on Valkey."""
    answered = [each for each in exchanges if each.status is not None]
    refused = [each for each in answered if each.status == 503]
    undisturbed = [each for each in exchanges if _only_valkey(each, inflicted)]
    # A frozen instance or network delays refusals as well.
    prompt = [each for each in refused if not _during(each, inflicted, FREEZES)]
    return [
        entry("answers 500", (e for e in answered if e.status not in (*range(500), 503)), len(answered)),
        entry("refusals without Retry-After", (e for e in refused if not e.retry_after), len(refused)),
        entry("refusals that took too long", (e for e in prompt if e.seconds > REFUSAL_SECONDS), len(prompt)),
        entry(
            "requests that failed while only Valkey, workers or receivers were disturbed",
            (e for e in undisturbed if e.status is None or e.status >= 500),
            len(undisturbed),
        ),
    ]


FREEZES = ("PostgreSQL: frozen", "PostgreSQL: packets swallowed", "PostgreSQL: table locked", "API: frozen")


def _during(exchange: Exchange, inflicted: Sequence[Inflicted], names: Sequence[str]) -> bool:
    return any(
        fault.began <= exchange.began + exchange.seconds and exchange.began <= fault.mended + (fault.recovery or 0)
        for fault in inflicted
        if fault.name in names
    )


def _only_valkey(exchange: Exchange, inflicted: Sequence[Inflicted]) -> bool:
    harmless = {fault.name for fault in inflicted if fault.target in ("valkey", "worker", "receiver")}
    others = {fault.name for fault in inflicted} - harmless
    return _during(exchange, inflicted, tuple(harmless)) and not _during(exchange, inflicted, tuple(others))
