"""A run: one import, from reserving the tickets' numbers to the last reference."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import psycopg
import uuid_utils.compat as uuids

from ticketing.db import sql
from ticketing.sources.github.logins import GHOST
from ticketing.sources.issues import Bad, Head, Issue, Issues, Source
from ticketing.sources.loading import batches, people
from ticketing.sources.loading.links import Links
from ticketing.sources.loading.outcome import Loaded
from ticketing.sources.loading.people import People
from ticketing.sources.loading.plans import Plan, plan_of
from ticketing.sources.loading.rows import as_json
from ticketing.sources.loading.tickets import Target
from ticketing.sources.people import Introduction

RESERVED_AT_ONCE = 10_000
SAME_MOMENT = timedelta(seconds=1)


class Mismatch(Exception):
    """Issues of the file have the numbers of other known issues; the message says which."""


class Occupied(Exception):
    """Another process is importing or reverting the source."""

    def __init__(self, source: str) -> None:
        super().__init__(f"Another import of {source} is running or being reverted. Try again when it has ended.")


@dataclass(slots=True)
class Loading:
    """One import: its source, project and options, and the ticket numbers of the source's issues."""

    conn: sql.Connection
    source: Source
    project: str
    update: bool = False
    #: Who people of the source are here, from the --people file.
    introduced: Sequence[Introduction] = ()
    dry_run: bool = False
    #: The number of the run; 0 in a dry run.
    run: int = 0
    #: The issues of the source that are tickets.
    known: set[str] = field(default_factory=set)
    links: Links = field(init=False)
    target: Target = field(init=False)

    def __post_init__(self) -> None:
        self.links = Links(self.conn, self.source)
        self.target = Target(self.project, self.links, self.update)

    async def load(self, issues: Issues, file: str, advance: Callable[[int], object]) -> Loaded:
        """Write issues, over a connection in autocommit; `advance` is called with the number of issues just done.

        Raises Mismatch and Occupied before anything is written.
        """
        if not self.dry_run:
            await self._occupy()
        # A new person may have two logins.
        new = set({each.email.lower(): each.login for each in self.introduced if each.user_id is None}.values())
        await self._reserve(issues.heads, file)
        missing = sorted(self.known - {head.id for head in issues.heads}, key=int)
        loaded = Loaded(run=self.run or None, people=new, missing=missing)
        for batch in batches.batches(issues):
            loaded.add((await self._plan(batch)).outcome() if self.dry_run else await self._write(batch))
            advance(len(batch))
        if self.run:
            # An interrupted run may have left its references unsettled.
            if loaded.created or await sql.imports.was_interrupted(self.conn, source=self.source.name, run=self.run):
                await self.links.settle()
            await sql.imports.end_run(self.conn, run=self.run)
        return loaded

    async def _occupy(self) -> None:
        """Exclude other imports and reversions of the source until the connection ends."""
        try:
            await sql.imports.occupy_source(self.conn, source=self.source.name)
        except psycopg.errors.LockNotAvailable:
            raise Occupied(self.source.name) from None

    # Numbers ----------------------------------------------------------------------------------------------------

    async def _reserve(self, issues: Sequence[Head], file: str) -> None:
        """Find the issues that are known and the same, and reserve ticket numbers for the others."""
        if self.dry_run:
            await self._look_up(issues)
            # No ticket has this number, but a dry run can still count the references to it.
            self.links.numbers = {issue.id: 0 for issue in issues} | self.links.numbers
            return
        async with self.conn.transaction():
            await sql.imports.lock_source(self.conn, source=self.source.system)
            await self._look_up(issues)
            await people.introduce(self.conn, self.source.system, self.introduced)
            run = await sql.imports.insert_run(self.conn, source=self.source.name, project=self.project, file=file)
            self.run = run or 0
            new = [issue for issue in issues if issue.id not in self.links.numbers]
            for start in range(0, len(new), RESERVED_AT_ONCE):
                rows = [
                    {"id": issue.id, "author": issue.author.lower(), "created_at": issue.created_at}
                    for issue in new[start : start + RESERVED_AT_ONCE]
                ]
                await sql.imports.reserve_numbers(self.conn, source=self.source.name, run=self.run, rows=as_json(rows))
            await self._look_up(issues)

    async def _look_up(self, issues: Sequence[Head]) -> None:
        """Find the numbers of the source's issues. Raises Mismatch if an issue is not the one known by its number."""
        rows = {row["id"]: row for row in await sql.imports.list_imported_issues(self.conn, source=self.source.name)}
        self.known = {id_ for id_, row in rows.items() if row["imported"]}
        # An interrupted run may have reserved numbers for issues that will never come.
        coming = self.known | {issue.id for issue in issues}
        self.links.numbers = {id_: row["ticket"] for id_, row in rows.items() if id_ in coming}
        known = [(issue, rows[issue.id]) for issue in issues if issue.id in rows]
        others = [issue.id for issue, row in known if abs(issue.created_at - row["created_at"]) >= SAME_MOMENT]
        renamed = [(issue, row) for issue, row in known if _apart(issue.author.lower(), row["author"])]
        if renamed:
            logins = {login for issue, row in renamed for login in (issue.author.lower(), row["author"])}
            who = await self._people(logins)
            others += [
                issue.id for issue, row in renamed if who.get(issue.author.lower(), 1) != who.get(row["author"], 2)
            ]
        if others:
            first = sorted(set(others), key=int)
            more = f" and {len(first) - 3:,} more" if len(first) > 3 else ""
            raise Mismatch(
                f"Issues {', '.join(first[:3])}{more} were created at another time or by somebody else than those "
                f"that are known as {self.source.name}, so the file is of another repository. Name it with "
                "--repository. If only people have other names now, give a --people file that says who they are."
            )

    async def _people(self, logins: Iterable[str]) -> People:
        wanted = set(logins)
        known = await people.known(self.conn, self.source.system, wanted)
        if self.run:
            return known
        # Before the run begins, new people have no real ids.
        return known | {each.login: each.user_id or uuids.uuid7() for each in self.introduced if each.login in wanted}

    # Batches ----------------------------------------------------------------------------------------------------

    async def _write(self, batch: list[Issue]) -> Loaded:
        """Write a batch in one transaction, or what fails in halves, so that one issue does not hold up the others."""
        try:
            return await self._write_whole(batch)
        except batches.Overtaken:
            pass
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            if len(batch) == 1:
                reason = f"PostgreSQL says: {error.diag.message_primary or error}"
                return Loaded(bad=[Bad(batch[0].index, batch[0].id, reason)])
        half = len(batch) // 2
        loaded = Loaded()
        for part in (batch[:half], batch[half:]):
            if part:
                loaded.add(await self._write(part))
        return loaded

    async def _write_whole(self, batch: list[Issue]) -> Loaded:
        async with self.conn.transaction():
            await sql.imports.lock_source(self.conn, source=self.source.system)
            plan = await self._plan(batch)
            await batches.write(self.conn, self.run, plan, self.target)
            done = plan.outcome()
            await sql.imports.advance_run(
                self.conn, run=self.run, created=done.created, updated=done.updated, comments=done.comments
            )
            return done

    async def _plan(self, batch: list[Issue]) -> Plan:
        ids = [issue.id for issue in batch]
        tickets = await sql.imports.list_imported_tickets(self.conn, source=self.source.name, ids=ids)
        everyone = {issue.author.lower() for issue in batch} | {(issue.assignee or GHOST).lower() for issue in batch}
        everyone |= {comment.author.lower() for issue in batch for comment in issue.comments}
        known = await self._people(everyone)
        await self.links.look_up(batch)
        return plan_of(batch, {ticket["id"]: ticket for ticket in tickets}, known, self.target)


def _apart(one: str, other: str) -> bool:
    """Whether two logins belong to two people; somebody who has left may have been anybody."""
    return one != other and GHOST not in (one, other)
