"""What a contract says of answers and messages: jsonschema-rs judges each, openapi-core the first of each kind too."""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import jsonschema_rs
import orjson
from openapi_core import Config, OpenAPI
from openapi_core.datatypes import RequestParameters
from openapi_core.testing import MockRequest, MockResponse
from openapi_schema_validator import OAS31Validator, oas31_format_checker

HOST = "http://judged.test"
STREAM = "text/event-stream"
#: Headers that any answer may have: those of HTTP itself, those that the edge gives to all, and a word to nginx.
EVERYWHERE = {
    "access-control-allow-origin",
    "access-control-expose-headers",
    *("allow", "cache-control", "connection", "content-encoding", "content-length", "content-security-policy"),
    *("content-type", "date", "keep-alive", "server", "transfer-encoding", "vary"),
    *("deprecation", "sunset", "x-accel-buffering"),
    "x-content-type-options",
}
_URN = "urn:judged"
_BITS = {"int32": 31, "int64": 63}


@dataclass(frozen=True)
class Asked:
    """The request that an answer answers; `url` is a path with its query."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.url).path


@dataclass(frozen=True)
class Answered:
    """An answer; the names of its headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def media_type(self) -> str:
        """Without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass
class _Message:
    """A webhook's message as openapi-core looks at one."""

    name: str
    body: bytes
    parameters: RequestParameters
    method: str = "post"
    content_type: str = "application/json"


class Judge:
    """A document served below a prefix; whatever breaks it raises, AssertionError or what openapi-core raises.

    An answer that only the `default` of its operation describes breaks it: that is for what may come one day. So does a
    value that an extensible enum does not list.
    """

    def __init__(self, document: dict[str, Any], prefix: str) -> None:
        self._document = document = _of_today(without_default(document))
        self._prefix = prefix
        dialect = "https://json-schema.org/draft/2020-12/schema"
        self._registry = jsonschema_rs.Registry([(_URN, {**_bounded(document), "$schema": dialect})])
        self._compiled: dict[str, jsonschema_rs.Draft202012Validator] = {}
        self._seen: set[object] = set()
        # As OpenAPI wants them matched: a literal part before a template.
        ordered = sorted(document["paths"], key=lambda path: [("{" in part, part) for part in path.split("/")])
        templates = [(re.sub(r"\{[^}]+\}", "[^/]+", path) if path != "/" else "/?", path) for path in ordered]
        self._paths = [(re.compile(prefix + template + r"\Z"), path) for template, path in templates]

    def knows(self, path: str) -> bool:
        """Whether the contract has something at this path."""
        return any(pattern.match(path) for pattern, _ in self._paths)

    @property
    def message_types(self) -> list[str]:
        """The types of message that the contract tells of."""
        return list(self._document["webhooks"])

    def answer(self, asked: Asked, answered: Answered) -> None:
        """Judge an answer: quickly, and if it is the first of its operation, status and media type thoroughly too."""
        pointer = self._operation(asked)
        self.quickly(pointer, answered)
        kind = (pointer, answered.status, answered.media_type)
        if kind not in self._seen:
            self.thoroughly(asked, answered)
            self._seen.add(kind)

    def message(self, name: str, headers: Mapping[str, str], body: bytes) -> None:
        """Judge a webhook's message; the first of its type thoroughly too."""
        assert name in self._document["webhooks"], f"the contract has no message {name}"
        assert orjson.loads(body)["type"] == name, f"this is no message {name}"
        pointer = f"#/webhooks/{_escaped(name)}/post"
        for index in range(len(self._at(f"{pointer}/parameters")[1])):
            where, parameter = self._at(f"{pointer}/parameters/{index}")
            self._header(where, parameter, headers, parameter["name"].lower())
        self._body(*self._at(f"{pointer}/requestBody/content"), "application/json", body)
        if pointer not in self._seen:
            self._openapi.validate_webhook_request(_Message(name, body, RequestParameters(header=dict(headers))))
            self._seen.add(pointer)

    def value(self, schema: str, value: Any) -> None:
        """Judge a value by a schema of `components`; the first of its `type` thoroughly too."""
        pointer = f"#/components/schemas/{schema}"
        self.valid(pointer, value)
        kind = (schema, value["type"])
        if kind not in self._seen:
            OAS31Validator({**self._document, "$ref": pointer}, format_checker=oas31_format_checker).validate(value)
            self._seen.add(kind)

    def _operation(self, asked: Asked) -> str:
        path = next((path for pattern, path in self._paths if pattern.match(asked.path)), None)
        assert path is not None, f"the contract has nothing at {asked.path}"
        pointer = f"#/paths/{_escaped(path)}/{asked.method.lower()}"
        assert asked.method.lower() in self._document["paths"][path], f"the contract has no {asked.method} {path}"
        return pointer

    # By jsonschema-rs ---------------------------------------------------------------------------------------------

    def quickly(self, operation: str, answered: Answered) -> None:
        """Judge status, media type, headers and body of an operation's answer."""
        responses = self._at(f"{operation}/responses")[1]
        status = str(answered.status)
        known = next((key for key in (status, f"{status[0]}XX") if key in responses), None)
        assert known is not None, f"the contract has no {status} for {operation}"
        pointer, response = self._at(f"{operation}/responses/{known}")
        declared = {name.lower() for name in response.get("headers", {})}
        undeclared = answered.headers.keys() - declared - EVERYWHERE
        assert not undeclared, f"the contract has no header {undeclared} for {status} of {operation}"
        for name in response.get("headers", {}):
            where, header = self._at(f"{pointer}/headers/{_escaped(name)}")
            self._header(where, header, answered.headers, name.lower())
        if "content" in response:
            self._body(f"{pointer}/content", response["content"], answered.media_type, answered.body)
            if answered.media_type == "application/problem+json":
                self._problem(f"{pointer}/content/application~1problem+json/examples", answered.body)
        else:
            assert not answered.body, f"the contract has no content for {status} of {operation}"

    def _problem(self, pointer: str, body: bytes) -> None:
        """A type of problem is one of those that the response has an example of."""
        examples = self._at(pointer)[1]
        known = {self._at(f"{pointer}/{_escaped(name)}")[1]["value"]["code"] for name in examples}
        code = orjson.loads(body)["code"]
        assert code in known, f"the contract has no example of {code}: {pointer}"

    def _header(self, pointer: str, header: Mapping[str, Any], headers: Mapping[str, str], name: str) -> None:
        if name in headers:
            self.valid(f"{pointer}/schema", _cast(self._at(f"{pointer}/schema")[1], headers[name]))
        else:
            assert not header.get("required"), f"the header {name} is missing"

    def _body(self, pointer: str, content: Mapping[str, Any], media_type: str, body: bytes) -> None:
        known = next((each for each in (media_type, *content) if each in content and _fits(media_type, each)), None)
        assert known is not None, f"the contract has no {media_type or 'answer without a media type'} here: {pointer}"
        assert body, f"there is no body, and the contract has one: {pointer}"
        is_json = media_type == "application/json" or media_type.endswith("+json")
        value = orjson.loads(body) if is_json else body.decode(errors="replace")
        if "schema" in content[known]:
            self.valid(f"{pointer}/{_escaped(known)}/schema", value)

    def valid(self, pointer: str, value: Any) -> None:
        """Judge a value by the schema at a JSON Pointer."""
        if pointer not in self._compiled:
            reference = _URN + quote(pointer, safe="#/~:@!$&()*+,;=-._")
            self._compiled[pointer] = jsonschema_rs.Draft202012Validator(
                {"$ref": reference}, registry=self._registry, validate_formats=True
            )
        self._compiled[pointer].validate(value)

    def _at(self, pointer: str) -> tuple[str, Any]:
        """What is at a pointer, with references followed, and where it really is."""
        node: Any = self._document
        for part in pointer.removeprefix("#/").split("/"):
            key = unquote(part).replace("~1", "/").replace("~0", "~")
            node = node[int(key)] if isinstance(node, list) else node[key]
        return self._at(node["$ref"]) if isinstance(node, dict) and "$ref" in node else (pointer, node)

    # By openapi-core ----------------------------------------------------------------------------------------------

    def thoroughly(self, asked: Asked, answered: Answered) -> None:
        """Judge an answer by what shares no code with this file, nor with the service."""
        request = MockRequest(
            HOST,
            asked.method.lower(),
            f"{asked.path}/" if asked.path == self._prefix else asked.path,
            args=dict(parse_qsl(urlsplit(asked.url).query)),
            headers=dict(asked.headers),
            data=asked.body or None,
            content_type=asked.headers.get("content-type", ""),
        )
        response = MockResponse(
            answered.body,
            headers=dict(answered.headers),
            status_code=answered.status,
            content_type=answered.headers.get("content-type", ""),
        )
        self._openapi.validate_response(request, response)

    @cached_property
    def _openapi(self) -> OpenAPI:
        json_like: dict[str, Callable[[bytes], Any]] = dict.fromkeys(
            ("application/problem+json", "application/merge-patch+json"), json.loads
        )
        json_like[STREAM] = bytes.decode
        return OpenAPI.from_dict(
            {**self._document, "servers": [{"url": HOST + self._prefix}]},
            config=Config(extra_media_type_deserializers=json_like),
        )


