"""The service we compare with: the same routes, as one would write them with FastAPI, asyncpg and pydantic.

It does less, to its advantage: no event, no Idempotency-Key, no ETag, no request id, two filters, search in titles and
descriptions alone, no problem details, no visibility rules beyond one's own tickets. Its models are equivalent to our
schemas, and its answers are the same.
"""

import hashlib
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID, uuid4

import asyncpg
from fastapi import Depends, FastAPI, HTTPException, Path, Query, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, StringConstraints, model_validator

# Models -------------------------------------------------------------------------------------------------------------

TicketType = StrEnum("TicketType", ["bug", "feature_request", "support"])
TicketStatus = StrEnum("TicketStatus", ["open", "in_progress", "pending", "resolved", "closed"])
TicketPriority = StrEnum("TicketPriority", ["low", "normal", "high", "urgent"])
TicketSeverity = StrEnum("TicketSeverity", ["none", "low", "medium", "high", "critical"])
TicketChannel = StrEnum("TicketChannel", ["portal", "email", "api", "github", "import"])
CommentVisibility = StrEnum("CommentVisibility", ["public", "internal"])
TicketResolution = StrEnum(
    "TicketResolution",
    ["none", "fixed", "shipped", "answered", "duplicate", "wont_fix", "cannot_reproduce", "invalid", "spam"],
)

Number = Annotated[int, Path(ge=1, le=2**53 - 1)]
Key = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{1,39}$")]
Title = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00]*[^\s\x00][^\x00]*$")]
Description = Annotated[str, StringConstraints(max_length=65536, pattern=r"^[^\x00]*$")]
CommentBody = Annotated[str, StringConstraints(min_length=1, max_length=65536, pattern=r"^[^\x00]*$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=50, pattern=r"^[^\x00]*$")]
Value = Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00]*$")]
Tag = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._:/ -]{0,49}$")]


def _once(tags: list[str]) -> list[str]:
    if len(set(tags)) != len(tags):
        raise ValueError("each tag once")
    return tags


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Tags = Annotated[list[Tag], Field(max_length=20), AfterValidator(_once)]
Moment = Annotated[datetime, PlainSerializer(_rfc3339, when_used="json-unless-none")]


class UserRef(BaseModel):
    id: UUID
    name: str


class ExternalReference(BaseModel):
    source: str
    id: str


class Ticket(BaseModel):
    number: int
    type: TicketType
    project: str
    title: str
    description: str
    status: TicketStatus
    resolution: TicketResolution
    resolution_note: str | None
    priority: TicketPriority
    severity: TicketSeverity
    category: str | None
    tags: list[str]
    environment: dict[str, str]
    channel: TicketChannel
    requester: UserRef
    assignee: UserRef | None
    external_reference: ExternalReference | None
    created_at: Moment
    updated_at: Moment
    resolved_at: Moment | None
    closed_at: Moment | None


class TicketPage(BaseModel):
    items: list[Ticket]
    next: str | None


class NewTicket(BaseModel):
    model_config = ConfigDict(extra="forbid")

    type: TicketType
    project: Key
    title: Title
    description: Description
    severity: TicketSeverity = TicketSeverity.none
    category: Key | None = None
    tags: Tags = []
    environment: Annotated[dict[Name, Value], Field(max_length=30)] = {}
    priority: TicketPriority = TicketPriority.normal

    @model_validator(mode="after")
    def severity_is_for_bugs(self) -> "NewTicket":
        if self.severity != TicketSeverity.none and self.type != TicketType.bug:
            raise ValueError("only bugs have a severity")
        return self


class Comment(BaseModel):
    id: UUID
    ticket: int
    author: UserRef
    body: str | None
    visibility: CommentVisibility
    created_at: Moment
    updated_at: Moment
    deleted_at: Moment | None


class NewComment(BaseModel):
    model_config = ConfigDict(extra="forbid")

    body: CommentBody
    visibility: CommentVisibility = CommentVisibility.public


# Database -----------------------------------------------------------------------------------------------------------

TICKET = """
select t.number, t.type, t.project, t.title, t.description, t.status, t.resolution, t.resolution_note, t.priority,
       t.severity, t.category, t.tags, t.environment, t.channel, t.external_source, t.external_id,
       t.created_at, t.updated_at, t.resolved_at, t.closed_at,
       r.id as requester_id, r.name as requester_name, a.id as assignee_id, a.name as assignee_name
"""
PEOPLE = "join users r on r.id = t.requester_id left join users a on a.id = t.assignee_id"
GET_TICKET = f"{TICKET} from tickets t {PEOPLE} where t.number = $1 and ($2 or t.requester_id = $3)"
LIST_TICKETS = f"""
{TICKET} from tickets t {PEOPLE} where $1 or t.requester_id = $2 order by t.created_at desc, t.number desc limit $3
"""
QUEUE = f"""
{TICKET} from tickets t {PEOPLE}
 where ($1 or t.requester_id = $2) and t.status in ('open', 'in_progress', 'pending') and t.assignee_id = $4
 order by t.created_at desc, t.number desc limit $3
"""
SEARCH = f"""
{TICKET} from tickets t {PEOPLE}
 where ($1 or t.requester_id = $2)
   and to_tsvector('english', t.title || ' ' || t.description) @@ websearch_to_tsquery('english', $4)
 order by t.created_at desc, t.number desc limit $3
"""
INSERT_TICKET = f"""
with t as (
    insert into tickets (type, project, title, description, severity, category, tags, environment, priority,
                         requester_id)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
    returning *
)
{TICKET} from t {PEOPLE}
"""  # noqa: S608
INSERT_COMMENT = """
insert into comments (id, ticket, author_id, body, visibility) values ($1, $2, $3, $4, $5)
returning id, ticket, body, visibility, created_at, updated_at, deleted_at
"""
GET_USER = """
select u.id, u.name, u.role
  from tokens t join users u on u.id = t.user_id
 where t.hash = $1 and t.revoked_at is null and (t.expires_at is null or t.expires_at > now()) and u.active
"""


