"""GitHub: reads issues as `gh issue list --json …` and GitHub's REST API write them, in the product's words.

Nothing is lost silently. The report has bad entries and comments one by one, notes on what was changed or left out, and
the name of every field that a ticket has no place for.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from ticketing.ground import texts
from ticketing.sources import labels as labels_
from ticketing.sources import repositories
from ticketing.sources.files import FIELDS, LINE, NAME, Entries, Readable, Unreadable
from ticketing.sources.issues import Bad, Comment, Entry, Head, Issue, Issues, Notes, Rules

GHOST = "ghost"
"""The login that GitHub shows for people who have left."""
BOT = "[bot]"
COUNTED = "comments that GitHub counts are not in the file"
LONGEST_NAME = 200
LONGEST_VALUE = 500
"""Most characters of a value in a ticket's environment."""
SKEW = timedelta(hours=1)
"""How far clocks may differ."""
ZERO = datetime(1, 1, 2, tzinfo=UTC)
"""Go's zero time is before this."""

#: The REST API's names of fields that `gh` names differently.
REST = {
    "user": "author",
    "created_at": "createdAt",
    "updated_at": "updatedAt",
    "closed_at": "closedAt",
    "state_reason": "stateReason",
    "html_url": "url",
    "reactions": "reactionGroups",
    "node_id": "id",
}
#: `gh`'s name of the REST API's `type`.
GH = {"issueType": "type"}
#: Without these, an entry is not an issue.
NEEDED = ("number", "title", "state", "createdAt")
#: Fields that a ticket can do without: the command asks for them, but a file may lack them.
EXTRA = ("milestone", "reactionGroups", "url")
#: Fields that only closed issues have.
OF_CLOSED = ("closedAt", "stateReason")
#: The fields that are used of each part of an issue.
TAKEN = {
    "": {*FIELDS.split(","), "type"},
    "author": {"login", "is_bot", "type"},
    "assignees": {"login", "is_bot", "type"},
    "labels": {"name"},
    "milestone": {"title"},
    "comments": {"id", "author", "body", "createdAt", "isMinimized"},
    "comments.author": {"login", "is_bot", "type"},
    "type": {"name"},
}
REACTIONS = {
    "THUMBS_UP": "👍",
    "THUMBS_DOWN": "👎",
    "LAUGH": "😄",
    "HOORAY": "🎉",
    "CONFUSED": "😕",
    "HEART": "❤️",
    "ROCKET": "🚀",
    "EYES": "👀",
}
#: The same by the REST API's names.
REST_REACTIONS = {"+1": "👍", "-1": "👎"} | {name.lower(): sign for name, sign in REACTIONS.items()}


class BadEntry(Exception):
    """An entry is not an issue or comment that can be imported; the message says why."""


class Missing(Exception):
    """Fields are missing from every entry; the message says which, and how to go on."""

    def __init__(self, fields: list[str], comments: str | None) -> None:
        names = ", ".join(fields)
        # The REST API returns comments separately.
        elsewhere = f"add its comments to the file with `{comments}`, " if comments and "comments" in fields else ""
        super().__init__(
            f"No issue in it has {names}. Get {'it' if len(fields) == 1 else 'them'} with `{LINE}`, "
            f"{elsewhere}or import without: --without {','.join(fields)}"
        )
        self.fields = fields


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
    #: Issues that have comments as separate entries, by repository and number.
    commented: set[tuple[str, str]] = field(default_factory=set)
    #: Numbers of pull requests.
    pull_requests: set[str] = field(default_factory=set)

    def look_at(self, index: int, entry: Any) -> None:
        """Take an entry into account."""
        if (key := _key_of_comment(entry)) is not None:
            self.comments.setdefault(key, []).append(index)
            self.bots |= _bots([_like_gh(entry).get("author")])
            return
        row = _in_shape(entry)
        if not isinstance(row, dict):
            return
        if _is_pull_request(row):
            self.pull_requests.add(str(row.get("number")))
            return
        self.issues += 1
        self.fields |= row.keys() & FIELDS_OF_ISSUES
        self.closed = self.closed or str(row.get("state")).upper() == "CLOSED"
        self.bots |= _bots(_people(row))
        if repository := repositories.canonical(str(row.get("url"))):
            self.repositories.add(repository)
        if type(row.get("comments")) is int:
            self.counted = self.counted or row["comments"] > 0
            self.commented.add(_key(row))
        else:
            self.listed = self.listed or "comments" in row

    @property
    def has_comments(self) -> bool:
        """Whether the file has the comments, if any, that the REST API only counts."""
        return bool(self.comments) or not self.counted

    @property
    def absent(self) -> frozenset[str]:
        """Fields that no issue has, though some may need them."""
        absent = FIELDS_OF_ISSUES - self.fields if self.issues else frozenset[str]()
        if self.commented and not self.has_comments and not self.listed:
            absent |= {"comments"}
        return absent if self.closed else absent - set(OF_CLOSED)


