/**
 * A user's program: it goes through the service with openapi-fetch and the types that openapi-typescript makes of the
 * contract, `api.mts`. URL and TOKEN, an admin's, come from the environment. With DELIVERS there it receives a webhook
 * message, too, for which the service needs a worker.
 */

import assert from "node:assert/strict";
import { createHmac, randomUUID } from "node:crypto";
import createClient, { type Client } from "openapi-fetch";
import { dataOf, receiver } from "../listening.mjs";
import type { components, paths } from "./api.mjs";

type Schemas = components["schemas"];
type Problem = Schemas["Problem"];
type Ticket = Schemas["Ticket"];
type TicketQuery = NonNullable<paths["/tickets"]["get"]["parameters"]["query"]>;
type Api = Client<paths>;

const MERGE_PATCH = { "Content-Type": "application/merge-patch+json" };

async function main(): Promise<void> {
  const admin = signIn(env("TOKEN"));
  const me = await knowMyself(admin);
  const cursor = given(await admin.GET("/events", { params: { query: { start: "end" } } })).next;
  const project = await addProject(admin);
  const numbers = await openTickets(admin, project);
  const number = numbers[0]!;
  assert.deepEqual(await pageThrough(admin, project), numbers);
  await narrowDown(admin, project, number);
  await change(admin, number, me);
  await discuss(admin, number, me);
  await resolve(admin, number);
  await lookBack(admin, number, me);
  await follow(admin, cursor, number);
  await listen(admin, cursor, number);
  if (process.env["DELIVERS"]) await beCalled(admin);
  await beRefused(admin, project);
  const revoked = signIn(await handOutToken(admin));
  assert.equal(refused(await revoked.GET("/me"), 401).code, "unauthenticated");
}

function signIn(token: string): Api {
  return createClient<paths>({
    baseUrl: `${env("URL")}/api/v1`,
    headers: { Authorization: `Bearer ${token}` },
    querySerializer: { array: { style: "form", explode: false } },
  });
}

function env(name: string): string {
  const value = process.env[name];
  assert(value, `${name} is not set`);
  return value;
}

type Answer<T> = { data?: T; error?: Problem; response: Response };

/** What was answered, if it was a success of that status. */
function given<T>({ data, error, response }: Answer<T>, status = 200): T {
  assert.equal(response.status, status, JSON.stringify(error));
  assert(data !== undefined);
  return data;
}

/** The problem that was answered, if it was one of that status. */
function refused({ error, response }: Answer<unknown>, status: number): Problem {
  assert.equal(response.status, status);
  assert(error !== undefined);
  assert.equal(error.status, status);
  assert.equal(error.request_id, response.headers.get("X-Request-Id"));
  return error;
}

async function knowMyself(api: Api): Promise<Schemas["User"]> {
  const { user, token } = given(await api.GET("/me"));
  assert.equal(user.role, "admin");
  assert.deepEqual(new Set(token.scopes), new Set<Schemas["Scope"]>(["tickets:read", "tickets:write", "admin"]));
  assert.equal(token.revoked_at, null);
  return user;
}

async function addProject(api: Api): Promise<string> {
  const key = `ts-${randomUUID().slice(0, 8)}`;
  const project = given(
    await api.POST("/projects", { body: { key, name: "Serveur média", visibility: "public" } }),
    201,
  );
  assert.equal(project.key, key);
  assert.equal(project.archived, false);
  assert.deepEqual(project.ticket_types.toSorted(), ["bug", "feature_request", "support"]);
  return key;
}

async function openTickets(api: Api, project: string): Promise<number[]> {
  const bug: Schemas["TicketCreate"] = {
    type: "bug",
    project,
    title: "Les sous-titres dérivent 🎬",
    description: "D'une seconde toutes les dix minutes.",
    severity: "high",
    tags: ["subtitles", "playback"],
    environment: { os: "Linux" },
  };
  const once = { header: { "Idempotency-Key": randomUUID() } };
  const first = await api.POST("/tickets", { body: bug, params: once });
  const again = await api.POST("/tickets", { body: bug, params: once });
  const ticket = given(first, 201);
  assert.deepEqual(given(again, 201), ticket);
  assert.equal(again.response.headers.get("Idempotent-Replayed"), "true");
  const { number, status, severity, channel, environment, assignee } = ticket;
  assert.deepEqual(
    { status, severity, channel, environment, assignee },
    { status: "open", severity: "high", channel: "api", environment: { os: "Linux" }, assignee: null },
  );
  assert.equal(new Date(ticket.created_at).toISOString(), ticket.created_at);

  const numbers = [number];
  for (const type of ["feature_request", "support"] as const) {
    const body = { type, project, title: type, description: "" };
    numbers.push(given(await api.POST("/tickets", { body }), 201).number);
  }
  return numbers;
}

