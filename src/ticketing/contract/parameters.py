"""Parameters: strictly parses text into typed values, by the published schemas."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Callable, Collection, Container, Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import unquote_to_bytes

from ticketing.contract.cookies import cookies
from ticketing.contract.document import ContractError, Document, at, resolve, schema_of
from ticketing.contract.exchange import KEY, Exchange
from ticketing.contract.forms import Flaws, Forms, shaping
from ticketing.contract.problems import Fault, InvalidParameter, MalformedRequest
from ticketing.contract.schemas import MOST_FAULTS, Schemas

ANSWERED_BY_THE_ENGINE = {"if-modified-since", "if-none-match", "if-range", "range", "x-request-id"}
"""Header parameters that handlers do not see."""

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,18})", re.ASCII)
_DIGITS = re.compile(r"-?[0-9]+", re.ASCII)
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?", re.ASCII)
_ENCODED_COMMA = re.compile("%2C", re.IGNORECASE)


class Parameter:
    """One parameter, compiled: parses and validates its text."""

    def __init__(self, bound: Mapping[str, Any], document: Document, schemas: Schemas, forms: Forms) -> None:
        self.name: str = bound["name"]
        self.where: str = bound["in"]
        self.required: bool = bound.get("required", False)
        self.argument = argument(self.name)
        self.seen_by_handler = not (self.where == "header" and self.name.lower() in ANSWERED_BY_THE_ENGINE)
        pointer: str = bound["schema"]["x-schema"]
        self.schema = schema_of(document, at(document, pointer.rpartition("/")[0]))
        self._schema = schemas[pointer]
        self._shape = shaping(document, self.schema, forms)
        kinds = kinds_of(document, self.schema)
        self.is_array = "array" in kinds
        self.exploded = self.is_array and bound.get("explode", self.where == "query")
        self._kinds = kinds_of(document, self.schema.get("items", {})) if self.is_array else kinds
        _check_supported(self, bound)

    def value(self, texts: list[str], found: list[Fault]) -> Any:
        """The typed value; faults are added to `found`."""
        value = [cast(text, self._kinds) for text in texts] if self.is_array else cast(texts[0], self._kinds)
        if any("\0" in text for text in texts):
            found.append(Fault("wrong_format", "This holds the character NUL.", parameter=self.name))
            return value
        flaws: Flaws = {}
        if self._shape is not None:
            value = self._shape(value, (), flaws)
        if flaws or not self._schema.is_valid(value):
            for fault in flaws.values() or self._schema.faults(value):
                place = f"Item {fault.pointer[2:]}: " if fault.pointer and len(fault.pointer) > 1 else ""
                said = self._digits(value) or fault
                found.append(replace(said, detail=place + said.detail, pointer=None, parameter=self.name))
        return value

    def _digits(self, value: Any) -> Fault | None:
        """What is wrong with digits that are not a valid integer here."""
        if "integer" not in self._kinds or not isinstance(value, str) or not _DIGITS.fullmatch(value):
            return None
        if value.removeprefix("-").startswith("0"):
            return Fault("wrong_format", "An integer is written without a zero before it.")
        if value.startswith("-"):
            return Fault("too_small", "This integer is too small.", _only(self.schema, "minimum"))
        return Fault("too_large", "This integer is too large.", _only(self.schema, "maximum"))


class Parameters:
    """The parameters of one operation, as connexion's `validator_map` expects: made once, used for every request."""

    def __init__(
        self,
        bound: list[Mapping[str, Any]],
        document: Document,
        schemas: Schemas,
        forms: Forms,
        keys: Collection[str] = (),
    ) -> None:
        compiled = [Parameter(parameter, document, schemas, forms) for parameter in bound]
        self._path = [parameter for parameter in compiled if parameter.where == "path"]
        self._headers = [(p.name.lower().encode(), p) for p in compiled if p.where == "header"]
        self._cookies = {parameter.name: parameter for parameter in compiled if parameter.where == "cookie"}
        self._query = {parameter.name: parameter for parameter in compiled if parameter.where == "query"}
        self._keys = keys
        self._required = [parameter for parameter in self._query.values() if parameter.required]
        self._defaults = {
            p.argument: p.schema["default"] for p in compiled if p.seen_by_handler and "default" in p.schema
        }
        self._mutable_defaults = any(isinstance(value, list | dict) for value in self._defaults.values())

    def validate(self, scope: Any) -> None:
        """Add typed values to the exchange. Raises InvalidParameter with every fault of every parameter."""
        exchange: Exchange = scope[KEY]
        arguments = copy.deepcopy(self._defaults) if self._mutable_defaults else self._defaults.copy()
        found: list[Fault] = []
        for parameter in self._path:
            arguments[parameter.argument] = parameter.value([scope["path_params"][parameter.name]], found)
        if scope["query_string"] or self._required:
            self._read_query(scope["query_string"], arguments, found)
        for name, parameter in self._headers:
            given = exchange.headers.get(name)
            if given is not None:
                value = parameter.value(_listed(parameter, given), found)
                if parameter.seen_by_handler:
                    arguments[parameter.argument] = value
            elif parameter.required:
                found.append(Fault("required", "This header is required.", parameter=parameter.name))
        if self._cookies:
            self._read_cookies(exchange.headers.get(b"cookie", b""), arguments, found)
        if found:
            raise InvalidParameter(_summary(found), errors=found)
        exchange.arguments = arguments

    def _read_cookies(self, header: bytes, arguments: dict[str, Any], found: list[Fault]) -> None:
        given = cookies(header, self._cookies)
        for name, parameter in self._cookies.items():
            match given.get(name):
                case None if parameter.required:
                    found.append(Fault("required", "This cookie is required.", parameter=name))
                case [None]:
                    detail = "This is not how a cookie is written (RFC 6265)."
                    found.append(Fault("wrong_format", detail, parameter=name))
                case [str(text)]:
                    _add_decoded(parameter, [text], _unquoted, arguments, found)
                case [*texts]:
                    found.append(_repeated(name, len(texts)))

    def _read_query(self, raw: bytes, arguments: dict[str, Any], found: list[Fault]) -> None:
        given: dict[str, list[str]] = {}
        unknown: dict[str, None] = {}
        for name, text in _pairs(raw):
            if name in self._query:
                given.setdefault(name, []).append(text)
            elif name not in self._keys:
                unknown[name] = None
        found += [
            Fault("unknown_parameter", "There is no parameter of this name.", parameter=name[:80] or "?")
            for name in list(unknown)[:MOST_FAULTS]
        ]
        for name, texts in given.items():
            parameter = self._query[name]
            if len(texts) > 1 and not parameter.is_array:
                found.append(_repeated(name, len(texts)))
                continue
            # Some clients repeat the name whatever `explode` says, and what they mean is clear.
            listed = parameter.is_array and not parameter.exploded
            items = [item for text in texts for item in _items(text)] if listed else texts
            _add_decoded(parameter, items, _decode, arguments, found)
        found += [
            Fault("required", "This parameter is required.", parameter=parameter.name)
            for parameter in self._required
            if parameter.name not in given
        ]