@dataclass(slots=True)
class Reading:
    """The contents of a file: issues in the order of their numbers, and what else it holds."""

    rules: Rules
    entries: Entries = field(default_factory=Entries)
    survey: Survey = field(default_factory=Survey)
    issues: Issues = field(init=False)
    bad: list[Bad] = field(default_factory=list)
    notes: Notes = field(default_factory=Notes)
    #: Positions of entries that are well-formed, but are not issues or repeat one.
    left_out: list[int] = field(default_factory=list)
    #: Fields that a ticket has no place for, and how many entries have a value there.
    fields: Counter[str] = field(default_factory=Counter)
    #: Issues without a URL, or whose URL names no repository.
    homeless: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.issues = Issues(lambda index: self.issue(index, self.row(self.entries[index]), Notes(), []))

    @property
    def absent(self) -> frozenset[str]:
        """Fields that no issue has."""
        return self.survey.absent

    @property
    def repositories(self) -> set[str]:
        """The repositories of the issues."""
        return self.survey.repositories

    def row(self, entry: Any) -> Any:
        """An entry in `gh`'s shape, with its comments."""
        row = _in_shape(entry)
        if isinstance(row, dict) and type(row.get("comments")) is int:
            del row["comments"]
            if self.survey.has_comments and not _is_pull_request(row):
                row["comments"] = [_like_gh(self.entries[at]) for at in self.survey.comments.get(_key(row), ())]
        return row

    def issue(self, index: int, row: Any, notes: Notes, bad: list[Bad]) -> Issue:
        """An entry as an issue; remarks on it are added to `notes` and `bad`. Raises BadEntry."""
        return _issue(index, row, _Reader(self.rules, notes, self.survey), bad)


FIELDS_OF_ISSUES = frozenset(FIELDS.split(","))


def read(
    file: Readable, rules: Rules, *, without: Collection[str] = (), repository: str | None = None, name: str = NAME
) -> Reading:
    """The issues of the file of this name. Raises Unreadable, and Missing for fields that are not in `without`.

    `repository` is given only if the file does not name it.
    """
    reading = Reading(rules)
    for index, entry in enumerate(reading.entries.keep(file)):
        reading.survey.look_at(index, entry)
    asked = [each for each in reading.absent if each not in without and each not in EXTRA]
    if asked:
        known = next(iter(sorted(reading.repositories)), repository)
        comments = None if reading.survey.has_comments else _line_of_comments(known, name)
        raise Missing(sorted(asked, key=FIELDS.split(",").index), comments)
    seen: dict[str, int] = {}
    for index in range(len(reading.entries)):
        _read_entry(index, reading, seen)
    # `gh` prints the newest first, but ticket numbers rise with time.
    reading.issues.heads.sort(key=lambda head: int(head.id))
    return reading


