"""Writes issues: tickets, comments, people and events as if they had always been here, one transaction per batch.

A batch is written completely or not at all, so a killed import continues where it stopped. Before the first batch,
every issue of the file gets the number of its ticket, so that texts can refer to tickets that do not exist yet. Issues
that were imported before are brought up to date:

* New comments are added.
* An issue closed there is closed, unless somebody reopened it here since; one reopened there is reopened, unless it was
  closed here.
* Edits there are noted, and with `update` applied, unless the same was changed here as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any
from uuid import UUID

import orjson
import psycopg
import uuid_utils.compat as uuids
from psycopg.types.json import Jsonb

from ticketing.db import sql
from ticketing.sources import fields, references
from ticketing.sources.github import BOT, GHOST
from ticketing.sources.issues import Bad, Comment, Head, Issue, Issues, Notes, Source
from ticketing.sources.people import Introduction

BATCH_ISSUES = 100
BATCH_CHARACTERS = 4_000_000
"""Most bytes of text in a batch, so that a statement's parameters stay far below PostgreSQL's limit (1 GB)."""
RESERVED_AT_ONCE = 10_000
SAME_MOMENT = timedelta(seconds=1)

Row = dict[str, Any]
#: Ids of users by their logins in the source, in lower case. (The key's column may be null, but never is here.)
People = dict[str | None, UUID]


class Mismatch(Exception):
    """Issues of the file have the numbers of other known issues; the message says which."""


class Occupied(Exception):
    """Another process is importing or reverting the source."""

    def __init__(self, source: str) -> None:
        super().__init__(f"Another import of {source} is running or being reverted. Try again when it has ended.")


@dataclass(slots=True)
class Loaded:
    """What was written, or in a dry run would be."""

    run: int | None = None
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    differing: int = 0
    comments: int = 0
    #: Issues that were imported before but are not in the file.
    missing: list[str] = field(default_factory=list)
    people: set[str] = field(default_factory=set)
    bad: list[Bad] = field(default_factory=list)
    notes: Notes = field(default_factory=Notes)

    def add(self, other: Loaded) -> None:
        """Add the other's counts."""
        self.created += other.created
        self.updated += other.updated
        self.unchanged += other.unchanged
        self.differing += other.differing
        self.comments += other.comments
        self.people |= other.people
        self.bad += other.bad
        self.notes.extend(other.notes)


@dataclass(slots=True)
class Change:
    """An issue that has changed since it was imported.

    It holds the new comments, the new status if there is one, the fields and comments to apply, and the fields that
    differ from those last seen.
    """

    issue: Issue
    ticket: sql.ImportedTicket
    comments: list[Comment] = field(default_factory=list)
    event: str | None = None
    applied: set[str] = field(default_factory=set)
    reworded: list[tuple[Row, Comment]] = field(default_factory=list)
    differs: bool = False

    def stay(self, note: str, plan: Plan) -> None:
        """Note a difference between there and here that stays."""
        self.differs = True
        plan.notes.add(note, self.issue.id)

    def __bool__(self) -> bool:
        return bool(self.comments or self.event or self.applied or self.reworded)


@dataclass(slots=True)
class Plan:
    """What to do with a batch, and the ids of the people who are known."""

    new: list[Issue] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    unchanged: int = 0
    differing: int = 0
    bad: list[Bad] = field(default_factory=list)
    notes: Notes = field(default_factory=Notes)
    known: People = field(default_factory=dict)

    def people(self) -> dict[str, str]:
        """Everyone who is needed, in their first spelling, by their logins in lower case."""
        changed = [change.issue for change in self.changes if "assignee" in change.applied]
        names = chain(
            (issue.author for issue in self.new),
            (issue.assignee for issue in chain(self.new, changed) if issue.assignee),
            (comment.author for comment in self.comments()),
        )
        people: dict[str, str] = {}
        for name in names:
            people.setdefault(name.lower(), name)
        return people

    def comments(self) -> Iterator[Comment]:
        """Every comment to add."""
        each: Iterable[Issue | Change] = chain(self.new, self.changes)
        return chain.from_iterable(part.comments for part in each)

    def outcome(self) -> Loaded:
        """What the plan will have done."""
        return Loaded(
            created=len(self.new),
            updated=len(self.changes),
            unchanged=self.unchanged,
            differing=self.differing,
            comments=sum(1 for _ in self.comments()),
            people=self.people().keys() - self.known.keys(),
            bad=self.bad,
            notes=self.notes,
        )


