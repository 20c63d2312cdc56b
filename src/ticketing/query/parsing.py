r"""From the text of a query to its tree, or to every fault in it with its place.

query   = { clause | "sort:" [ "-" ] key } ;
clause  = [ "-" ] ( filter | text ) ;
filter  = field ":" value { "," value } ;
value   = [ ">" | ">=" | "<" | "<=" ] ( bare | string ) ;
text    = string | word [ "*" ] ;
string  = '"' { character | '\"' | '\\' } '"' ;

Between clauses are blanks. `AND`, `OR`, `NOT` and parentheses are refused, so that they can come to mean something.
"""

from __future__ import annotations

import bisect
import difflib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, cast

from ticketing.contract import Fault
from ticketing.ground import links
from ticketing.ground.errors import InvalidParameter
from ticketing.query import spans
from ticketing.query.fields import FIELDS, ME, NONE, RELEVANCE, SORT, SORTS, Field, is_none
from ticketing.query.titles import UNSPACED
from ticketing.query.tree import BARE, Comparison, Filter, Query, Span, Text, Value

PARAMETER = "q"
LONGEST = 2000
LONGEST_WRITTEN = 2800
"""Most characters of a query in an address, where a letter beyond ASCII is several (`links.written`): with the other
parameters of a list it fits into a link to the next page."""
MOST_CLAUSES = 30
MOST_WORDS = 50
"""Most words in all texts of a query. Those of a phrase are looked up one by one, and all their places compared."""
MOST_VALUES = 20
MOST_FAULTS = 10
MOST_SHOWN = 80
MOST_NUMBER = 2**63 - 1

_NAME = re.compile(r"([A-Za-z][A-Za-z0-9_.-]*):(?!//|:)")
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_COMPARISON = re.compile(r"[<>]=?")
_WORD = re.compile(r'[^\s"()][^\s()]*')
_BLANKS = re.compile(r"\s*")
_TO_BLANK = re.compile(r"\S*")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_RESERVED = ("AND", "OR", "NOT")


def parse(text: str) -> Query:
    """The tree of a query. Raises InvalidParameter with every fault."""
    if len(text) > LONGEST:
        detail = f"A query has at most {LONGEST} characters; this has {len(text)}."
        raise _refused([_fault("too_long", detail, Span(LONGEST, len(text) - LONGEST), max=LONGEST)])
    if (written := len(links.written(text))) > LONGEST_WRITTEN:
        begin = _fitting(text)
        detail = (
            f"A query has at most {LONGEST_WRITTEN:,} characters in an address; this has {written:,}, as letters beyond"
            " ASCII are several there."
        )
        raise _refused([_fault("too_long", detail, Span(begin, len(text) - begin), max=begin)])
    return _Parser(text).query()


