// How a viewer's answer is framed: as chunks of HTTP/1.1, not at all for HTTP/1.0, or as frames of WebSocket. Each is one container
// of the fan-out, so that the framing costs nothing for each viewer; here is what stands around the batches.
import { closeFrame } from "../../codec/websocket.js";
import { flvStart, webSocketStart, withoutFraming } from "../../stream/container.js";
import type { RemuxTap } from "../../stream/remux.js";
import { headText, streamHeaders, type Headers } from "./answers.js";

/** `accept` is the value of Sec-WebSocket-Accept. */
export type Framing =
  | { readonly kind: "chunked" | "bare"; readonly format?: RemuxTap }
  | { readonly kind: "websocket"; readonly accept: string };

/** Which fan-out has the batches. */
export function tapOf(framing: Framing): "flv" | "ws" | RemuxTap {
  return framing.kind === "websocket" ? "ws" : formatOf(framing);
}

/** What the answer is made of. */
export function formatOf(framing: Framing): "flv" | RemuxTap {
  return framing.kind === "websocket" ? "flv" : (framing.format ?? "flv");
}

/** The head of the answer, and the file header behind it. */
export function openingOf(framing: Framing, headers: Headers, hasAudio: boolean, hasVideo: boolean): Buffer {
  const head = Buffer.from(headOf(framing, headers), "latin1");
  if (framing.kind === "websocket") return Buffer.concat([head, webSocketStart(hasAudio, hasVideo)]);
  if (framing.format !== undefined) return head; // such a stream has no beginning of its own
  return Buffer.concat([head, bodyOf(framing, flvStart(hasAudio, hasVideo))]);
}

/** A batch of the fan-out as it is written. */
export function bodyOf({ kind }: Framing, bytes: Buffer): Buffer {
  return kind === "bare" ? withoutFraming(bytes) : bytes;
}

/** What says that nothing follows; null where only the end of the connection does. */
export function endingOf({ kind }: Framing): Buffer | null {
  if (kind === "websocket") return goingAway;
  return kind === "chunked" ? lastChunk : null;
}

const lastChunk = Buffer.from("0\r\n\r\n");
const goingAway = closeFrame(1001);

function headOf(framing: Framing, headers: Headers): string {
  if (framing.kind !== "websocket") return headText("200 OK", streamHeaders(headers, framing.kind === "chunked", framing.format));
  return headText("101 Switching Protocols", {
    ...headers,
    Upgrade: "websocket",
    Connection: "Upgrade",
    "Sec-WebSocket-Accept": framing.accept,
  });
}
