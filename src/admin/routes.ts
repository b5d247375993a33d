// Which room answers a request: by the address that it came to, and by its path.
import type { IncomingMessage, ServerResponse } from "node:http";
import { signature } from "../base/version.js";
import type { Protocol } from "../ipc/listener.js";
import type { AdminContext } from "./context.js";

/** Answers a request. */
export function answer(context: AdminContext, protocol: Protocol, request: IncomingMessage, response: ServerResponse): void {
  void context.control.ask("/status").then(({ body }) => {
    response
      .writeHead(200, { Server: signature, "Content-Type": "application/json" })
      .end(JSON.stringify({ code: 0, protocol, url: request.url, body }));
  });
}
