"""One run: the stand, its clients, the faults, the quiet after them, and the accounting."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import psycopg

from chaos import accounting, naive, orders, worker
from chaos.accounting import Entry
from chaos.faults import FAULTY_RECEIVERS, Fault, Target, all_faults
from chaos.injector import Inflicted, Injector
from chaos.journal import Journal
from chaos.orders import Customer
from chaos.processes import await_
from chaos.readers import PageReader, StreamReader
from chaos.receivers import Receiver
from chaos.stand import Stand, standing
from chaos.writers import Client, Writer

STEADY = "steady"
"""The receiver that is always healthy."""
READ_SECONDS = 30.0
OVERDUE_SECONDS = 2.0
WRITERS = 6
CUSTOMERS = 2


@dataclass(frozen=True, slots=True)
class Plan:
    """The parameters of a run."""

    seconds: float
    faults: int
    seed: int
    naive: bool = False
    #: Only faults whose names contain this.
    only: str = ""
    #: Seconds of a worker's lease.
    lease: int = 5
    #: Writes, and orders, per second.
    rate: float = 6.0
    #: Seconds to finish the remaining work at the end.
    quiet: float = 120.0

    def chosen(self) -> list[Fault]:
        """The faults to inject."""
        faults = [fault for fault in all_faults(self.lease) if self.only.lower() in fault.name.lower()]
        if self.naive:
            faults = [fault for fault in faults if fault.target != "receiver" and fault.name != "worker: poison job"]
        return faults


@dataclass(slots=True)
class Outcome:
    """The outcome of a run."""

    plan: Plan
    entries: list[Entry] = field(default_factory=list)
    inflicted: list[Inflicted] = field(default_factory=list)
    counted: dict[str, float] = field(default_factory=dict)

    @property
    def lost(self) -> bool:
        """Whether anything is wrong."""
        return any(each.wrong for each in self.entries) or any(each.recovery is None for each in self.inflicted)


def run(plan: Plan, tell: Callable[[Inflicted], None] = lambda _: None) -> Outcome:
    """Run it, and call `tell` for each fault once it is over, from several threads."""
    settings = {"TICKETING_JOB_LEASE_SECONDS": str(plan.lease)}
    draw = random.Random(plan.seed)  # noqa: S311
    work = naive.COMMAND if plan.naive else worker.COMMAND
    with standing(settings=settings, work=work, draw=draw) as stand, kept_alive(stand):
        return asyncio.run(_Run(plan, stand, draw, tell).run())


@contextmanager
def kept_alive(stand: Stand) -> Iterator[None]:
    """Restart programs that died by themselves, as a supervisor does in production."""
    over = threading.Event()

    def keep() -> None:
        while not over.wait(0.2):
            for program in (*stand.apis, *stand.workers):
                if program.died:
                    program.start()

    thread = threading.Thread(target=keep)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


class _Run:
    def __init__(self, plan: Plan, stand: Stand, draw: random.Random, tell: Callable[[Inflicted], None]) -> None:
        self._plan, self._stand, self._draw = plan, stand, draw
        self._journal = Journal(stand.home / "acknowledged")
        self._outcome = Outcome(plan)
        self._injector = Injector(stand, self._recovered, plan.seed, tell)
        self._clients: list[Client] = []
        self._customers = [self._customer() for _ in range(CUSTOMERS)]
        self._receivers: list[Receiver] = []
        self._readers: list[PageReader | StreamReader] = []

    async def run(self) -> Outcome:
        """Use the stand while faults break it, let it finish, and then balance the books."""
        if not self._plan.naive:
            self._receivers = [self._stand.subscribe(name) for name in (STEADY, *FAULTY_RECEIVERS)]
            self._readers = [
                PageReader(self._client()),
                StreamReader(self._client(), self._stand.urls, self._stand.token),
            ]
        reading = [asyncio.create_task(reader.run()) for reader in self._readers]
        await self._break()
        quiet = time.monotonic()
        await asyncio.to_thread(self._quieten)
        self._outcome.counted["seconds until all was done"] = time.monotonic() - quiet
        await self._read_to_the_end()
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)
        for client in self._clients:
            await client.close()
        await asyncio.to_thread(self._account)
        self._journal.close()
        return self._outcome

    async def _break(self) -> None:
        """Use the stand, and inject the faults meanwhile."""
        plan, until, began = self._plan, asyncio.Event(), time.monotonic()
        async with asyncio.TaskGroup() as users:
            for number in range(0 if plan.naive else WRITERS):
                writer = Writer(f"w{number}", self._client(), self._journal, self._draw)
                users.create_task(writer.run(until, WRITERS / plan.rate))
            for customer in self._customers:
                users.create_task(customer.run(until, CUSTOMERS / plan.rate))
            await asyncio.to_thread(self._injector.run, plan.chosen(), plan.faults, plan.seconds)
            await asyncio.sleep(max(0, began + plan.seconds - time.monotonic()))
            until.set()
        self._outcome.inflicted = self._injector.inflicted

    def _customer(self) -> Customer:
        environment = self._stand.environment
        place = naive.placing(environment["TICKETING_REDIS_URL"]) if self._plan.naive else orders.place
        return Customer(environment["TICKETING_DATABASE_URL"], place, self._draw)

    def _client(self) -> Client:
        client = Client(self._stand.urls, self._stand.token, self._journal, self._draw)
        self._clients.append(client)
        return client

    async def _read_to_the_end(self) -> None:
        """Let readers read to the end."""
        with self._stand.database() as conn:
            events = len(accounting.log(conn))
        with suppress(TimeoutError):
            await asyncio.to_thread(
                await_, lambda: all(len(reader.seen) >= events for reader in self._readers), "read", READ_SECONDS
            )

    # Well again, and done ------------------------------------------------------------------------------------------

    def _recovered(self, target: Target, mended: float) -> bool:
        """Whether a fault is over: the API answers and writes again, or jobs start in time again."""
        if target in ("api", "postgres"):
            return self._stand.ready() and (self._plan.naive or self._journal.last_acknowledged > mended)
        return self._plan.naive or target == "receiver" or not self._count(OVERDUE, [OVERDUE_SECONDS])

    def _quieten(self) -> None:
        """Wait until no work is left. It does not wait out the pauses between attempts of a delivery."""
        deadline = time.monotonic() + self._plan.quiet
        while time.monotonic() < deadline:
            if self._plan.naive:
                if not self._count(WITHOUT_EFFECT):
                    return
            else:
                self._count(HURRIED)
                if not self._count(UNDONE):
                    return
            time.sleep(0.5)

    def _count(self, statement: str, parameters: Sequence[Any] = ()) -> int:
        try:
            with self._stand.database() as conn:
                row = conn.execute(statement, parameters).fetchone()
                return int(row["count"]) if row else 0
        except psycopg.OperationalError:
            return -1

    # The accounting -------------------------------------------------------------------------------------------------

    def _account(self) -> None:
        entries, counted, receivers = self._outcome.entries, self._outcome.counted, self._receivers
        acknowledged = [order for customer in self._customers for order in customer.acknowledged]
        with self._stand.database() as conn:
            entries += accounting.orders(conn, acknowledged)
            counted["orders acknowledged"] = len(acknowledged)
            if self._plan.naive:
                return
            entries += accounting.writes(conn, list(self._journal.acknowledgements()))
            ids = accounting.log(conn)
            for reader in self._readers:
                entries += accounting.read(reader.name, reader.seen, ids)
            received = {each.id: each.received for each in receivers}
            entries += accounting.deliveries(conn, received)
            entries.append(accounting.entry("signatures that do not hold", _forged(receivers), len(received)))
            entries += accounting.jobs(conn)
            entries.append(accounting.documents(conn))
            entries += self._lateness(conn)
            entries += accounting.answers(self._journal.exchanges, self._outcome.inflicted)
            entries.append(self._connections(conn))
            counted["writes acknowledged"] = self._journal.acknowledged
            counted["requests"] = len(self._journal.exchanges)
            counted["messages received more than once"] = accounting.doubled(received)

    def _lateness(self, conn: accounting.Database) -> Iterator[Entry]:
        wall = time.time() - time.monotonic()
        steady = next(each for each in self._receivers if each.name == STEADY)
        inflicted = [*self._outcome.inflicted, *accounting.poisoned(conn, self._plan.lease, wall)]
        for what, spans in (
            ("orders whose effect came later than promised", accounting.fulfilled(conn)),
            ("events that a steady receiver was told of later than promised", accounting.told(conn, steady.received)),
        ):
            yield accounting.late(what, spans, inflicted, wall)
            seconds = sorted(span.done - span.due for span in spans)
            self._outcome.counted[f"{what.partition(' ')[0]}: median seconds"] = round(seconds[len(seconds) // 2], 3)

    def _connections(self, conn: accounting.Database) -> Entry:
        """Connections with an idle open transaction, and connections beyond the pools' sizes."""
        rows = conn.execute(
            "select pid, state, query from pg_stat_activity where application_name = 'ticketing'"
            " and state <> 'idle' and state_change < now() - interval '2 seconds'"
        ).fetchall()
        total = self._count("select count(*) from pg_stat_activity where application_name = 'ticketing'")
        most = CONNECTIONS_A_PROCESS * (len(self._stand.apis) + len(self._stand.workers))
        return accounting.entry("connections leaked", [*rows, *range(most, total)], total)