class _Overtaken(Exception):
    """Somebody changed a ticket or a comment between planning and writing."""


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
    numbers: dict[str, int] = field(default_factory=dict)
    #: The issues of the source that are tickets.
    known: set[str] = field(default_factory=set)
    others: dict[tuple[str, str], int] = field(default_factory=dict)

    @property
    def repository(self) -> str:
        """The repository of references that name none."""
        return self.source.name.removeprefix("github:")

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
        for batch in batches(issues):
            loaded.add(await (self._foresee(batch) if self.dry_run else self._write(batch)))
            advance(len(batch))
        if self.run:
            if loaded.created:
                await self._settle_references()
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
            self.numbers = {issue.id: 0 for issue in issues} | self.numbers
            return
        async with self.conn.transaction():
            await sql.imports.lock_source(self.conn, source=self.source.system)
            await self._look_up(issues)
            await self._introduce()
            run = await sql.imports.insert_run(self.conn, source=self.source.name, project=self.project, file=file)
            self.run = run or 0
            new = [issue for issue in issues if issue.id not in self.numbers]
            for start in range(0, len(new), RESERVED_AT_ONCE):
                rows = [
                    {"id": issue.id, "author": issue.author.lower(), "created_at": issue.created_at}
                    for issue in new[start : start + RESERVED_AT_ONCE]
                ]
                await sql.imports.reserve_numbers(self.conn, source=self.source.name, run=self.run, rows=_json(rows))
            await self._look_up(issues)

    async def _look_up(self, issues: Sequence[Head]) -> None:
        rows = {row["id"]: row for row in await sql.imports.list_imported_issues(self.conn, source=self.source.name)}
        self.numbers = {id_: row["ticket"] for id_, row in rows.items()}
        self.known = {id_ for id_, row in rows.items() if row["imported"]}
        known = [(issue, rows[issue.id]) for issue in issues if issue.id in rows]
        others = [issue.id for issue, row in known if abs(issue.created_at - row["created_at"]) >= SAME_MOMENT]
        renamed = [(issue, row) for issue, row in known if _apart(issue.author.lower(), row["author"])]
        if renamed:
            logins = {login for issue, row in renamed for login in (issue.author.lower(), row["author"])}
            people = await self._people(logins)
            others += [
                issue.id
                for issue, row in renamed
                if people.get(issue.author.lower(), 1) != people.get(row["author"], 2)
            ]
        if others:
            first = sorted(set(others), key=int)
            more = f" and {len(first) - 3:,} more" if len(first) > 3 else ""
            raise Mismatch(
                f"Issues {', '.join(first[:3])}{more} were created at another time or by somebody else than those "
                f"that are known as {self.source.name}, so the file is of another repository. Name it with "
                "--repository. If only people have other names now, give a --people file that says who they are."
            )

    # Batches ----------------------------------------------------------------------------------------------------

    async def _foresee(self, batch: list[Issue]) -> Loaded:
        return (await self._plan(batch)).outcome()

    async def _write(self, batch: list[Issue]) -> Loaded:
        try:
            async with self.conn.transaction():
                await sql.imports.lock_source(self.conn, source=self.source.system)
                plan = await self._plan(batch)
                await self._carry_out(plan)
                done = plan.outcome()
                await sql.imports.advance_run(
                    self.conn, run=self.run, created=done.created, updated=done.updated, comments=done.comments
                )
                return done
        except _Overtaken:
            return await self._write(batch)
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            if len(batch) == 1:
                reason = f"PostgreSQL says: {error.diag.message_primary or error}"
                return Loaded(bad=[Bad(batch[0].index, batch[0].id, reason)])
        # One issue is to blame; retry one by one, so that the others are imported.
        loaded = Loaded()
        for issue in batch:
            loaded.add(await self._write([issue]))
        return loaded

    # What to do -------------------------------------------------------------------------------------------------

    async def _plan(self, batch: list[Issue]) -> Plan:
        ids = [issue.id for issue in batch]
        tickets = await sql.imports.list_imported_tickets(self.conn, source=self.source.name, ids=ids)
        known = {ticket["id"]: ticket for ticket in tickets}
        everyone = {issue.author.lower() for issue in batch} | {(issue.assignee or GHOST).lower() for issue in batch}
        everyone |= {comment.author.lower() for issue in batch for comment in issue.comments}
        plan = Plan(known=await self._people(everyone))
        await self._find_others(batch)
        for issue in batch:
            ticket = known.get(issue.id)
            if ticket is None:
                plan.new.append(issue)
                if any(references.mentions(issue.title, self.repository)):
                    plan.notes.add("references to issues in titles stay as they are", issue.id)
                for text in (issue.description, *(comment.body for comment in issue.comments)):
                    self._text(text, issue.id, plan.notes)
            elif ticket["project"] != self.project:
                reason = f"it was imported from {self.source.name} into the project {ticket['project']} before"
                plan.bad.append(Bad(issue.index, issue.id, reason))
            else:
                change = self._change(issue, ticket, plan)
                plan.differing += change.differs
                if change:
                    plan.changes.append(change)
                else:
                    plan.unchanged += 1
        return plan

    async def _people(self, logins: Iterable[str]) -> People:
        wanted = set(logins)
        rows = await sql.imports.list_people(self.conn, system=self.source.system, logins=list(wanted))
        # In a dry run, new people have no real ids.
        introduced = {each.login: each.user_id or uuids.uuid7() for each in self.introduced if each.login in wanted}
        people: People = {row["login"]: row["user_id"] for row in rows}
        return people | ({} if self.run else introduced)

    async def _introduce(self) -> None:
        """Store the mapping of people, and add the new ones as users with an e-mail address."""
        rows = []
        for each in self.introduced:
            user_id = each.user_id
            if user_id is None:
                new = _person_row(each.name, email=each.email, service_account=each.login.endswith(BOT))
                await sql.imports.insert_users(self.conn, rows=_json([new]))
                # Not the id above: the address may occur twice, or may have been added meanwhile.
                user = await sql.users.get_user_by_email(self.conn, email=each.email)
                user_id = user["id"] if user else new["id"]
            rows.append({"login": each.login, "user_id": user_id})
        if rows:
            await sql.imports.insert_people(self.conn, system=self.source.system, rows=_json(rows))

    async def _find_others(self, batch: list[Issue]) -> None:
        """The tickets of other repositories' issues to which texts of the batch refer."""
        texts = (text for issue in batch for text in (issue.description, *(said.body for said in issue.comments)))
        asked = {
            (mention.repository, mention.number)
            for text in texts
            for mention in references.mentions(text, self.repository, bare=False)
            if mention.repository != self.repository
        } - self.others.keys()
        if asked:
            pairs = sorted(asked)
            rows = await sql.imports.list_tickets_of_issues(
                self.conn,
                sources=[f"github:{repository}" for repository, _ in pairs],
                ids=[number for _, number in pairs],
            )
            self.others |= {(row["source"].removeprefix("github:"), row["id"]): row["ticket"] for row in rows}

    def _text(self, text: str, issue: str, notes: Notes | None = None) -> str:
        """A text with references to issues rewritten to their tickets."""
        text, led = references.rewritten(text, self.repository, self._find)
        if notes is not None:
            for _ in range(led):
                notes.add("references to issues became references to their tickets", issue)
        return text

    def _find(self, repository: str, number: str) -> int | None:
        if repository == self.repository:
            return self.numbers.get(number)
        return self.others.get((repository, number))

    def _change(self, issue: Issue, ticket: sql.ImportedTicket, plan: Plan) -> Change:
        change = Change(issue, ticket)
        if issue.closed_at is None:
            if ticket["status"] == "closed" and ticket["closed_there"]:
                change.event = "ticket.reopened"
        elif ticket["status"] != "closed":
            reopened_at = ticket["reopened_at"]
            if reopened_at is None or reopened_at < issue.closed_at:
                change.event = "ticket.closed"
        self._compare_fields(change, plan)
        if issue.author.lower() == GHOST != ticket["author"]:
            change.stay("its author has left GitHub; the requester stays the same", plan)
        if "comments" not in issue.absent:
            self._compare_comments(change, plan)
        return change

    def _compare_fields(self, change: Change, plan: Plan) -> None:
        issue, ticket = change.issue, change.ticket
        kept = fields.here(ticket)
        wanted = fields.here(self._ticket_row(issue, plan.known))
        seen: fields.Digests = ticket["seen"] or {}
        now = fields.there(issue, seen)
        missing = fields.unspecified(issue, seen) & fields.with_value(seen)
        if change.event or ticket["status"] != "closed":
            now = {name: value for name, value in now.items() if name not in ("resolution", "closed_at")}
            missing -= {"resolution", "closed_at"}
        for name in missing:
            plan.notes.add(f"the file does not have {name}, as an earlier one did; it stays as it is here", issue.id)
        for name in fields.edited(seen, now, kept, wanted):
            if name == "type":
                change.stay("its type was changed there; a ticket's type stays", plan)
            elif fields.changed_here(ticket["written"] or {}, kept, name):
                change.stay(f"{name} was edited there and changed here, and stays as it is here", plan)
            elif self.update:
                change.applied.add(name)
                plan.notes.add(f"{name} was edited there, and taken over", issue.id)
            else:
                change.stay(f"{name} was edited there, and stays as it is here; --update takes it over", plan)

    def _compare_comments(self, change: Change, plan: Plan) -> None:
        here: dict[str, Row] = {said["id"]: said for said in change.ticket["comments"] or []}
        for comment, said in _found_again(change.issue.comments, here.values()):
            if said is None:
                change.comments.append(comment)
                self._text(comment.body, change.issue.id, plan.notes)
            else:
                del here[said["id"]]
                self._compare_comment(change, said, comment, plan)
        for _ in here:
            change.stay("comments that are not there any more stay here", plan)

    def _compare_comment(self, change: Change, said: Row, comment: Comment, plan: Plan) -> None:
        issue = change.issue
        if comment.visibility == "internal" and said["visibility"] == "public":
            change.stay("comments that were hidden there since stay public here", plan)
        if comment.visibility == "public" and said["visibility"] == "internal":
            change.stay("comments that are not hidden there any more stay internal here", plan)
        if comment.author.lower() == GHOST != _author(said["occasion"]):
            change.stay("authors of comments have left GitHub; the comments stay with those who wrote them", plan)
        now = fields.digest_of_text(comment.body)
        if said["seen"] == now:
            return
        if said["seen"] is None and said["body"] in (comment.body, self._text(comment.body, issue.id)):
            return
        if said["body"] is None or said["written"] not in (None, fields.digest_of_text(said["body"])):
            change.stay("comments that were edited there and changed here stay as they are here", plan)
        elif self.update:
            change.reworded.append((said, comment))
            plan.notes.add("comments were edited there, and taken over", issue.id)
        else:
            change.stay("comments were edited there, and stay as they are here; --update takes them over", plan)

    # How to do it -----------------------------------------------------------------------------------------------

    async def _carry_out(self, plan: Plan) -> None:
        people = await self._add_people(plan)
        events = [*await self._open(plan, people), *await self._bring_up_to_date(plan, people)]
        each: Iterable[tuple[int, list[Comment]]] = chain(
            ((self.numbers[issue.id], issue.comments) for issue in plan.new),
            ((change.ticket["number"], change.comments) for change in plan.changes),
        )
        said = [self._comment_row(comment, number, people) for number, comments in each for comment in comments]
        if said:
            await sql.imports.insert_comments(self.conn, rows=_json(said))
            await sql.imports.note_comments(self.conn, run=self.run, rows=_json(said))
        # Ids that rise in this order give what happened in the same second its natural order.
        order = {"ticket.created": 0, "comment.created": 1}
        events = sorted([*events, *map(_said, said)], key=lambda event: order.get(event["type"], 2))
        if events:
            rows = [{"id": uuids.uuid7(), **event} for event in events]
            await sql.imports.insert_events(self.conn, rows=_json(rows))

    async def _add_people(self, plan: Plan) -> People:
        """The ids of everyone who is needed; unknown people become users without a way to sign in."""
        names = {login: name for login, name in plan.people().items() if login not in plan.known}
        rows = [
            _person_row(
                names[login],
                service_account=login.endswith(BOT),
                external_source=self.source.system,
                external_id=login,
            )
            for login in sorted(names)
        ]
        added: People = {row["external_id"]: row["id"] for row in rows}
        if rows:
            await sql.imports.insert_users(self.conn, rows=_json(rows))
            remembered = [{"login": row["external_id"], "user_id": row["id"]} for row in rows]
            await sql.imports.insert_people(self.conn, system=self.source.system, rows=_json(remembered))
        return plan.known | added

    async def _open(self, plan: Plan, people: People) -> list[Row]:
        if not plan.new:
            return []
        rows = [self._ticket_row(issue, people) for issue in plan.new]
        await sql.imports.insert_tickets(self.conn, rows=_json(rows))
        notes = [
            {
                "ticket": row["number"],
                "made": True,
                "seen": fields.digests(fields.there(issue, {})),
                "written": fields.digests(fields.here(row)),
            }
            for issue, row in zip(plan.new, rows, strict=True)
        ]
        await sql.imports.note_issues(self.conn, run=self.run, rows=_json(notes))
        opened = [_opened(issue, self.numbers[issue.id], people) for issue in plan.new]
        ended = [_closed(self.numbers[issue.id], issue.closed_at) for issue in plan.new if issue.closed_at is not None]
        return [*opened, *ended]

    async def _bring_up_to_date(self, plan: Plan, people: People) -> list[Row]:
        if not plan.changes:
            return []
        rows = [self._changed_row(change, people) for change in plan.changes]
        if await sql.imports.update_tickets(self.conn, rows=_json(rows)) < len(rows):
            raise _Overtaken
        notes, events, reworded = [], [], []
        for change, row in zip(plan.changes, rows, strict=True):
            written = fields.digests(fields.here(row))
            now = fields.digests(fields.there(change.issue, change.ticket["seen"] or {}))
            moved = {"resolution", "closed_at"} if change.event else set()
            fresh = change.applied | (moved & now.keys())
            notes.append(
                {
                    "ticket": row["number"],
                    "made": False,
                    "seen": (change.ticket["seen"] or {}) | {name: now[name] for name in fresh},
                    "written": (change.ticket["written"] or {})
                    | {name: digest for name, digest in written.items() if name in fresh},
                }
            )
            if change.applied:
                events.append(_edited(change, row))
            if change.event is not None:
                events.append(_moved(change, change.event))
            for said, comment in change.reworded:
                text = self._text(comment.body, change.issue.id)
                reworded.append(
                    {
                        "id": said["id"],
                        "ticket": row["number"],
                        "version": said["version"],
                        "body": text,
                        "updated_at": change.issue.updated_at,
                        "occasion": said["occasion"],
                        "seen": fields.digest_of_text(comment.body),
                        "written": fields.digest_of_text(text),
                    }
                )
                events.append(_reworded(change, said))
        await sql.imports.note_issues(self.conn, run=self.run, rows=_json(notes))
        if reworded:
            if await sql.imports.update_comments(self.conn, rows=_json(reworded)) < len(reworded):
                raise _Overtaken
            await sql.imports.note_comments(self.conn, run=self.run, rows=_json(reworded))
        return events

    def _ticket_row(self, issue: Issue, people: People) -> Row:
        return {
            "number": self.numbers[issue.id],
            "type": issue.type,
            "project": self.project,
            "title": issue.title,
            "description": self._text(issue.description, issue.id),
            "status": "open" if issue.closed_at is None else "closed",
            "resolution": issue.resolution,
            "priority": "normal",
            "severity": "none",
            "tags": issue.tags,
            "environment": issue.environment,
            "channel": "import",
            "requester_id": people.get(issue.author.lower()),
            "assignee_id": people.get(issue.assignee.lower()) if issue.assignee else None,
            "external_source": self.source.name,
            "external_id": issue.id,
            "created_at": issue.created_at,
            "updated_at": issue.updated_at,
            "resolved_at": issue.closed_at,
            "closed_at": issue.closed_at,
        }

    def _comment_row(self, comment: Comment, number: int, people: People) -> Row:
        text = self._text(comment.body, "")
        return {
            "id": uuids.uuid7(),
            "ticket": number,
            "author_id": people[comment.author.lower()],
            "body": text,
            "visibility": comment.visibility or "public",
            "external_id": comment.name,
            "created_at": comment.created_at,
            "updated_at": comment.created_at,
            "occasion": comment.occasion,
            "seen": fields.digest_of_text(comment.body),
            "written": fields.digest_of_text(text),
        }

    def _changed_row(self, change: Change, people: People) -> Row:
        """A ticket's row after the change."""
        ticket, wanted = change.ticket, self._ticket_row(change.issue, people)
        names = ("number", "version", "title", "description", "tags", "type", "assignee_id", "environment")
        row: Row = {name: ticket[name] for name in names}  # type: ignore[literal-required]
        row |= {name: wanted[name] for name in ("title", "description", "tags") if name in change.applied}
        if "assignee" in change.applied:
            row["assignee_id"] = wanted["assignee_id"]
        environment = {**ticket["environment"]}
        for name in change.applied & set(fields.ENVIRONMENT):
            environment[name] = change.issue.environment.get(name, "")
        row["environment"] = {name: value for name, value in environment.items() if value}
        return row | _status(change) | {"updated_at": change.issue.updated_at}

    # References -------------------------------------------------------------------------------------------------

    async def _settle_references(self) -> None:
        """Rewrite references in texts of earlier runs, of any repository, to tickets that did not exist then."""
        home, _, name = self.repository.rpartition("/")
        words = [f"{home.rpartition('/')[2]}/{name}{mark}" for mark in ("#", "/issues/")]
        texts: list[Any] = await sql.imports.list_texts_that_mention(self.conn, words=words)
        for row in texts:
            of = row["source"].removeprefix("github:")
            text, led = references.rewritten(row["body"], of, self._find_own, bare=False)
            if not led:
                continue
            # A text that was changed here stays marked as changed.
            digest = fields.digest_of_text if row["comment"] else fields.digest
            written = digest(text) if row["written"] in (None, digest(row["body"])) else row["written"]
            event = {
                "id": uuids.uuid7(),
                "type": "comment.updated" if row["comment"] else "ticket.updated",
                "occurred_at": row["updated_at"],
                "ticket": row["ticket"],
                "comment": row["comment"],
                "was": {},
                "previous": {"body" if row["comment"] else "description": row["body"]},
            }
            given = {"version": row["version"], "body": text, "written": written}
            async with self.conn.transaction():
                if row["comment"]:
                    done = await sql.imports.reword_comment(self.conn, comment_id=row["comment"], **given)
                else:
                    done = await sql.imports.reword_description(self.conn, ticket=row["ticket"], **given)
                if done is not None:
                    await sql.imports.insert_events(self.conn, rows=_json([event]))

    def _find_own(self, repository: str, number: str) -> int | None:
        return self.numbers.get(number) if repository == self.repository else None


