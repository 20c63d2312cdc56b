"""The examples of the contract as a list of requests, in the order of the documents, each with its documented status.

Each operation is there with its required parameters: once for each example of its body, or, if it takes none, once by
itself and once with each of its optional parameters.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from ticketing import contract
from ticketing.contract import document
from ticketing.contract.document import Document, Operation
from ticketing.ground import paths

ENDLESS = "stream_events"
NEEDS = "x-needs"
"""What an example has that cannot be sent as it is: what it would need."""
DESCRIPTION = (
    "Every example of the contract but the stream, which has no end. Set the variables `url` and `token`, an admin's."
    " Each request has its documented status on a fresh demo (`make up`), in this order."
)


@dataclass(frozen=True, slots=True)
class Step:
    """One request, complete but for the token."""

    operation_id: str
    summary: str
    folder: str
    method: str
    path: str
    status: int
    takes_token: bool = True
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    media_type: str | None = None

    @property
    def name(self) -> str:
        """The operation, and which example of it."""
        return f"{self.operation_id}: {self.summary}" if self.summary else self.operation_id

    @property
    def target(self) -> str:
        """Path and query, as they are sent."""
        return f"{self.path}?{urlencode(self.query, safe=',:')}" if self.query else self.path


def steps(contract_: Document, prefix: str) -> Iterator[Step]:
    """The requests of a document, in its order: paths as they are written, and of each the methods as they are."""
    for path, item in contract_["paths"].items():
        for method in (name for name in item if name in document.METHODS):
            yield from _of_operation(contract_, prefix, Operation(path, method, item, item[method]))


def _of_operation(contract_: Document, prefix: str, operation: Operation) -> Iterator[Step]:
    parameters = [parameter for _, parameter in document.parameters(contract_, operation)]
    given = {each["name"]: _example(each) for each in parameters if each["in"] in ("path", "query")}
    path = prefix + operation.path
    for each in parameters:
        if each["in"] == "path":
            path = path.replace(f"{{{each['name']}}}", quote(given[each["name"]], safe=""))
    optional = [each["name"] for each in parameters if each["in"] == "query" and not each.get("required")]
    required = [each["name"] for each in parameters if each["in"] == "query" and each.get("required")]
    needed = {name: given[name] for name in required}

    def step(summary: str, query: Mapping[str, str], body: Any = None, media_type: str | None = None) -> Step:
        return Step(
            operation.spec["operationId"],
            summary,
            operation.spec["tags"][0],
            operation.method.upper(),
            path,
            next(int(status) for status in operation.spec["responses"] if status.startswith("2")),
            any("bearer" in way for way in operation.spec["security"]),
            query,
            body,
            media_type,
        )

    if "requestBody" in operation.spec:
        media_type, content = next(iter(operation.spec["requestBody"]["content"].items()))
        for node in content["examples"].values():
            _, example = document.resolve(contract_, node, "")
            if NEEDS in example:
                continue
            yield step(example["summary"], needed, example["value"], media_type)
        return
    yield step("", needed)
    for name in filter(given.get, optional):
        yield step(f"with {name}", {**needed, name: given[name]})


def _example(parameter: Mapping[str, Any]) -> str:
    value = parameter.get("example", "")
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def everything() -> list[Step]:
    """The requests of every document that is published."""
    return [step for prefix, file in paths.DOCUMENTS.items() for step in steps(contract.load(file), prefix)]


# Postman --------------------------------------------------------------------------------------------------------------


def postman(all_steps: list[Step]) -> dict[str, Any]:
    """The same requests as a collection in Postman's format 2.1, each with a test of its status; without the stream."""
    folders: dict[str, list[dict[str, Any]]] = {}
    for each in (step for step in all_steps if step.operation_id != ENDLESS):
        folders.setdefault(each.folder, []).append(_item(each))
    return {
        "info": {
            "name": "Ticketing API",
            "description": DESCRIPTION,
            "schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json",
        },
        "auth": {"type": "bearer", "bearer": [{"key": "token", "value": "{{token}}", "type": "string"}]},
        "variable": [
            {"key": "url", "value": "http://127.0.0.1:8080", "type": "string"},
            {"key": "token", "value": "", "type": "string"},
        ],
        "item": [{"name": name, "item": items} for name, items in folders.items()],
    }


def _item(step: Step) -> dict[str, Any]:
    request: dict[str, Any] = {
        "method": step.method,
        "header": [{"key": "Content-Type", "value": step.media_type}] if step.media_type else [],
        "url": {
            "raw": "{{url}}" + step.target,
            "host": ["{{url}}"],
            "path": step.path.strip("/").split("/"),
            "query": [{"key": key, "value": value} for key, value in step.query.items()],
        },
    }
    if step.media_type:
        text = json.dumps(step.body, indent=2, ensure_ascii=False)
        request["body"] = {"mode": "raw", "raw": text, "options": {"raw": {"language": "json"}}}
    if not step.takes_token:
        request["auth"] = {"type": "noauth"}
    check = f'pm.test("{step.status}", () => pm.response.to.have.status({step.status}));'
    return {
        "name": step.name,
        "request": request,
        "event": [{"listen": "test", "script": {"type": "text/javascript", "exec": [check]}}],
    }
