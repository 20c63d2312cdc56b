"""What must be known of all entries of a file before any of them can be read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ticketing.sources import repositories
from ticketing.sources.github import fields, logins, shapes
from ticketing.sources.github.values import LONGEST_NAME


@dataclass(slots=True)
class Survey:
    """What must be known of all entries of a file before any of them can be read."""

    #: Fields that at least one issue has.
    fields: set[str] = field(default_factory=set)
    issues: int = 0
    closed: bool = False
    #: Whether the REST API counts comments on any issue; and whether any issue has a list of them, as from `gh`.
    counted: bool = False
    listed: bool = False
    #: Logins of bots, in lower case and without `app/` or `[bot]`.
    bots: set[str] = field(default_factory=set)
    #: Repositories that the entries name.
    repositories: set[str] = field(default_factory=set)
    #: Positions of comments that are separate entries, by the repository and number of their issue.
    comments: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    #: Issues whose comments the REST API only counts, by repository and number.
    commented: set[tuple[str, str]] = field(default_factory=set)
    #: Numbers of pull requests.
    pull_requests: set[str] = field(default_factory=set)

    def look_at(self, index: int, entry: Any) -> None:
        """Take an entry into account."""
        if (key := shapes.key_of_comment(entry)) is not None:
            self.comments.setdefault(key, []).append(index)
            self.bots |= logins.bots([shapes.like_gh(entry).get("author")])
            return
        row = shapes.in_shape(entry)
        if not isinstance(row, dict):
            return
        if shapes.is_pull_request(row):
            self.pull_requests.add(str(row.get("number"))[:LONGEST_NAME])
            return
        self.issues += 1
        self.fields |= row.keys() & fields.OF_ISSUES
        self.closed = self.closed or str(row.get("state")).upper() == "CLOSED"
        self.bots |= logins.bots(logins.people_of(row))
        if repository := repositories.canonical(str(row.get("url"))):
            self.repositories.add(repository)
        if type(row.get("comments")) is int:
            self.counted = self.counted or row["comments"] > 0
            self.commented.add(shapes.key(row))
        else:
            self.listed = self.listed or "comments" in row

    @property
    def has_comments(self) -> bool:
        """Whether the file has the comments, if any, that the REST API only counts."""
        return bool(self.comments) or not self.counted

    @property
    def absent(self) -> frozenset[str]:
        """Fields that no issue has, though some may need them."""
        absent = fields.OF_ISSUES - self.fields if self.issues else frozenset[str]()
        if self.commented and not self.has_comments and not self.listed:
            absent |= {"comments"}
        return absent if self.closed else absent - set(fields.OF_CLOSED)
