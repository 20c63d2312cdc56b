"""Labels: the type and resolution that they give an issue, and the tags that they become."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ticketing.db import sql
from ticketing.ground import texts
from ticketing.sources.issues import Notes, Rules

MAX_TAGS = 20
LONGEST_TAG = 50

#: Labels that give the type, in order of precedence.
TYPES: dict[sql.TicketType, frozenset[str]] = {
    "bug": frozenset({"bug", "defect", "regression", "crash"}),
    "feature_request": frozenset({"enhancement", "feature", "feature request", "improvement"}),
    "support": frozenset({"question", "support", "help"}),
}
#: Labels that give the resolution, likewise.
RESOLUTIONS: dict[sql.TicketResolution, frozenset[str]] = {
    "spam": frozenset({"spam"}),
    "duplicate": frozenset({"duplicate"}),
    "cannot_reproduce": frozenset(
        {"cannot reproduce", "can't reproduce", "unable to reproduce", "not reproducible", "works for me", "worksforme"}
    ),
    "invalid": frozenset({"invalid", "not a bug"}),
    "wont_fix": frozenset({"wontfix", "wont fix", "won't fix", "not planned", "declined"}),
}
REASONS: dict[str, sql.TicketResolution] = {"NOT_PLANNED": "wont_fix", "DUPLICATE": "duplicate"}
DONE: dict[sql.TicketType, sql.TicketResolution] = {
    "bug": "fixed",
    "feature_request": "shipped",
    "support": "answered",
}
#: As in `kind/bug` or `status: duplicate`. Other prefixes are left alone: `area/support` is no question.
PREFIXES = frozenset({"kind", "type", "t", "resolution", "state", "status", "closed"})


def type_of(labels: Sequence[str], rules: Rules) -> sql.TicketType:
    """The type that the labels give, if the project takes it."""
    words = {_word(label) for label in labels}
    labelled = (type_ for type_, meaning in TYPES.items() if words & meaning and type_ in rules.types)
    return next(labelled, rules.default_type)


def resolution_of(labels: Sequence[str], reason: str, type_: sql.TicketType) -> sql.TicketResolution:
    """How a closed issue ended, by its labels, or else by GitHub's reason for closing it."""
    words = {_word(label) for label in labels}
    for resolution, meaning in RESOLUTIONS.items():
        if words & meaning:
            return resolution
    return REASONS.get(reason.upper(), DONE[type_])


def _word(label: str) -> str:
    """`🐛 Bug`, `kind/bug` and `Type: bug` are all `bug`."""
    text = label.lower().replace("’", "'")
    prefix, _, rest = text.partition(":" if ":" in text else "/")
    return " ".join(re.findall(r"[a-z']+", rest if prefix.strip() in PREFIXES else text))


def tags_of(labels: Iterable[str], issue: str, notes: Notes) -> list[str]:
    """The labels of an issue as tags, each once; notes what was changed or did not fit."""
    tags: list[str] = []
    for label in labels:
        tag = tag_of(label)
        if not tag:
            notes.add(f"the label {label!r} is left out: it has no visible characters", issue)
        elif tag not in tags and len(tags) == MAX_TAGS:
            notes.add(f"the label {label!r} is left out where others come first: a ticket has {MAX_TAGS} tags", issue)
        else:
            if tag != label:
                notes.add(f"the label {label!r} became the tag {tag!r}", issue)
            if tag not in tags:
                tags.append(tag)
    return tags


def tag_of(label: str) -> str:
    """The label as a tag, in any script: lower case, single blanks, no commas, and not too long."""
    return texts.tag(label.replace(",", " "))[:LONGEST_TAG].rstrip()
