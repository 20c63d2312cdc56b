"""An HTTP client whose every answer is judged against the published contract, by openapi-core."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
from openapi_core import Config, OpenAPI
from openapi_core.testing import MockRequest, MockResponse

from ticketing import resources

PREFIX = "/api/v1"
HOST = "http://judged.test"
#: Answers that HTTP itself gives, before any operation is found.
OUTSIDE_THE_CONTRACT = {405}


@cache
def judge() -> OpenAPI:
    """openapi-core over the published document, made once."""
    document = json.loads((resources.SPEC / "dist" / "openapi.json").read_text())
    json_like: dict[str, Callable[[bytes], Any]] = dict.fromkeys(
        ("application/problem+json", "application/merge-patch+json"), json.loads
    )
    return OpenAPI.from_dict(
        {**document, "servers": [{"url": HOST + PREFIX}]}, config=Config(extra_media_type_deserializers=json_like)
    )


@cache
def paths() -> list[re.Pattern[str]]:
    """The contract's paths as patterns."""
    document = json.loads((resources.SPEC / "dist" / "openapi.json").read_text())
    return [re.compile(PREFIX + re.sub(r"\{[^}]+\}", "[^/]+", path) + r"\Z") for path in document["paths"]]


class Judged(httpx.Client):
    """httpx with paths relative to `/api/v1`; what the contract does not promise fails the test."""

    def request(self, method: str, url: Any, **options: Any) -> httpx.Response:
        """As httpx.Client.request, and the judgement."""
        response = super().request(method, PREFIX + url if str(url).startswith("/") else url, **options)
        check(response)
        return response

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


def check(response: httpx.Response) -> None:
    """Judge one answer: by the contract, and by what holds of every answer."""
    request = response.request
    assert response.status_code < 500 or response.status_code == 503, response.text
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in response.headers["content-security-policy"]
    assert response.headers["x-request-id"]
    if response.status_code >= 400 and request.method != "HEAD":
        assert response.headers["content-type"] == "application/problem+json", response.text
        problem = response.json()
        assert problem["status"] == response.status_code
        assert problem["request_id"] == response.headers["x-request-id"]
        assert problem["type"] == "/problems/" + problem["code"].replace("_", "-")
    url = urlsplit(str(request.url))
    known = any(pattern.match(url.path) for pattern in paths())
    if not known or response.status_code in OUTSIDE_THE_CONTRACT or request.method in ("HEAD", "OPTIONS"):
        return
    asked = MockRequest(
        HOST,
        request.method.lower(),
        url.path,
        args=dict(parse_qsl(url.query)),
        headers=dict(request.headers),
        data=request.read() or None,
        content_type=request.headers.get("content-type", ""),
    )
    answered = MockResponse(
        response.content,
        headers=dict(response.headers),
        status_code=response.status_code,
        content_type=response.headers.get("content-type", ""),
    )
    judge().validate_response(asked, answered)
