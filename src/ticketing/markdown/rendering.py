"""Rendered texts: kept by their content, and made in a thread of their own, where those who ask take turns."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from html import escape
from weakref import WeakKeyDictionary

from ticketing.contract import Origins
from ticketing.contract.admission import PLACE
from ticketing.contract.turnstile import Turnstile
from ticketing.ground.config import settings
from ticketing.markdown.parsing import MOST_LINES, TooIntricate, unsafe_html
from ticketing.markdown.sanitising import sanitised

MOST_BYTES = 16 * 1024 * 1024
"""How much HTML a process keeps."""
LINE_END, BREAK = "\n", "<br>"


async def html(text: str) -> str:
    """The HTML of a text. One that is too intricate is shown as it was written."""
    chosen = settings()
    loop = asyncio.get_running_loop()
    table = _tables.get(loop) or _tables.setdefault(loop, _Table())
    return await table.html(text, chosen.public_url.rstrip("/"), chosen.image_sources)


class _Table:
    """Where the texts of an event loop are rendered."""

    def __init__(self) -> None:
        self._turnstile = Turnstile(1)
        self._kept: OrderedDict[bytes, str] = OrderedDict()
        self._bytes = 0

    async def html(self, text: str, here: str, images: Origins) -> str:
        key = blake2b(f"{here}\0{images}\0{text}".encode("utf-8", "surrogatepass"), digest_size=16).digest()
        if (kept := self._kept.get(key)) is not None:
            self._kept.move_to_end(key)
            return kept
        asker = place.asker if (place := PLACE.get()) else None
        await self._turnstile.acquire(asker)
        try:
            if (kept := self._kept.get(key)) is not None:
                return kept
            work = asyncio.get_running_loop().run_in_executor(_thread, _rendered, text, here, images)
            return self._keep(key, await work)
        finally:
            self._turnstile.release(asker)

    def _keep(self, key: bytes, html: str) -> str:
        self._kept[key] = html
        self._bytes += _size(html)
        while self._bytes > MOST_BYTES:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= _size(oldest)
        return html


def _rendered(text: str, here: str, images: Origins) -> str:
    try:
        return sanitised(unsafe_html(text, here, images))
    except TooIntricate:
        written = escape(text, quote=False)
        if written.count("\n") >= MOST_LINES:
            return f"<pre><code>{written}</code></pre>\n"
        return f"<p>{written.replace(LINE_END, BREAK)}</p>\n"


def _size(html: str) -> int:
    return 200 + len(html.encode("utf-8", "surrogatepass"))


_thread = ThreadPoolExecutor(1, thread_name_prefix="markdown")
_tables: WeakKeyDictionary[asyncio.AbstractEventLoop, _Table] = WeakKeyDictionary()