def cast(text: str, kinds: Container[str]) -> Any:
    """The text as a JSON value of one of these types; otherwise the text itself, which the schema refuses."""
    if "integer" in kinds and _INTEGER.fullmatch(text):
        return int(text)
    if "number" in kinds and _NUMBER.fullmatch(text):
        number = float(text)
        return number if math.isfinite(number) else text
    if "boolean" in kinds and text in ("true", "false"):
        return text == "true"
    return text


def texts_of(query: bytes, name: str) -> list[str]:
    """The values of a parameter in a query string. Raises MalformedRequest."""
    try:
        return [_decode(text) for given, text in _pairs(query) if given == name]
    except UnicodeDecodeError:
        raise MalformedRequest("The query string is not percent-encoded UTF-8.") from None


def argument(name: str) -> str:
    """A parameter's name in Python: `If-Match` is `if_match`, and `actor`, as which who asks is passed, is `actor_`."""
    written = name.lower().replace("-", "_")
    return f"{written}_" if written == "actor" else written


def _add_decoded(
    parameter: Parameter,
    texts: list[str],
    decode: Callable[[str], str],
    arguments: dict[str, Any],
    found: list[Fault],
) -> None:
    try:
        decoded = [decode(text) for text in texts]
    except UnicodeDecodeError:
        found.append(Fault("wrong_format", "This is not UTF-8.", parameter=parameter.name))
    else:
        arguments[parameter.argument] = parameter.value(decoded, found)


def _pairs(raw: bytes) -> Iterator[tuple[str, str]]:
    try:
        text = raw.decode("ascii")
        for pair in text.split("&"):
            if pair:
                name, _, value = pair.partition("=")
                yield _decode(name), value
    except UnicodeDecodeError:
        raise MalformedRequest("The query string is not percent-encoded UTF-8.") from None


def _decode(text: str) -> str:
    if "+" in text:
        text = text.replace("+", " ")
    return _unquoted(text)


def _unquoted(text: str) -> str:
    return unquote_to_bytes(text).decode() if "%" in text else text


def _items(text: str) -> list[str]:
    """The items of a list, still encoded; none of an empty text.

    Beside plain commas, an encoded one is part of an item; but many clients (URLSearchParams, requests, httpx) encode
    all of them, so where there is no plain one, the encoded ones separate.
    """
    if not text:
        return []
    return text.split(",") if "," in text else _ENCODED_COMMA.split(text)


def _listed(parameter: Parameter, given: bytes) -> list[str]:
    try:
        text = given.decode()
    except UnicodeDecodeError:
        text = given.decode("latin-1")
    return [item.strip(" \t") for item in text.split(",")] if parameter.is_array else [text]


def _repeated(name: str, times: int) -> Fault:
    return Fault("repeated_parameter", f"This is given {times} times.", parameter=name)


def _only(schema: Mapping[str, Any], keyword: str) -> dict[str, Any]:
    return {keyword: schema[keyword]} if keyword in schema else {}


def _summary(found: list[Fault]) -> str:
    if len(names := {fault.parameter for fault in found}) > 1:
        return f"{len(names)} parameters are not valid."
    return f"The parameter {found[0].parameter} is not valid. {found[0].detail}"


def kinds_of(document: Document, schema: Any) -> set[str]:
    """The JSON types that a schema speaks of."""
    _, schema = resolve(document, schema, "")
    if not isinstance(schema, Mapping):
        return set()
    given = schema.get("type", [])
    kinds = {given} if isinstance(given, str) else set(given)
    for keyword in ("allOf", "anyOf", "oneOf"):
        for part in schema.get(keyword, ()):
            kinds |= kinds_of(document, part)
    return kinds


def _check_supported(parameter: Parameter, bound: Mapping[str, Any]) -> None:
    style = {"query": "form", "path": "simple", "header": "simple", "cookie": "form"}[parameter.where]
    odd = bound.get("style", style) != style or "object" in parameter._kinds
    if odd or (parameter.where == "cookie" and parameter.is_array):
        raise ContractError(f"The parameter {parameter.name} has a style or type that is not supported.")
