"""Values of an entry, as they can be stored; what had to be changed is noted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ticketing.ground import texts
from ticketing.sources.github.logins import BOT, GHOST, is_bot, plain
from ticketing.sources.issues import Comment, Entry, Notes, Rules

LONGEST_NAME = 200
SKEW = timedelta(hours=1)
"""How far clocks may differ."""
ZERO = datetime(1, 1, 2, tzinfo=UTC)
"""Go's zero time is before this."""


class BadEntry(Exception):
    """An entry is not an issue or comment that can be imported; the message says why."""


def storable(text: str) -> str:
    """The text without half characters (not in UTF-8) and NUL (not in PostgreSQL)."""
    plain = text.isascii() and "\0" not in text
    return text if plain else re.sub("[\0\ud800-\udfff]", "\ufffd", text)


def list_of(row: Entry, key: str) -> list[Any]:
    """A list; null counts as empty, because Go prints an empty list as null."""
    value = row.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise BadEntry(f"{key} is not a list")
    return value


@dataclass(slots=True)
class Values:
    """Reads the values of an issue, and notes its changes to them."""

    rules: Rules
    notes: Notes
    #: Logins of bots, in lower case and without `app/` or `[bot]`.
    bots: Collection[str]
    issue: str = ""

    def text(self, entry: Entry, key: str, where: str = "", *, required: bool = True) -> str:
        """A text without what cannot be stored. Raises BadEntry, unless it may be missing."""
        value = entry.get(key)
        name = f"{where}: {key}" if where else key
        if value is None and not required:
            return ""
        if not isinstance(value, str):
            raise BadEntry(f"{name} is missing" if value is None else f"{name} is not a text")
        kept = storable(value)
        if kept != value:
            self.notes.add(f"characters in {name} that cannot be stored became \ufffd", self.issue)
        return kept

    def line(self, entry: Entry, key: str, where: str = "", *, required: bool = True) -> str:
        """A text of one line. Raises BadEntry, unless it may be missing."""
        written = self.text(entry, key, where, required=required)
        line = texts.one_line(written)
        if line != written:
            self.notes.add(f"blanks or invisible characters were removed from {key}", self.issue)
        return line

    def prose(self, entry: Entry, key: str) -> str:
        """A text of many lines, which may be missing. Raises BadEntry."""
        written = self.text(entry, key, required=False)
        text = texts.text(written)
        if text != written:
            plain = text == written.replace("\r\n", "\n").strip()
            what = "lines of {} end with LF, and there are no blanks around" if plain else "{} has a plainer form"
            self.notes.add(f"{what.format(key)}, as in all texts here", self.issue)
        return text

    def name(self, entry: Entry, key: str, where: str) -> str:
        """A text that must fit into an index, and may be missing. Raises BadEntry."""
        text = self.line(entry, key, where, required=False)
        if len(text) > LONGEST_NAME:
            raise BadEntry(f"{where}: {key} is longer than {LONGEST_NAME} characters")
        return text

    def moment(self, entry: Entry, key: str) -> datetime:
        """A timestamp, in UTC and not in the future. Raises BadEntry."""
        value = self.text(entry, key)
        try:
            moment = datetime.fromisoformat(value)
            if moment.tzinfo is not None:
                moment = moment.astimezone(UTC)
                if moment > self.rules.now + SKEW:
                    raise BadEntry(f"{key} is in the future: {value}")
                if moment > ZERO:
                    return moment
        except (ValueError, OverflowError):
            pass
        raise BadEntry(f"{key} is not a date and time like 2026-11-24T10:00:00Z")

    def labels(self, row: Entry) -> list[str]:
        """The names of the labels. Raises BadEntry."""
        names = []
        for label in list_of(row, "labels"):
            if not isinstance(label, str | dict):
                raise BadEntry("labels is not a list of objects")
            names.append(self.text({"name": label} if isinstance(label, str) else label, "name", "labels"))
        return names

    def issue_type(self, row: Entry) -> list[str]:
        """The name of the type that its organization gave it, if any."""
        type_ = row.get("type")
        if isinstance(type_, str) and type_:
            type_ = {"name": type_}
        return [self.line(type_, "name", "type")] if isinstance(type_, dict) and type_.get("name") else []

    def author(self, entry: Entry) -> str:
        """The author of an issue or a comment. Null stands for people who have left."""
        author = entry.get("author")
        return GHOST if author is None else self.login(author, "author")

    def login(self, person: Any, where: str) -> str:
        """A person's login. A bot has one name, however GitHub writes it."""
        if isinstance(person, str):
            person = {"login": person}
        if not isinstance(person, Mapping):
            raise BadEntry(f"{where} is neither an object nor a login")
        # For people who have left, `gh` prints an empty login, GitHub itself none at all.
        written = self.name(person, "login", where) or GHOST
        login = plain(written)
        human = person.get("is_bot") is False or person.get("type") == "User"
        if is_bot(person, written) or (login.lower() in self.bots and not human):
            login += BOT
        if login != written:
            self.notes.add(f"the bot {written!r} is {login!r} here", self.issue)
        return login

    def comment(self, entry: Any, occasions: Counter[str]) -> Comment:
        """A comment; `occasions` counts what each author wrote in each second. Raises BadEntry."""
        if not isinstance(entry, dict):
            raise BadEntry("it is not an object")
        created_at = self.moment(entry, "createdAt")
        author = self.author(entry)
        said = f"{created_at:%Y-%m-%dT%H:%M:%SZ}/{author.lower()}"
        id_ = self.name(entry, "id", "comment")
        body = self.prose(entry, "body")
        occasions[said] += 1
        hidden = entry.get("isMinimized")
        if hidden is True:
            self.notes.add("comments that are hidden on GitHub became internal", self.issue)
        return Comment(
            id=id_,
            occasion=f"{said}/{occasions[said]}",
            author=author,
            body=body,
            created_at=created_at,
            visibility=None if not isinstance(hidden, bool) else "internal" if hidden else "public",
        )
