"""References in imported texts, which lead to the tickets of the issues that they name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import uuid_utils.compat as uuids

from ticketing.db import sql
from ticketing.sources import fields, references
from ticketing.sources.issues import Issue, Notes, Source
from ticketing.sources.loading.rows import as_json

AT_ONCE = 100
"""Most texts in memory while references are settled."""


@dataclass(slots=True)
class Links:
    """The tickets to which texts of a source refer."""

    conn: sql.Connection
    source: Source
    #: The ticket numbers of the source's issues.
    numbers: dict[str, int] = field(default_factory=dict)
    #: The tickets of other repositories' issues, as far as they were looked up.
    others: dict[tuple[str, str], int] = field(default_factory=dict)

    @property
    def repository(self) -> str:
        """The repository of references that name none."""
        return self.source.name.removeprefix("github:")

    async def look_up(self, batch: list[Issue]) -> None:
        """Find the tickets of other repositories' issues to which texts of the batch refer."""
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

    def text(self, text: str, issue: str, notes: Notes | None = None) -> str:
        """A text with references to issues rewritten to their tickets."""
        text, led = references.rewritten(text, self.repository, self._find)
        if notes is not None and led:
            notes.add("references to issues became references to their tickets", issue, led)
        return text

    def _find(self, repository: str, number: str) -> int | None:
        if repository == self.repository:
            return self.numbers.get(number)
        return self.others.get((repository, number))

    async def settle(self) -> None:
        """Rewrite references in texts of earlier runs, of any repository, to tickets that did not exist then."""
        home, _, name = self.repository.rpartition("/")
        words = [f"{home.rpartition('/')[2]}/{name}{mark}" for mark in ("#", "/issues/")]
        places: list[Any] = await sql.imports.list_texts_that_mention(self.conn, words=words)
        for start in range(0, len(places), AT_ONCE):
            some = places[start : start + AT_ONCE]
            texts = await sql.imports.list_imported_texts(
                self.conn,
                tickets=[place["ticket"] for place in some if place["comment"] is None],
                comments=[place["comment"] for place in some if place["comment"]],
            )
            for row in texts:
                await self._settle(row)

    async def _settle(self, row: Any) -> None:
        of = row["source"].removeprefix("github:")
        text, led = references.rewritten(row["body"], of, self._find_own, bare=False)
        if not led:
            return
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
                await sql.imports.insert_events(self.conn, rows=as_json([event]))

    def _find_own(self, repository: str, number: str) -> int | None:
        return self.numbers.get(number) if repository == self.repository else None
