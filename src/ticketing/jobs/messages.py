"""What Dramatiq and Redis see of a job: a message that says `run_job(job_id)`.

It may be lost, duplicated, late or stale. So we do not use Dramatiq's own retries, delays and results, which live and
die with Redis. We use what runs the jobs: consumers that fetch, and threads that limit how many jobs of a queue run at
once.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from datetime import timedelta
from queue import PriorityQueue
from typing import Any
from uuid import UUID, uuid4

import dramatiq
import redis
import redis.asyncio
from dramatiq.brokers.redis import RedisBroker
from dramatiq.common import iter_queue
from dramatiq.middleware import AgeLimit, ShutdownNotifications
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

ACTOR = "run_job"
NAMESPACE = "ticketing:jobs"
"""How all our keys begin; the identity of the database follows, as another one may share this Redis."""
AGE_LIMIT_MS = 600_000
MAINTENANCE_CHANCE = 500_000
SOCKET_SECONDS = 5.0
CONNECT_SECONDS = 2.0
PING_SECONDS = 1.0

# One command, where redis-py would send a pipeline of two.
ACKNOWLEDGE = "redis.call('srem', KEYS[1], unpack(ARGV)) redis.call('hdel', KEYS[2], unpack(ARGV))"

# To the head of the queue, where they came from: Dramatiq's own requeue puts them behind all others.
GIVE_BACK = """
for i = #ARGV, 1, -1 do
    if redis.call('srem', KEYS[1], ARGV[i]) == 1 and redis.call('hexists', KEYS[2], ARGV[i]) == 1 then
        redis.call('lpush', KEYS[3], ARGV[i])
    end
end
"""

log = logging.getLogger(__name__)


def namespace(identity: str) -> str:
    """How the keys of a database begin."""
    return f"{NAMESPACE}:{identity}"


def consumer_client(url: str) -> redis.Redis:
    """The client of Dramatiq's threads, which retry by themselves when they lose the connection."""
    return redis.Redis.from_url(
        url, socket_timeout=SOCKET_SECONDS, socket_connect_timeout=CONNECT_SECONDS, retry=Retry(NoBackoff(), 0)
    )


def relay_client(url: str) -> redis.asyncio.Redis:
    """The client of the relay, which must notice quickly when Redis is down."""
    return redis.asyncio.Redis.from_url(
        url, socket_timeout=PING_SECONDS, socket_connect_timeout=PING_SECONDS, retry=AsyncRetry(NoBackoff(), 0)
    )


async def push(client: redis.asyncio.Redis, namespace: str, queue: str, job_ids: Sequence[UUID]) -> None:
    """Send the messages of many jobs at once, in the form in which Dramatiq's `enqueue` sends each."""
    messages: dict[Any, Any] = dict(encoded(queue, job_id) for job_id in job_ids)
    async with client.pipeline(transaction=True) as pipe:
        pipe.hset(f"{namespace}:{queue}.msgs", mapping=messages)
        pipe.rpush(f"{namespace}:{queue}", *messages)
        await pipe.execute()


def encoded(queue: str, job_id: UUID) -> tuple[str, bytes]:
    """A message as Redis stores it, and its id there.

    Ids are unique even for messages of one job: acknowledging one must not delete another.
    """
    message_id = str(uuid4())
    message: dramatiq.Message[Any] = dramatiq.Message(
        queue_name=queue,
        actor_name=ACTOR,
        args=(str(job_id),),
        kwargs={},
        options={"redis_message_id": message_id},
        message_id=message_id,
    )
    return message_id, message.encode()


class Runner:
    """Dramatiq on one queue, with threads of its own, so that slow jobs of other queues occupy none of them."""

    def __init__(
        self,
        client: redis.Redis,
        namespace: str,
        queue: str,
        threads: int,
        run: Callable[[UUID], None],
        lease: timedelta,
    ) -> None:
        self._broker = _Broker(client, namespace, lease)
        declare = dramatiq.actor(actor_name=ACTOR, queue_name=queue, broker=self._broker)
        declare(lambda job_id: run(UUID(job_id)))
        self._worker = dramatiq.Worker(
            self._broker, worker_threads=threads, worker_timeout=int(_Consumer.IDLE_SECONDS * 1000)
        )
        self._worker.queue_prefetch = threads
        self._broker.waiting = self._worker.work_queue

    def start(self) -> None:
        self._worker.start()

    def wake(self) -> None:
        """Have the consumer look for messages now."""
        self._broker.woken.set()

    def stop(self, seconds: float) -> None:
        """Stop fetching, give back jobs that have not begun, and wait for running ones."""
        threads: list[Any] = [*self._worker.workers, *self._worker.consumers.values()]
        for thread in threads:
            while not thread.running:  # A thread that is told to stop before it has begun does not notice.
                time.sleep(0.001)
        self._broker.stopping = True
        self.wake()
        self._worker.stop(int(seconds * 1000))


class _Broker(RedisBroker):
    """Redis without delayed messages, and with consumers that can be woken."""

    def __init__(self, client: redis.Redis, namespace: str, lease: timedelta) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            client=client,
            namespace=namespace,
            # Fetched messages are taken from a silent worker as soon as the jobs it holds.
            heartbeat_timeout=int(lease.total_seconds() * 1000),
            maintenance_chance=MAINTENANCE_CHANCE,
            middleware=[AgeLimit(max_age=AGE_LIMIT_MS), ShutdownNotifications()],
        )
        self.woken = threading.Event()
        self.stopping = False
        self.waiting: PriorityQueue[Any] = PriorityQueue()
        """Fetched messages that no thread has begun."""
        self.acknowledge = client.register_script(ACKNOWLEDGE)
        self.give_back = client.register_script(GIVE_BACK)

    def declare_queue(self, queue_name: str) -> None:
        # Dramatiq's own adds a queue for delayed messages, with a consumer that polls it.
        if queue_name not in self.queues:
            self.queues.add(queue_name)
            self.emit_after("declare_queue", queue_name)

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> _Consumer:  # noqa: ARG002
        return _Consumer(self, queue_name, prefetch)


