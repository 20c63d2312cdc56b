"""What to do with a batch of issues: which are new, which have changed, and which cannot be imported."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain

from ticketing.db import sql
from ticketing.sources import references
from ticketing.sources.issues import Bad, Comment, Issue, Notes
from ticketing.sources.loading.changes import Change
from ticketing.sources.loading.comparison import compared
from ticketing.sources.loading.outcome import Loaded
from ticketing.sources.loading.people import People
from ticketing.sources.loading.tickets import Target


@dataclass(slots=True)
class Plan:
    """What to do with a batch, and the ids of the people who are known."""

    known: People
    new: list[Issue] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    unchanged: int = 0
    differing: int = 0
    bad: list[Bad] = field(default_factory=list)
    notes: Notes = field(default_factory=Notes)

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


def plan_of(
    batch: Iterable[Issue], tickets: Mapping[str | None, sql.ImportedTicket], known: People, target: Target
) -> Plan:
    """What to do with the issues of a batch, of which some are `tickets` already."""
    plan, links = Plan(known), target.links
    for issue in batch:
        ticket = tickets.get(issue.id)
        if ticket is None:
            plan.new.append(issue)
            if any(references.mentions(issue.title, links.repository)):
                plan.notes.add("references to issues in titles stay as they are", issue.id)
            for text in (issue.description, *(comment.body for comment in issue.comments)):
                links.text(text, issue.id, plan.notes)
        elif ticket["project"] != target.project:
            reason = f"it was imported from {links.source.name} into the project {ticket['project']} before"
            plan.bad.append(Bad(issue.index, issue.id, reason))
        else:
            change = compared(issue, ticket, known, target, plan.notes)
            plan.differing += change.differs
            if change:
                plan.changes.append(change)
            else:
                plan.unchanged += 1
    return plan
