"""The fields of a query, each declared once: parser, compiler, contract, guide and tests read them here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from ticketing.query.tree import Value

Kind = Literal["word", "flag", "key", "person", "tag", "reference", "text", "number", "moment"]


@dataclass(frozen=True, slots=True)
class Field:
    """What a clause can ask for."""

    name: str
    kind: Kind
    column: str
    """Of `t`, which is tickets. It cannot be null, unless `none` is a value of the field."""
    sentence: str
    example: str
    words: tuple[str, ...] = ()
    """All its values, in the order of their type, if it is a list that is closed."""
    type: str = "text"
    """That of the column in PostgreSQL."""
    ordered: bool = False
    """Whether values are less or more than others."""
    absent: bool = False
    """Whether `none` stands for a ticket without a value. It does anyway where it is one of the words."""
    also: tuple[str, ...] = ()
    """What it is called elsewhere, for who looks for it here by that name."""


TYPES = ("bug", "feature_request", "support")
STATUSES = ("open", "in_progress", "pending", "resolved", "closed")
PRIORITIES = ("low", "normal", "high", "urgent")
SEVERITIES = ("none", "low", "medium", "high", "critical")
RESOLUTIONS = (
    *("none", "fixed", "shipped", "answered", "duplicate", "wont_fix", "cannot_reproduce", "invalid", "spam"),
    "withdrawn",
)
CHANNELS = ("portal", "email", "api", "github", "import")

FIELDS = {
    field.name: field
    for field in (
        Field(
            "type",
            "word",
            "t.type",
            "What it is.",
            "type:bug,support",
            TYPES,
            "ticket_type",
            also=("kind",),
        ),
        Field(
            "status",
            "word",
            "t.status",
            "Where it stands.",
            "status:open,in_progress",
            STATUSES,
            "ticket_status",
            also=("state", "is"),
        ),
        Field(
            "resolution",
            "word",
            "t.resolution",
            "Why it has ended; `none` if it has not.",
            "-resolution:duplicate,spam",
            RESOLUTIONS,
            "ticket_resolution",
            also=("reason",),
        ),
        Field(
            "priority",
            "word",
            "t.priority",
            "How soon it is to be worked on.",
            "priority:>=high",
            PRIORITIES,
            "ticket_priority",
            ordered=True,
            also=("prio",),
        ),
        Field(
            "severity",
            "word",
            "t.severity",
            "How bad a bug is; `none`, the lowest, for what is no bug, or not judged.",
            "severity:>medium",
            SEVERITIES,
            "ticket_severity",
            ordered=True,
        ),
        Field(
            "channel",
            "word",
            "t.channel",
            "How it came in.",
            "channel:email",
            CHANNELS,
            "ticket_channel",
            also=("source", "via"),
        ),
        Field(
            "project",
            "key",
            "t.project",
            "The key of its project.",
            "project:media-server",
            also=("product", "repo"),
        ),
        Field(
            "category",
            "key",
            "t.category",
            "The key of its category, in whichever project.",
            "category:transcoding,none",
            absent=True,
            also=("component",),
        ),
        Field(
            "tag",
            "tag",
            "t.tags",
            "One of its tags. It has both of two tags with `tag:hdr tag:regression`.",
            "tag:hdr -tag:regression",
            absent=True,
            also=("tags", "label", "labels"),
        ),
        Field(
            "assignee",
            "person",
            "t.assignee_id",
            "Who works on it.",
            "assignee:me,none",
            absent=True,
            also=("assigned", "owner", "agent"),
        ),
        Field(
            "requester",
            "person",
            "t.requester_id",
            "Who has the problem.",
            "requester:me",
            also=("author", "from", "reporter", "user"),
        ),
        Field(
            "external_reference",
            "reference",
            "t.external_source",
            "What it was imported from, by source and id.",
            "external_reference:github:lumen/apps#512",
            absent=True,
            also=("external", "reference", "imported"),
        ),
        Field(
            "title",
            "text",
            "t.title",
            "Its title has a word that begins so, or this phrase.",
            'title:"subtitles drift"',
            also=("subject", "summary"),
        ),
        Field(
            "number",
            "number",
            "t.number",
            "Its number.",
            "number:>=1000",
            type="bigint",
            ordered=True,
            also=("id",),
        ),
        Field(
            "escalated",
            "flag",
            "t.number",
            "Whether `ticket.escalated` was recorded for it.",
            "escalated:true",
            ("true", "false"),
        ),
        Field(
            "created",
            "moment",
            "t.created_at",
            "When it was opened.",
            "created:>=2026-01-01 created:<2026-02-01",
            ordered=True,
            also=("opened",),
        ),
        Field(
            "updated",
            "moment",
            "t.updated_at",
            "When it was last changed.",
            "updated:-7d",
            ordered=True,
            also=("changed", "modified"),
        ),
        Field(
            "resolved",
            "moment",
            "t.resolved_at",
            "When it was resolved, or closed without having been.",
            "resolved:2026-01-31",
            ordered=True,
            absent=True,
        ),
        Field(
            "closed",
            "moment",
            "t.closed_at",
            "When it was closed.",
            "closed:none",
            ordered=True,
            absent=True,
        ),
    )
}

SORT = "sort"
"""What is written like a field, and says what to sort by."""
SORT_KEYS = {
    "created": ("t.created_at", "timestamptz"),
    "updated": ("t.updated_at", "timestamptz"),
    "priority": ("t.priority", "ticket_priority"),
}
"""The column of each key, and its type. Ties are broken by number."""
SORTS = tuple(sign + key for key in SORT_KEYS for sign in ("-", ""))
RELEVANCE = "relevance"
"""The sort of what a text is looked for in: the best hits first. Without a text it is the first of the others."""

ME = "me"
NONE = "none"


def is_none(field: Field, value: Value) -> bool:
    """Whether a value stands for a ticket without one."""
    return field.absent and value.text == NONE and not value.literal


def is_me(field: Field, value: Value) -> bool:
    """Whether a value stands for who asks."""
    return field.kind == "person" and value.text == ME and not value.literal


def is_id(text: str) -> bool:
    """Whether a value of a person is their id."""
    return _ID.fullmatch(text) is not None


_ID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


def table() -> list[str]:
    """All fields for people, as a table in Markdown."""
    rows = [
        f"| `{field.name}` | {field.sentence} | {_values(field)} | `{field.example}` |"
        for field in sorted(FIELDS.values(), key=lambda field: field.name)
    ]
    return ["| field | what | values | for example |", "|---|---|---|---|", *rows]


def _values(field: Field) -> str:
    words = ", ".join(f"`{word}`" for word in field.words) or OF_KIND[field.kind]
    return words + "; compares" * field.ordered + f"; `{NONE}`" * field.absent


OF_KIND: dict[Kind, str] = {
    "key": "a key",
    "person": f"a name, an e-mail address, an id, `{ME}`",
    "tag": "a tag",
    "reference": "a source and an id, with `#` or `/` between them",
    "text": "a word, or a phrase in quotes",
    "number": "a number",
    "moment": "a time",
}
