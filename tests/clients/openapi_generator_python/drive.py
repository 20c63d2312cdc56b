"""A user's program: it goes through the service with the client that openapi-generator makes for Python.

Usage: python drive.py      (URL and TOKEN, an admin's, in the environment; `ticketing_client` is the generated package)
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from queue import Queue
from typing import Any
from uuid import uuid4

from standardwebhooks import Webhook
from ticketing_client import (
    ApiClient,
    ApiException,
    CommentCreate,
    CommentsApi,
    CommentVisibility,
    Configuration,
    Event,
    EventsApi,
    MeApi,
    Problem,
    ProjectCreate,
    ProjectsApi,
    ProjectVisibility,
    Scope,
    TicketCreate,
    TicketEvent,
    TicketPatch,
    TicketPriority,
    TicketsApi,
    TicketType,
    TokenCreate,
    TokensApi,
    WebhookEndpointCreate,
    WebhookEvent,
    WebhooksApi,
)

HOST = os.environ["URL"] + "/api/v1"
SHORT = 30


def main() -> None:
    """The whole way; an assert says where it ended."""
    client = sign_in(os.environ["TOKEN"])
    assert MeApi(client).get_me().user.role == "admin"
    cursor = EventsApi(client).list_events(start="end").next
    key = f"py-{secrets.token_hex(4)}"
    project = ProjectCreate(key=key, name="Medienserver", visibility=ProjectVisibility.PUBLIC)
    assert ProjectsApi(client).create_project(project).key == key

    numbers = open_tickets(client, key)
    change(client, numbers[0])
    discuss(client, numbers[0])
    page_through(client, key, numbers)
    follow(client, cursor, numbers[0])
    listen(client, cursor, numbers[0])
    be_called(client)
    be_refused(client, key)


def sign_in(token: str) -> ApiClient:
    return ApiClient(Configuration(host=HOST, access_token=token))


def refused(status: int, call: Callable[[], object]) -> Problem:
    """The problem that a call is refused with, typed."""
    try:
        answer = call()
    except ApiException as error:
        refusal = error
    else:
        raise AssertionError(f"not refused with {status}, but {answer}")
    assert refusal.status == status, refusal
    assert isinstance(refusal.data, Problem), refusal
    assert refusal.data.status == status
    return refusal.data


def open_tickets(client: ApiClient, project: str) -> list[int]:
    tickets, once = TicketsApi(client), str(uuid4())
    bug = TicketCreate(type=TicketType.BUG, project=project, title="Untertitel 🎬", description="Sie laufen weg.")
    first = tickets.create_ticket(bug, idempotency_key=once)
    again = tickets.create_ticket_with_http_info(bug, idempotency_key=once)
    assert again.data == first
    assert again.headers
    assert again.headers["idempotent-replayed"] == "true"
    others = [
        TicketCreate(type=type_, project=project, title=type_, description="")
        for type_ in (TicketType.SUPPORT, TicketType.FEATURE_REQUEST)
    ]
    return [first.number, *(tickets.create_ticket(each).number for each in others)]


def change(client: ApiClient, number: int) -> None:
    tickets = TicketsApi(client)
    version = tickets.get_ticket(number).version
    after = tickets.update_ticket(number, TicketPatch(priority=TicketPriority.URGENT), if_match=version)
    assert after.priority is TicketPriority.URGENT
    assert after.version != version
    late = refused(412, lambda: tickets.update_ticket(number, TicketPatch(title="Zu spät"), if_match=version))
    assert late.code == "precondition_failed"


def discuss(client: ApiClient, number: int) -> None:
    comments = CommentsApi(client)
    body = CommentCreate(body="Nur unter Wayland.", visibility=CommentVisibility.INTERNAL)
    comment = comments.create_comment(number, body)
    assert comments.list_comments(number).items == [comment]


def page_through(client: ApiClient, project: str, numbers: list[int]) -> None:
    cursor: str | None = None
    seen: list[int] = []
    while not seen or cursor:
        page = TicketsApi(client).list_tickets(project=[project], sort="created", limit=2, cursor=cursor)
        seen += [ticket.number for ticket in page.items]
        cursor = page.next
    assert seen == numbers


def number_of(event: Event) -> int | None:
    """The ticket that the event is about."""
    return event.actual_instance.ticket_number if event.actual_instance else None


def told(event: Event, number: int) -> None:
    """The event is the ticket's first, and its data a ticket."""
    assert isinstance(event.actual_instance, TicketEvent)
    assert event.actual_instance.type == "ticket.created"
    assert event.actual_instance.data
    assert event.actual_instance.data.number == number


