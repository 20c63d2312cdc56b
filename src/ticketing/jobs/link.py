"""The link to Redis: whether it answers and takes what the service sends it."""

from __future__ import annotations

import asyncio

import redis
import redis.asyncio
import structlog
from redis import exceptions

from ticketing.db import outages
from ticketing.jobs import figures, messages

FAILED_PINGS = 2
PULSE_SECONDS = 60
REMEDIES: dict[type[Exception], str] = {
    exceptions.OutOfMemoryError: "It is out of memory: raise its maxmemory.",
    exceptions.NoPermissionError: f"Let our user run all commands on the keys {messages.NAMESPACE}:* (`acl setuser`).",
    exceptions.ReadOnlyError: "It is a replica, which takes no writes: let TICKETING_REDIS_URL name its master.",
    exceptions.AuthenticationError: "Correct the user or password in TICKETING_REDIS_URL.",
    exceptions.BusyLoadingError: "It reads its data from disk: wait until it has finished.",
}
REMEDY_OF_MISCONF = "It cannot save to its disk, and takes no writes until it can: look at the disk and into its log."
REMEDY = "See whether it runs, and look at TICKETING_REDIS_URL."

log = structlog.get_logger()


class Link:
    """Whether Redis answers and takes what we send it: a full one still answers a PING.

    Keys begin with the namespace, which is the database's own.
    """

    def __init__(self, client: redis.asyncio.Redis, namespace: str) -> None:
        self.client = client
        self.namespace = namespace
        self._failures = 0

    @property
    def away(self) -> bool:
        return self._failures >= FAILED_PINGS

    async def ping(self) -> None:
        """Check whether Redis takes what we send it."""
        was = self.away
        said = {}
        try:
            async with asyncio.timeout(messages.PING_SECONDS):
                await try_out(self.client, f"{self.namespace}:pulse")
            self._failures = 0
        except (redis.RedisError, OSError, TimeoutError) as error:
            self._failures += 1
            said = {"error": outages.message(error), "remedy": remedy(error)}
        if self.away != was:
            figures.DIRECT.set(int(self.away))
            log.warning("jobs come straight from PostgreSQL" if self.away else "jobs come through Redis again", **said)


async def try_out(client: redis.asyncio.Redis, key: str) -> None:
    """Send Redis every kind of command that announcements need, on keys that expire. Raises redis.RedisError."""
    counter, store = f"{key}.epoch", f"{key}.msgs"
    async with client.pipeline(transaction=False) as pipe:
        pipe.delete(key, counter, store)
        pipe.incr(counter)
        pipe.hset(store, "1", "1")
        pipe.rpush(key, "1")
        pipe.llen(key)
        pipe.eval("return redis.call('hdel', KEYS[1], '1')", 1, store)
        pipe.expire(key, PULSE_SECONDS)
        pipe.expire(counter, PULSE_SECONDS)
        answers = await pipe.execute(raise_on_error=False)
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer


def remedy(error: Exception) -> str:
    """What an operator can do about an error of Redis."""
    if str(error).startswith("MISCONF"):
        return REMEDY_OF_MISCONF
    return next((text for kind, text in REMEDIES.items() if isinstance(error, kind)), REMEDY)
