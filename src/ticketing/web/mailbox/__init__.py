"""The mailbox of `ticketing up`: what nobody is sent there can be read in a browser, by whoever sits at the machine."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from pathlib import Path
from uuid import UUID

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ticketing.access import cookies
from ticketing.access.actors import OPERATOR
from ticketing.contract.exchange import Exchange
from ticketing.db import pool
from ticketing.ground.config import settings
from ticketing.ground.errors import NotFound
from ticketing.mail import wording
from ticketing.rules import mails
from ticketing.web.page import POLICY, Page

FOLDER = Path(__file__).parent
ID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
PATHS = re.compile(rf"/dev/mailbox(?:(?P<asset>\.css|\.js)|/(?P<id>{ID})(?P<body>/body)?)?", re.ASCII)
"""The list and what it loads, a mail, and what that says in HTML."""
SHOWN = 50
"""Mails in the list, the newest first."""
ASSETS = {
    ending: Page(f"{media_type}; charset=utf-8", (FOLDER / f"mailbox{ending}").read_bytes())
    for ending, media_type in ((".css", "text/css"), (".js", "text/javascript"))
}
LIST_POLICY = f"{POLICY}; connect-src 'self'"
MAIL_POLICY = f"{POLICY}; frame-src 'self'"
STYLE = base64.b64encode(hashlib.sha256(wording.STYLE.encode()).digest()).decode()
BODY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{STYLE}'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox"
)
"""A mail may do nothing but look like one; its links open beside it."""


def is_open(exchange: Exchange) -> bool:
    """Whether the mailbox is there for this request: where `ticketing up` runs, for a browser on the same machine."""
    return bool(settings().demo_users) and cookies.is_local(exchange)


async def page(path: re.Match[str]) -> Page | None:
    """The page at a path that PATHS matches; None if there is no such mail, or if what it says is not kept."""
    if path["asset"]:
        return ASSETS[path["asset"]]
    if path["id"] is None:
        return await _list()
    try:
        async with pool.connection() as conn:
            mail = await mails.get(conn, OPERATOR, UUID(path["id"]))
    except NotFound:
        return None
    if path["body"] is None:
        return _page(MAIL_POLICY, _templates().get_template("mail.html").render(mail=mail))
    if mail["html"] is None:
        return None
    return _page(BODY_POLICY, mail["html"].replace("<head>", '<head>\n<base target="_blank">', 1))


async def _list() -> Page:
    async with pool.connection() as conn:
        newest = await mails.list_(conn, OPERATOR, limit=SHOWN)
    return _page(LIST_POLICY, _templates().get_template("list.html").render(mails=newest["items"]))


def _page(policy: str, text: str) -> Page:
    headers = {"Content-Security-Policy": policy}
    return Page("text/html; charset=utf-8", text.encode(), cache="no-store", headers=headers)


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