def _forged(receivers: Sequence[Receiver]) -> list[str]:
    return [each for receiver in receivers for each in receiver.forged]


CONNECTIONS_A_PROCESS = 12
"""The pool's eight, and the two that hear and ring the bell."""
# Deliveries may wait for a sick receiver; nothing holds these up.
OVERDUE = (
    "select count(*) from jobs where kind = 'chaos.effect'"
    " and (state = 'available' and run_at < now() - %s * interval '1 second'"
    "      or state = 'running' and lease_until < now())"
)
WITHOUT_EFFECT = (
    "select count(*) from chaos_orders o where not exists (select from chaos_effects e where e.order_id = o.id)"
)
HURRIED = (
    "with hurried as (update jobs set run_at = now() where state = 'available' and run_at > now()"
    " and kind in ('webhooks.deliver', 'chaos.effect') returning 1) select count(*) from hurried"
)
UNDONE = (
    "select (select count(*) from unfinished_jobs)"
    " + (select count(*) from events e, webhook_fan_out f"
    "     where (e.transaction_id, e.position) > (f.transaction_id, f.position))"
    " + (select count(*) from events e, search_progress f"
    "     where (e.transaction_id, e.position) > (f.transaction_id, f.position))"
    " + (select count(*) from deliveries where status = 'pending') as count"
)
