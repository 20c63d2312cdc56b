/** What the contract's types must not let pass: the compiler fails where it finds no error in the line after a mark. */

import createClient from "openapi-fetch";
import type { components, paths } from "./api.mjs";

type Schemas = components["schemas"];
const api = createClient<paths>();
const path = { number: 1 };

// @ts-expect-error No such path.
await api.GET("/issues");

// @ts-expect-error No such filter.
await api.GET("/tickets", { params: { query: { state: ["open"] } } });

// @ts-expect-error No such status.
await api.GET("/tickets", { params: { query: { status: ["done"] } } });

// @ts-expect-error A ticket cannot be deleted.
await api.DELETE("/tickets/{number}", { params: { path } });

// @ts-expect-error The description is missing.
await api.POST("/tickets", { body: { type: "bug", project: "media-server", title: "Subtitles drift" } });

// @ts-expect-error No such field.
const comment: Schemas["CommentCreate"] = { body: "Here too.", hidden: true };
await api.POST("/tickets/{number}/comments", { params: { path }, body: comment });

const { data } = await api.GET("/tickets/{number}", { params: { path } });
// @ts-expect-error It may have been refused.
data.number;

declare const ticket: Schemas["Ticket"];
// @ts-expect-error Nobody may be assigned.
ticket.assignee.name;
