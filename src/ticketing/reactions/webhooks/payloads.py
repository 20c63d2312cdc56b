"""The body of a message: by Standard Webhooks, or a line of text as the incoming webhooks of chat services take it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from ticketing.ground import links
from ticketing.log import versions
from ticketing.outbound.destination import Destination, Refused

DISCORD_LENGTH = 2000
#: Bits of a message: do not unfold its links.
DISCORD_SUPPRESS_EMBEDS = 4
TITLE_LENGTH = 200
EXCERPT_LENGTH = 500
VALUE_LENGTH = 40
"""What a field holds is said if it is no longer than this; of others only that they changed."""
GONE = "(deleted since)"
"""What is said of a comment whose text was taken back before its message was written."""
UNSAID = frozenset({"url", "email"})
"""What is nobody's business in a chat: the path of a URL is often all that its receiver asks for."""
PERSON = {"id", "name"}
EMAIL = re.compile(r"[^\s@]+@[^\s@]+")

FIELDS = ("id", "type", "timestamp", "sequence", "ticket_number", "project", "actor", "data", "previous", "tombstone")
"""Of an event, in the order in which a message has them."""

Event = Mapping[str, Any]
"""The contract's Event."""


def body(format: str, event: Event) -> str:
    """What an endpoint of this format is sent."""
    return orjson.dumps(FORMATS[format](event)).decode()


def _standard(event: Event) -> dict[str, Any]:
    data = versions.completed(event["type"], event["data"])
    return {field: event[field] for field in FIELDS} | {"data": data}


# Chat ----------------------------------------------------------------------------------------------------------------


def _slack(event: Event) -> dict[str, Any]:
    # `mrkdwn: false` turns formatting off; what is left are links and mentions, which are written between < and >.
    return {"text": _line(event, _slack_text, "<{url}|{text}>"), "mrkdwn": False, "unfurl_links": False}


def _discord(event: Event) -> dict[str, Any]:
    line = _line(event, _discord_text, "[{text}]({url})")
    return {
        "content": line if len(line) <= DISCORD_LENGTH else line[: DISCORD_LENGTH - 1] + "…",
        "allowed_mentions": {"parse": []},
        "flags": DISCORD_SUPPRESS_EMBEDS,
    }


def _slack_text(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _discord_text(text: str) -> str:
    return re.sub(r"([\\*_~|`>#\-\[\]()<:@+.])", r"\\\1", text)


PHRASES = {
    "ticket.created": "opened {}",
    "comment.created": "commented on {}",
    "comment.updated": "edited a comment on {}",
    "comment.deleted": "deleted a comment on {}",
    "webhook.rotated": "replaced the secret of {}",
    "webhook.redelivered": "asked for deliveries to be sent again to {}",
    "webhook.failing": "reports that {} keeps failing",
}
"""What is said of a type of event; of all others, the verb of its name: `ticket.closed` is "closed {}"."""
NOUNS = {"webhook": "webhook endpoint"}
"""What is said of a noun of the log, if it is not said itself."""


def _line(event: Event, escaped: Callable[[str], str], link: str) -> str:
    """Who did what, to which ticket: `Ada updated #1042 Playback stops: priority normal → high; description`."""
    actor = _short(_called(event["actor"]["name"]), TITLE_LENGTH) if event["actor"] else "The service"
    noun, _, verb = event["type"].partition(".")
    before, _, after = PHRASES.get(event["type"], f"{verb.replace('_', ' ')} {{}}").partition("{}")
    number = event["ticket_number"]
    if number is None:
        target = escaped(f"the {NOUNS.get(noun, noun)} {_name(event['data'])}".rstrip())
    else:
        target = link.format(text=f"#{number}", url=links.of_ticket(number))
    rest = _comment(verb, event) if noun == "comment" else _title(event) + _changes(noun, verb, event)
    return escaped(f"{actor} {before}") + target + escaped(after + rest)


def _comment(verb: str, event: Event) -> str:
    if verb == "deleted":
        return ""
    text = event["data"].get("body")
    return f": {_short(text, EXCERPT_LENGTH)}" if text else f" {GONE}"


def _title(event: Event) -> str:
    title = event["data"].get("title") if event["ticket_number"] is not None else None
    return f" {_short(title, TITLE_LENGTH)}" if title else ""


def _changes(noun: str, verb: str, event: Event) -> str:
    """Which fields changed, beside what the verb says itself; from what to what, if that is short."""
    if verb == "deleted" or (verb != "updated" and noun != "ticket"):
        return ""
    told = []
    for field, before in event["previous"].items():
        after = event["data"].get(field)
        if before == after or field.endswith("_at") or (field == "status" and verb != "updated"):
            continue
        values = [_value(value, field) for value in (before, after)]
        plain = all(values) and field not in UNSAID
        told.append(f"{field.replace('_', ' ')} {' → '.join(map(str, values))}" if plain else field.replace("_", " "))
    return _short(f": {'; '.join(told)}", EXCERPT_LENGTH) if told else ""


def _value(value: Any, field: str) -> str | None:
    """A value in words; None for one that takes too many."""
    if isinstance(value, Mapping) and value.keys() == PERSON:
        value = _called(str(value["name"]))
    if isinstance(value, Sequence) and not isinstance(value, str):
        value = ", ".join(map(str, value)) if all(isinstance(one, str) for one in value) else {"some": value}
    if value in (None, "", {}):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = _called(str(value)) if field == "name" else str(value)
    return None if isinstance(value, Mapping) or len(text) > VALUE_LENGTH or "\n" in text else text


def _name(data: Mapping[str, Any]) -> str:
    """What people call it; of an endpoint that nobody described, where it is, without the path."""
    # A job has its type; events of the release before call it `kind`.
    names = (data.get(field) for field in ("name", "key", "type", "kind", "description"))
    name = next(filter(None, names), None) or _host(data.get("url") or "") or data.get("endpoint_id") or ""
    return _short(_called(str(name)), TITLE_LENGTH)


def _host(url: str) -> str:
    try:
        return Destination.of(url).host
    except Refused:
        return ""


def _called(name: str) -> str:
    """A person's name; of an e-mail address, which names whoever has given no other name, what is before the @."""
    return name.partition("@")[0] if EMAIL.fullmatch(name) else name


def _short(text: str, length: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1] + "…"


FORMATS = {"standard": _standard, "slack": _slack, "discord": _discord}
