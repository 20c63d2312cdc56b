"""`ticketing doctor`: checks everything that the service needs; each finding is a sentence."""

from __future__ import annotations

from collections.abc import AsyncIterator

import ticketing.reactions.background  # noqa: F401 (so that all schedules are known)
from ticketing import mail
from ticketing.ground.config import InvalidSetting, settings
from ticketing.monitoring import checks, tracing
from ticketing.monitoring.checks import Check
from ticketing.reactions.webhooks import endpoints


async def run(*, mail_server: bool = False) -> AsyncIterator[Check]:
    """Check one thing after the other, the mail server only if that is asked for; nothing is changed, or sent."""
    try:
        chosen = settings()
        endpoints.check_settings(chosen)
        mail.check_settings(chosen)
        tracing.check_settings(chosen)
    except InvalidSetting as error:
        yield Check("Settings", False, str(error))
        return
    for check in checks.configured(chosen):
        yield check
    yield await checks.mail_server(chosen) if mail_server and chosen.smtp_url else checks.mail(chosen)
    async for check in checks.database(chosen):
        yield check
    async for check in checks.redis(chosen):
        yield check
