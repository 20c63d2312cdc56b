/** What a program needs beside a generated client to be told of events: a receiver of webhooks, and a reader of streams. */

import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

export interface Message {
  headers: Record<string, string>;
  body: string;
}

export interface Receiver {
  url: string;
  message: Promise<Message>;
}

/** A server that accepts one message. */
export function receiver(): Promise<Receiver> {
  return new Promise((ready) => {
    const message = new Promise<Message>((received) => {
      const server = createServer((request, response) => {
        void text(request).then((body) => {
          response.writeHead(204, { Connection: "close" }).end();
          server.close();
          received({ headers: flat(request.headers), body });
        });
      });
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.address() as AddressInfo;
        ready({ url: `http://127.0.0.1:${port}/`, message });
      });
    });
  });
}

function flat(headers: IncomingHttpHeaders): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
}

/** The `data` of each event of a stream, as it was sent. Whoever stops reading closes the stream. */
export async function* dataOf(response: Response): AsyncGenerator<string> {
  let rest = "";
  for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + piece).split("\n");
    rest = lines.pop()!;
    for (const line of lines) if (line.startsWith("data:")) yield line.slice("data:".length).trim();
  }
}
