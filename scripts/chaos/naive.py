"""What many services do instead of a job engine: commit, then send to Dramatiq. The suite must see it lose."""

from __future__ import annotations

import uuid
from contextlib import suppress
from typing import Any

import redis
from dramatiq import Message
from dramatiq.brokers.redis import RedisBroker
from dramatiq.errors import BrokerConnectionError
from psycopg import AsyncConnection

from chaos.orders import INSERT, Place

COMMAND = ("dramatiq", "chaos.naive_worker", "--processes", "1", "--threads", "4", "--skip-logging")


def placing(redis_url: str) -> Place:
    """Commit the order, then send its message. If that fails, a retry is told that the order exists."""
    broker = RedisBroker(url=redis_url, socket_timeout=3, socket_connect_timeout=1)  # type: ignore[no-untyped-call]
    broker.declare_queue("default")

    async def place(conn: AsyncConnection[Any], order: uuid.UUID) -> None:
        cursor = await conn.execute(INSERT, [order])
        if await cursor.fetchone():
            message: Message[None] = Message("default", "effect", (str(order),), {}, {})
            with suppress(BrokerConnectionError, redis.RedisError):
                broker.enqueue(message)

    return place
