"""The outermost layer: begins and ends every exchange, and turns every error inside into a problem."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from time import perf_counter
from typing import Any

from ticketing.contract.admission import ADDRESS_TIMES, LATE_SECONDS, PLACE, Admission, Place
from ticketing.contract.cors import Sharing
from ticketing.contract.exchange import KEY, ClientGone, Exchange, Lines
from ticketing.contract.forwarded import Proxies, subscriber
from ticketing.contract.problems import Catalogue, InternalError, Problem, render

log = logging.getLogger(__name__)

CLIENT_GONE = 499
"""The status logged, as in nginx, if the client did not wait for the answer."""

Observe = Callable[..., None]


class Edge:
    """An ASGI application around another one, for requests, and one for the lifespan."""

    def __init__(
        self,
        app: Any,
        lifespan: Any,
        catalogue: Catalogue,
        observe: Observe | None,
        at_once: int | None,
        always: Collection[str],
        proxies: Proxies,
        sharing: Sharing | None,
        always_said: Lines = (),
    ) -> None:
        self._app = app
        self._lifespan = lifespan
        self._always = always
        self._proxies = proxies
        self._sharing = sharing
        self._always_said = always_said
        self._admission = Admission(at_once)
        self._catalogue = catalogue
        self._observe = observe
        self.in_flight = 0
        """How many requests are being answered, open streams included."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await self._exchange(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
        else:
            await self._lifespan(scope, receive, send)

    async def _exchange(self, scope: Any, receive: Any, send: Any) -> None:
        began = perf_counter()
        place = Place(self._admission, receive)
        PLACE.set(place)
        exchange = Exchange(scope, send, place, self._proxies)
        exchange.always_said = self._always_said
        if self._sharing is not None:
            exchange.sharing = self._sharing.lines(exchange)
        self.in_flight += 1
        try:
            if exchange.path not in self._always:
                place.hold(subscriber(exchange.origin.address), ADDRESS_TIMES)
            if self._sharing is not None and (lines := self._sharing.preflight(exchange)):
                await exchange.respond(204, list(lines))
            else:
                await self._app({**scope, KEY: exchange}, place.receive, send)
        except Problem as problem:
            await self._refuse(exchange, problem)
        except ClientGone:
            exchange.status = CLIENT_GONE
        except Exception as error:
            log.error("%s failed in request %s", exchange.operation_id, exchange.request_id.decode(), exc_info=error)
            if exchange.status:
                # The head of an answer is out; only aborting tells the client that the rest will not come.
                raise
            await self._refuse(
                exchange, InternalError("An unexpected fault. It has been logged under this request id.")
            )
        finally:
            self.in_flight -= 1
            place.leave()
            if exchange.body is not None:
                exchange.body.close()
            if self._observe is not None:
                self._observe(
                    operation_id=exchange.operation_id,
                    method=exchange.method,
                    status=exchange.status,
                    seconds=perf_counter() - began,
                    request_id=exchange.request_id.decode(),
                    actor=exchange.actor_id,
                    path=exchange.path,
                    client=exchange.origin.address,
                    reason=exchange.reason,
                    trace_id=exchange.trace_id,
                )

    async def _refuse(self, exchange: Exchange, problem: Problem) -> None:
        if problem.late:
            exchange.place.leave()
            await asyncio.sleep(LATE_SECONDS)
        status, encoded = render(problem, self._catalogue, exchange.request_id.decode(), exchange.origin.prefix)
        await exchange.refuse(status, encoded, problem.headers)
