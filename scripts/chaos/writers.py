"""Clients that write, and retry with the same key when no answer comes, as the contract says."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from chaos.journal import Acknowledgement, Exchange, Journal
from chaos.stand import PROJECT

PREFIX = "/api/v1"
ANSWER_SECONDS = 10.0
GIVE_UP_SECONDS = 90.0
MOST_TICKETS = 50
"""A writer chooses one of this many of its own tickets to comment on or to change."""


class GaveUp(Exception):
    """A write went unanswered for so long that something is broken for good."""


class Unexpected(Exception):
    """An answer that the contract does not allow, or not for this request."""


class Client:
    """Asks whichever instance answers, as through a balancer."""

    def __init__(self, urls: Sequence[str], token: str, journal: Journal, draw: random.Random) -> None:
        self._http = httpx.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=ANSWER_SECONDS)
        self._urls = list(urls)
        draw.shuffle(self._urls)
        self._draw = draw
        self._journal = journal

    async def ask(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> httpx.Response:
        """The answer, after as many attempts as it takes. Raises GaveUp."""
        deadline = time.monotonic() + GIVE_UP_SECONDS
        while time.monotonic() < deadline:
            response = await self._once(method, path, json=body, headers=headers, params=params)
            if response is None:
                pause = 0.1
            elif response.status_code == 503 or _in_flight(response):
                pause = float(response.headers.get("retry-after", 1))
            else:
                # An instance that is stopping says so.
                if response.headers.get("connection") == "close":
                    self._elsewhere()
                return response
            # A client that is refused here tries the other instance.
            self._elsewhere()
            await asyncio.sleep(self._draw.uniform(0.2, 1) * pause)
        raise GaveUp(f"{method} {path}")

    def _elsewhere(self) -> None:
        self._urls.append(self._urls.pop(0))

    async def _once(self, method: str, path: str, **options: Any) -> httpx.Response | None:
        instance, began, lost = self._urls[0], time.monotonic(), False
        response = None
        try:
            response = await self._http.request(method, f"{instance}{PREFIX}{path}", **options)
        except httpx.ConnectError:
            pass
        except httpx.TransportError:
            lost = True
        self._journal.exchanges.append(
            Exchange(
                began,
                time.monotonic() - began,
                instance,
                response.status_code if response is not None else None,
                response.headers.get("retry-after") if response is not None else None,
                lost,
            )
        )
        return response

    async def close(self) -> None:
        await self._http.aclose()


def _in_flight(response: httpx.Response) -> bool:
    return response.status_code == 409 and bool(response.json()["code"] == "idempotency_key_in_flight")


class Writer:
    """One client that opens tickets, comments on them and changes them, one write after another."""

    def __init__(self, name: str, client: Client, journal: Journal, draw: random.Random) -> None:
        self._name, self._client, self._journal, self._draw = name, client, journal, draw
        self._tickets: dict[int, str] = {}
        self._written = 0

    async def run(self, until: asyncio.Event, pace: float) -> None:
        """Write until told to stop, every `pace` seconds or so; complete the last write."""
        while not until.is_set():
            began = time.monotonic()
            await self.write()
            rest = self._draw.uniform(0.5, 1.5) * pace - (time.monotonic() - began)
            if rest > 0:
                await asyncio.sleep(rest)

    async def write(self) -> None:
        """One write of some kind, until it is acknowledged."""
        self._written += 1
        text = f"{self._name}-{self._written}"
        if not self._tickets or self._draw.random() < 0.5:
            await self._open(text)
        elif self._draw.random() < 0.6:
            await self._comment(text)
        else:
            await self._change(text)

    async def _open(self, text: str) -> None:
        body = {"type": "bug", "project": PROJECT, "title": text, "description": f"What {text} is about."}
        answer = await self._client.ask("POST", "/tickets", body=body, headers=_key())
        ticket = _expected(answer, 201)
        self._remember(ticket["number"], answer.headers["etag"])
        self._journal.acknowledge(Acknowledgement("ticket", ticket["number"], ticket["title"]))

    async def _comment(self, text: str) -> None:
        number = self._draw.choice(list(self._tickets))
        answer = await self._client.ask("POST", f"/tickets/{number}/comments", body={"body": text}, headers=_key())
        comment = _expected(answer, 201)
        self._journal.acknowledge(Acknowledgement("comment", number, comment["body"], comment["id"]))

    async def _change(self, text: str) -> None:
        """A PATCH has no key; its precondition shows whether an unanswered attempt made the change."""
        number = self._draw.choice(list(self._tickets))
        body = {"title": text}
        while True:
            headers = {"If-Match": self._tickets[number], "Content-Type": "application/merge-patch+json"}
            answer = await self._client.ask("PATCH", f"/tickets/{number}", body=body, headers=headers)
            if answer.status_code == 412:
                answer = await self._client.ask("GET", f"/tickets/{number}")
            if _expected(answer, 200)["title"] == text:
                break
            # A comment had changed the ticket.
            self._tickets[number] = answer.headers["etag"]
        self._remember(number, answer.headers["etag"])
        self._journal.acknowledge(Acknowledgement("patch", number, text))

    def _remember(self, number: int, etag: str) -> None:
        self._tickets[number] = etag
        if len(self._tickets) > MOST_TICKETS:
            del self._tickets[next(iter(self._tickets))]


def _key() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid.uuid4())}


def _expected(answer: httpx.Response, status: int) -> Any:
    if answer.status_code != status:
        raise Unexpected(f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text}")
    return answer.json()
