"""What is wrong with the arguments of a command, said to whoever typed them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any, Literal, get_args, get_origin
from uuid import UUID

from cyclopts import (
    App,
    Argument,
    CoercionError,
    CycloptsError,
    MissingArgumentError,
    RepeatArgumentError,
    UnknownCommandError,
    UnknownOptionError,
    UnusedCliTokensError,
    ValidationError,
)
from cyclopts.validators import Number

EXAMPLE = "01a20cff-7d00-7869-8c3a-f015e6294ff6"


def sentence(error: CycloptsError) -> str:
    """What is wrong, and which command explains what is right."""
    command = " ".join(("ticketing", *(error.command_chain or ())))
    return f"{_fault(error)} Try `{command} --help`."


def _fault(error: CycloptsError) -> str:
    typed: Sequence[str] = error.unused_tokens or ()
    argument = error.argument
    if isinstance(error, UnknownCommandError):
        return _stranger(typed[0], error.app)
    if isinstance(error, UnknownOptionError):
        known = (name for each in error.argument_collection if each.parse for name in each.names)
        option = error.token.keyword or error.token.value
        return f"There is no option {option}{_near(option, known)}."
    if isinstance(error, UnusedCliTokensError):
        return f"{typed[0]!r} is one argument too many."
    if isinstance(error, RepeatArgumentError):
        return f"{error.token.keyword} is given twice."
    if argument is None:
        return str(error)
    if isinstance(error, MissingArgumentError):
        if error.keyword:
            return f"{error.keyword} takes {_wanted(argument.hint, argument)}, and none is given."
        mistyped = get_close_matches(argument.name, [each for each in typed if each.startswith("--")], n=1)
        return f"{_name(argument)} is missing." + (f" There is no option {mistyped[0]}." if mistyped else "")
    if isinstance(error, CoercionError) and error.token:
        return f"{_name(argument)} takes {_wanted(error.target_type, argument)}, not {error.token.value!r}."
    if isinstance(error, ValidationError) and argument.tokens:
        return f"{_name(argument)} takes {_wanted(argument.hint, argument)}, not {argument.tokens[-1].value!r}."
    return str(error)


def _stranger(word: str, app: App | None) -> str:
    """What to say to a word that is no command."""
    if word.startswith("-"):
        return f"There is no option {word} here: options follow a command."
    commands = [name for name in app or () if not name.startswith("-")]
    near = _near(word, commands)
    return f"There is no command {word!r}{near}." + ("" if near else f" There are {listed(sorted(commands))}.")


def _near(word: str, known: Iterable[str]) -> str:
    near = get_close_matches(word, list(known), n=1)
    return f"; perhaps you mean {near[0]}" if near else ""


def _name(argument: Argument) -> str:
    """An option as it is typed, or an argument as the usage calls it."""
    return argument.name if argument.index is None else argument.name.lstrip("-").upper()


def _wanted(kind: Any, argument: Argument) -> str:
    """What an argument takes."""
    if get_origin(kind) is Literal:
        return listed(get_args(kind), "or")
    if kind is int:
        (limits,) = [each for each in argument.parameter.validator if isinstance(each, Number)] or [Number()]  # type: ignore[union-attr]
        return "a whole number" + _range(limits)
    if kind is UUID:
        return f"an id such as {EXAMPLE}"
    return "no value" if kind is bool else "a value"


def _range(limits: Number) -> str:
    if limits.gte is not None and limits.lte is not None:
        return f" from {limits.gte} to {limits.lte}"
    return ""


def listed(words: Sequence[str], conjunction: str = "and") -> str:
    """Words as a sentence lists them: `one, two and three`."""
    return f" {conjunction} ".join(filter(None, (", ".join(words[:-1]), words[-1])))
