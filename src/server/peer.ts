// Who is on the other end of a socket, as logs and `dolphin status` show it.
import type { Socket } from "node:net";
import { formatEndpoint } from "../conf/endpoint.js";

/** The address of a socket's peer; `?:0` when it has gone before anybody asked. */
export function peerOf(socket: Socket): string {
  return formatEndpoint({ host: socket.remoteAddress ?? "?", port: socket.remotePort ?? 0 });
}