def follow(client: ApiClient, cursor: str, number: int) -> None:
    found: list[Event] = []
    while len(found) < 3:
        page = EventsApi(client).list_events(cursor=cursor, limit=3)
        found += [each for each in page.items if number_of(each) == number]
        cursor = page.next
    told(found[0], number)


def listen(client: ApiClient, cursor: str, number: int) -> None:
    """The generated method would read the whole stream, which never ends; its `…_without_preload_content` does not."""
    stream: Any = EventsApi(client).stream_events_without_preload_content(cursor=cursor, _request_timeout=SHORT)
    events = (Event.from_json(data) for data in data_of(stream))
    told(next(each for each in events if each and number_of(each) == number), number)
    stream.close()


def data_of(stream: Any) -> Iterator[str]:
    """The `data` of each event of a stream, as it was sent."""
    rest = b""
    for piece in stream.stream(1):
        *lines, rest = (rest + piece).split(b"\n")
        yield from (line.removeprefix(b"data:").decode() for line in lines if line.startswith(b"data:"))


def be_called(client: ApiClient) -> None:
    """A ping arrives at a server of our own, is signed, and is an event."""
    received: Queue[tuple[dict[str, str], bytes]] = Queue()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.put((dict(self.headers), body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        webhooks = WebhooksApi(client)
        endpoint = webhooks.create_webhook_endpoint(
            WebhookEndpointCreate(url=f"http://127.0.0.1:{server.server_port}/")
        )
        webhooks.ping_webhook_endpoint(endpoint.id)
        headers, body = received.get(timeout=SHORT)
        server.shutdown()
    Webhook(endpoint.secret).verify(body, headers)
    event = Event.from_json(body.decode())
    assert event
    assert isinstance(event.actual_instance, WebhookEvent)
    assert event.actual_instance.type == "webhook.pinged"
    webhooks.delete_webhook_endpoint(endpoint.id)


def be_refused(client: ApiClient, project: str) -> None:
    tickets, projects = TicketsApi(client), ProjectsApi(client)
    assert refused(400, lambda: tickets.list_tickets(cursor="nonsense")).code == "invalid_cursor"
    assert refused(401, lambda: MeApi(sign_in("nonsense")).get_me()).code == "unauthenticated"
    reader = TokensApi(client).create_token(TokenCreate(name="Lesen", scopes=[Scope.TICKETS_READ]))
    body = ProjectCreate(key=project, name="Doppelt", visibility=ProjectVisibility.PUBLIC)
    no_scope = refused(403, lambda: ProjectsApi(sign_in(reader.token)).create_project(body))
    assert no_scope.code == "insufficient_scope"
    assert refused(404, lambda: tickets.get_ticket(2**53 - 1)).code == "not_found"
    assert refused(409, lambda: projects.create_project(body)).status == 409
    # What breaks a schema, such as an empty title, is refused by pydantic, before it is sent.
    lost = TicketCreate(type=TicketType.SUPPORT, project=project, title="Wo?", description="", category="nowhere")
    fault = refused(422, lambda: tickets.create_ticket(lost))
    assert [each.pointer for each in fault.errors or []] == ["#/category"]


if __name__ == "__main__":
    main()
