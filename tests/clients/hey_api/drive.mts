/**
 * A user's program: it goes through the service with the client that @hey-api/openapi-ts makes, in `client/`, whose zod
 * validators look at every request and every answer. URL and TOKEN, an admin's, come from the environment.
 */

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { createClient, type Client } from "./client/client/index.js";
import {
  createComment,
  createProject,
  createTicket,
  createToken,
  createWebhookEndpoint,
  deleteWebhookEndpoint,
  getMe,
  getTicket,
  listComments,
  listEvents,
  listTickets,
  pingWebhookEndpoint,
  streamEvents,
  updateTicket,
} from "./client/sdk.gen.js";
import type { Event, ListTicketsData, Problem, TicketEvent } from "./client/types.gen.js";
import { zEvent } from "./client/zod.gen.js";
import { receiver } from "../listening.mjs";

const signIn = (auth: string): Client => createClient({ baseUrl: `${process.env["URL"]}/api/v1`, auth });

async function main(): Promise<void> {
  const client = signIn(process.env["TOKEN"]!);
  assert.equal(given(await getMe({ client })).user.role, "admin");
  const cursor = given(await listEvents({ client, query: { start: "end" } })).next;
  const key = `he-${randomUUID().slice(0, 8)}`;
  const project = { key, name: "Mediaserver", visibility: "public" } as const;
  assert.equal(given(await createProject({ client, body: project })).key, key);

  const numbers = await openTickets(client, key);
  const number = numbers[0]!;
  await change(client, number);
  await discuss(client, number);
  assert.deepEqual(await pageThrough(client, key), numbers);
  await follow(client, cursor, number);
  await listen(client, cursor, number);
  await beCalled(client);
  await beRefused(client, key);
}

interface Answer<T> {
  data?: T;
  error?: unknown;
}

function given<T>({ data, error }: Answer<T>): T {
  assert(data !== undefined, String(error instanceof Error ? error.stack : JSON.stringify(error)));
  return data;
}

/** The problem that was answered, if it was one of that status. */
function refused(status: number, { error }: { error?: Problem | undefined }): Problem {
  assert(error);
  assert.equal(error.status, status, JSON.stringify(error));
  return error;
}

async function openTickets(client: Client, project: string): Promise<number[]> {
  const bug = { type: "bug", project, title: "Ondertitels 🎬", description: "" } as const;
  const once = { client, body: bug, headers: { "Idempotency-Key": randomUUID() } };
  const first = given(await createTicket(once));
  const again = await createTicket(once);
  assert.deepEqual(given(again), first);
  assert.equal(again.response?.headers.get("Idempotent-Replayed"), "true");
  const numbers = [first.number];
  for (const type of ["support", "feature_request"] as const) {
    const body = { type, project, title: type, description: "" };
    numbers.push(given(await createTicket({ client, body })).number);
  }
  return numbers;
}

async function change(client: Client, number: number): Promise<void> {
  const path = { number };
  const { version } = given(await getTicket({ client, path }));
  const read = { client, path, headers: { "If-Match": version } };
  const after = given(await updateTicket({ ...read, body: { priority: "urgent" } }));
  assert.equal(after.priority, "urgent");
  assert.notEqual(after.version, version);
  const late = await updateTicket({ ...read, body: { title: "Te laat" } });
  assert.equal(refused(412, late).code, "precondition_failed");
}

async function discuss(client: Client, number: number): Promise<void> {
  const path = { number };
  const body = { body: "Alleen onder Wayland.", visibility: "internal" } as const;
  const comment = given(await createComment({ client, path, body }));
  assert.deepEqual(given(await listComments({ client, path })).items, [comment]);
}

async function pageThrough(client: Client, project: string): Promise<number[]> {
  const numbers: number[] = [];
  const query: NonNullable<ListTicketsData["query"]> = { project: [project], sort: "created", limit: 2 };
  for (;;) {
    const { items, next } = given(await listTickets({ client, query }));
    numbers.push(...items.map((ticket) => ticket.number));
    if (next === null) return numbers;
    query.cursor = next;
  }
}

const isAboutTicket = (event: Event): event is TicketEvent => event.type.startsWith("ticket.");

/** The event is the ticket's first, and its data a ticket. */
function told(event: Event | undefined, number: number): void {
  assert(event && isAboutTicket(event) && event.data);
  assert.equal(event.type, "ticket.created");
  assert.equal(event.data.number, number);
}

async function follow(client: Client, cursor: string, number: number): Promise<void> {
  const found: Event[] = [];
  while (found.length < 3) {
    const page = given(await listEvents({ client, query: { cursor, limit: 3 } }));
    found.push(...page.items.filter((event) => event.ticket_number === number));
    cursor = page.next;
  }
  told(found[0], number);
}

/**
 * To OpenAPI a stream is a text, so the validator of one event has to be named. Whoever stops reading has to close the
 * stream, too.
 */
async function listen(client: Client, cursor: string, number: number): Promise<void> {
  const responseValidator = (data: unknown): Promise<unknown> => zEvent.parseAsync(data);
  const reading = new AbortController();
  const { stream } = await streamEvents({ client, query: { cursor }, responseValidator, signal: reading.signal });
  for await (const data of stream as AsyncGenerator<unknown>) {
    const event = data as Event;
    if (event.ticket_number !== number) continue;
    told(event, number);
    return reading.abort();
  }
  assert.fail("the stream ended");
}

/** A ping arrives at a server of our own, is signed, and is an event. */
async function beCalled(client: Client): Promise<void> {
  const { url, message } = await receiver();
  const { id, secret } = given(await createWebhookEndpoint({ client, body: { url } }));
  given(await pingWebhookEndpoint({ client, path: { endpoint_id: id } }));
  const { body, headers } = await message;
  const event = zEvent.parse(new Webhook(secret).verify(body, headers));
  assert.equal(event.type, "webhook.pinged");
  await deleteWebhookEndpoint({ client, path: { endpoint_id: id } });
}

async function beRefused(client: Client, project: string): Promise<void> {
  const nonsense = { cursor: "nonsense" };
  assert.equal(refused(400, await listTickets({ client, query: nonsense })).code, "invalid_cursor");
  assert.equal(refused(401, await getMe({ client: signIn("nonsense") })).code, "unauthenticated");
  const { token } = given(await createToken({ client, body: { name: "Lezen", scopes: ["tickets:read"] } }));
  const body = { key: project, name: "Dubbel", visibility: "public" } as const;
  assert.equal(refused(403, await createProject({ client: signIn(token), body })).code, "insufficient_scope");
  const nowhere = { number: Number.MAX_SAFE_INTEGER };
  assert.equal(refused(404, await getTicket({ client, path: nowhere })).code, "not_found");
  refused(409, await createProject({ client, body }));
  const blank = { type: "support", project, title: " ", description: "" } as const;
  const invalid = await createTicket({ client, body: blank, requestValidator: async () => undefined });
  assert.deepEqual(refused(422, invalid).errors?.map((fault) => fault.pointer), ["#/title"]);
}

await main();
