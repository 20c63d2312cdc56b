/**
 * A user's program: it goes through the service with the client that openapi-generator makes for TypeScript and fetch,
 * in `client/`. URL and TOKEN, an admin's, come from the environment.
 */

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { Webhook } from "standardwebhooks";
import {
  CommentsApi,
  Configuration,
  EventFromJSON,
  EventsApi,
  MeApi,
  type Problem,
  ProblemFromJSON,
  ProjectsApi,
  ResponseError,
  type Event,
  TicketFromJSON,
  TicketsApi,
  TokensApi,
  WebhooksApi,
} from "./client/index.js";
import { dataOf, receiver } from "../listening.mjs";

const url = process.env["URL"]!;
const signIn = (accessToken: string): Configuration => new Configuration({ basePath: `${url}/api/v1`, accessToken });

async function main(): Promise<void> {
  const admin = signIn(process.env["TOKEN"]!);
  assert.equal((await new MeApi(admin).getMe()).user.role, "admin");
  const cursor = (await new EventsApi(admin).listEvents({ start: "end" })).next;
  const key = `tf-${randomUUID().slice(0, 8)}`;
  const project = { key, name: "Serveur média", visibility: "public" } as const;
  assert.equal((await new ProjectsApi(admin).createProject({ projectCreate: project })).key, key);

  const numbers = await openTickets(admin, key);
  const number = numbers[0]!;
  await change(admin, number);
  await discuss(admin, number);
  assert.deepEqual(await pageThrough(admin, key), numbers);
  await follow(admin, cursor, number);
  await listen(admin, cursor, number);
  await beCalled(admin);
  await beRefused(admin, key);
}

/** The problem that a call is refused with, typed. */
async function refused(status: number, call: Promise<unknown>): Promise<Problem> {
  const error: unknown = await call.then(
    () => assert.fail(`not refused with ${status}`),
    (reason: unknown) => reason,
  );
  assert(error instanceof ResponseError, String(error));
  const problem = ProblemFromJSON(await error.response.json());
  assert.equal(error.response.status, status, problem.detail);
  assert.equal(problem.status, status);
  return problem;
}

async function openTickets(admin: Configuration, project: string): Promise<number[]> {
  const tickets = new TicketsApi(admin);
  const bug = { type: "bug", project, title: "Les sous-titres dérivent 🎬", description: "" } as const;
  const once = { ticketCreate: bug, idempotencyKey: randomUUID() };
  const first = await tickets.createTicket(once);
  const again = await tickets.createTicketRaw(once);
  assert.deepEqual(await again.value(), first);
  assert.equal(again.raw.headers.get("Idempotent-Replayed"), "true");
  assert(first.createdAt instanceof Date);
  const numbers = [first.number];
  for (const type of ["support", "feature_request"] as const) {
    const ticket = await tickets.createTicket({ ticketCreate: { type, project, title: type, description: "" } });
    numbers.push(ticket.number);
  }
  return numbers;
}

async function change(admin: Configuration, number: number): Promise<void> {
  const tickets = new TicketsApi(admin);
  const { version } = await tickets.getTicket({ number });
  const read = { number, ifMatch: version };
  const after = await tickets.updateTicket({ ...read, ticketPatch: { priority: "urgent" } });
  assert.equal(after.priority, "urgent");
  assert.notEqual(after.version, version);
  const late = tickets.updateTicket({ ...read, ticketPatch: { title: "Trop tard" } });
  assert.equal((await refused(412, late)).code, "precondition_failed");
}

async function discuss(admin: Configuration, number: number): Promise<void> {
  const comments = new CommentsApi(admin);
  const commentCreate = { body: "Seulement sous Wayland.", visibility: "internal" } as const;
  const comment = await comments.createComment({ number, commentCreate });
  assert.deepEqual((await comments.listComments({ number })).items, [comment]);
}

async function pageThrough(admin: Configuration, project: string): Promise<number[]> {
  const numbers: number[] = [];
  let cursor: string | null = null;
  do {
    const query = { project: new Set([project]), sort: "created", limit: 2 } as const;
    const page = await new TicketsApi(admin).listTickets(cursor === null ? query : { ...query, cursor });
    numbers.push(...page.items.map((ticket) => ticket.number));
    cursor = page.next;
  } while (cursor !== null);
  return numbers;
}

/** The event is the ticket's first, and its data a ticket. */
function told(event: Event | undefined, number: number): void {
  assert(event);
  assert.equal(event.type, "ticket.created");
  assert(event.timestamp instanceof Date);
  const ticket = TicketFromJSON(event.data);
  assert.equal(ticket.number, number);
  assert(ticket.createdAt instanceof Date);
}

async function follow(admin: Configuration, cursor: string, number: number): Promise<void> {
  const found: Event[] = [];
  while (found.length < 3) {
    const page = await new EventsApi(admin).listEvents({ cursor, limit: 3 });
    found.push(...page.items.filter((event) => event.ticketNumber === number));
    cursor = page.next;
  }
  told(found[0], number);
}

/** The generated method would read the whole stream, which never ends; its `…Raw` gives the answer as it comes. */
async function listen(admin: Configuration, cursor: string, number: number): Promise<void> {
  const { raw } = await new EventsApi(admin).streamEventsRaw({ cursor });
  for await (const data of dataOf(raw)) {
    const event = EventFromJSON(JSON.parse(data));
    if (event.ticketNumber === number) return told(event, number);
  }
  assert.fail("the stream ended");
}

/** A ping arrives at a server of our own, is signed, and is an event. */
async function beCalled(admin: Configuration): Promise<void> {
  const webhooks = new WebhooksApi(admin);
  const { url, message } = await receiver();
  const { id, secret } = await webhooks.createWebhookEndpoint({ webhookEndpointCreate: { url } });
  await webhooks.pingWebhookEndpoint({ endpointId: id });
  const { body, headers } = await message;
  const event = EventFromJSON(new Webhook(secret).verify(body, headers));
  assert.equal(event.type, "webhook.pinged");
  await webhooks.deleteWebhookEndpoint({ endpointId: id });
}

async function beRefused(admin: Configuration, project: string): Promise<void> {
  const tickets = new TicketsApi(admin);
  assert.equal((await refused(400, tickets.listTickets({ cursor: "nonsense" }))).code, "invalid_cursor");
  assert.equal((await refused(401, new MeApi(signIn("nonsense")).getMe())).code, "unauthenticated");
  const tokenCreate = { name: "Lecture", scopes: new Set(["tickets:read"] as const) };
  const { token } = await new TokensApi(admin).createToken({ tokenCreate });
  const projectCreate = { key: project, name: "Encore", visibility: "public" } as const;
  const reader = new ProjectsApi(signIn(token));
  assert.equal((await refused(403, reader.createProject({ projectCreate }))).code, "insufficient_scope");
  assert.equal((await refused(404, tickets.getTicket({ number: Number.MAX_SAFE_INTEGER }))).code, "not_found");
  await refused(409, new ProjectsApi(admin).createProject({ projectCreate }));
  const ticketCreate = { type: "support", project, title: " ", description: "" } as const;
  const blank = await refused(422, tickets.createTicket({ ticketCreate }));
  assert.deepEqual(blank.errors?.map((fault) => fault.pointer), ["#/title"]);
}

await main();
