"""Readers of the event feed, by page and by stream; each must see every event once, and in order."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Any

import httpx

from chaos.writers import PREFIX, Client

PAUSE_SECONDS = 0.2


class PageReader:
    """Follows `GET /events` from the beginning of the log."""

    name = "pages"

    def __init__(self, client: Client) -> None:
        self._client = client
        self.seen: list[str] = []

    async def run(self) -> None:
        """Until cancelled."""
        cursor: str | None = None
        while True:
            params: dict[str, Any] = {"limit": 100} | ({"cursor": cursor} if cursor else {})
            page = (await self._client.ask("GET", "/events", params=params)).json()
            self.seen += [event["id"] for event in page["items"]]
            cursor = page["next"]
            if not page["more"]:
                await asyncio.sleep(PAUSE_SECONDS)


class StreamReader:
    """Follows `GET /events/stream` from the beginning of the log, and reconnects after its last event."""

    name = "stream"

    def __init__(self, client: Client, urls: Sequence[str], token: str) -> None:
        self._client = client
        self._urls = list(urls)
        self._token = token
        self._last_id = ""
        self.seen: list[str] = []

    async def run(self) -> None:
        """Until cancelled."""
        page = (await self._client.ask("GET", "/events", params={"limit": 1})).json()
        self.seen += [event["id"] for event in page["items"]]
        self._last_id = page["next"]
        timeout = httpx.Timeout(5, read=30)
        async with httpx.AsyncClient(headers={"Authorization": f"Bearer {self._token}"}, timeout=timeout) as http:
            while True:
                with suppress(httpx.TransportError):
                    await self._follow(http)
                self._urls.append(self._urls.pop(0))
                await asyncio.sleep(PAUSE_SECONDS)

    async def _follow(self, http: httpx.AsyncClient) -> None:
        headers = {"Accept": "text/event-stream", "Last-Event-ID": self._last_id}
        async with http.stream("GET", f"{self._urls[0]}{PREFIX}/events/stream", headers=headers) as reply:
            if reply.status_code != 200:
                return
            async for fields in _messages(reply):
                if "data" in fields:
                    self.seen.append(json.loads(fields["data"])["id"])
                self._last_id = fields.get("id", self._last_id)


async def _messages(reply: httpx.Response) -> AsyncIterator[dict[str, str]]:
    """The complete messages of a stream."""
    fields: dict[str, str] = {}
    async for line in reply.aiter_lines():
        if not line:
            yield fields
            fields = {}
            continue
        name, _, value = line.partition(":")
        fields[name] = value.removeprefix(" ")