def _line_of_comments(repository: str | None, file: str) -> str:
    """The command that adds comments to a file of the REST API. In a clone `gh` knows the repository (`gh help api`).

    https://docs.github.com/en/rest/issues/comments#list-issue-comments-for-a-repository
    """
    host, path = repositories.HOME, "{owner}/{repo}"
    if repository:
        host, path = repositories.host_of(repository), "/".join(repository.split("/")[-2:])
    there = "" if host == repositories.HOME else f" --hostname {host}"
    zipped = " | gzip" if file.endswith(".gz") else ""
    line = f"gh api --paginate{there} 'repos/{path}/issues/comments?per_page=100'"
    return f"{line}{zipped} >> {shlex.quote(file)}"


def _read_entry(index: int, reading: Reading, seen: dict[str, int]) -> None:
    entry = reading.entries[index]
    if (key := _key_of_comment(entry)) is not None:
        _check_comment(index, key, reading)
        return
    number = _printable_number(entry)
    row = reading.row(entry)
    if isinstance(row, dict) and _is_pull_request(row):
        reading.left_out.append(index)
        reading.notes.add("pull requests are left out: only issues become tickets", number or "unknown")
        return
    if isinstance(row, dict) and type(entry.get("comments")) is int:
        for _ in range(entry["comments"] - len(row.get("comments", ()))):
            reading.notes.add(COUNTED, str(row.get("number")))
    notes, bad, fields = Notes(), list[Bad](), Counter[str]()
    try:
        issue = reading.issue(index, row, notes, bad)
        _count_fields(row, fields)
        if issue.id in seen:
            if reading.row(reading.entries[seen[issue.id]]) != row:
                raise BadEntry(f"issue {issue.id} is in the file already, at position {seen[issue.id]}, and differs")
            reading.left_out.append(index)
            reading.notes.add("issues that are in the file twice, and alike, are taken once", issue.id)
            return
    except BadEntry as fault:
        reading.bad.append(Bad(index, number, str(fault)))
        return
    seen[issue.id] = index
    reading.issues.heads.append(Head(index, issue.id, issue.author, issue.created_at))
    reading.bad += bad
    reading.notes.extend(notes)
    reading.fields += fields
    if not repositories.canonical(str(row.get("url"))):
        reading.homeless.append(issue.id)


def _check_comment(index: int, key: tuple[str, str], reading: Reading) -> None:
    """Report a comment that is a separate entry if it belongs to no issue."""
    _, number = key
    if key in reading.survey.commented:
        return
    if number in reading.survey.pull_requests:
        reading.notes.add("comments on pull requests are left out", number)
    else:
        reading.bad.append(Bad(index, number, "it is a comment on an issue that is not in the file"))


# The two shapes -------------------------------------------------------------------------------------------------


def _key_of_comment(entry: Any) -> tuple[str, str] | None:
    """Repository and issue number of a comment that the REST API returned separately; None for anything else."""
    if not isinstance(entry, dict) or not isinstance(entry.get("issue_url"), str) or "title" in entry:
        return None
    repository, _, number = entry["issue_url"].rpartition("/issues/")
    return repositories.canonical(repository) or "", number


def _key(row: Entry) -> tuple[str, str]:
    return repositories.canonical(str(row.get("url"))) or "", str(row.get("number"))


def _in_shape(entry: Any) -> Any:
    """An entry in `gh`'s shape."""
    if not isinstance(entry, dict):
        return entry
    rest = "created_at" in entry and "createdAt" not in entry
    return _like_gh(entry) if rest else _renamed(entry, GH)


def _like_gh(entry: Entry) -> dict[str, Any]:
    row = _renamed({key: value for key, value in entry.items() if key not in ("id", "url", "assignee")}, REST)
    row["url"] = entry.get("html_url") or entry.get("url")
    if "assignees" not in entry and entry.get("assignee"):
        row["assignees"] = [entry["assignee"]]
    return row


def _renamed(entry: Entry, names: Mapping[str, str]) -> dict[str, Any]:
    return {names.get(key, key): value for key, value in entry.items()}


