"""/ops/v1/health"""

from ticketing.access.actors import Actor
from ticketing.contract import Answer
from ticketing.monitoring import health


async def get_health(actor: Actor) -> Answer:
    return Answer(await health.get(actor))