class _Wrong(Exception):
    """What cannot be read on from here."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.detail)
        self.fault = fault


class _Parser:
    """A place in a text, and what was wrong before it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.faults: list[Fault] = []

    def query(self) -> Query:
        clauses: list[Filter | Text] = []
        sorts: list[Filter] = []
        while self._more() and len(self.faults) < MOST_FAULTS:
            begin = self.at
            try:
                clause = self._clause()
            except _Wrong as wrong:
                if len(self.faults) < MOST_FAULTS:
                    self.faults.append(wrong.fault)
                self.at = max(self.at, _end(_TO_BLANK, self.text, self.at), begin + 1)
                continue
            if isinstance(clause, Filter) and clause.name == SORT:
                sorts.append(clause)
            else:
                clauses.append(clause)
        sort = self._sort(sorts)
        if len(clauses) > MOST_CLAUSES:
            beyond = clauses[MOST_CLAUSES].span
            detail = f"A query has at most {MOST_CLAUSES} parts; this has {len(clauses)}."
            self._note("too_many", detail, Span(beyond.offset, len(self.text) - beyond.offset), max=MOST_CLAUSES)
        self._count_words(clauses)
        if self.faults:
            raise _refused(self.faults)
        return Query(tuple(clauses), sort)

    def _count_words(self, clauses: Sequence[Filter | Text]) -> None:
        texts = [(clause.span, _texts(clause)) for clause in clauses]
        counts = [sum(map(_words, each)) for _, each in texts]
        if sum(counts) > MOST_WORDS:
            beyond = next(place for place in range(len(texts)) if sum(counts[: place + 1]) > MOST_WORDS)
            span = texts[beyond][0]
            detail = f"The texts of a query have at most {MOST_WORDS} words together; these have {sum(counts):,}."
            self._note("too_many", detail, span, max=MOST_WORDS)

    def _more(self) -> bool:
        self.at = _end(_BLANKS, self.text, self.at)
        return self.at < len(self.text)

    def _clause(self) -> Filter | Text:
        begin = self.at
        negated = self.text.startswith("-", begin)
        self.at += negated
        if (negated and self.text[self.at : self.at + 1] in ("", "-")) or (self.at < len(self.text) and self._blank()):
            raise self._wrong("required", "After the minus, say what to leave out.", begin, begin + 1)
        name = _NAME.match(self.text, self.at)
        clause = self._filter(name, begin, negated) if name else self._looked_for(begin, negated)
        if self.at < len(self.text) and not self._blank():
            if self.text[self.at] in "()":
                raise self._unknown_sign()
            detail = f"Before {self.text[self.at]} there has to be a blank."
            raise self._wrong("wrong_format", detail, self.at, self.at + 1)
        return clause

    def _looked_for(self, begin: int, negated: bool) -> Text:
        if self.text.startswith('"', self.at):
            phrase = self._string()
            return Text(phrase, True, negated, span=Span(begin, self.at - begin))
        word = _WORD.match(self.text, self.at)
        if word is None:
            raise self._unknown_sign()
        if word[0] in _RESERVED:
            detail = (
                f"{word[0]} has no meaning yet: a ticket matches all parts of a query. Alternatives are written"
                " status:open,pending, and what to leave out with a minus before it. To look for the word, put it in"
                " quotes."
            )
            raise self._wrong("reserved", detail, self.at, word.end())
        self.at = word.end()
        span = Span(begin, self.at - begin)
        if (whole := word[0].rstrip("*")) and whole != word[0]:
            return Text(whole, negated=negated, begins=True, span=span)
        return Text(word[0], negated=negated, span=span)

    def _unknown_sign(self) -> _Wrong:
        detail = f"{self.text[self.at]} has no meaning yet. To look for it, put the text in quotes."
        return self._wrong("reserved", detail, self.at, self.at + 1)

    def _string(self) -> str:
        string = _STRING.match(self.text, self.at)
        if string is None:
            begin, self.at = self.at, len(self.text)
            detail = 'This quote is not closed. A quote within quotes is written \\".'
            raise self._wrong("wrong_format", detail, begin, len(self.text))
        begin, self.at = self.at, string.end()
        text = _ESCAPED.sub(r"\1", string[1])
        if not text.strip():
            raise self._wrong("blank", "There is nothing between these quotes.", begin, self.at)
        return text

    def _filter(self, name: re.Match[str], begin: int, negated: bool) -> Filter:
        known, key = self._field(name), name[1].lower()
        self.at = name.end()
        values = []
        while True:
            values.append(self._value(known, name))
            if not self.text.startswith(",", self.at):
                break
            self.at += 1
        span = Span(begin, self.at - begin)
        if len(values) > MOST_VALUES:
            detail = f"A field has at most {MOST_VALUES} values; {key}: has {len(values)}."
            self._note("too_many", detail, span, max=MOST_VALUES)
        return Filter(key, tuple(values), negated, span)

    def _field(self, name: re.Match[str]) -> Field | None:
        """The field of this name; None for the sort, and for one that there is not."""
        key = name[1].lower()
        if key not in FIELDS and key != SORT:
            meant = _meant(key, [*FIELDS, SORT], {also: field.name for field in FIELDS.values() for also in field.also})
            hint = f" Did you mean {meant}:?" if meant else ""
            detail = f"There is no field {_shown(name[1])}.{hint} To look for this text, put it in quotes."
            self._note("unknown_field", detail, Span(name.start(1), len(name[1])), meant, values=[*FIELDS, SORT])
        return FIELDS.get(key)

    def _value(self, field: Field | None, name: re.Match[str]) -> Value:
        begin = self.at
        comparison = found[0] if (found := _COMPARISON.match(self.text, begin)) else ""
        self.at += len(comparison)
        in_quotes = self.text.startswith('"', self.at)
        if in_quotes:
            text = self._string()
        elif bare := BARE.match(self.text, self.at):
            text, self.at = bare[0], bare.end()
        else:
            detail = f"A value of {_shown(name[1])}: is missing. It follows without a blank."
            raise self._wrong("required", detail, name.start(), self.at)
        value = Value(
            _written(field, text, in_quotes),
            cast(Comparison, comparison),
            in_quotes and field is not None and _has_quotes(field, text),
            Span(begin, self.at - begin),
        )
        if field is not None and len(self.faults) < MOST_FAULTS:
            self._check(field, value)
        return value

    def _check(self, field: Field, value: Value) -> None:
        name = field.name
        absent = is_none(field, value)
        if value.comparison and (not field.ordered or absent):
            what = f"{name}:{NONE}" if absent else f"{name}:"
            self._note("incompatible", f"{what} takes no {value.comparison}.", value.span)
        elif absent:
            return
        elif field.words and value.text not in field.words:
            self._note_word(field, value)
        elif flaw := _flaw(field, value):
            self._note("wrong_format", f"{name}: {flaw}", value.span)

    def _note_word(self, field: Field, value: Value) -> None:
        meant = _meant(value.text.lower(), field.words)
        hint = f" Did you mean {meant}?" if meant else ""
        detail = f"{_shown(value.text)} is no value of {field.name}:, which has {', '.join(field.words)}.{hint}"
        self._note("not_allowed", detail, value.span, meant, values=list(field.words))

    def _sort(self, sorts: Sequence[Filter]) -> str | None:
        """What to sort by: a query says one thing, once."""
        for further in sorts[1:]:
            self._note("repeated_parameter", "A query has one sort.", further.span)
        for sort in sorts[:1]:
            value = sort.values[0]
            if sort.negated or len(sort.values) > 1 or value.comparison:
                self._note("wrong_format", "Write sort:created, or sort:-created for the newest first.", sort.span)
            elif value.text not in (known := (*SORTS, RELEVANCE)):
                meant = _meant(value.text.lower(), known)
                hint = f" Did you mean {meant}?" if meant else ""
                detail = f"{_shown(value.text)} is nothing to sort by, but {', '.join(known)} are.{hint}"
                self._note("not_allowed", detail, value.span, meant, values=list(known))
        return sorts[0].values[0].text if sorts else None

    def _blank(self) -> bool:
        return self.text[self.at].isspace()

    def _note(self, code: str, detail: str, span: Span, suggestion: str | None = None, **expected: Any) -> None:
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(_fault(code, detail, span, suggestion, **expected))

    def _wrong(self, code: str, detail: str, begin: int, end: int) -> _Wrong:
        return _Wrong(_fault(code, detail, Span(begin, end - begin)))


