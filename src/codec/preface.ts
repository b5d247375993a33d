// What a proxy writes before a client's first byte to tell who the client is: the PROXY protocol as text (version 1) or binary
// (version 2), or SRS's own prefix. Pure: bytes in, values out, and the reverse. Whose word counts is the caller's to decide.
//
//   v1    PROXY TCP4 192.0.2.1 192.0.2.2 50000 1935\r\n          haproxy.org, proxy-protocol.txt, 2020/03/05, section 2.1
//   v2    signature(12) version and command(1) family(1) length(2) addresses, additions             the same, section 2.2
//   srs   F3 length(2) address(4) …                              the client's IPv4 address and no port; SRS, RTMP alone
import { DolphinError } from "../base/errors.js";
import { addressBytes, addressText, canonicalAddress, type SocketAddress } from "./ip-address.js";

export type PrefaceForm = "v1" | "v2" | "srs";

export interface Preface {
  /** Null where none is named, as by `LOCAL` and `UNKNOWN`: the connection speaks for itself. */
  readonly client: SocketAddress | null;
  /** Where the client connected to. */
  readonly local: SocketAddress | null;
  /** What follows is the client's; 0: the bytes begin with no preface. */
  readonly sizeBytes: number;
}

/** The most that one preface may take; larger ones are refused before they are read. */
export const maxPrefaceBytes = 4096;

/** The longest line of version 1, with its CRLF. */
const maxTextBytes = 107;
const textSignature = Buffer.from("PROXY ");
const signature = Buffer.from("0d0a0d0a000d0a515549540a", "hex");
const fixedBytes = 16;
const sizeOfFamily: Readonly<Record<number, number>> = { 1: 4, 2: 16 };
const srsSignature = Buffer.of(0xf3);
/** SRS's own bounds of the length. */
const leastSrsBytes = 4;
const mostSrsBytes = 1024;

const readers = [
  [textSignature, readText],
  [signature, readBinary],
  [srsSignature, readSrs],
] as const;

/** Reads the preface at the front of what has come so far; null: more bytes are needed. Throws PROXY_HEADER. */
export function readPreface(bytes: Buffer): Preface | null {
  for (const [start, read] of readers) {
    const length = Math.min(bytes.length, start.length);
    if (bytes.compare(start, 0, length, 0, length) !== 0) continue;
    return length < start.length ? null : read(bytes);
  }
  return { client: null, local: null, sizeBytes: 0 };
}

/**
 * Writes a preface for a server that asks for one. It always has a length, so that nobody can put one of his own in its place:
 * addresses of two families are told as unknown, and as 0.0.0.0 what SRS's form cannot say.
 */
export function writePreface(form: PrefaceForm, client: SocketAddress, local: SocketAddress): Buffer {
  const [fromHost, toHost] = [canonicalAddress(client.host), canonicalAddress(local.host)];
  const [from, to] = [addressBytes(fromHost), addressBytes(toHost)];
  if (form === "srs") return Buffer.concat([srsSignature, Buffer.of(0, 4), from?.length === 4 ? from : Buffer.alloc(4)]);
  const isKnown = from !== null && to !== null && from.length === to.length;
  if (form === "v1") {
    if (!isKnown) return Buffer.from("PROXY UNKNOWN\r\n");
    return Buffer.from(`PROXY TCP${from.length === 4 ? 4 : 6} ${fromHost} ${toHost} ${client.port} ${local.port}\r\n`);
  }
  if (!isKnown) return Buffer.concat([signature, Buffer.of(0x21, 0x00, 0, 0)]);
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(client.port, 0);
  ports.writeUInt16BE(local.port, 2);
  const head = Buffer.of(0x21, from.length === 4 ? 0x11 : 0x21, 0, 2 * from.length + ports.length);
  return Buffer.concat([signature, head, from, to, ports]);
}

function readText(bytes: Buffer): Preface | null {
  const end = bytes.subarray(0, maxTextBytes).indexOf("\r\n");
  if (end < 0) {
    if (bytes.length >= maxTextBytes) throw broken("its line is longer than 107 bytes");
    return null;
  }
  const sizeBytes = end + 2;
  const words = bytes.toString("latin1", 0, end).split(" ");
  if (words[1] === "UNKNOWN") return { client: null, local: null, sizeBytes };
  const [, family, from = "", to = "", fromPort = "", toPort = ""] = words;
  const size = family === "TCP4" ? 4 : family === "TCP6" ? 16 : 0;
  const isAddress = (text: string): boolean => addressBytes(text)?.length === size;
  if (words.length !== 6 || !isAddress(from) || !isAddress(to)) throw broken("its line is not as it must be");
  return {
    client: { host: canonicalAddress(from), port: portOf(fromPort) },
    local: { host: canonicalAddress(to), port: portOf(toPort) },
    sizeBytes,
  };
}

function portOf(text: string): number {
  if (!/^(?:0|[1-9]\d{0,4})$/.test(text) || Number(text) > 65_535) throw broken("a port is not a number up to 65535");
  return Number(text);
}

/** The additions (TLVs) behind the addresses are skipped. */
function readBinary(bytes: Buffer): Preface | null {
  if (bytes.length < fixedBytes) return null;
  const command = bytes.readUInt8(12);
  if (command >> 4 !== 2 || (command & 0xf) > 1) throw broken("its version or command is unknown");
  const sizeBytes = fixedBytes + bytes.readUInt16BE(14);
  if (sizeBytes > maxPrefaceBytes) throw broken(`it is longer than ${maxPrefaceBytes} bytes`);
  if (bytes.length < sizeBytes) return null;
  const kind = bytes.readUInt8(13);
  const size = sizeOfFamily[kind >> 4];
  // LOCAL is the balancer's own check; of other families and transports than TCP nothing can be told.
  if ((command & 0xf) === 0 || size === undefined || (kind & 0xf) !== 1) return { client: null, local: null, sizeBytes };
  const portsAt = fixedBytes + 2 * size;
  if (sizeBytes < portsAt + 4) throw broken("its addresses are cut off");
  return {
    client: { host: addressText(bytes.subarray(fixedBytes, fixedBytes + size)), port: bytes.readUInt16BE(portsAt) },
    local: { host: addressText(bytes.subarray(fixedBytes + size, portsAt)), port: bytes.readUInt16BE(portsAt + 2) },
    sizeBytes,
  };
}

function readSrs(bytes: Buffer): Preface | null {
  if (bytes.length < 3) return null;
  const length = bytes.readUInt16BE(1);
  if (length < leastSrsBytes || length > mostSrsBytes) throw broken(`a length of ${length} is not one of SRS's prefix`);
  const sizeBytes = 3 + length;
  if (bytes.length < sizeBytes) return null;
  const host = addressText(bytes.subarray(3, 7));
  return { client: host === "0.0.0.0" ? null : { host, port: 0 }, local: null, sizeBytes };
}

function broken(why: string): DolphinError {
  return new DolphinError("PROXY_HEADER", `the header that tells who the client is cannot be read: ${why}`);
}
