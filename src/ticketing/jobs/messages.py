"""What Dramatiq and Redis see of a job: a message that says `run_job(job_id)`.

It may be lost, doubled, late or stale. So none of Dramatiq's own retries, delays and results are used: those live in
Redis, and die with it. What is left of it is what runs the jobs: consumers that fetch, and threads that bound how many
jobs of a queue run at once.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

import dramatiq
import redis
import redis.asyncio
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import AgeLimit, ShutdownNotifications
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

ACTOR = "run_job"
NAMESPACE = "ticketing:jobs"
AGE_LIMIT_MS = 600_000
HEARTBEAT_TIMEOUT_MS = 15_000
MAINTENANCE_CHANCE = 100_000
SOCKET_SECONDS = 5.0
CONNECT_SECONDS = 2.0
PING_SECONDS = 1.0

# One command, where redis-py would make a pipeline of two.
ACKNOWLEDGE = "redis.call('srem', KEYS[1], unpack(ARGV)) redis.call('hdel', KEYS[2], unpack(ARGV))"

log = logging.getLogger(__name__)


def consumer_client(url: str) -> redis.Redis:
    """The client of Dramatiq's threads. Whoever loses the connection comes again by themselves."""
    return redis.Redis.from_url(
        url, socket_timeout=SOCKET_SECONDS, socket_connect_timeout=CONNECT_SECONDS, retry=Retry(NoBackoff(), 0)
    )


def relay_client(url: str) -> redis.asyncio.Redis:
    """The client of the relay, which had better know soon that Redis is away."""
    return redis.asyncio.Redis.from_url(
        url, socket_timeout=PING_SECONDS, socket_connect_timeout=PING_SECONDS, retry=AsyncRetry(NoBackoff(), 0)
    )


async def push(client: redis.asyncio.Redis, queue: str, job_ids: Sequence[UUID]) -> None:
    """Send the messages of many jobs at once, in the form in which Dramatiq's own `enqueue` would, one by one."""
    messages: dict[Any, Any] = {str(job_id): encoded(queue, job_id) for job_id in job_ids}
    async with client.pipeline(transaction=True) as pipe:
        pipe.hset(f"{NAMESPACE}:{queue}.msgs", mapping=messages)
        pipe.rpush(f"{NAMESPACE}:{queue}", *messages)
        await pipe.execute()


def encoded(queue: str, job_id: UUID) -> bytes:
    """A message as it lies in Redis."""
    return dramatiq.Message(
        queue_name=queue,
        actor_name=ACTOR,
        args=(str(job_id),),
        kwargs={},
        options={"redis_message_id": str(job_id)},
    ).encode()


class Runner:
    """Dramatiq on one queue: its threads are that queue's alone, so that slow jobs elsewhere take none of them."""

    def __init__(self, client: redis.Redis, queue: str, threads: int, run: Callable[[UUID], None]) -> None:
        self._broker = _Broker(client)
        declare = dramatiq.actor(actor_name=ACTOR, queue_name=queue, broker=self._broker)
        declare(lambda job_id: run(UUID(job_id)))
        self._worker = dramatiq.Worker(self._broker, worker_threads=threads, worker_timeout=_Consumer.IDLE_MS)
        self._worker.queue_prefetch = threads

    def start(self) -> None:
        self._worker.start()

    def wake(self) -> None:
        """Let the consumer look for messages now."""
        self._broker.woken.set()

    def stop(self, seconds: float) -> None:
        """Fetch no more, and wait for what is running."""
        threads: list[Any] = [*self._worker.workers, *self._worker.consumers.values()]
        for thread in threads:
            while not thread.running:  # One that is told to stop before it has begun does not hear it.
                time.sleep(0.001)
        self.wake()
        self._worker.stop(int(seconds * 1000))