/** The numbers of a project's tickets, page by page. */
async function pageThrough(api: Api, project: string): Promise<number[]> {
  const numbers: number[] = [];
  const query: TicketQuery = { project: [project], sort: "created", limit: 2 };
  for (;;) {
    const { items, next } = given(await api.GET("/tickets", { params: { query } }));
    assert(items.length <= 2);
    numbers.push(...items.map((ticket) => ticket.number));
    if (next === null) return numbers;
    query.cursor = next;
  }
}

async function narrowDown(api: Api, project: string, number: number): Promise<void> {
  const ticket: Ticket = given(await api.GET("/tickets/{number}", { params: { path: { number } } }));
  const { items } = given(
    await api.GET("/tickets", {
      params: {
        query: {
          project: [project],
          type: ["bug", "support"],
          status: ["open", "in_progress"],
          severity: ["critical", "high"],
          tag: ["playback", "subtitles"],
          requester: ["me"],
          assignee: ["none"],
          created_since: ticket.created_at,
        },
      },
    }),
  );
  assert.deepEqual(items, [ticket]);
}

async function change(api: Api, number: number, me: Schemas["User"]): Promise<void> {
  const path = { number };
  const read = await api.GET("/tickets/{number}", { params: { path } });
  const version = read.response.headers.get("ETag");
  assert(version);
  const unchanged = await api.GET("/tickets/{number}", { params: { path, header: { "If-None-Match": version } } });
  assert.equal(unchanged.response.status, 304);

  const mine = { params: { path, header: { "If-Match": version } }, headers: MERGE_PATCH };
  const changed = given(
    await api.PATCH("/tickets/{number}", { ...mine, body: { priority: "urgent", assignee: { id: me.id } } }),
  );
  assert.equal(changed.priority, "urgent");
  assert.equal(changed.assignee?.id, me.id);

  const stale = await api.PATCH("/tickets/{number}", { ...mine, body: { title: "Trop tard" } });
  assert.equal(refused(stale, 412).code, "precondition_failed");
}

async function discuss(api: Api, number: number, me: Schemas["User"]): Promise<void> {
  const path = { number };
  const comment = given(
    await api.POST("/tickets/{number}/comments", {
      params: { path },
      body: { body: "Seulement sous Wayland.", visibility: "internal" },
    }),
    201,
  );
  assert.equal(comment.author.id, me.id);
  assert.equal(comment.visibility, "internal");
  const comments = given(await api.GET("/tickets/{number}/comments", { params: { path } }));
  assert.deepEqual(comments, { items: [comment], next: null });
}

async function resolve(api: Api, number: number): Promise<void> {
  const at = { params: { path: { number } }, headers: MERGE_PATCH };
  const resolved = given(
    await api.PATCH("/tickets/{number}", { ...at, body: { status: "resolved", resolution: "fixed" } }),
  );
  assert.equal(resolved.resolution, "fixed");
  assert(resolved.resolved_at !== null && new Date(resolved.resolved_at) >= new Date(resolved.created_at));
  const problem = refused(await api.PATCH("/tickets/{number}", { ...at, body: { status: "pending" } }), 409);
  assert.equal(problem.code, "invalid_transition");
  assert.deepEqual(problem.allowed?.toSorted(), ["closed", "open"]);
}

/** Whether an event is about a ticket, which its type says. */
const isTicketEvent = (event: Schemas["Event"]): event is Schemas["TicketEvent"] => event.type.startsWith("ticket.");

