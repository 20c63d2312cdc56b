"""The other end of naive.py: an actor with all of Dramatiq's retries, whose effect happens at most once."""

from __future__ import annotations

import os

import dramatiq
import psycopg
from dramatiq.brokers.redis import RedisBroker

EFFECT = """
insert into chaos_effects (order_id)
select %(order)s where not exists (select from chaos_effects where order_id = %(order)s)
"""

dramatiq.set_broker(RedisBroker(url=os.environ["TICKETING_REDIS_URL"]))  # type: ignore[no-untyped-call]


@dramatiq.actor
def effect(order: str) -> None:
    """Record an order's effect."""
    with psycopg.connect(os.environ["TICKETING_DATABASE_URL"]) as conn:
        conn.execute(EFFECT, {"order": order})