def batches(issues: Iterable[Issue]) -> Iterator[list[Issue]]:
    """The issues in batches that one statement takes with ease."""
    batch: list[Issue] = []
    characters = 0
    for issue in issues:
        size = len(issue.title) + len(issue.description) + sum(len(comment.body) for comment in issue.comments)
        if batch and (len(batch) == BATCH_ISSUES or characters + size > BATCH_CHARACTERS):
            yield batch
            batch, characters = [], 0
        batch.append(issue)
        characters += size
    if batch:
        yield batch


def _person_row(name: str, **columns: Any) -> Row:
    """The row of a user who cannot sign in."""
    ids = {"id": uuids.uuid7(), "event_id": uuids.uuid7()}
    return {**ids, "name": name, "role": "requester", "created_at": datetime.now(UTC), **columns}


def _apart(one: str, other: str) -> bool:
    """Whether two logins belong to two people; somebody who has left may have been anybody."""
    return one != other and GHOST not in (one, other)


def _found_again(comments: Sequence[Comment], here: Iterable[Row]) -> Iterator[tuple[Comment, Row | None]]:
    """Comments of a file, each with the one it is here: matched by id, or else by author and time.

    Of the rest, two comments from the same second match if their texts are the same, or if the author of one of them
    has left.
    """
    left = {said["id"]: said for said in here}
    found: dict[str, Row] = {}
    for there_, here_ in _WAYS:
        places: dict[Any, list[Row]] = {}
        for said in left.values():
            places.setdefault(here_(said), []).append(said)
        for comment in comments:
            key = there_(comment)
            if comment.name not in found and key is not None and (same := places.get(key)):
                found[comment.name] = left.pop(same.pop(0)["id"])
    yield from ((comment, found.get(comment.name)) for comment in comments)


