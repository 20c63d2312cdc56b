"""The text of a query as conditions on documents: the words of a ticket's title, description and comments.

Who staffs a ticket looks into the document with its internal comments, and everybody else into the public one. For who
staffs nothing the other table is in no condition, so no hit, rank, passage or plan of theirs depends on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ticketing.query import titles
from ticketing.query.parameters import Parameters
from ticketing.query.tree import Query, Text

LONGEST_NUMBER = 18
"""Most digits in the number of a ticket."""


@dataclass(frozen=True, slots=True)
class Staffed:
    """What a reader staffs: these projects, or all."""

    projects: Sequence[str] = ()
    everywhere: bool = False


NOBODY = Staffed()
"""What most people staff."""


def sayable(query: Query) -> list[Text]:
    """What the query looks for in texts. Signs alone are not looked for."""
    texts = [clause for clause in query.clauses if isinstance(clause, Text)]
    return [clause for clause in texts if _has_words(clause) and not _is_part(clause)]


def sought(query: Query) -> list[Text]:
    """What has to be there."""
    return [clause for clause in sayable(query) if not clause.negated]


def numbers(query: Query) -> list[int]:
    """The tickets that the query names by number, each of which has what it names."""
    return [number for clause in sought(query) if (number := numbered(clause)) is not None]


def numbered(clause: Text) -> int | None:
    """The number that a word is, as `1042` or `#1042`."""
    return None if clause.phrase or clause.begins else titles.number(clause.text)


def asked(query: Query, given: Parameters) -> str:
    """What the index of documents is asked for: all that has to be there, and nothing of what must not."""
    parts = [_negated(_form(clause, given), clause) for clause in sayable(query)]
    return f"(select {' && '.join(parts) or 'asked_nothing()'})"


def any_of(query: Query, given: Parameters) -> str:
    """What finds where in a text any of it is."""
    parts = [
        f"asked_beginning({given.of(clause.text, 'text')})"
        if clause.begins
        else f"asked_any({given.of(clause.text, 'text')})"
        for clause in sought(query)
    ]
    return f"(select {' || '.join(parts) or 'asked_nothing()'})"


def holds(query: Query, staffed: Staffed, given: Parameters) -> list[str]:
    """What has to hold of a ticket `t`, of which the number and the project are known; a document need not be there."""
    together = [_form(clause, given) for clause in sought(query) if numbered(clause) is None]
    found = [_said(" && ".join(together), staffed, given)] if together else []
    for clause in sayable(query):
        number = numbered(clause)
        if number is not None:
            said = _said(_form(clause, given), staffed, given)
            either = f"(t.number = {given.of(number, 'bigint')} or {said})"
            found.append(f"not {either}" if clause.negated else either)
        elif clause.negated:
            found.append(f"not {_said(_form(clause, given), staffed, given)}")
    return found


def rank(query: Query, staffed: Staffed, given: Parameters) -> str:
    """How well a ticket `t` has what is looked for: in its title counts most, and then in its description."""
    parts = [_form(clause, given) for clause in sought(query)]
    return _of_document(f"ts_rank_cd(d.text, (select {' && '.join(parts)}), 1)", staffed, given)


def plain(query: Query, given: Parameters) -> list[str]:
    """What the texts of a query say of a ticket's number alone."""
    found = []
    for clause in query.clauses:
        if isinstance(clause, Text):
            if _is_part(clause):
                found.append(_begun(clause, given))
            elif not _has_words(clause) and not clause.negated and not sought(query):
                found.append("false")
    return found


def others(query: Query, given: Parameters) -> list[str]:
    """That a ticket is none of those that are found, or left out, by their number."""
    named = [number for clause in sayable(query) if (number := numbered(clause)) is not None]
    return [f"t.number <> all({given.of(named, 'bigint[]')})"] if named else []


def _form(clause: Text, given: Parameters) -> str:
    text = given.of(clause.text, "text")
    if clause.phrase:
        return f"asked_phrase({text})"
    return f"asked_beginning({text})" if clause.begins else f"asked_word({text})"


def _negated(form: str, clause: Text) -> str:
    return f"!! {form}" if clause.negated else form


def _said(form: str, staffed: Staffed, given: Parameters) -> str:
    """That the document of `t` has it. The subquery is run once, whatever the tickets."""
    return f"coalesce({_of_document(f'd.text @@ (select {form})', staffed, given)}, false)"


def _of_document(what: str, staffed: Staffed, given: Parameters) -> str:
    """Something of the document `d` that the reader may look into."""
    public = f"(select {what} from ticket_documents d where d.number = t.number)"  # noqa: S608
    if not (staffed.everywhere or staffed.projects):
        return public
    both = f"coalesce((select {what} from staff_documents d where d.number = t.number), {public})"  # noqa: S608
    if staffed.everywhere:
        return both
    return f"case when t.project = any({given.of(list(staffed.projects), 'text[]')}) then {both} else {public} end"


def _has_words(clause: Text) -> bool:
    return any(map(str.isalnum, clause.text))


def _is_part(clause: Text) -> bool:
    """Whether it is the beginning of a number, as `#10*`."""
    return clause.begins and clause.text.startswith("#") and titles.number(clause.text) is not None


def _begun(clause: Text, given: Parameters) -> str:
    first = int(titles.NUMBER.fullmatch(clause.text)[1])  # type: ignore[index]
    ranges = [
        f"t.number between {given.of(first * 10**more, 'bigint')} and {given.of((first + 1) * 10**more - 1, 'bigint')}"
        for more in range(LONGEST_NUMBER - len(str(first)) + 1)
    ]
    either = f"({' or '.join(ranges)})" if first else "false"
    return f"not {either}" if clause.negated else either