class _Consumer(dramatiq.Consumer):
    """Fetches messages when woken, or every half second, and acknowledges finished ones in the same round trip.

    Dramatiq's own consumer sleeps ever longer while there is nothing, and has each thread wait for Redis after every
    job; if Redis then fails, the thread gets the error, and retries or ends. Here a lost acknowledgement only means
    that a message comes twice.

    While jobs are quick, it prefetches more messages than there are threads, so that no thread waits for Redis. No
    other worker can see these, so it gives them back when the jobs before them turn out to be slow, and at the end.
    """

    IDLE_SECONDS = 0.5
    LINGER_SECONDS = 0.002
    """Among many quick jobs, those that end within this time share the next fetch and claim."""
    BUSY_SECONDS = 0.008
    """The same while some are prefetched, and no thread is waiting."""
    QUICK_SECONDS = 0.1

    def __init__(self, broker: _Broker, queue: str, threads: int) -> None:
        self._broker = broker
        self._queue = queue
        self._threads = threads
        self._acks = f"{broker.namespace}:__acks__.{broker.broker_id}.{queue}"
        self._waiting = f"{broker.namespace}:{queue}"
        self._messages = f"{self._waiting}.msgs"
        self._fetched: list[bytes | None] = []
        self._held: dict[str, float] = {}
        self._done: deque[str] = deque()
        self._done_at = self._asked_at = 0.0
        self._in_doubt = False

    def __next__(self) -> dramatiq.MessageProxy | None:
        if self._broker.stopping or (self._is_ahead() and time.monotonic() - self._done_at > self.QUICK_SECONDS):
            self._give_back()
        if not self._fetched:
            self._exchange()
        while self._fetched:
            if (encoded := self._fetched.pop(0)) is not None:
                message = dramatiq.MessageProxy(dramatiq.Message.decode(encoded))
                self._held[message.options["redis_message_id"]] = time.monotonic()
                return message
        self._broker.woken.wait(self.QUICK_SECONDS if self._is_ahead() else self.IDLE_SECONDS)
        if self._held:
            time.sleep(self.BUSY_SECONDS if self._is_ahead() else self.LINGER_SECONDS)
        self._broker.woken.clear()
        return None

    def ack(self, message: dramatiq.MessageProxy) -> None:
        self._done.append(message.options["redis_message_id"])
        self._done_at = time.monotonic()
        self._broker.woken.set()

    nack = ack

    def requeue(self, messages: Iterable[dramatiq.MessageProxy]) -> None:
        ids = [message.options["redis_message_id"] for message in messages]
        for message_id in ids:
            self._held.pop(message_id, None)
        self._return(ids)

    def close(self) -> None:
        self._give_back()
        with suppress(redis.RedisError):
            self._acknowledge()

    def _is_ahead(self) -> bool:
        return len(self._held) - len(self._done) > self._threads

    def _give_back(self) -> None:
        """Return the messages that no thread here has begun, in their order, so that other workers see them."""
        fetched = [dramatiq.MessageProxy(dramatiq.Message.decode(each)) for each in self._fetched if each is not None]
        self._fetched = []
        waiting = iter_queue(self._broker.waiting)  # type: ignore[no-untyped-call]
        self.requeue([*(item.message for item in waiting), *fetched])

    def _return(self, ids: Collection[str]) -> None:
        try:
            if ids:
                self._broker.give_back(keys=[self._acks, self._messages, self._waiting], args=list(ids))
        except redis.RedisError as error:
            log.debug("Messages could not be given back: %s", error)
            self._in_doubt = True

    def _exchange(self) -> None:
        """Acknowledge finished messages and fetch as many; prefetch twice the number of quick ones."""
        try:
            quick = self._acknowledge()
            if self._in_doubt:
                self._take_stock()
            room = 0 if self._broker.stopping else max(0, self._threads + 2 * quick - len(self._held))
            # Dramatiq takes a consumer that does not fetch for dead.
            if room or time.monotonic() - self._asked_at > self.IDLE_SECONDS:
                self._asked_at = time.monotonic()
                self._fetched = self._broker.do_fetch(self._queue, room)
        except redis.RedisError as error:
            log.debug("Messages cannot be fetched: %s", error)
            self._in_doubt = True

    def _take_stock(self) -> None:
        """After an answer was lost, give back what Redis believes to be here but is not."""
        given = {str(message_id, "ascii") for message_id in self._broker.client.smembers(self._acks)}  # type: ignore[arg-type]
        self._in_doubt = False
        self._return(given - self._held.keys())

    def _acknowledge(self) -> int:
        """Acknowledge what is done, as Dramatiq's `ack` does one by one; return how many were quick."""
        now = time.monotonic()
        done = [self._done.popleft() for _ in range(len(self._done))]
        quick = sum(now - self._held.pop(message_id, 0) < self.QUICK_SECONDS for message_id in done)
        if done:
            self._broker.acknowledge(keys=[self._acks, self._messages], args=done)
        return quick