def _second(occasion: str) -> str:
    return occasion.partition("/")[0]


def _author(occasion: str) -> str:
    return occasion.split("/")[1]


#: What a comment there and one here share if they are the same, the most certain first.
_WAYS: tuple[tuple[Callable[[Comment], Any], Callable[[Row], Any]], ...] = (
    (lambda comment: comment.name, lambda said: said["name"]),
    (lambda comment: comment.occasion, lambda said: said["occasion"]),
    (
        lambda comment: (_second(comment.occasion), fields.digest_of_text(comment.body)),
        lambda said: (_second(said["occasion"]), said["seen"]),
    ),
    (
        lambda comment: _second(comment.occasion) if comment.author.lower() == GHOST else None,
        lambda said: _second(said["occasion"]),
    ),
    (
        lambda comment: _second(comment.occasion),
        lambda said: _second(said["occasion"]) if _author(said["occasion"]) == GHOST else None,
    ),
)


def _status(change: Change) -> Row:
    """The status of a ticket, and the fields that depend on it, after the change."""
    names = ("status", "resolution", "resolution_note", "resolved_at", "closed_at")
    now: Row = {name: change.ticket[name] for name in names}  # type: ignore[literal-required]
    closed_at = fields.moment(change.issue.closed_at)
    if change.event == "ticket.reopened":
        return dict.fromkeys(names) | {"status": "open", "resolution": "none"}
    if change.event == "ticket.closed":
        if now["status"] != "resolved":
            now |= {"resolution": change.issue.resolution, "resolved_at": closed_at}
        now |= {"status": "closed", "closed_at": closed_at}
    if "resolution" in change.applied:
        now["resolution"] = change.issue.resolution
    if "closed_at" in change.applied:
        now |= {"closed_at": closed_at, "resolved_at": closed_at}
    return now


