"""The answers of this layer: the engine's problem details, for requests that never become an exchange."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from http import HTTPStatus

from ticketing import contract
from ticketing.contract import cors
from ticketing.contract.exchange import PROBLEM, UNLESS_SAID, request_id
from ticketing.contract.problems import Catalogue, Problem, render
from ticketing.ground import metrics, paths, release
from ticketing.ground.config import settings


@cache
def catalogue() -> Catalogue:
    """The catalogue of problems, read once."""
    found: Catalogue = contract.load(paths.SPEC / "problems.yaml")
    return found


def refusal(
    problem: Problem,
    *,
    method: str,
    path: str,
    client: str,
    fields: Mapping[bytes, bytes],
    defaults: Iterable[tuple[bytes, bytes]],
) -> bytes:
    """The whole answer, with `Connection: close`. It is counted and logged like any other.

    `fields` are those of the request's head that were read.
    """
    name = request_id(fields.get(b"x-request-id"))
    status, body = render(problem, catalogue(), name.decode(), settings().prefix)
    metrics.observe(
        operation_id=None,
        method=method,
        path=path,
        status=status,
        seconds=0,
        request_id=name.decode(),
        actor=None,
        client=client,
    )
    head = [
        *defaults,
        *((field.lower().encode(), value.encode("latin-1")) for field, value in problem.headers.items()),
        PROBLEM,
        (b"content-length", b"%d" % len(body)),
        *UNLESS_SAID,
        *cors.shared(settings().cors_origins, fields.get(b"origin")),
        (b"x-request-id", name),
        release.LINE,
        (b"connection", b"close"),
    ]
    lines = b"".join(b"%b: %b\r\n" % field for field in dict(head).items())
    first = b"HTTP/1.1 %d %b\r\n" % (status, HTTPStatus(status).phrase.encode())
    return first + lines + b"\r\n" + (b"" if method == "HEAD" else body)
