"""Files of issues: finds the entries in every format that `gh` writes.

A file may be larger than memory. It is read once, piece by piece, and its entries are kept in a temporary file, from
which each can be read again.
"""

from __future__ import annotations

import codecs
import gzip
import json
import re
import tempfile
import zlib
from array import array
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any, Protocol, cast
from weakref import finalize

from ticketing.sources import recognition

GZIP = b"\x1f\x8b"
FIELDS = (
    "number,title,body,state,stateReason,labels,author,assignees,createdAt,updatedAt,closedAt,comments,"
    "milestone,reactionGroups,url"
)
NAME = "issues.json"
LINE = f"gh issue list --state all --limit 1000000 --json {FIELDS} > {NAME}"
"""The command that makes a complete file."""
WANTED = f"It must hold GitHub issues, as this command prints them: {LINE}"

PIECE = 1 << 18
"""Bytes read at once; more while one entry is longer."""
LONGEST_ENTRY = 1 << 26
"""Most characters in an entry: far more than a GitHub issue with all its comments has."""
DEEPEST = 100
"""Most lists and objects in one another: far more than a GitHub issue has, and few enough to be read again anywhere."""
LONGEST_TOKEN = 16
"""More than the longest JSON token that must not be cut: an error nearer to the end may only be a cut token."""
MOST_NAMES = 100
"""Most field names that are remembered to say what a file holds."""


class Unreadable(Exception):
    """The file does not hold GitHub issues; the message says what it holds instead."""


class Readable(Protocol):
    """A source of bytes, such as a file or standard input."""

    def read(self, size: int = -1, /) -> bytes:
        """At most so many of the next bytes; empty at the end."""


class Entries:
    """The entries of a file, kept in a temporary file; each can be read again by its position, counted from 0."""

    def __init__(self) -> None:
        self._kept = tempfile.TemporaryFile()  # noqa: SIM115 - it is gone with this object
        finalize(self, self._kept.close)
        self._ends = array("Q", [0])

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, position: int) -> Any:
        begin, end = self._ends[position], self._ends[position + 1]
        self._kept.seek(begin)
        return json.loads(self._kept.read(end - begin))

    def keep(self, file: Readable) -> Iterator[Any]:
        """Keep the entries of a file, gzipped or not, and yield each of them.

        The file may be one array (`gh issue list`), an array of pages (`gh api --slurp`), several arrays or objects
        one after the other (`gh api --paginate`, `gh issue view`), one object per line (NDJSON), or an answer of
        GitHub's search. Entries can be read again once all are kept. Raises Unreadable.
        """
        like_githubs = False
        names: set[str] = set()
        for entry, text in _entries(file):
            if isinstance(entry, dict):
                _refuse(recognition.ENTRIES, entry)
                like_githubs = like_githubs or recognition.is_like_githubs(entry)
                if len(names) < MOST_NAMES:
                    names |= entry.keys()
            self._keep(text)
            yield entry
        if len(self) and not like_githubs:
            if not names:
                raise Unreadable(f"It holds no objects, and so no issues. {WANTED}")
            raise Unreadable(
                f"It holds objects with the fields {', '.join(sorted(names)[:8])}, none of which is an issue of "
                f"GitHub. {WANTED}"
            )

    def _keep(self, text: str) -> None:
        try:
            size = self._kept.write(text.encode(errors="surrogatepass"))
            self._kept.flush()
        except OSError as error:
            raise Unreadable(
                f"Its entries cannot be kept in {tempfile.gettempdir()} meanwhile: {error.strerror}. "
                "Name a folder with more room in TMPDIR."
            ) from None
        self._ends.append(self._ends[-1] + size)


def _entries(file: Readable) -> Iterator[tuple[Any, str]]:
    """The entries of a file with their texts."""
    for depth, value, text in _values(_Text(file)):
        if depth == 0 or (depth == 1 and not (isinstance(value, dict) and "number" in value)):
            _refuse(recognition.ANSWERS, value)
        if isinstance(value, dict) and isinstance(value.get("items"), list) and "total_count" in value:
            yield from ((entry, json.dumps(entry)) for entry in value["items"])
        else:
            yield value, text


def _refuse(others: Mapping[str, Callable[[Any], bool]], value: Any) -> None:
    if found := recognition.recognised(others, value):
        raise Unreadable(f"It is {found}. {WANTED}")


def _values(text: _Text) -> Iterator[tuple[int, Any, str]]:
    """The values of a text, including those in arrays and in arrays of arrays: depth, value, and its source text."""
    while text.peek():
        if text.peek() == "[":
            yield from _elements(text, 1)
        else:
            yield 0, *text.value()
        text.whole += 1
    if not text.whole:
        raise Unreadable(f"It is not JSON: it is empty. {WANTED}")


def _elements(text: _Text, depth: int) -> Iterator[tuple[int, Any, str]]:
    text.take()
    if text.peek() == "]":
        text.take()
        return
    while True:
        if depth == 1 and text.peek() == "[":
            yield from _elements(text, 2)
        else:
            yield depth, *text.value()
        mark = text.peek()
        if mark not in (",", "]"):
            raise text.broken("Expecting ',' delimiter")
        text.take()
        if mark == "]":
            return
        text.peek()