def without_default(document: dict[str, Any]) -> dict[str, Any]:
    """The same document, in which no operation says what it may answer beside what it lists."""

    def listed(operation: Any) -> Any:
        if not isinstance(operation, dict) or "responses" not in operation:
            return operation
        return operation | {"responses": {k: each for k, each in operation["responses"].items() if k != "default"}}

    listing = {path: {key: listed(each) for key, each in item.items()} for path, item in document["paths"].items()}
    return document | {"paths": listing}


def _bounded(node: Any) -> Any:
    """The same document, in which int32 and int64 bound a number, as in OpenAPI; to JSON Schema they say nothing."""
    if isinstance(node, list):
        return [_bounded(each) for each in node]
    if not isinstance(node, dict):
        return node
    copy = {key: _bounded(value) for key, value in node.items()}
    match node:
        case {"format": "int32" | "int64" as format}:
            most = 2 ** _BITS[format] - 1
            copy["allOf"] = [*copy.get("allOf", ()), {"minimum": -most - 1, "maximum": most}]
    return copy


def _of_today(node: Any) -> Any:
    """The same document, in which extensible enums are enums: clients take other values, and we send none."""
    if isinstance(node, list):
        return [_of_today(each) for each in node]
    if not isinstance(node, dict):
        return node
    copy = {key: _of_today(value) for key, value in node.items()}
    match node:
        case {"x-extensible-enum": [*words], "type": kinds}:
            copy["enum"] = [*words, None] if "null" in kinds else words
    return copy


def _escaped(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")


def _fits(media_type: str, declared: str) -> bool:
    return fnmatch.fnmatch(media_type, declared.lower())


def _cast(schema: Mapping[str, Any], text: str) -> Any:
    """A header as the schema means it: a number and a boolean are written as in JSON, all else is text."""
    if schema.get("type") not in ("integer", "number", "boolean"):
        return text
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
