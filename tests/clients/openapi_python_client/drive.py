"""A user's program: it goes through the service with the client that openapi-python-client makes of the contract.

Usage: python drive.py      (URL and TOKEN, an admin's, in the environment; `ticketing_client` is the generated package)

With DELIVERS in the environment it receives a webhook message, too, for which the service needs a worker.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from queue import Queue
from typing import Any, TypeVar
from uuid import UUID

from ticketing_client import AuthenticatedClient
from ticketing_client.api.comments import create_comment, list_comments
from ticketing_client.api.events import list_events, list_ticket_events
from ticketing_client.api.me import get_me
from ticketing_client.api.projects import create_project
from ticketing_client.api.tickets import create_ticket, get_ticket, list_tickets, update_ticket
from ticketing_client.api.tokens import create_token, list_tokens, revoke_token
from ticketing_client.api.webhooks import create_webhook_endpoint, delete_webhook_endpoint, ping_webhook_endpoint
from ticketing_client.models import (
    Comment,
    CommentCreate,
    CommentPage,
    CommentVisibility,
    EventPage,
    Feed,
    ListEventsStart,
    ListTicketsSort,
    Me,
    Problem,
    Project,
    ProjectCreate,
    ProjectVisibility,
    Scope,
    Ticket,
    TicketChannel,
    TicketCreate,
    TicketCreateEnvironment,
    TicketEvent,
    TicketPage,
    TicketPatch,
    TicketPatchAssignee,
    TicketPriority,
    TicketResolution,
    TicketSeverity,
    TicketStatus,
    TicketType,
    TokenCreate,
    TokenPage,
    TokenWithSecret,
    User,
    UserRole,
    WebhookEndpointCreate,
    WebhookEndpointWithSecret,
    WebhookEvent,
)
from ticketing_client.types import UNSET, Response, Unset

T = TypeVar("T")
NO_TICKET = 2**53 - 1


def main() -> None:
    """The whole way; an assert says where it ended."""
    url = os.environ["URL"] + "/api/v1"
    with AuthenticatedClient(base_url=url, token=os.environ["TOKEN"], raise_on_unexpected_status=True) as client:
        me = know_myself(client)
        cursor = given(Feed, list_events.sync_detailed(client=client, start=ListEventsStart.END)).next_
        project = add_project(client)
        numbers = open_tickets(client, project)
        page_through(client, project, numbers)
        narrow_down(client, project, numbers[0])
        change(client, numbers[0], me)
        discuss(client, numbers[0], me)
        resolve(client, numbers[0])
        look_back(client, numbers[0], me)
        follow(client, cursor, numbers[0])
        listen(client, cursor, numbers[0])
        if "DELIVERS" in os.environ:
            be_called(client)
        be_refused(client, url, project)
        revoked = hand_out_token(client)
    with AuthenticatedClient(base_url=url, token=revoked.token) as client:
        assert given(Problem, get_me.sync_detailed(client=client), 401).code == "unauthenticated"


def given(kind: type[T], response: Response[Any], status: int = 200) -> T:
    """What was answered, if it is of that kind and status."""
    assert response.status_code == status, response.content
    assert isinstance(response.parsed, kind)
    return response.parsed


def know_myself(client: AuthenticatedClient) -> User:
    me = given(Me, get_me.sync_detailed(client=client))
    assert isinstance(me.user.id, UUID)
    assert me.user.role == UserRole.ADMIN
    assert set(me.token.scopes) == set(Scope)
    assert me.token.revoked_at is None
    return me.user


def add_project(client: AuthenticatedClient) -> str:
    key = f"py-{secrets.token_hex(5)}"
    body = ProjectCreate(key=key, name="Medienserver", visibility=ProjectVisibility.PUBLIC)
    project = given(Project, create_project.sync_detailed(client=client, body=body), 201)
    assert (project.key, project.visibility, project.archived) == (key, ProjectVisibility.PUBLIC, False)
    assert set(project.ticket_types) == set(TicketType)
    return key


def open_tickets(client: AuthenticatedClient, project: str) -> list[int]:
    bug = TicketCreate(
        type_=TicketType.BUG,
        project=project,
        title="Untertitel laufen nach 🎬",
        description="Eine Sekunde alle zehn Minuten.",
        severity=TicketSeverity.HIGH,
        tags=["subtitles", "playback"],
        environment=TicketCreateEnvironment.from_dict({"os": "Linux"}),
    )
    key = secrets.token_hex(8)
    first, again = (create_ticket.sync_detailed(client=client, body=bug, idempotency_key=key) for _ in range(2))
    ticket = given(Ticket, first, 201)
    assert given(Ticket, again, 201) == ticket
    assert again.headers["Idempotent-Replayed"] == "true"
    assert (ticket.title, ticket.tags) == (bug.title, bug.tags)
    assert ticket.environment["os"] == "Linux"
    assert (ticket.status, ticket.severity) == (TicketStatus.OPEN, TicketSeverity.HIGH)
    assert (ticket.channel, ticket.priority) == (TicketChannel.API, TicketPriority.NORMAL)
    assert (ticket.assignee, ticket.resolved_at) == (None, None)
    assert ticket.created_at.utcoffset() == timedelta(0)

    numbers = [ticket.number]
    for type_ in (TicketType.FEATURE_REQUEST, TicketType.SUPPORT):
        body = TicketCreate(type_=type_, project=project, title=type_.value, description="")
        numbers.append(given(Ticket, create_ticket.sync_detailed(client=client, body=body), 201).number)
    return numbers


def page_through(client: AuthenticatedClient, project: str, numbers: list[int]) -> None:
    seen: list[int] = []
    cursor: str | Unset | None = UNSET
    while cursor is not None:
        response = list_tickets.sync_detailed(
            client=client, project=[project], sort=ListTicketsSort.CREATED, limit=2, cursor=cursor
        )
        page = given(TicketPage, response)
        assert len(page.items) <= 2
        seen += [ticket.number for ticket in page.items]
        cursor = page.next_
    assert seen == numbers


def narrow_down(client: AuthenticatedClient, project: str, number: int) -> None:
    ticket = given(Ticket, get_ticket.sync_detailed(number, client=client))
    response = list_tickets.sync_detailed(
        client=client,
        project=[project],
        type_=[TicketType.BUG],
        status=[TicketStatus.OPEN, TicketStatus.PENDING],
        severity=[TicketSeverity.HIGH],
        tag=["playback"],
        requester=["me"],
        assignee=["none"],
        created_since=ticket.created_at,
        created_before=ticket.created_at + timedelta(milliseconds=1),
    )
    assert given(TicketPage, response).items == [ticket]
    earlier = list_tickets.sync_detailed(client=client, project=[project], created_before=ticket.created_at)
    assert given(TicketPage, earlier).items == []


def change(client: AuthenticatedClient, number: int, me: User) -> None:
    read = get_ticket.sync_detailed(number, client=client)
    before, version = given(Ticket, read), read.headers["ETag"]
    assert get_ticket.sync_detailed(number, client=client, if_none_match=version).status_code == 304

    patch = TicketPatch(priority=TicketPriority.URGENT, assignee=TicketPatchAssignee(id=me.id))
    response = update_ticket.sync_detailed(number, client=client, body=patch, if_match=version)
    after = given(Ticket, response)
    assert response.headers["ETag"] != version
    assert after.priority is TicketPriority.URGENT
    assert after.assignee
    assert after.assignee.id == me.id
    assert after.title == before.title
    assert after.updated_at >= before.updated_at

    stale = update_ticket.sync_detailed(number, client=client, body=TicketPatch(title="Zu spät"), if_match=version)
    problem = given(Problem, stale, 412)
    assert (problem.code, problem.status) == ("precondition_failed", 412)
    assert problem.request_id == stale.headers["X-Request-Id"]


def discuss(client: AuthenticatedClient, number: int, me: User) -> None:
    body = CommentCreate(body="Nur unter Wayland.", visibility=CommentVisibility.INTERNAL)
    comment = given(Comment, create_comment.sync_detailed(number, client=client, body=body), 201)
    assert (comment.body, comment.visibility) == (body.body, CommentVisibility.INTERNAL)
    assert (comment.ticket_number, comment.author.id, comment.deleted_at) == (number, me.id, None)
    page = given(CommentPage, list_comments.sync_detailed(number, client=client))
    assert (page.items, page.next_) == ([comment], None)


def resolve(client: AuthenticatedClient, number: int) -> None:
    body = TicketPatch(status=TicketStatus.RESOLVED, resolution=TicketResolution.FIXED)
    ticket = given(Ticket, update_ticket.sync_detailed(number, client=client, body=body))
    assert ticket.resolution == TicketResolution.FIXED
    assert isinstance(ticket.resolved_at, datetime)
    impossible = TicketPatch(status=TicketStatus.PENDING)
    problem = given(Problem, update_ticket.sync_detailed(number, client=client, body=impossible), 409)
    assert problem.code == "invalid_transition"
    assert problem.allowed
    assert set(problem.allowed) == {TicketStatus.OPEN, TicketStatus.CLOSED}


def look_back(client: AuthenticatedClient, number: int, me: User) -> None:
    events = given(EventPage, list_ticket_events.sync_detailed(number, client=client)).items
    assert [event.type_ for event in events] == [
        "ticket.created",
        "ticket.updated",
        "comment.created",
        "ticket.resolved",
    ]
    assert all(event.ticket_number == number and event.actor and event.actor.id == me.id for event in events)
    updated = events[1]
    assert isinstance(updated, TicketEvent)
    assert isinstance(updated.data, Ticket)
    assert (updated.previous["priority"], updated.data.priority) == ("normal", TicketPriority.URGENT)


def follow(client: AuthenticatedClient, cursor: str, number: int) -> None:
    found: list[Any] = []
    while len(found) < 4:
        page = given(Feed, list_events.sync_detailed(client=client, cursor=cursor, limit=3))
        found += [event for event in page.items if event.ticket_number == number]
        cursor = page.next_
    assert found[0].type_ == "ticket.created"
    assert not any(event.tombstone for event in found)


def listen(client: AuthenticatedClient, cursor: str, number: int) -> None:
    """The generated function would read the whole stream, which never ends; its HTTP client does not."""
    http = client.get_httpx_client()
    with http.stream("GET", "/events/stream", params={"cursor": cursor}, timeout=30) as stream:
        assert stream.status_code == 200
        for line in stream.iter_lines():
            if line.startswith("data:"):
                event = json.loads(line.removeprefix("data:"))
                if event["type"] == "ticket.created" and event["ticket_number"] == number:
                    told = TicketEvent.from_dict(event)
                    assert isinstance(told.data, Ticket) and told.data.number == number
                    return
    raise AssertionError("the stream ended")


def be_called(client: AuthenticatedClient) -> None:
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
        wanted = WebhookEndpointCreate(url=f"http://127.0.0.1:{server.server_port}/")
        made = create_webhook_endpoint.sync_detailed(client=client, body=wanted)
        endpoint = given(WebhookEndpointWithSecret, made, 201)
        assert ping_webhook_endpoint.sync_detailed(endpoint.id, client=client).status_code == 202
        headers, body = received.get(timeout=30)
        server.shutdown()
    key = base64.b64decode(endpoint.secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    signature = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert f"v1,{signature}" in headers["webhook-signature"].split()
    event = WebhookEvent.from_dict(json.loads(body))
    assert event.type_ == "webhook.pinged"
    assert delete_webhook_endpoint.sync_detailed(endpoint.id, client=client).status_code == 204


def be_refused(client: AuthenticatedClient, url: str, project: str) -> None:
    bad = given(Problem, list_tickets.sync_detailed(client=client, cursor="nonsense"), 400)
    assert bad.code == "invalid_cursor"
    reading = TokenCreate(name="Lesen", scopes=[Scope.TICKETS_READ])
    reader = given(TokenWithSecret, create_token.sync_detailed(client=client, body=reading), 201)
    with AuthenticatedClient(base_url=url, token=reader.token) as narrow:
        wish = TicketCreate(type_=TicketType.SUPPORT, project=project, title="Darf ich?", description="")
        no_scope = given(Problem, create_ticket.sync_detailed(client=narrow, body=wish), 403)
    assert no_scope.code == "insufficient_scope"
    body = TicketCreate(type_=TicketType.SUPPORT, project=project, title=" ", description="", tags=["klein, groß"])
    problem = given(Problem, create_ticket.sync_detailed(client=client, body=body), 422)
    assert problem.code == "validation_failed"
    assert problem.errors
    assert {fault.pointer for fault in problem.errors} == {"#/title", "#/tags/0"}
    assert given(Problem, get_ticket.sync_detailed(NO_TICKET, client=client), 404).code == "not_found"


def hand_out_token(client: AuthenticatedClient) -> TokenWithSecret:
    """A token that was made, and is revoked."""
    expires_at = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    body = TokenCreate(name="Ausflug", scopes=[Scope.TICKETS_READ], expires_at=expires_at)
    token = given(TokenWithSecret, create_token.sync_detailed(client=client, body=body), 201)
    assert (token.scopes, token.expires_at) == ([Scope.TICKETS_READ], expires_at)
    assert token.token.startswith(token.prefix)
    assert revoke_token.sync_detailed(token.id, client=client).status_code == 204
    tokens = given(TokenPage, list_tokens.sync_detailed(client=client, limit=100)).items
    (revoked,) = (each for each in tokens if each.id == token.id)
    assert isinstance(revoked.revoked_at, datetime)
    return token


if __name__ == "__main__":
    main()
