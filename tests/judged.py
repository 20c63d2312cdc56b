"""An HTTP client whose every answer is judged against the published contract."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import httpx

from judge import STREAM, Answered, Asked, Judge
from ticketing import __version__
from ticketing.ground import paths

PREFIX = paths.API
#: What is published: the contract and the operations document, by their paths.
DOCUMENTS: dict[str, dict[str, Any]] = {path: json.loads(file.read_text()) for path, file in paths.DOCUMENTS.items()}
#: Answers that HTTP itself gives, before any operation is found.
OUTSIDE_THE_CONTRACT = {405}
#: What an ETag of ours is made of; the contract only promises that it is one.
ETAG = re.compile(r'"[!#-~]*"')


def whole() -> dict[str, Any]:
    """Both documents as one, for what holds of every operation; paths below `/api/v1` are relative, as for a client.

    What both have among their components is the same.
    """
    together: dict[str, Any] = {"paths": {}, "components": {}}
    for prefix, document in DOCUMENTS.items():
        before = "" if prefix == PREFIX else prefix
        together["paths"] |= {before + path: item for path, item in document["paths"].items()}
        for kind, named in document["components"].items():
            known = together["components"].setdefault(kind, {})
            assert all(known[name] == named[name] for name in known.keys() & named.keys()), kind
            known |= named
    return together


@cache
def judges() -> dict[str, Judge]:
    """The judges of what is published, by their paths; one each a process, as they remember what they have seen."""
    return {path: Judge(document, path) for path, document in DOCUMENTS.items()}


def judge() -> Judge:
    """The judge of the contract."""
    return judges()[PREFIX]


def subject(type: str) -> dict[str, Any]:
    """What the contract's example of an event is about: its `data`, for tests that write events themselves."""
    media = DOCUMENTS[PREFIX]["webhooks"][type]["post"]["requestBody"]["content"]["application/json"]
    (example,) = media["examples"].values()
    data: dict[str, Any] = example["value"]["data"]
    return data


@dataclass(frozen=True)
class Sent:
    """One server-sent event; without a type and data it is but a place to resume from."""

    id: str
    type: str | None
    data: dict[str, Any] | None


class Judged(httpx.Client):
    """httpx with paths below `/api/v1`, unless they are below `/ops/v1`; what is not promised there fails the test."""

    def request(self, method: str, url: Any, **options: Any) -> httpx.Response:
        """As httpx.Client.request, and the judgement."""
        is_of_contract = str(url).startswith("/") and not str(url).startswith(paths.OPS)
        response = super().request(method, PREFIX + url if is_of_contract else url, **options)
        check(response)
        return response

    def send(self, request: httpx.Request, *, stream: bool = False, **options: Any) -> httpx.Response:
        """As httpx.Client.send; but of what would go on and on, only the beginning is read."""
        response = super().send(request, stream=True, **options)
        if stream:
            return response
        if response.headers.get("content-type") == STREAM and request.method != "HEAD":
            response._content = next(response.iter_bytes())
            response.close()
        response.read()
        return response

    @contextmanager
    def follow(self, last_event_id: str | None = None, /, **params: Any) -> Iterator[Iterator[Sent]]:
        """Open a stream of events; whatever is taken from it is judged as well."""
        headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
        with self.stream("GET", f"{PREFIX}/events/stream", params=params, headers=headers) as response:
            if response.status_code != 200:
                response.read()
            else:
                response._content = b":"
            check(response)
            response.raise_for_status()
            del response._content
            yield sent(response.iter_lines())

    def pages(self, url: str, **params: Any) -> list[Any]:
        """Every item of a list, page by page."""
        items: list[Any] = []
        cursor: str | None = None
        while True:
            page = self.get(url, params=params | ({"cursor": cursor} if cursor else {})).json()
            items += page["items"]
            cursor = page["next"]
            if cursor is None:
                return items


def sent(lines: Iterator[str]) -> Iterator[Sent]:
    """The events of a stream's lines, as the standard reads them."""
    fields: dict[str, str] = {}
    last_id = ""
    for line in lines:
        name, _, value = line.partition(":")
        if name:
            fields[name] = value.removeprefix(" ")
            continue
        if line:
            continue
        last_id = fields.get("id", last_id)
        data = json.loads(fields["data"]) if "data" in fields else None
        if data is not None:
            judge().value("Event", data)
            assert fields["event"] == data["type"]
        yield Sent(last_id, fields.get("event"), data)
        fields = {}


def check(response: httpx.Response) -> None:
    """Judge one answer: by the contract, and by what holds of every answer."""
    request = response.request
    assert response.status_code < 500 or response.status_code == 503, response.text
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in response.headers["content-security-policy"]
    assert response.headers["x-request-id"]
    assert response.headers["ticketing-release"] == __version__
    assert ETAG.fullmatch(response.headers.get("etag", '""'))
    if response.status_code >= 400 and request.method != "HEAD":
        assert response.headers["content-type"] == "application/problem+json", response.text
        problem = response.json()
        assert problem["status"] == response.status_code
        assert problem["request_id"] == response.headers["x-request-id"]
        assert problem["type"] == "/problems/" + problem["code"].replace("_", "-")
    url = urlsplit(str(request.url))
    if response.status_code in OUTSIDE_THE_CONTRACT or request.method in ("HEAD", "OPTIONS"):
        return
    asked = Asked(request.method, f"{url.path}?{url.query}", request.headers, request.read())
    for each in judges().values():
        if each.knows(asked.path):
            each.answer(asked, Answered(response.status_code, response.headers, response.content))