def _is_pull_request(row: Entry) -> bool:
    return (
        row.get("state") in ("MERGED", "merged")
        or row.get("isPullRequest") is True
        or any(row.get(name) for name in ("pull_request", "mergedAt", "merged_at", "headRefName", "baseRefName"))
        or "/pull/" in str(row.get("url"))
    )


def _people(row: Entry) -> Iterator[Any]:
    """Everyone whom an issue names."""
    yield row.get("author")
    assignees, comments = row.get("assignees"), row.get("comments")
    yield from assignees if isinstance(assignees, list) else ()
    for said in comments if isinstance(comments, list) else ():
        yield said.get("author") if isinstance(said, dict) else None


def _bots(people: Iterable[Any]) -> set[str]:
    """The logins of bots: `gh` marks bots that opened an issue, but not those that commented."""
    bots = set()
    for person in people:
        login = person.get("login") if isinstance(person, dict) else person
        if isinstance(login, str) and (plain := _plain(login)) and _is_bot(person, login):
            bots.add(plain.lower())
    return bots


def _plain(login: str) -> str:
    return login.removeprefix("app/").removesuffix(BOT)


def _is_bot(person: Any, login: str) -> bool:
    said = isinstance(person, Mapping) and (person.get("is_bot") is True or person.get("type") == "Bot")
    return said or login != _plain(login)


# What is not taken ----------------------------------------------------------------------------------------------


def _count_fields(value: Any, fields: Counter[str], part: str = "") -> None:
    """Count the fields of a part of an issue that have a value but are not used."""
    for each in value if isinstance(value, list) else [value]:
        if not isinstance(each, dict):
            continue
        for name, content in each.items():
            path = _storable(f"{part}.{name}" if part else name)
            if name not in TAKEN[part]:
                if _says_something(content):
                    fields[path] += 1
            elif path in TAKEN:
                _count_fields(content, fields, path)


def _says_something(content: Any) -> bool:
    """Whether there is anything but zeros and blanks; without recursion, because lists may be deeply nested."""
    parts = [content]
    while parts:
        part = parts.pop()
        if isinstance(part, dict):
            if 0 not in (part.get("total_count"), part.get("totalCount")):
                parts += [part["users"]] if part.keys() == {"content", "users"} else part.values()
        elif isinstance(part, list):
            parts += part
        elif part:
            return True
    return False


def _storable(text: str) -> str:
    """The text without half characters (not in UTF-8) and NUL (not in PostgreSQL)."""
    plain = text.isascii() and "\0" not in text
    return text if plain else re.sub("[\0\ud800-\udfff]", "\ufffd", text)


# An issue -------------------------------------------------------------------------------------------------------


def _printable_number(row: Any) -> str | None:
    number = row.get("number") if isinstance(row, dict) else None
    return str(number) if type(number) is int else None


def _issue(index: int, row: Any, reader: _Reader, bad: list[Bad]) -> Issue:
    if not isinstance(row, dict):
        raise BadEntry("it is not an object")
    id_ = reader.issue = _number(row)
    absent = reader.survey.absent
    for name in FIELDS.split(","):
        if name not in row and name not in absent and name not in (*NEEDED, *EXTRA, *OF_CLOSED):
            reader.notes.add(f"the field {name} is missing here, though other issues have it", id_)
    title = reader.line(row, "title")
    if not title:
        raise BadEntry("title is blank")
    names = reader.labels(row)
    assignees = [reader.login(person, "assignees") for person in _list(row, "assignees")]
    created_at = reader.moment(row, "createdAt")
    closed_at = _closed_at(row, reader)
    if closed_at is not None and closed_at < created_at:
        raise BadEntry("it was closed before it was created")
    type_ = labels_.type_of([*names, *reader.issue_type(row)], reader.rules)
    _check_reason(row, reader)
    return Issue(
        index=index,
        id=id_,
        type=type_,
        # Titles and texts longer than the API allows are kept whole: they cannot be shortened on GitHub.
        title=title,
        description=reader.prose(row, "body"),
        tags=labels_.tags_of(names, id_, reader.notes),
        environment=_environment(row, assignees, reader),
        author=reader.author(row),
        assignee=assignees[0] if assignees else None,
        created_at=created_at,
        updated_at=_updated_at(row, reader, created_at),
        closed_at=closed_at,
        resolution="none"
        if closed_at is None
        else labels_.resolution_of(names, str(row.get("stateReason") or ""), type_),
        comments=list(_comments(index, row, reader, bad)),
        absent=frozenset(TAKEN[""] - row.keys()),
    )