def _texts(clause: Filter | Text) -> list[str]:
    """What a clause looks for in texts."""
    if isinstance(clause, Text):
        return [clause.text]
    field = FIELDS.get(clause.name)
    return [value.text for value in clause.values] if field and field.kind == "text" else []


def _words(text: str) -> int:
    """How many words a text has for the index; in a script without blanks, each letter is one."""
    plain = unicodedata.normalize("NFKC", text.lower())
    spaced = UNSPACED.sub(" x ", plain)
    return len("".join(sign if unicodedata.category(sign)[0] in "LMN" else " " for sign in spaced).split())


def _fitting(text: str) -> int:
    """How many characters of a text are not too many in an address."""
    return (
        bisect.bisect_right(range(len(text)), LONGEST_WRITTEN, key=lambda length: len(links.written(text[:length]))) - 1
    )


def _written(field: Field | None, text: str, in_quotes: bool) -> str:
    """A value as the canonical form has it: words, keys, `me` and `none` in lower case."""
    if field is None or not text.isascii():
        return text
    lowers = field.kind in ("word", "flag", "key") or (_is_special(field, text) and not in_quotes)
    return text.lower() if lowers else text


def _has_quotes(field: Field, text: str) -> bool:
    """Whether quotes around a value of this field mean something."""
    return field.kind == "text" or _is_special(field, text)


def _is_special(field: Field, text: str) -> bool:
    word = text.lower()
    return (field.absent and word == NONE) or (field.kind == "person" and word == ME)


def _flaw(field: Field, value: Value) -> str | None:
    """What is wrong with how a value is written, in a sentence."""
    if field.kind == "number":
        digits = value.text.isascii() and value.text.isdigit()
        return None if digits and int(value.text) <= MOST_NUMBER else "Write a whole number, such as 1042."
    if field.kind == "reference":
        found = re.fullmatch(r"[^\0]+[#/][^\0#/]+", value.text)
        return None if found else "Write a source and an id, such as github:octo/cat#12."
    if field.kind == "moment":
        try:
            spans.check(value.text)
        except ValueError as wrong:
            return str(wrong)
        if not value.comparison and "T" in value.text.upper():
            return f"Say whether it is since then (>={value.text}) or before (<{value.text})."
    return None


def _meant(word: str, known: Iterable[str], also: dict[str, str] | None = None) -> str | None:
    """What of the known is most like a word."""
    names = {**(also or {}), **{each: each for each in known}}
    near = difflib.get_close_matches(word, names, 1, 0.6)
    return names[near[0]] if near else None


def _shown(text: str) -> str:
    """As much of a text as a sentence has room for."""
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at


def _fault(code: str, detail: str, span: Span, suggestion: str | None = None, **expected: Any) -> Fault:
    return Fault(
        code,
        detail,
        expected,
        parameter=PARAMETER,
        offset=span.offset,
        length=span.length,
        suggestion=suggestion,
    )


def _refused(faults: Sequence[Fault]) -> InvalidParameter:
    detail = faults[0].detail if len(faults) == 1 else f"{len(faults)} things in the query are not valid."
    return InvalidParameter(detail, errors=faults)
