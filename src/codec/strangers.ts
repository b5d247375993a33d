// What somebody speaks who has come to the wrong port, told by the first bytes, so that the sentence that turns him away names it:
// TLS, HTTP, RTMP, or a header that tells who the client is, from a peer who may not say so. Pure.
import { DolphinError } from "../base/errors.js";
import type { SocketAddress } from "./ip-address.js";
import { readPreface, type Preface } from "./preface.js";

/** The protocol that bytes begin as; null for none of these. */
export function protocolOf(bytes: Buffer): "TLS" | "HTTP" | "RTMP" | null {
  if (bytes[0] === 3) return "RTMP"; // C0 (RTMP 1.0, section 5.2.2)
  if (bytes[0] === 0x16 && (bytes[1] ?? 3) === 3) return "TLS"; // a handshake record of any version (RFC 8446, section 5.1)
  return /^[A-Z]{3,16} \S/.test(bytes.toString("latin1", 0, 32)) ? "HTTP" : null;
}

/** A whole preface at the front of bytes, or null. */
export function prefaceIn(bytes: Buffer): Preface | null {
  try {
    const preface = readPreface(bytes);
    return preface === null || preface.sizeBytes === 0 ? null : preface;
  } catch (thrown) {
    if (thrown instanceof DolphinError) return null; // it begins like one, and is none
    throw thrown;
  }
}

/** Whether a preface names nobody but its own sender, as those of balancers' checks do. */
export function isOwnCheck({ client }: Preface, peer: SocketAddress): boolean {
  return client === null || (client.host === peer.host && client.port === peer.port);
}

/** For a peer who names a client and may not. */
export function untrustedPreface({ client }: Preface): DolphinError {
  const whom = client === null ? "nobody" : `${client.host} as the client`;
  const sentence = `a header came that names ${whom} (PROXY protocol or SRS's prefix), and its sender is not in trusted_proxies`;
  return new DolphinError("PROXY_HEADER", sentence);
}

/**
 * For a request that node:http cannot read: the status to answer with, and the error to tell. `errno` is node's, `bytes` are those
 * that it stumbled over, behind a preface that its sender may not send where `stray` is one.
 */
export function unreadableRequest(
  errno: string,
  bytes: Buffer,
  stray: Preface | null,
): { readonly status: string; readonly error: DolphinError } {
  if (stray !== null) return { status: "400 Bad Request", error: untrustedPreface(stray) };
  const told = (status: string, sentence: string) => ({ status, error: new DolphinError("FLV_REQUEST", sentence) });
  if (errno === "HPE_HEADER_OVERFLOW") return told("431 Request Header Fields Too Large", "the headers of a request are too long");
  if (errno === "ERR_HTTP_REQUEST_TIMEOUT") return told("408 Request Timeout", "the headers of a request did not come in time");
  const protocol = protocolOf(bytes);
  if (protocol === "TLS") return told("400 Bad Request", "it begins as TLS does (https), and this port speaks HTTP without TLS");
  if (protocol === "RTMP") return told("400 Bad Request", "it begins as RTMP does, and this port speaks HTTP");
  return told("400 Bad Request", `what came is no request of HTTP (${errno})`);
}
