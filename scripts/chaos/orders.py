"""Orders: rows that each need exactly one effect, by a job. An order and its job are placed in one transaction."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from ticketing.db import pool

SCHEMA = """
create table chaos_orders (id uuid primary key, placed_at timestamptz not null default now());
-- No key: a second effect of an order must be seen, not refused.
create table chaos_effects (order_id uuid not null, done_at timestamptz not null default clock_timestamp());
create view unfinished_jobs as
    select * from jobs where state = 'running' or state = 'available' and run_at <= now();
"""
INSERT = "insert into chaos_orders (id) values (%s) on conflict do nothing returning id"
ENQUEUE = "select enqueue_job('chaos.effect', %s, max_attempts => 50)"

Place = Callable[[AsyncConnection[Any], uuid.UUID], Awaitable[None]]


async def place(conn: AsyncConnection[Any], order: uuid.UUID) -> None:
    """Place an order and its job, in one transaction. An order that exists already has its job."""
    async with conn.transaction():
        cursor = await conn.execute(INSERT, [order])
        if await cursor.fetchone():
            await conn.execute(ENQUEUE, [Jsonb({"order": str(order)})])


def place_now(conn: psycopg.Connection[Any], seconds: float = 0) -> uuid.UUID:
    """Place an order whose effect takes so long."""
    order = uuid.uuid4()
    with conn.transaction():
        conn.execute("insert into chaos_orders (id) values (%s)", [order])
        job = Jsonb({"order": str(order), "seconds": seconds})
        conn.execute(ENQUEUE, [job])
    return order


class Customer:
    """Places one order after another, retrying each until it knows that it was placed."""

    def __init__(self, url: str, place: Place, draw: random.Random) -> None:
        self._url, self._place, self._draw = url, place, draw
        self.acknowledged: list[uuid.UUID] = []

    async def run(self, until: asyncio.Event, pace: float) -> None:
        """Place orders until told to stop; complete the last one."""
        order = uuid.uuid4()
        while True:
            try:
                async with await AsyncConnection.connect(**pool.parameters(self._url)) as conn:
                    while True:
                        async with asyncio.timeout(10):
                            await self._place(conn, order)
                        self.acknowledged.append(order)
                        if until.is_set():
                            return
                        order = uuid.uuid4()
                        await asyncio.sleep(self._draw.uniform(0.5, 1.5) * pace)
            except (psycopg.Error, TimeoutError):
                await asyncio.sleep(0.2)
