"""The report of an import: what became of each entry of the file, and every difference between there and here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from ticketing.sources.github import Reading
from ticketing.sources.issues import Bad, Notes
from ticketing.sources.loading import Loaded

NAMED = 5
"""Most issue numbers named in a line for people."""


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a file."""

    reading: Reading
    loaded: Loaded
    source: str
    dry_run: bool

    def bad(self) -> list[Bad]:
        """Entries and single comments that were not imported, in the order of the file."""
        return sorted(self.reading.bad + self.loaded.bad, key=lambda bad: (bad.index, bad.comment or 0))

    def figures(self) -> dict[str, int]:
        """The number of entries by outcome."""
        loaded = self.loaded
        return {
            "created": loaded.created,
            "updated": loaded.updated,
            "unchanged": loaded.unchanged,
            "left_out": len(self.reading.left_out),
            "bad": sum(bad.comment is None for bad in self.bad()),
        }

    def missing(self) -> list[str]:
        """The issues that were imported before and are missing from the file, even as bad ones."""
        bad = {each.number for each in self.reading.bad}
        return [issue for issue in self.loaded.missing if issue not in bad]

    def notes(self) -> list[dict[str, Any]]:
        """What was changed or left out, and in which issues."""
        notes = Notes()
        notes.extend(self.reading.notes)
        notes.extend(self.loaded.notes)
        return notes.entries()

    def json(self) -> bytes:
        """The report in one line, for machines."""
        figures = self.figures()
        return orjson.dumps(
            {
                "dry_run": self.dry_run,
                "run": self.loaded.run,
                "source": self.source,
                "issues": sum(figures.values()),
                **{name: count for name, count in figures.items() if name != "bad"},
                "different": self.loaded.differing,
                "comments": self.loaded.comments,
                "people": len(self.loaded.people),
                "bad": self.bad(),
                "notes": self.notes(),
                "not_in_file": self.missing(),
                "fields_absent": sorted(self.reading.absent),
                "fields_left_out": dict(sorted(self.reading.fields.items())),
            }
        )

    def text(self) -> str:
        """The report in sentences, for people."""
        figures, bad, notes = self.figures(), self.bad(), self.notes()
        outcomes = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in figures.items())
        comments = counted(self.loaded.comments, "comment", "comments")
        lines = [
            f"{counted(sum(figures.values()), 'issue', 'issues')} of {self.source}: {outcomes}.",
            f"{comments} and {counted(len(self.loaded.people), 'person', 'people')} added.",
        ]
        if self.loaded.differing:
            lines.append(f"Different here and there: {counted(self.loaded.differing, 'issue', 'issues')}.")
        if self.loaded.run is not None and (self.loaded.created or self.loaded.comments):
            lines.append(f"It was run {self.loaded.run}; `ticketing import revert {self.loaded.run}` reverts it.")
        if bad:
            lines.append("Bad entries, by their position in the file, counted from 0:")
            lines += [f"  {each.index} (issue {each.number or 'unknown'}): {each.reason}." for each in bad]
        if notes:
            lines.append("Differences:")
            lines += [f"  {_sentence(note)}" for note in notes]
        if missing := self.missing():
            names = ", ".join(missing[:NAMED]) + (f" and {len(missing) - NAMED:,} more" if missing[NAMED:] else "")
            lines.append(f"Imported before, but not in this file: {names}. Their tickets stay as they are.")
        if self.reading.absent:
            lines.append(f"Fields that no issue in the file has: {', '.join(sorted(self.reading.absent))}.")
        if self.reading.fields:
            counts = ", ".join(f"{name} ({count:,})" for name, count in sorted(self.reading.fields.items()))
            lines.append(f"Fields that a ticket has no place for, and how often they have a value: {counts}.")
        if self.dry_run:
            lines.append("This was a dry run: nothing was written.")
        return "\n".join(lines)


def counted(count: int, one: str, many: str) -> str:
    """How many of something there are, such as `1 comment`."""
    return f"{count:,} {one if count == 1 else many}"


def _sentence(note: dict[str, Any]) -> str:
    text, issues = note["note"], note["issues"]
    more = f" and {len(issues) - NAMED:,} more" if len(issues) > NAMED else ""
    times = f"{note['count']:,} times, " if note["count"] > 1 else ""
    return (
        f"{text[0].upper()}{text[1:]} ({times}issue{'s' if len(issues) > 1 else ''} {', '.join(issues[:NAMED])}{more})."
    )
