"""Compares an issue of the file with its ticket here, and with what the last import saw of it."""

from __future__ import annotations

from dataclasses import dataclass

from ticketing.db import sql
from ticketing.sources import fields
from ticketing.sources.github.logins import GHOST
from ticketing.sources.issues import Comment, Issue, Notes
from ticketing.sources.loading import tickets
from ticketing.sources.loading.changes import Change
from ticketing.sources.loading.comments import author_of, found_again
from ticketing.sources.loading.people import People
from ticketing.sources.loading.rows import Row
from ticketing.sources.loading.tickets import Target


def compared(issue: Issue, ticket: sql.ImportedTicket, people: People, target: Target, notes: Notes) -> Change:
    """What has changed; differences that stay are added to the notes."""
    comparison = _Comparison(Change(issue, ticket), people, target, notes)
    comparison.status()
    comparison.fields()
    if issue.author.lower() == GHOST != ticket["author"]:
        comparison.stay("its author has left GitHub; the requester stays the same")
    if "comments" not in issue.absent:
        comparison.comments()
    return comparison.change


@dataclass(frozen=True, slots=True)
class _Comparison:
    change: Change
    people: People
    target: Target
    notes: Notes

    def stay(self, note: str) -> None:
        """Note a difference between there and here that stays."""
        self.change.differs = True
        self.notes.add(note, self.change.issue.id)

    def status(self) -> None:
        """Close or reopen the ticket, unless somebody here, or the service, has done otherwise since.

        This follows from what imports have written, because events may have expired.
        """
        issue, ticket = self.change.issue, self.change.ticket
        seen, written = ticket["seen"] or {}, ticket["written"] or {}
        if issue.closed_at is None and ticket["status"] == "closed":
            if "closed_at" in written and not fields.changed_here(written, fields.here(ticket), "closed_at"):
                self.change.event = "ticket.reopened"
            else:
                self.stay("it is open there and was closed here, and stays closed")
        elif issue.closed_at is not None and ticket["status"] != "closed":
            is_new = seen.get("closed_at") != fields.digest(fields.moment(issue.closed_at))
            if is_new and (ticket["reopened_at"] is None or ticket["reopened_at"] < issue.closed_at):
                self.change.event = "ticket.closed"
            else:
                self.stay("it is closed there and was reopened here, and stays open")

    def fields(self) -> None:
        issue, ticket = self.change.issue, self.change.ticket
        kept = fields.here(ticket)
        wanted = fields.here(tickets.row_of(issue, self.people, self.target))
        seen: fields.Digests = ticket["seen"] or {}
        now = fields.there(issue, seen)
        missing = fields.unspecified(issue, seen) & fields.with_value(seen)
        if self.change.event or ticket["status"] != "closed":
            now = {name: value for name, value in now.items() if name not in ("resolution", "closed_at")}
            missing -= {"resolution", "closed_at"}
        for name in missing:
            self.notes.add(f"the file does not have {name}, as an earlier one did; it stays as it is here", issue.id)
        for name in fields.edited(seen, now, kept, wanted):
            if name == "type":
                self.stay("its type was changed there; a ticket's type stays")
            elif fields.changed_here(ticket["written"] or {}, kept, name):
                self.stay(f"{name} was edited there and changed here, and stays as it is here")
            elif self.target.update:
                self.change.applied.add(name)
                self.notes.add(f"{name} was edited there, and taken over", issue.id)
            else:
                self.stay(f"{name} was edited there, and stays as it is here; --update takes it over")

    def comments(self) -> None:
        here: dict[str, Row] = {said["id"]: said for said in self.change.ticket["comments"] or []}
        for comment, said in found_again(self.change.issue.comments, here.values()):
            if said is None:
                self.change.comments.append(comment)
                self.target.links.text(comment.body, self.change.issue.id, self.notes)
            else:
                del here[said["id"]]
                self._comment(said, comment)
        for _ in here:
            self.stay("comments that are not there any more stay here")

    def _comment(self, said: Row, comment: Comment) -> None:
        issue = self.change.issue
        if comment.visibility == "internal" and said["visibility"] == "public":
            self.stay("comments that were hidden there since stay public here")
        if comment.visibility == "public" and said["visibility"] == "internal":
            self.stay("comments that are not hidden there any more stay internal here")
        if comment.author.lower() == GHOST != author_of(said["occasion"]):
            self.stay("authors of comments have left GitHub; the comments stay with those who wrote them")
        now = fields.digest_of_text(comment.body)
        if said["seen"] == now:
            return
        if said["seen"] is None and said["body"] in (comment.body, self.target.links.text(comment.body, issue.id)):
            return
        if said["body"] is None or said["written"] not in (None, fields.digest_of_text(said["body"])):
            self.stay("comments that were edited there and changed here stay as they are here")
        elif self.target.update:
            self.change.reworded.append((said, comment))
            self.notes.add("comments were edited there, and taken over", issue.id)
        else:
            self.stay("comments were edited there, and stay as they are here; --update takes them over")
