"""An OpenAPI document as its reader goes through it: operations by tag, messages, schemas, and their examples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from ticketing.contract.document import METHODS

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Request:
    """A request as an example shows it; `target` is path and query below the server's URL, percent-encoded."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: Any
    authenticated: bool
    streams: bool
    """Whether the answer is a stream, which has no end."""
    answered: bool
    """Whether the answer has a body."""


@dataclass(frozen=True, slots=True)
class Example:
    """A named example of a body."""

    name: str
    summary: str
    value: Any


@dataclass(frozen=True, slots=True)
class Body:
    """What a request or an answer may hold in one media type."""

    media_type: str
    schema: Any
    examples: list[Example]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, by its status or `default`."""

    status: str
    description: str
    headers: Mapping[str, Any]
    bodies: list[Body]
    links: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation, or a message that is sent to webhook endpoints."""

    id: str
    method: str
    path: str
    tag: str
    summary: str
    description: str
    scopes: list[str]
    parameters: list[Mapping[str, Any]]
    body: Mapping[str, Any] | None
    bodies: list[Body]
    answers: list[Answer]
    authenticated: bool

    @property
    def welcome(self) -> list[Answer]:
        return [answer for answer in self.answers if answer.status[0] in "123"]

    @property
    def refusals(self) -> list[Answer]:
        return [answer for answer in self.answers if answer.status[0] not in "123"]

    def requests(self) -> Iterator[Request]:
        """The requests that the examples stand for: one for each example of the body, or a single one."""
        values = {(each["in"], each["name"]): value for each in self.parameters if (value := _needed(each)) is not None}
        path = self.path
        for (place, name), value in values.items():
            if place == "path":
                path = path.replace(f"{{{name}}}", quote(value, safe=""))
        query = urlencode({name: value for (place, name), value in values.items() if place == "query"}, safe=",:")
        headers = {name: value for (place, name), value in values.items() if place == "header"}
        bodies = self.bodies[:1]
        examples: list[Example | None] = [example for body in bodies for example in body.examples] or [None]
        if bodies:
            headers |= {"Content-Type": bodies[0].media_type}
        good = [answer for answer in self.answers if answer.status[0] == "2"]
        media_types = {body.media_type for answer in good for body in answer.bodies}
        for example in examples:
            yield Request(
                method=self.method.upper(),
                target=path + (f"?{query}" if query else ""),
                headers=headers,
                body=example.value if example else None,
                authenticated=self.authenticated,
                streams="text/event-stream" in media_types,
                answered=bool(media_types),
            )


def _needed(parameter: Mapping[str, Any]) -> str | None:
    """The example of a parameter without which a request is refused, as it is sent."""
    if not parameter.get("required"):
        return None
    named = [example["value"] for example in parameter.get("examples", {}).values()]
    of_schema = [*parameter.get("schema", {}).get("examples", []), *parameter.get("schema", {}).get("enum", [])]
    value = next(iter([*([parameter["example"]] if "example" in parameter else []), *named, *of_schema]), None)
    return ",".join(map(str, value)) if isinstance(value, list) else None if value is None else str(value)


class Document:
    """A bundled OpenAPI 3.1 document."""

    def __init__(self, source: Mapping[str, Any]) -> None:
        self.source = source
        self.info = source["info"]
        self.schemas: Mapping[str, Any] = source["components"]["schemas"]
        self.operations = [
            self._operation(method, path, item, item[method])
            for path, item in source["paths"].items()
            for method in item
            if method in METHODS
        ]
        self.messages = [
            self._operation(method, name, item, item[method])
            for name, item in source.get("webhooks", {}).items()
            for method in item
            if method in METHODS
        ]
        self.tags = {tag["name"]: tag.get("description", "") for tag in source.get("tags", [])}

    def of(self, tag: str) -> list[Operation]:
        """The operations with a tag, in the document's order."""
        return [each for each in self.operations if each.tag == tag]

    def resolved(self, thing: Mapping[str, Any]) -> Mapping[str, Any]:
        """What a reference leads to. What stands beside the reference counts more (OpenAPI 3.1, Reference Object)."""
        while "$ref" in thing:
            found: Any = self.source
            for part in thing["$ref"].removeprefix("#/").split("/"):
                found = found[part.replace("~1", "/").replace("~0", "~")]
            thing = {**found, **{name: value for name, value in thing.items() if name != "$ref"}}
        return thing

    def _operation(self, method: str, path: str, item: Mapping[str, Any], one: Mapping[str, Any]) -> Operation:
        body = self.resolved(one["requestBody"]) if "requestBody" in one else None
        security = one.get("security", self.source.get("security", []))
        return Operation(
            id=one["operationId"],
            method=method,
            path=path,
            tag=one["tags"][0],
            summary=one.get("summary", one["operationId"]),
            description=one.get("description", ""),
            scopes=[scope for name in security[0].values() for scope in name] if security else [],
            parameters=[self.resolved(each) for each in (*item.get("parameters", []), *one.get("parameters", []))],
            body=body,
            bodies=self._bodies(body),
            answers=[self._answer(status, self.resolved(answer)) for status, answer in one["responses"].items()],
            authenticated=any("bearer" in way for way in security),
        )

    def _answer(self, status: str, answer: Mapping[str, Any]) -> Answer:
        return Answer(
            status=status,
            description=answer["description"],
            headers={name: self.resolved(header) for name, header in answer.get("headers", {}).items()},
            bodies=self._bodies(answer),
            links={name: self.resolved(link) for name, link in answer.get("links", {}).items()},
        )

    def _bodies(self, message: Mapping[str, Any] | None) -> list[Body]:
        contents: Mapping[str, Any] = message.get("content", {}) if message else {}
        # JSON first: it needs no explanation.
        return [
            Body(media_type, contents[media_type].get("schema", {}), self._examples(contents[media_type]))
            for media_type in sorted(contents, key=lambda name: name != JSON)
        ]

    def _examples(self, content: Mapping[str, Any]) -> list[Example]:
        if "example" in content:
            return [Example("example", "Example", content["example"])]
        named = {name: self.resolved(example) for name, example in content.get("examples", {}).items()}
        return [
            Example(name, example.get("summary", name.replace("_", " ")), example["value"])
            for name, example in named.items()
        ]
