"""Logins of GitHub: people, those who have left, and bots, which have one name however GitHub writes it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ticketing.sources.issues import Entry

GHOST = "ghost"
"""The login that GitHub shows for people who have left."""
BOT = "[bot]"


def people_of(row: Entry) -> Iterator[Any]:
    """Everyone whom an issue names."""
    yield row.get("author")
    assignees, comments = row.get("assignees"), row.get("comments")
    yield from assignees if isinstance(assignees, list) else ()
    for said in comments if isinstance(comments, list) else ():
        yield said.get("author") if isinstance(said, dict) else None


def bots(people: Iterable[Any]) -> set[str]:
    """The logins of bots: `gh` marks bots that opened an issue, but not those that commented."""
    found = set()
    for person in people:
        login = person.get("login") if isinstance(person, dict) else person
        if isinstance(login, str) and (name := plain(login)) and is_bot(person, login):
            found.add(name.lower())
    return found


def plain(login: str) -> str:
    """A login without the marks of a bot."""
    return login.removeprefix("app/").removesuffix(BOT)


def is_bot(person: Any, login: str) -> bool:
    """Whether a person with this login, as it is written, is marked as a bot."""
    said = isinstance(person, Mapping) and (person.get("is_bot") is True or person.get("type") == "Bot")
    return said or login != plain(login)
