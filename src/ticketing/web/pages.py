"""What is served beside the API: the portal, the documents, their reference, the problem types, health and metrics."""

from __future__ import annotations

import asyncio
import html
import math
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

from ticketing.contract.exchange import KEY, Exchange
from ticketing.contract.problems import MethodNotAllowed
from ticketing.ground import metrics, paths
from ticketing.ground.config import Settings
from ticketing.web import mailbox, portal, reference
from ticketing.web.page import Page

T = TypeVar("T")
STATIC = Path(__file__).parent / "static"

TRYING = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What the page may do that sends requests: Swagger UI sets styles on elements, and loads images from data URLs."""


class Shared(Generic[T]):
    """What is dear to make, such as a page: who asks meanwhile shares it, and it is kept for some seconds."""

    def __init__(self, make: Callable[[], Awaitable[T]], keep_seconds: float = 0) -> None:
        self._make = make
        self._keep_seconds = keep_seconds
        self._kept: tuple[float, T] | None = None
        self._making: asyncio.Task[T] | None = None

    async def __call__(self) -> T:
        if self._kept and time.monotonic() < self._kept[0]:
            return self._kept[1]
        if self._making is None:
            self._making = asyncio.create_task(self._made())
        # Shielded: a client that hangs up must not cancel it for the others.
        return await asyncio.shield(self._making)

    async def _made(self) -> T:
        try:
            made = await self._make()
            self._kept = time.monotonic() + self._keep_seconds, made
            return made
        finally:
            self._making = None


ICON_SECONDS = 24 * 3600
"""How long browsers cache the icon."""
METRICS_SECONDS = 1.0
"""How long the metrics are cached: rendering them takes 28 ms of processor time."""
COLLECTION = "/docs/collection.json"
"""Where Postman, Bruno and their like find every example as a request."""
PROGRAMS = ("/api/", "/ops/")
"""Below these paths, what is not there is told as a problem even to browsers."""
READING = ("/docs/", "/problems/", "/dev/")
"""Below these paths, what is not there is told by a page that leads programmers on; elsewhere by the portal."""
OF_OPERATORS = frozenset({"/health/ready", "/metrics"})
ALWAYS = frozenset({"/health/live"})
"""Answered under any load: a process that is only busy must not be taken for dead, and killed."""


def site(
    api: Any,
    documents: Mapping[str, Mapping[str, Any]],
    problems: Mapping[str, Mapping[str, Any]],
    faults: Mapping[str, Mapping[str, Any]],
    ready: Callable[[], Awaitable[str | None]],
    settings: Settings,
) -> Any:
    """An ASGI application within the edge: these pages, and `api` for every other path.

    `ready` returns why the service cannot work just now, or None. Readiness and metrics are only for requests from the
    operators' networks, direct or through trusted proxies; for others they do not exist. Paths match exactly as
    written here, so a spelling that a proxy reads differently is not a page. The mailbox is there only for a browser on
    this machine, and only where `ticketing up` lets it sign in as somebody of the demo.
    """
    built = portal.Portal(portal.FOLDER, settings.image_sources, settings.name)
    pages = built.files | _documents() | _assets() | _icons() | _problem_types(problems, faults)

    async def live() -> Page:
        return Page("text/plain", b"ok\n")

    async def readiness() -> Page:
        reason = await ready()
        if reason is None:
            return Page("text/plain", b"ok\n")
        return Page("text/plain", f"{reason}\n".encode(), 503, headers={"Retry-After": "5"})

    async def exposition() -> Page:
        return Page(*await asyncio.to_thread(metrics.exposition))

    made: dict[str, Callable[[], Awaitable[Page]]] = _reading(documents, settings.public_url) | {
        "/health/live": live,
        "/health/ready": Shared(readiness),
        "/metrics": Shared(exposition, METRICS_SECONDS),
    }

    async def application(scope: Any, receive: Any, send: Any) -> None:
        exchange: Exchange = scope[KEY]
        path, origin = exchange.path, exchange.origin
        of_portal = portal.PATHS.fullmatch(path) and (path != "/" or _by_a_person(exchange))
        of_mailbox = mailbox.PATHS.fullmatch(path)
        if of_mailbox and not mailbox.is_open(exchange):
            of_mailbox = None
        hidden = path in OF_OPERATORS and not (origin.direct and settings.operators.include(origin.address))
        if hidden:
            exchange.reason = "not from TICKETING_OPERATORS"
        if hidden or not (of_portal or of_mailbox or path in pages or path in made):
            if not path.startswith(PROGRAMS) and _by_a_person(exchange):
                of_programmers = path.startswith(READING)
                page = (None if of_programmers else built.nothing(origin.prefix)) or _nothing(origin.prefix)
                await page.answer(exchange, kept=False)
            else:
                await api(scope, receive, send)
            return
        exchange.operation_id = "page"
        if exchange.method not in ("GET", "HEAD"):
            raise MethodNotAllowed("This path knows GET, HEAD.", headers={"Allow": "GET, HEAD"})
        if of_portal:
            await built.page(origin.prefix).answer(exchange, kept=True)
            return
        if of_mailbox:
            await (await mailbox.page(of_mailbox) or _nothing(origin.prefix)).answer(exchange, kept=False)
            return
        page = pages[path] if path in pages else await made[path]()
        shown = page.under(origin.prefix)
        await shown.answer(exchange, kept=shown is page)

    return application


def _documents() -> dict[str, Page]:
    media_types = {"json": "application/openapi+json", "yaml": "application/openapi+yaml"}
    documents = {
        f"{path}/openapi.{ending}": Page(
            f"{media_type}; version=3.1", file.with_suffix(f".{ending}").read_bytes(), names_paths=True
        )
        for path, file in paths.DOCUMENTS.items()
        for ending, media_type in media_types.items()
    }
    return documents | {COLLECTION: Page("application/json", paths.COLLECTION.read_bytes())}


def _icons() -> dict[str, Page]:
    """The icon of our pages, also at the path where browsers look by default."""
    kinds = {"svg": "image/svg+xml", "ico": "image/x-icon", "png": "image/png"}
    svg, ico, png = (
        Page(media_type, (STATIC / f"icon.{ending}").read_bytes(), cache=f"max-age={ICON_SECONDS}")
        for ending, media_type in kinds.items()
    )
    return {
        "/icon.svg": svg,
        "/favicon.ico": ico,
        "/apple-touch-icon.png": png,
        "/apple-touch-icon-precomposed.png": png,
    }


def _assets() -> dict[str, Page]:
    def asset(name: str, media_type: str, **headers: str) -> Page:
        return Page(f"{media_type}; charset=utf-8", (STATIC / name).read_bytes(), headers=headers)

    return {
        "/": Page("text/html", b"", 302, headers={"Location": "/docs", "Vary": "Accept"}, names_paths=True),
        "/docs/reference.css": asset("reference.css", "text/css"),
        "/docs/reference.js": asset("reference.js", "text/javascript"),
        "/docs/page.css": asset("page.css", "text/css"),
        "/docs/try": asset("try.html", "text/html", **{"Content-Security-Policy": TRYING}),
        "/docs/try.css": asset("try.css", "text/css"),
        "/docs/try.js": asset("try.js", "text/javascript"),
        "/docs/swagger-ui.css": asset("swagger-ui/swagger-ui.css", "text/css"),
        "/docs/swagger-ui-bundle.js": asset("swagger-ui/swagger-ui-bundle.js", "text/javascript"),
    }


def _reading(documents: Mapping[str, Mapping[str, Any]], public_url: str) -> dict[str, Callable[[], Awaitable[Page]]]:
    """The references and the guides. Each is made when it is first asked for, in a thread: it takes up to a second."""
    files = sorted(paths.GUIDES.glob("*.md"), key=lambda path: (path.stem != "quickstart", path.stem))
    guides = {path.stem: path.read_text() for path in files} | {"changelog": paths.CHANGES.read_text()}
    titles = {name: reference.title_of(text) for name, text in guides.items()}
    server = "{0.scheme}://{0.netloc}".format(urlsplit(public_url))

    def page(make: Callable[[], str]) -> Callable[[], Awaitable[Page]]:
        async def made() -> Page:
            text = await asyncio.to_thread(make)
            return Page("text/html; charset=utf-8", text.encode(), names_paths=True)

        return Shared(made, keep_seconds=math.inf)

    return {
        **{
            path: page(partial(reference.reference, path, documents, server=server, guides=titles))
            for path in reference.REFERENCES
        },
        **{f"/docs/guides/{name}": page(partial(reference.guide, name, guides=guides)) for name in guides},
    }


def _problem_types(
    problems: Mapping[str, Mapping[str, Any]], faults: Mapping[str, Mapping[str, Any]]
) -> dict[str, Page]:
    rows = "".join(
        f'<tr><td><a href="problems/{slug}">{slug}</a><td>{problem["status"]}<td>{_prose(problem["title"])}'
        for slug, problem in problems.items()
    )
    pages = {
        "/problems": _document(
            "Problem types",
            f"<p>Every error is an RFC 9457 problem document of one of these types.<table>{rows}</table>"
            f'<h2 id="faults">Codes of faults</h2>{_fault_codes(faults)}',
            root="",
        )
    }
    for slug, problem in problems.items():
        text = {name: _prose(str(value).strip()) for name, value in problem.items()}
        pages[f"/problems/{slug}"] = _document(
            text["title"],
            f"<p>{text['description']}<dl><dt>What to do<dd>{text['remedy']}<dt>Status<dd>{text['status']}"
            f'<dt>Code<dd><code>{slug.replace("-", "_")}</code></dl><p><a href="../problems">All problem types</a>, '
            'and the <a href="../problems#faults">codes of faults</a> in <code>errors</code>',
            root="../",
        )
    return pages


def _fault_codes(faults: Mapping[str, Mapping[str, Any]]) -> str:
    rows = "".join(
        f'<tr id="{code}"><td><code>{code}</code><td>{_prose(fault["description"])}' for code, fault in faults.items()
    )
    return (
        "<p>Each entry of <code>errors</code> in a problem has one of these codes. What is written like "
        f"<code>max</code> here is a member of <code>expected</code>.<table>{rows}</table>"
    )


def _prose(text: str) -> str:
    """The HTML of a text of the catalogue, where code is between backticks."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))


def _nothing(prefix: str) -> Page:
    """What a person sees where nothing is, among the documents, or without a portal."""
    root = f"{html.escape(prefix)}/"
    page = _document(
        "Nothing here",
        f'<p>There is nothing at this address.<p><a href="{root}">Home</a><p><a href="{root}docs">API reference</a>'
        f'<p><a href="{root}problems">All problem types</a>',
        root=root,
    )
    return replace(page, status=404, headers={"Vary": "Accept"})


def _by_a_person(exchange: Exchange) -> bool:
    """Whether a browser shows the answer to a person: it asks for HTML, and programs that want JSON say so."""
    accept = exchange.headers.get(b"accept", b"").lower()
    return exchange.method in ("GET", "HEAD") and b"text/html" in accept and b"json" not in accept


def _document(title: str, content: str, root: str) -> Page:
    text = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title} – Ticketing API</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="icon" href="{root}favicon.ico" sizes="32x32">'
        f'<link rel="icon" href="{root}icon.svg" type="image/svg+xml">'
        f'<link rel="stylesheet" href="{root}docs/page.css"><main><h1>{title}</h1>{content}</main></html>\n'
    )
    return Page("text/html; charset=utf-8", text.encode())
