"""What there is to do in the background: a process that imports this knows all kinds of jobs, schedules and loops."""

from ticketing.mail import sending
from ticketing.mail import upkeep as mail_upkeep
from ticketing.monitoring import lateness
from ticketing.reactions import notifications, upkeep
from ticketing.reactions.webhooks import delivering, fan_out, messages, redelivering
from ticketing.reactions.webhooks import upkeep as webhook_upkeep
from ticketing.search import documents

__all__ = [
    "delivering",
    "documents",
    "fan_out",
    "lateness",
    "mail_upkeep",
    "messages",
    "notifications",
    "redelivering",
    "sending",
    "upkeep",
    "webhook_upkeep",
]
