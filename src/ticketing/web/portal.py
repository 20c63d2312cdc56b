"""The portal: the one page behind all of its addresses, and the files that this loads, as the build left them."""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import re
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from ticketing.contract.cors import Origins
from ticketing.web.page import Page

FOLDER = Path(__file__).with_name("portal")
"""Where `make portal` builds it to, and where packages have it."""
PATHS = re.compile(r"/|/(?:support|desk|settings|developers|sign-in|invitation)(?:/.*)?", re.DOTALL)
"""The portal's own addresses, all answered with its page. Which of them leads nowhere, the page says."""
FOR_EVER = "public, max-age=31536000, immutable"
"""For files whose name changes with their content."""
CODINGS = {"br": ".br", "gzip": ".gz"}
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}
STYLES = (
    # Of the element in which SvelteKit says which page was opened.
    "'sha256-S8qMpvofolR8Mpjy4kQvEm7m1q8clzU4dfDH0AmvZjo=' "
    # `display: contents;` of elements that bits-ui puts around the items of the palette.
    "'sha256-iaOezIDcQIoxCULa6FBKKuLUu09R7kG+Mlu+JVfU3Rw='"
)
"""The style attributes that stand in the markup of libraries; ours has none."""
PERMISSIONS = ", ".join(
    f"{feature}=()" for feature in ("camera", "display-capture", "geolocation", "microphone", "payment", "usb")
)
NOT_BUILT = """<!doctype html><html lang="en"><meta charset="utf-8"><title>The portal is not built – Ticketing</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="{root}icon.svg" type="image/svg+xml"><link rel="stylesheet" href="{root}docs/page.css">
<main><h1>The portal is not built</h1>
<p>This service runs from a clone of the repository, in which nobody has built the portal yet.
<p>Run <code>make portal</code> there, and start the service again.
<p>The API works without it: see its <a href="{root}docs">reference</a>.</main></html>
"""
_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_OF_OURS = re.compile(r'(?<=")/(?=[\w.-])')
"""How an address of ours begins in the page: in its attributes, and in the script that starts it."""
_NAMED = '<meta name="application-name" content="Ticketing"'
"""How the page says what the installation is called."""
_BASE = 'base: ""'
"""How the script says below which path the portal is (SvelteKit's `paths.base`)."""


class Portal:
    """A build of the portal. All of it is read at once, so that no request leads to the file system."""

    def __init__(self, folder: Path, images: Origins, name: str) -> None:
        """`images` are the origins from which texts may show images, besides our own; `name` is the installation's."""
        self._named = f'<meta name="application-name" content="{html.escape(name)}"'
        self._images = images
        index = folder / "index.html"
        self._text = index.read_text() if index.is_file() else None
        files = [path for path in folder.rglob("*") if path.suffix in MEDIA_TYPES and path.is_file()]
        self.files = {f"/{path.relative_to(folder).as_posix()}": _file(path) for path in files}
        # An installation has one prefix; a proxy may give another.
        self.page = lru_cache(maxsize=2)(self._page)

    def nothing(self, prefix: str) -> Page | None:
        """The page where nothing is, which says so; None without a build."""
        return None if self._text is None else replace(self.page(prefix), status=404)

    def _page(self, prefix: str) -> Page:
        """The page behind all addresses, for clients that see us under a prefix."""
        if self._text is None:
            text = NOT_BUILT.format(root=f"{html.escape(prefix)}/")
            return Page("text/html; charset=utf-8", text.encode(), 503)
        text = (
            _OF_OURS.sub(f"{prefix}/", self._text).replace(_BASE, f'base: "{prefix}"').replace(_NAMED, self._named, 1)
        )
        body = text.encode()
        return Page(
            "text/html; charset=utf-8",
            body,
            headers={
                "Content-Security-Policy": policy(text, self._images),
                "Permissions-Policy": PERMISSIONS,
                "Cross-Origin-Opener-Policy": "same-origin",
                "Vary": "Accept",
            },
            coded={"gzip": gzip.compress(body, mtime=0)},
        )


def policy(text: str, images: Origins) -> str:
    """What a page of the portal may load and do: its own files, its own API, and the scripts that stand in it.

    Script that sets styles of an element needs no leave for that (CSP 3, 8.1).
    """
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in _SCRIPT.findall(text)]
    scripts = " ".join(f"'sha256-{each}'" for each in hashes)
    elsewhere = "".join(f" {origin.decode()}" for origin in sorted(images.known))
    return (
        f"default-src 'none'; script-src 'self' {scripts}; style-src 'self'; "
        f"style-src-attr 'unsafe-hashes' {STYLES}; font-src 'self'; "
        f"img-src 'self' data:{elsewhere}; "
        "connect-src 'self'; manifest-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    )


def _file(path: Path) -> Page:
    coded = {coding: path.with_name(path.name + ending) for coding, ending in CODINGS.items()}
    return Page(
        MEDIA_TYPES[path.suffix],
        path.read_bytes(),
        cache=FOR_EVER if "immutable" in path.parts else "no-cache",
        coded={coding: file.read_bytes() for coding, file in coded.items() if file.is_file()},
    )
