"""What an import has done, or in a dry run would do."""

from __future__ import annotations

from dataclasses import dataclass, field

from ticketing.sources.issues import Bad, Notes


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