class _Broker(RedisBroker):
    """Redis without delayed messages, and with consumers that can be woken."""

    def __init__(self, client: redis.Redis) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            client=client,
            namespace=NAMESPACE,
            heartbeat_timeout=HEARTBEAT_TIMEOUT_MS,
            maintenance_chance=MAINTENANCE_CHANCE,
            middleware=[AgeLimit(max_age=AGE_LIMIT_MS), ShutdownNotifications()],
        )
        self.woken = threading.Event()
        self.acknowledge = client.register_script(ACKNOWLEDGE)

    def declare_queue(self, queue_name: str) -> None:
        # Dramatiq's own adds a queue for delayed messages, with a consumer that polls it.
        if queue_name not in self.queues:
            self.queues.add(queue_name)
            self.emit_after("declare_queue", queue_name)

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> _Consumer:  # noqa: ARG002
        return _Consumer(self, queue_name, prefetch)


class _Consumer(dramatiq.Consumer):
    """Fetches messages when woken, or every half second, and acknowledges those that are done on the same way.

    Dramatiq's own sleeps ever longer while there is nothing, has each thread that runs jobs wait for Redis after every
    one, and passes on to it what Redis has to complain about, so that it retries that instead, or ends. Here an
    acknowledgement that gets lost is no more than a message that comes twice.

    For jobs that were quick some more than there are threads are fetched ahead, so that no thread waits for Redis. Slow
    ones would have them wait where no other worker sees them, until they are announced again.
    """

    IDLE_MS = 500
    LINGER_SECONDS = 0.002
    """Among many quick jobs, those that end in this time share what follows: from here to their claim."""
    BUSY_SECONDS = 0.008
    """The same while some are fetched ahead, and no thread is waiting."""
    QUICK_SECONDS = 0.1

    def __init__(self, broker: _Broker, queue: str, threads: int) -> None:
        self._broker = broker
        self._queue = queue
        self._threads = threads
        self._fetched: list[bytes | None] = []
        self._held: dict[str, float] = {}
        self._done: deque[str] = deque()

    def __next__(self) -> dramatiq.MessageProxy | None:
        if not self._fetched:
            self._exchange()
        while self._fetched:
            # A message that was sent twice is gone when its first copy is done.
            if (encoded := self._fetched.pop(0)) is not None:
                message = dramatiq.MessageProxy(dramatiq.Message.decode(encoded))
                self._held[message.options["redis_message_id"]] = time.monotonic()
                return message
        self._broker.woken.wait(self.IDLE_MS / 1000)
        if self._held:
            busy = len(self._held) - len(self._done) > self._threads
            time.sleep(self.BUSY_SECONDS if busy else self.LINGER_SECONDS)
        self._broker.woken.clear()
        return None

    def ack(self, message: dramatiq.MessageProxy) -> None:
        self._done.append(message.options["redis_message_id"])
        self._broker.woken.set()

    nack = ack

    def requeue(self, messages: Iterable[dramatiq.MessageProxy]) -> None:
        if ids := [message.options["redis_message_id"] for message in messages]:
            try:
                self._broker.do_requeue(self._queue, *ids)
            except redis.RedisError as error:
                log.debug("Messages could not be given back: %s", error)

    def close(self) -> None:
        with suppress(redis.RedisError):
            self._acknowledge()

    def _exchange(self) -> None:
        """Say what is done, and fetch as many; and ahead what will be done until the next time but one."""
        try:
            quick = self._acknowledge()
            if (room := self._threads + 2 * quick - len(self._held)) > 0:
                self._fetched = self._broker.do_fetch(self._queue, room)
        except redis.RedisError as error:
            raise dramatiq.ConnectionClosed(error) from None  # type: ignore[no-untyped-call]

    def _acknowledge(self) -> int:
        """As Dramatiq's own `ack` does, one by one; gives how many of them were quick."""
        now = time.monotonic()
        done = [self._done.popleft() for _ in range(len(self._done))]
        if done:
            fetched = f"{NAMESPACE}:__acks__.{self._broker.broker_id}.{self._queue}"
            self._broker.acknowledge(keys=[fetched, f"{NAMESPACE}:{self._queue}.msgs"], args=done)
        return sum(now - self._held.pop(message_id, 0) < self.QUICK_SECONDS for message_id in done)
