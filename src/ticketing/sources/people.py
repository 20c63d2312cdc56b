"""The mapping of people there to users here: lines of `login,user`, where user is an e-mail address or an id."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from ticketing.contract.problems import ValidationFailed
from ticketing.db import sql
from ticketing.ground import texts
from ticketing.writing.judging import judged

EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
LONGEST_NAME = 200


class UnknownPerson(Exception):
    """A line of the file names no user; the message says which."""


@dataclass(frozen=True, slots=True)
class Introduction:
    """A login elsewhere, in lower case, and the user here, or the e-mail address of a user to be added."""

    login: str
    user_id: UUID | None
    email: str
    name: str


async def introductions(conn: sql.Connection, file: str) -> list[Introduction]:
    """The people in a file; a third column is the name of a user to be added. Raises UnknownPerson."""
    found = [await _introduction(conn, line, *row) for line, row in _rows(file)]
    ((login, times),) = Counter(each.login for each in found).most_common(1) or [("", 0)]
    if times > 1:
        raise UnknownPerson(f"{login} is in it twice.")
    return found


def _rows(file: str) -> Iterator[tuple[int, tuple[str, str, str]]]:
    for line, row in enumerate(_cells(file.removeprefix("\ufeff")), 1):
        cells = [texts.one_line(cell) for cell in row]
        if not any(cells) or (line == 1 and cells[0].lower() in ("login", "github")):
            continue
        if len(cells) not in (2, 3) or not all(cells[:2]):
            raise UnknownPerson(f"Line {line} must look like octocat,ada@example.com")
        login = cells[0].removeprefix("@").lower()
        if login.startswith("app/"):
            login = f"{login.removeprefix('app/')}[bot]"
        if len(login) > LONGEST_NAME:
            raise UnknownPerson(f"Line {line}: the login is longer than {LONGEST_NAME} characters.")
        yield line, (login, cells[1], cells[2] if len(cells) > 2 else "")


def _cells(file: str) -> Iterator[list[str]]:
    try:
        yield from csv.reader(io.StringIO(file))
    except csv.Error as error:
        raise UnknownPerson(f"It is not a table of comma-separated cells: {error}.") from None


async def _introduction(conn: sql.Connection, line: int, login: str, user: str, name: str) -> Introduction:
    if EMAIL.fullmatch(user):
        known = await sql.users.get_user_by_email(conn, email=user)
        if known is not None:
            return Introduction(login, known["id"], user, name or login)
        try:
            new = judged("UserCreate", {"name": name or login, "email": user, "role": "requester"})
        except ValidationFailed as problem:
            faults = [f"{(fault.pointer or '').removeprefix('#/')}: {fault.detail}" for fault in problem.errors]
            raise UnknownPerson(f"Line {line}: {' '.join(faults)}") from None
        return Introduction(login, None, new["email"], new["name"])
    try:
        known = await sql.users.get_user(conn, user_id=UUID(user))
    except ValueError:
        raise UnknownPerson(f"Line {line}: {user!r} is neither an e-mail address nor the id of a user.") from None
    if known is None:
        raise UnknownPerson(f"Line {line}: there is no user with the id {user}.")
    return Introduction(login, known["id"], "", "")