def ticket(row: asyncpg.Record) -> dict[str, Any]:
    """The columns of a row, nested like the model."""
    fields = dict(row)
    fields["requester"] = {"id": fields.pop("requester_id"), "name": fields.pop("requester_name")}
    assignee_id, assignee_name = fields.pop("assignee_id"), fields.pop("assignee_name")
    fields["assignee"] = {"id": assignee_id, "name": assignee_name} if assignee_id else None
    source, external_id = fields.pop("external_source"), fields.pop("external_id")
    fields["external_reference"] = {"source": source, "id": external_id} if source else None
    return fields


async def json_codec(conn: asyncpg.Connection) -> None:
    """Read and write jsonb as Python values."""
    await conn.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")


async def keep_session(_: asyncpg.Connection) -> None:
    """Skip resetting a connection that returns to the pool, because nothing here changes the session.

    asyncpg's reset costs a round trip per request; with RIVAL_TUNED in the environment the rival skips it.
    """


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    tuned = {"reset": keep_session} if "RIVAL_TUNED" in os.environ else {}
    async with asyncpg.create_pool(os.environ["RIVAL_DATABASE_URL"], init=json_codec, **tuned) as pool:
        app.state.pool = pool
        yield


# Service ------------------------------------------------------------------------------------------------------------

app = FastAPI(lifespan=lifespan)
bearer = HTTPBearer()


async def connection() -> AsyncIterator[asyncpg.Connection]:
    async with app.state.pool.acquire() as conn:
        yield conn


Connection = Annotated[asyncpg.Connection, Depends(connection)]


async def signed_in(conn: Connection, credentials: Annotated[HTTPAuthorizationCredentials, Depends(bearer)]) -> Any:
    user = await conn.fetchrow(GET_USER, hashlib.sha256(credentials.credentials.encode()).digest())
    if user is None:
        raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"})
    return user


User = Annotated[Any, Depends(signed_in)]


@app.get("/api/v1/tickets/{number}", response_model=Ticket)
async def get_ticket(number: Number, conn: Connection, user: User) -> Any:
    row = await conn.fetchrow(GET_TICKET, number, user["role"] != "requester", user["id"])
    if row is None:
        raise HTTPException(404)
    return ticket(row)


@app.get("/api/v1/tickets", response_model=TicketPage)
async def list_tickets(
    conn: Connection,
    user: User,
    limit: Annotated[int, Query(ge=1, le=100)] = 25,
    assignee: str | None = None,
    q: str | None = None,
) -> Any:
    common = user["role"] != "requester", user["id"], limit + 1
    if assignee == "me":
        rows = await conn.fetch(QUEUE, *common, user["id"])
    elif q is not None:
        rows = await conn.fetch(SEARCH, *common, q.removesuffix(" sort:-created"))
    else:
        rows = await conn.fetch(LIST_TICKETS, *common)
    following = str(rows[limit - 1]["number"]) if len(rows) > limit else None
    return {"items": [ticket(row) for row in rows[:limit]], "next": following}


@app.post("/api/v1/tickets", response_model=Ticket, status_code=201)
async def create_ticket(new: NewTicket, response: Response, conn: Connection, user: User) -> Any:
    try:
        row = await conn.fetchrow(
            INSERT_TICKET,
            new.type,
            new.project,
            new.title,
            new.description,
            new.severity,
            new.category,
            new.tags,
            new.environment,
            new.priority,
            user["id"],
        )
    except asyncpg.ForeignKeyViolationError as error:
        raise HTTPException(422, "no such project or category") from error
    response.headers["Location"] = f"/api/v1/tickets/{row['number']}"
    return ticket(row)


@app.post("/api/v1/tickets/{number}/comments", response_model=Comment, status_code=201)
async def create_comment(number: Number, new: NewComment, response: Response, conn: Connection, user: User) -> Any:
    try:
        row = await conn.fetchrow(INSERT_COMMENT, uuid4(), number, user["id"], new.body, new.visibility)
    except asyncpg.ForeignKeyViolationError as error:
        raise HTTPException(404) from error
    response.headers["Location"] = f"/api/v1/tickets/{number}/comments/{row['id']}"
    return {**row, "author": {"id": user["id"], "name": user["name"]}}