class _Text:
    """The text of a file, of which only the part being read is in memory."""

    def __init__(self, file: Readable) -> None:
        #: Where the unread rest of the text in memory begins.
        self._text, self._at = "", 0
        #: What was read and dropped from memory: characters, whole lines, and characters of the last line.
        self._characters, self._lines, self._column = 0, 0, 0
        #: Bytes read.
        self._bytes = 0
        self._ended = False
        #: Complete values read.
        self.whole = 0
        self._file = _Begun(_read(file, 4), file)
        if self._file.begin.startswith(GZIP):
            plain = gzip.GzipFile(fileobj=cast(IO[bytes], self._file))
            self._file = _Begun(_read(plain, 4), plain)
        # Also UTF-16, which PowerShell's `>` writes. Half characters are left for the reader to report.
        encoding = json.detect_encoding(self._file.begin)
        self._decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")
        #: The beginning of the text, to say what a file is that is not JSON.
        self._begin = ""

    def peek(self) -> str:
        """The next character that is not blank; empty at the end."""
        while True:
            self._at = _BLANK.match(self._text, self._at).end()  # type: ignore[union-attr]
            if self._at < len(self._text) or self._ended:
                return self._text[self._at : self._at + 1]
            self._read_on()

    def take(self) -> None:
        """Skip the next character."""
        self._at += 1

    def value(self) -> tuple[Any, str]:
        """The next value, and its source text. Raises Unreadable."""
        while True:
            try:
                value, end = _decode(self._text, self._at)
            except json.JSONDecodeError as error:
                near = error.pos > len(self._text) - LONGEST_TOKEN or error.msg.startswith("Unterminated string")
                if self._ended or not near:
                    raise self.broken(error.msg, error.pos) from None
            except RecursionError:
                raise self.broken(TOO_DEEP) from None
            except ValueError as error:
                raise self.broken(str(error)) from None
            else:
                # A number may continue.
                if self._ended or end < len(self._text) - LONGEST_TOKEN:
                    text = self._text[self._at : end]
                    if text.count("[") + text.count("{") > DEEPEST and _depth(value) > DEEPEST:
                        raise self.broken(TOO_DEEP)
                    self._at = end
                    return value, text
            if len(self._text) - self._at > LONGEST_ENTRY:
                raise self.broken(f"A value that is longer than {LONGEST_ENTRY:,} characters, or does not end")
            self._read_on()

    def broken(self, what: str, at: int | None = None) -> Unreadable:
        """The error for a text that is not JSON at this place, or else at the next character."""
        begin = self._begin.lstrip("\ufeff \t\r\n")
        if begin[:1] not in ("[", "{") and (found := recognition.recognised(recognition.TEXTS, begin)):
            return Unreadable(f"It is {found}. {WANTED}")
        at = self._at if at is None else at
        lines, column = self._counted(at)
        where = f"line {lines + 1} column {column + 1} (char {self._characters + at})"
        after = f", after {self.whole:,} values that are" if self.whole else ""
        return Unreadable(f"It is not JSON: {what}: {where}{after}. {WANTED}")

    def _counted(self, at: int) -> tuple[int, int]:
        """The lines before a place, and the characters before it in its line."""
        lines = self._text.count("\n", 0, at)
        column = at - self._text.rfind("\n", 0, at) - 1 if lines else self._column + at
        return self._lines + lines, column

    def _read_on(self) -> None:
        data = _read(self._file, max(PIECE, len(self._text) - self._at))
        try:
            text = self._decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            at = self._bytes + len(data) - len(error.object) + error.start
            raise Unreadable(f"It is not JSON, and not even text: {error.reason} at byte {at}. {WANTED}") from None
        self._ended = not data
        self._bytes += len(data)
        self._lines, self._column = self._counted(self._at)
        self._characters += self._at
        self._text, self._at = self._text[self._at :] + text, 0
        if len(self._begin) < PIECE:
            self._begin += text


class _Begun:
    """A file whose beginning was read already."""

    def __init__(self, begin: bytes, file: Readable) -> None:
        self.begin = begin
        self._file = file

    def read(self, size: int = -1, /) -> bytes:
        if not self.begin:
            return self._file.read(size)
        end = len(self.begin) if size < 0 else size
        begin, self.begin = self.begin[:end], self.begin[end:]
        return begin


def _read(file: Readable, size: int) -> bytes:
    try:
        return file.read(size)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise Unreadable(f"It is gzipped, but damaged: {error}.") from None


def _depth(value: Any) -> int:
    """How many lists and objects are in one another; without recursion."""
    depth, level = 0, [value]
    while level := [part for part in level if isinstance(part, list | dict)]:
        depth += 1
        level = [part for each in level for part in (each.values() if isinstance(each, dict) else each)]
    return depth


TOO_DEEP = "Its lists are nested too deeply"
_decode = json.JSONDecoder().raw_decode
# Also the marks at the beginning of files (BOM), which may have been put together, and of records (RFC 7464).
_BLANK = re.compile(r"[\s\x1e\ufeff]*")
