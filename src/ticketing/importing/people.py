"""Who people elsewhere are here, as a file tells: lines of `login,user`, where user is an e-mail address or an id."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from ticketing import sql, texts

EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
LONGEST_EMAIL = 254


class UnknownPerson(Exception):
    """A line of the file names nobody; the message says which."""


@dataclass(frozen=True, slots=True)
class Introduction:
    """Somebody's login elsewhere, in lower case, and the user that they are; or the e-mail address they will have."""

    login: str
    user_id: UUID | None
    email: str
    name: str


async def introductions(conn: sql.Connection, file: str) -> list[Introduction]:
    """What a file says of people; a third column is the name of somebody who is new here. Raises UnknownPerson."""
    found = [await _introduction(conn, line, *row) for line, row in _rows(file)]
    twice = next((each.login for each in found if sum(other.login == each.login for other in found) > 1), None)
    if twice:
        raise UnknownPerson(f"{twice} is in it twice.")
    return found


def _rows(file: str) -> Iterator[tuple[int, tuple[str, str, str]]]:
    for line, row in enumerate(csv.reader(io.StringIO(file.removeprefix("\ufeff"))), 1):
        cells = [texts.one_line(cell) for cell in row]
        if not any(cells) or (line == 1 and cells[0].lower() in ("login", "github")):
            continue
        if len(cells) not in (2, 3) or not all(cells[:2]):
            raise UnknownPerson(f"Line {line} is not like: octocat,ada@example.com")
        login = cells[0].removeprefix("@").lower()
        if login.startswith("app/"):
            login = f"{login.removeprefix('app/')}[bot]"
        yield line, (login, cells[1], cells[2] if len(cells) > 2 else "")


async def _introduction(conn: sql.Connection, line: int, login: str, user: str, name: str) -> Introduction:
    if EMAIL.fullmatch(user):
        if len(user) > LONGEST_EMAIL:
            raise UnknownPerson(f"Line {line}: the e-mail address is longer than {LONGEST_EMAIL} characters.")
        known = await sql.users.get_user_by_email(conn, email=user)
        return Introduction(login, known and known["id"], user, name or login)
    try:
        known = await sql.users.get_user(conn, user_id=UUID(user))
    except ValueError:
        raise UnknownPerson(f"Line {line}: {user!r} is neither an e-mail address nor the id of a user.") from None
    if known is None:
        raise UnknownPerson(f"Line {line}: there is no user with the id {user}.")
    return Introduction(login, known["id"], "", "")