def _json(rows: list[Row]) -> Jsonb:
    """JSON, with timestamps and ids, which the standard library does not encode."""
    return Jsonb(rows, dumps=orjson.dumps)


# What happened --------------------------------------------------------------------------------------------------

STILL_OPEN: Row = {"status": "open", "resolution": "none", "resolved_at": None, "closed_at": None}


def _opened(issue: Issue, number: int, people: People) -> Row:
    return {
        "type": "ticket.created",
        "occurred_at": issue.created_at,
        "actor_id": people[issue.author.lower()],
        "ticket": number,
        "was": STILL_OPEN | {"updated_at": issue.created_at},
        "previous": {},
    }


def _said(comment: Row) -> Row:
    return {
        "type": "comment.created",
        "occurred_at": comment["created_at"],
        "actor_id": comment["author_id"],
        "ticket": comment["ticket"],
        "comment": comment["id"],
        "was": {},
        "previous": {},
    }


def _closed(number: int, closed_at: datetime) -> Row:
    """The event of closing; the file does not say who closed the issue."""
    return {
        "type": "ticket.closed",
        "occurred_at": closed_at,
        "ticket": number,
        "was": {"updated_at": closed_at},
        "previous": STILL_OPEN,
    }


def _moved(change: Change, event: str) -> Row:
    """The event of a new status; the file does not say when an issue was reopened."""
    ticket: Row = {**change.ticket}
    now = _status(change)
    return {
        "type": event,
        "occurred_at": change.issue.closed_at or change.issue.updated_at,
        "ticket": ticket["number"],
        "was": {},
        "previous": {name: ticket[name] for name, value in now.items() if value != ticket[name]},
    }


def _edited(change: Change, row: Row) -> Row:
    """The event of an edit; the file does not say who edited it, or when."""
    before: Row = {**change.ticket}
    names = ["title", "description", "tags", "environment", "resolution", "resolved_at", "closed_at"]
    if change.event:
        names = names[:4]
    previous = {name: before[name] for name in names if before[name] != row[name]}
    if before["assignee_id"] != row["assignee_id"]:
        previous["assignee"] = before["assignee"]
    status = ("status", "resolution", "resolution_note", "resolved_at", "closed_at")
    return {
        "type": "ticket.updated",
        "occurred_at": change.issue.updated_at,
        "ticket": before["number"],
        "was": {name: before[name] for name in status} if change.event else {},
        "previous": previous,
    }


def _reworded(change: Change, said: Row) -> Row:
    return {
        "type": "comment.updated",
        "occurred_at": change.issue.updated_at,
        "ticket": change.ticket["number"],
        "comment": said["id"],
        "was": {},
        "previous": {"body": said["body"]},
    }