def _number(row: Entry) -> str:
    number = row.get("number")
    if type(number) is not int or not 0 < number < 2**63:
        raise BadEntry("number is not a positive whole number")
    return str(number)


def _closed_at(row: Entry, reader: _Reader) -> datetime | None:
    match row.get("state"):
        case "OPEN" | "open":
            if row.get("closedAt"):
                reader.notes.add("closedAt of an issue that is open again is left out", reader.issue)
            return None
        case "CLOSED" | "closed":
            if row.get("closedAt") is None and row.get("updatedAt") and "closedAt" not in row:
                reader.notes.add("without closedAt, an issue counts as closed when it was last changed", reader.issue)
                return reader.moment(row, "updatedAt")
            return reader.moment(row, "closedAt")
        case _:
            raise BadEntry("state is neither OPEN nor CLOSED")


def _check_reason(row: Entry, reader: _Reader) -> None:
    """Note a reason for closing that does not fit the issue's state."""
    reason = row.get("stateReason")
    if reason in (None, ""):
        return
    known = isinstance(reason, str) and reason.upper() in (*labels_.REASONS, "COMPLETED", "REOPENED")
    if not known:
        shown = _storable(str(reason))[:LONGEST_NAME]
        reader.notes.add(f"the stateReason {shown!r} is not known, and left out", reader.issue)
    elif (str(reason).upper() == "REOPENED") != (str(row.get("state")).upper() == "OPEN"):
        reader.notes.add(f"the stateReason {reason} does not fit the state, and is left out", reader.issue)


def _updated_at(row: Entry, reader: _Reader, created_at: datetime) -> datetime:
    if row.get("updatedAt") is None:
        return created_at
    try:
        updated_at = reader.moment(row, "updatedAt")
        if updated_at < created_at:
            reader.notes.add("updatedAt is before createdAt, so that the latter counts for both", reader.issue)
        return max(created_at, updated_at)
    except BadEntry as fault:
        reader.notes.add(f"{fault}, so that the ticket was last changed when it was created", reader.issue)
        return created_at


def _environment(row: Entry, assignees: list[str], reader: _Reader) -> dict[str, str]:
    """Fields that tickets lack, as entries of the environment."""
    milestone = row.get("milestone")
    if isinstance(milestone, str):
        milestone = {"title": milestone}
    elif milestone is not None and not isinstance(milestone, dict):
        reader.notes.add("milestone is neither an object nor a text, and left out", reader.issue)
    values = {
        "github_url": reader.line(row, "url", required=False),
        "github_milestone": reader.line(milestone, "title", "milestone") if isinstance(milestone, dict) else "",
        "github_reactions": _reactions(row.get("reactionGroups")),
        "github_assignees": ", ".join(assignees) if len(assignees) > 1 else "",
        "github_type": " ".join(reader.issue_type(row)),
    }
    for name, value in values.items():
        if len(value) > LONGEST_VALUE:
            reader.notes.add(f"{name} is cut to {LONGEST_VALUE} characters", reader.issue)
    if len(assignees) > 1:
        reader.notes.add("the first assignee is the ticket's; all are in github_assignees", reader.issue)
    return {name: value[:LONGEST_VALUE] for name, value in values.items() if value}


