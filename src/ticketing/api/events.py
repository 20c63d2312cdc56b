"""/events, /event-log, /events/stream, /events/stream-passes and /tickets/{number}/events"""

from operator import itemgetter

from ticketing.access import stream_passes
from ticketing.access.actors import Actor
from ticketing.api.answers import followed, listed, sent
from ticketing.api.rendered import Render, rendered_page
from ticketing.contract import Answer, Stream
from ticketing.db import pool
from ticketing.log import audit, feed, streams, timeline


async def list_ticket_events(
    number: int,
    actor: Actor,
    render: Render = None,
    sort: str = "sequence",
    limit: int = 25,
    cursor: str | None = None,
) -> Answer:
    divisible = render is not None
    async with pool.connection() as conn:
        page = await timeline.list_(conn, actor, number, sort=sort, limit=limit, cursor=cursor, divisible=divisible)
    shown = await rendered_page(render, page, itemgetter("data"))
    return listed(shown, f"/tickets/{number}/events", **sent(render=render, sort=sort, limit=limit))


async def list_events(
    actor: Actor,
    type: list[str] | None = None,
    project: list[str] | None = None,
    start: str | None = None,
    limit: int = 25,
    cursor: str | None = None,
) -> Answer:
    given = sent(type=type, project=project, limit=limit)
    async with pool.connection() as conn:
        page = await feed.list_(conn, actor, start=start, cursor=cursor, **given)
    return followed(page, "/events", **given)


async def list_event_log(
    actor: Actor,
    type: list[str] | None = None,
    actor_: list[str] | None = None,
    ticket_number: list[int] | None = None,
    project: list[str] | None = None,
    timestamp_since: str | None = None,
    timestamp_before: str | None = None,
    limit: int = 25,
    cursor: str | None = None,
) -> Answer:
    given = sent(
        type=type,
        actor=actor_,
        ticket_number=ticket_number,
        project=project,
        timestamp_since=timestamp_since,
        timestamp_before=timestamp_before,
        limit=limit,
    )
    async with pool.connection() as conn:
        page = await audit.list_(conn, actor, cursor=cursor, **given)
    return listed(page, "/event-log", **given)


async def stream_events(
    actor: Actor,
    type: list[str] | None = None,
    project: list[str] | None = None,
    cursor: str | None = None,
    last_event_id: str | None = None,
) -> Stream:
    # A browser that comes back sends the address of its first request again, and where it was since in the header.
    opened = streams.opened(actor, type=type, project=project, cursor=last_event_id or cursor)
    # A proxy must not keep the connection: a stream ends with its process, and the next one is for the successor.
    return Stream(opened, "text/event-stream", {"X-Accel-Buffering": "no", "Connection": "close"})


async def create_stream_pass(actor: Actor) -> Answer:
    async with pool.connection() as conn:
        return Answer(await stream_passes.create(conn, actor), 201)
