"""What is served beside the API: the contract itself, its reference, the problem types, health and metrics."""

from __future__ import annotations

import hashlib
import html
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ticketing import metrics, resources

STATIC = Path(__file__).parent / "static"

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True)
class Page:
    """An answer to GET: its media type, body, status and how long it may be kept."""

    media_type: str
    body: bytes
    status: int = 200
    cache: str = "no-cache"
    headers: Mapping[str, str] = field(default_factory=dict)
    tag: str = field(init=False)

    def __post_init__(self) -> None:
        # Here and not with each answer: the script of the reference has almost two megabytes.
        object.__setattr__(self, "tag", f'"{hashlib.blake2b(self.body, digest_size=8).hexdigest()}"')


Maker = Callable[[], Awaitable[Page]]


def site(api: Any, problems: Mapping[str, Mapping[str, Any]], ready: Callable[[], Awaitable[str | None]]) -> Any:
    """An ASGI application: these pages, and `api` for every other path.

    `ready` says why the service cannot work just now, or None.
    """
    pages: dict[str, Page] = _contract() | _reference() | _problem_types(problems)

    async def live() -> Page:
        return Page("text/plain", b"ok\n")

    async def readiness() -> Page:
        reason = await ready()
        if reason is None:
            return Page("text/plain", b"ok\n")
        return Page("text/plain", f"{reason}\n".encode(), 503, headers={"Retry-After": "5"})

    async def exposition() -> Page:
        return Page(*metrics.exposition())

    made: dict[str, Maker] = {"/health/live": live, "/health/ready": readiness, "/metrics": exposition}

    async def application(scope: Any, receive: Any, send: Any) -> None:
        path = scope.get("path")
        if scope["type"] == "http" and (path in pages or path in made):
            page = pages[path] if path in pages else await made[path]()
            await _answer(page, scope, send)
        else:
            await api(scope, receive, send)

    return application


def _contract() -> dict[str, Page]:
    media_types = {"json": "application/openapi+json", "yaml": "application/openapi+yaml"}
    return {
        f"/api/v1/openapi.{ending}": Page(
            f"{media_type}; version=3.1", (resources.SPEC / "dist" / f"openapi.{ending}").read_bytes()
        )
        for ending, media_type in media_types.items()
    }


def _reference() -> dict[str, Page]:
    def asset(name: str, media_type: str) -> Page:
        return Page(f"{media_type}; charset=utf-8", (STATIC / name).read_bytes())

    return {
        "/": Page("text/html", b"", 302, headers={"Location": "/docs"}),
        "/docs": asset("docs.html", "text/html"),
        "/docs/docs.js": asset("docs.js", "text/javascript"),
        "/docs/page.css": asset("page.css", "text/css"),
        "/docs/swagger-ui.css": asset("swagger-ui/swagger-ui.css", "text/css"),
        "/docs/swagger-ui-bundle.js": asset("swagger-ui/swagger-ui-bundle.js", "text/javascript"),
    }


def _problem_types(problems: Mapping[str, Mapping[str, Any]]) -> dict[str, Page]:
    rows = "".join(
        f'<tr><td><a href="/problems/{slug}">{slug}</a><td>{problem["status"]}<td>{html.escape(problem["title"])}'
        for slug, problem in problems.items()
    )
    pages = {
        "/problems": _document(
            "Problem types",
            f"<p>Every error is an RFC 9457 problem document of one of these types.<table>{rows}</table>",
        )
    }
    for slug, problem in problems.items():
        text = {name: html.escape(str(value).strip()) for name, value in problem.items()}
        pages[f"/problems/{slug}"] = _document(
            text["title"],
            f"<p>{text['description']}<dl><dt>What to do<dd>{text['remedy']}<dt>Status<dd>{text['status']}"
            f'<dt>Code<dd><code>{slug.replace("-", "_")}</code></dl><p><a href="/problems">All problem types</a>',
        )
    return pages


def _document(title: str, content: str) -> Page:
    text = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title} – Ticketing API</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="stylesheet" href="/docs/page.css"><h1>{title}</h1>{content}</html>\n'
    )
    return Page("text/html; charset=utf-8", text.encode())


async def _answer(page: Page, scope: Any, send: Any) -> None:
    if scope["method"] not in ("GET", "HEAD"):
        page = Page("text/plain", b"Only GET and HEAD.\n", 405, headers={"Allow": "GET, HEAD"})
    status, body = page.status, page.body
    if status == 200 and dict(scope["headers"]).get(b"if-none-match", b"").decode("latin-1") == page.tag:
        status, body = 304, b""
    headers = {
        "Content-Type": page.media_type,
        "Content-Length": str(len(body)),
        "Cache-Control": page.cache,
        "ETag": page.tag,
        "Content-Security-Policy": POLICY,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        **page.headers,
    }
    encoded = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