def _reactions(value: Any) -> str:
    """`👍 9 🎉 2`."""
    counts: Iterator[tuple[str, Any]]
    if isinstance(value, list):
        groups = [group for group in value if isinstance(group, dict)]
        names = [_storable(str(group.get("content"))) for group in groups]
        counts = ((REACTIONS.get(name, name), _total(g.get("users"))) for name, g in zip(names, groups, strict=True))
    elif isinstance(value, dict):
        counts = ((sign, value.get(name)) for name, sign in REST_REACTIONS.items())
    else:
        return ""
    return " ".join(f"{sign} {count}" for sign, count in counts if type(count) is int and count > 0)


def _total(users: Any) -> Any:
    return users.get("totalCount") if isinstance(users, dict) else None


def _comments(index: int, row: Entry, reader: _Reader, bad: list[Bad]) -> Iterator[Comment]:
    """The valid comments, oldest first; the others are added to `bad`."""
    occasions: Counter[str] = Counter()
    taken: dict[str, Any] = {}
    comments = []
    for place, entry in enumerate(_list(row, "comments")):
        try:
            comment = reader.comment(entry, occasions)
            if comment.id and comment.id in taken:
                if taken[comment.id] != entry:
                    raise BadEntry("another comment has the same id")
                reader.notes.add("comments that are in the file twice, and alike, are taken once", reader.issue)
                continue
        except BadEntry as fault:
            bad.append(Bad(index, reader.issue, f"comment {place}: {fault}", place))
            continue
        if comment.id:
            taken[comment.id] = entry
        if not comment.body:
            reader.notes.add("comments without a text are left out", reader.issue)
            continue
        comments.append(comment)
    yield from sorted(comments, key=lambda comment: comment.created_at)


# Values ---------------------------------------------------------------------------------------------------------


def _list(row: Entry, key: str) -> list[Any]:
    """A list; null counts as empty, because Go prints an empty list as null."""
    value = row.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise BadEntry(f"{key} is not a list")
    return value


@dataclass(slots=True)
class _Reader:
    """Reads the values of an issue, and notes its changes to them."""

    rules: Rules
    notes: Notes
    survey: Survey
    issue: str = ""

    def text(self, entry: Entry, key: str, where: str = "", *, required: bool = True) -> str:
        value = entry.get(key)
        name = f"{where}: {key}" if where else key
        if value is None and not required:
            return ""
        if not isinstance(value, str):
            raise BadEntry(f"{name} is missing" if value is None else f"{name} is not a text")
        storable = _storable(value)
        if storable != value:
            self.notes.add(f"characters in {name} that cannot be stored became \ufffd", self.issue)
        return storable

    def line(self, entry: Entry, key: str, where: str = "", *, required: bool = True) -> str:
        written = self.text(entry, key, where, required=required)
        line = texts.one_line(written)
        if line != written:
            self.notes.add(f"blanks or invisible characters were removed from {key}", self.issue)
        return line

    def prose(self, entry: Entry, key: str) -> str:
        written = self.text(entry, key, required=False)
        text = texts.text(written)
        if text != written:
            plain = text == written.replace("\r\n", "\n").strip()
            what = "lines of {} end with LF, and there are no blanks around" if plain else "{} has a plainer form"
            self.notes.add(f"{what.format(key)}, as in all texts here", self.issue)
        return text

    def name(self, entry: Entry, key: str, where: str) -> str:
        """A text that must fit into an index."""
        text = self.line(entry, key, where, required=False)
        if len(text) > LONGEST_NAME:
            raise BadEntry(f"{where}: {key} is longer than {LONGEST_NAME} characters")
        return text

    def moment(self, entry: Entry, key: str) -> datetime:
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
        names = []
        for label in _list(row, "labels"):
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
        login = _plain(written)
        human = person.get("is_bot") is False or person.get("type") == "User"
        if _is_bot(person, written) or (login.lower() in self.survey.bots and not human):
            login += BOT
        if login != written:
            self.notes.add(f"the bot {written!r} is {login!r} here", self.issue)
        return login

    def comment(self, entry: Any, occasions: Counter[str]) -> Comment:
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


__all__ = ["LINE", "BadEntry", "Missing", "Reading", "Unreadable", "read"]