async function lookBack(api: Api, number: number, me: Schemas["User"]): Promise<void> {
  const { items } = given(await api.GET("/tickets/{number}/events", { params: { path: { number } } }));
  assert.deepEqual(
    items.map((event) => event.type),
    ["ticket.created", "ticket.updated", "comment.created", "ticket.resolved"],
  );
  assert(items.every((event) => event.ticket_number === number && event.actor?.id === me.id));
  const [, updated] = items;
  assert(updated && isTicketEvent(updated));
  assert.deepEqual([updated.previous["priority"], updated.data?.priority], ["normal", "urgent"]);
}

async function follow(api: Api, cursor: string, number: number): Promise<void> {
  const found: Schemas["Event"][] = [];
  while (found.length < 4) {
    const page = given(await api.GET("/events", { params: { query: { cursor, limit: 3 } } }));
    found.push(...page.items.filter((event) => event.ticket_number === number));
    cursor = page.next;
  }
  assert.equal(found[0]?.type, "ticket.created");
  assert(found.every((event) => !event.tombstone && event.data !== null));
}

async function listen(api: Api, cursor: string, number: number): Promise<void> {
  const { response } = await api.GET("/events/stream", { params: { query: { cursor } }, parseAs: "stream" });
  assert.equal(response.status, 200);
  for await (const data of dataOf(response)) {
    const event = JSON.parse(data) as Schemas["Event"];
    if (event.type === "ticket.created" && event.ticket_number === number) {
      assert(isTicketEvent(event));
      assert.equal(event.data?.number, number);
      return;
    }
  }
  assert.fail("the stream ended");
}

/** A ping arrives at a server of our own, is signed, and is an event. */
async function beCalled(api: Api): Promise<void> {
  const { url, message } = await receiver();
  const { id, secret } = given(await api.POST("/webhook-endpoints", { body: { url } }), 201);
  const path = { endpoint_id: id };
  given(await api.POST("/webhook-endpoints/{endpoint_id}/pings", { params: { path } }), 202);
  const { headers, body } = await message;
  const key = Buffer.from(secret.replace("whsec_", ""), "base64");
  const signed = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`;
  const signature = `v1,${createHmac("sha256", key).update(signed).digest("base64")}`;
  assert(headers["webhook-signature"]?.split(" ").includes(signature));
  assert.equal((JSON.parse(body) as Schemas["WebhookEvent"]).type, "webhook.pinged");
  const gone = await api.DELETE("/webhook-endpoints/{endpoint_id}", { params: { path } });
  assert.equal(gone.response.status, 204);
}

async function beRefused(api: Api, project: string): Promise<void> {
  const nonsense = await api.GET("/tickets", { params: { query: { cursor: "nonsense" } } });
  assert.equal(refused(nonsense, 400).code, "invalid_cursor");
  const reader = given(await api.POST("/tokens", { body: { name: "Lire", scopes: ["tickets:read"] } }), 201);
  const wish = { type: "support" as const, project, title: "Puis-je ?", description: "" };
  assert.equal(refused(await signIn(reader.token).POST("/tickets", { body: wish }), 403).code, "insufficient_scope");
  const body = { type: "support" as const, project, title: " ", description: "", tags: ["été, hiver"] };
  const problem = refused(await api.POST("/tickets", { body }), 422);
  assert.equal(problem.code, "validation_failed");
  assert.deepEqual(problem.errors?.map((fault) => fault.pointer).toSorted(), ["#/tags/0", "#/title"]);
  const path = { number: Number.MAX_SAFE_INTEGER };
  assert.equal(refused(await api.GET("/tickets/{number}", { params: { path } }), 404).code, "not_found");
}

/** A token that was made, and is revoked. */
async function handOutToken(api: Api): Promise<string> {
  const { id, token, scopes } = given(
    await api.POST("/tokens", { body: { name: "Sortie", scopes: ["tickets:read"] } }),
    201,
  );
  assert.deepEqual(scopes, ["tickets:read"]);
  const revoked = await api.DELETE("/tokens/{token_id}", { params: { path: { token_id: id } } });
  assert.equal(revoked.response.status, 204);
  const tokens = given(await api.GET("/tokens", { params: { query: { limit: 100 } } }));
  assert(tokens.items.find((each) => each.id === id)?.revoked_at);
  return token;
}

await main();
