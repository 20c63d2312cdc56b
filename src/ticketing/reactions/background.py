"""What there is to do in the background: a process that imports this knows all kinds of jobs, schedules and loops."""

from ticketing.monitoring import lateness
from ticketing.reactions import upkeep
from ticketing.reactions.webhooks import delivering, fan_out, messages, redelivering
from ticketing.reactions.webhooks import upkeep as webhook_upkeep

__all__ = ["delivering", "fan_out", "lateness", "messages", "redelivering", "upkeep", "webhook_upkeep"]
