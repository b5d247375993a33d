// The PROXY protocol, by which a balancer tells who the client is: one header before the client's first byte, as text
// (version 1) or binary (version 2). Pure: bytes in, values out, and the reverse.
// Specification: haproxy.org, proxy-protocol.txt, revision 2020/03/05; sections in the comments are its own.
import { BlockList, isIP, isIPv4, isIPv6 } from "node:net";
import { DolphinError } from "../base/errors.js";
import type { Endpoint } from "../conf/config.js";
import { shorten } from "../conf/lexer.js";

/** Whom a header names; null for `LOCAL` and `UNKNOWN`, where the connection speaks for itself. */
interface ProxyHeader {
  readonly source: Endpoint | null;
  readonly destination: Endpoint | null;
}

export interface ReadHeader {
  /** Null: the bytes begin with no header. */
  readonly header: ProxyHeader | null;
  /** The header's length: what follows is the client's. */
  readonly sizeBytes: number;
}

/** The most that one header may take; larger ones are refused before they are read. */
export const maxHeaderBytes = 4096;

const nobody: ProxyHeader = { source: null, destination: null };

/** Section 2.1: the longest line of version 1, with its CRLF. */
const maxTextBytes = 107;
const textSignature = Buffer.from("PROXY ");
/** Section 2.2. */
const signature = Buffer.from("0d0a0d0a000d0a515549540a", "hex");
const fixedBytes = 16;
const addressBytes: Readonly<Record<number, number>> = { 1: 4, 2: 16 };

/** Reads the header at the front of what has come so far; null: more bytes are needed. Throws PROXY_HEADER. */
export function readProxyHeader(bytes: Buffer): ReadHeader | null {
  for (const [start, read] of [
    [textSignature, readText],
    [signature, readBinary],
  ] as const) {
    const length = Math.min(bytes.length, start.length);
    if (bytes.compare(start, 0, length, 0, length) !== 0) continue;
    return length < start.length ? null : read(bytes);
  }
  return { header: null, sizeBytes: 0 };
}

/** Writes a header for a server that asks for one. Addresses of two families, or none, are told as unknown. */
export function writeProxyHeader(version: 1 | 2, source: Endpoint | null, destination: Endpoint | null): Buffer {
  const from = source === null ? null : plain(source);
  const to = destination === null ? null : plain(destination);
  const family = from === null || to === null || isIP(from.host) !== isIP(to.host) ? 0 : isIP(from.host);
  if (version === 1) {
    if (from === null || to === null || family === 0) return Buffer.from("PROXY UNKNOWN\r\n");
    return Buffer.from(`PROXY TCP${family} ${from.host} ${to.host} ${from.port} ${to.port}\r\n`);
  }
  if (from === null || to === null || family === 0) return Buffer.concat([signature, Buffer.of(0x21, 0x00, 0, 0)]);
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(from.port, 0);
  ports.writeUInt16BE(to.port, 2);
  const addresses = Buffer.concat([bytesOf(from.host), bytesOf(to.host), ports]);
  const head = Buffer.of(0x21, family === 4 ? 0x11 : 0x21, 0, addresses.length);
  return Buffer.concat([signature, head, addresses]);
}

/** The networks whose word on the client's address counts. */
export interface TrustedNetworks {
  has(address: string): boolean;
}

/** Reads networks such as `10.0.0.0/8`, `fd00::/8` or one address. Throws CONF_VALUE. */
export function trustedNetworks(texts: readonly string[]): TrustedNetworks {
  const list = new BlockList();
  for (const text of texts) {
    const [address = "", prefix, ...more] = text.split("/");
    const bits = isIPv4(address) ? 32 : 128;
    const length = prefix === undefined ? bits : Number(prefix);
    const isWrong = isIP(address) === 0 || more.length > 0 || (prefix !== undefined && !/^\d{1,3}$/.test(prefix)) || length > bits;
    if (isWrong) throw new DolphinError("CONF_VALUE", `${shorten(text)} is not a network: write 10.0.0.0/8, fd00::/8 or an address`);
    list.addSubnet(address, length, bits === 32 ? "ipv4" : "ipv6");
  }
  return {
    has(address) {
      const host = withoutMapping(address);
      return isIP(host) !== 0 && list.check(host, isIPv4(host) ? "ipv4" : "ipv6");
    },
  };
}

/** Section 2.1: `PROXY TCP4 192.0.2.1 192.0.2.2 50000 1935\r\n`. */
function readText(bytes: Buffer): ReadHeader | null {
  const end = bytes.subarray(0, maxTextBytes).indexOf("\r\n");
  if (end < 0) {
    if (bytes.length >= maxTextBytes) throw broken("its line is longer than 107 bytes");
    return null;
  }
  const sizeBytes = end + 2;
  const words = bytes.toString("latin1", 0, end).split(" ");
  if (words[1] === "UNKNOWN") return { header: nobody, sizeBytes };
  const [, family, from = "", to = "", fromPort = "", toPort = ""] = words;
  const isFamily = family === "TCP4" ? isIPv4 : family === "TCP6" ? isIPv6 : null;
  if (words.length !== 6 || isFamily === null || !isFamily(from) || !isFamily(to)) throw broken("its line is not as it must be");
  return { header: { source: { host: from, port: portOf(fromPort) }, destination: { host: to, port: portOf(toPort) } }, sizeBytes };
}

function portOf(text: string): number {
  if (!/^(?:0|[1-9]\d{0,4})$/.test(text) || Number(text) > 65_535) throw broken("a port is not a number up to 65535");
  return Number(text);
}

/** Section 2.2: signature, version and command, family and transport, length, addresses, then TLVs that are skipped. */
function readBinary(bytes: Buffer): ReadHeader | null {
  if (bytes.length < fixedBytes) return null;
  const command = bytes.readUInt8(12);
  if (command >> 4 !== 2 || (command & 0xf) > 1) throw broken("its version or command is unknown");
  const sizeBytes = fixedBytes + bytes.readUInt16BE(14);
  if (sizeBytes > maxHeaderBytes) throw broken(`it is longer than ${maxHeaderBytes} bytes`);
  if (bytes.length < sizeBytes) return null;
  const kind = bytes.readUInt8(13);
  const length = addressBytes[kind >> 4];
  // LOCAL is the balancer's own check; of other families and transports than TCP nothing can be told.
  if ((command & 0xf) === 0 || length === undefined || (kind & 0xf) !== 1) return { header: nobody, sizeBytes };
  const portsAt = fixedBytes + 2 * length;
  if (sizeBytes < portsAt + 4) throw broken("its addresses are cut off");
  return {
    header: {
      source: { host: textOf(bytes.subarray(fixedBytes, fixedBytes + length)), port: bytes.readUInt16BE(portsAt) },
      destination: { host: textOf(bytes.subarray(fixedBytes + length, portsAt)), port: bytes.readUInt16BE(portsAt + 2) },
    },
    sizeBytes,
  };
}

function broken(why: string): DolphinError {
  return new DolphinError("PROXY_HEADER", `a PROXY protocol header cannot be read: ${why}`);
}

function plain({ host, port }: Endpoint): Endpoint {
  return { host: withoutMapping(host), port };
}

/** An IPv4 peer of an IPv6 socket is `::ffff:192.0.2.1`; a link-local address may carry its zone. */
function withoutMapping(host: string): string {
  return (/^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(host)?.[1] ?? host).replace(/%.*$/, "");
}

/** The text of 4 or 16 bytes, with the longest run of zeros left out as RFC 5952 has it. */
function textOf(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join(".");
  const text = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(2 * i).toString(16)).join(":");
  let at = 0;
  let longest = "";
  for (const { index, 0: zeros } of text.matchAll(/\b0(?::0)+\b/g)) {
    if (zeros.length > longest.length) [at, longest] = [index, zeros];
  }
  if (longest === "") return text;
  return `${text.slice(0, at).replace(/:$/, "")}::${text.slice(at + longest.length).replace(/^:/, "")}`;
}

/** The 4 or 16 bytes of an address that `isIP` takes. */
function bytesOf(host: string): Buffer {
  if (isIPv4(host)) return Buffer.from(host.split(".").map(Number));
  const tail = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(host);
  const hex = (high: string | undefined, low: string | undefined): string => (Number(high) * 256 + Number(low)).toString(16);
  const text = tail === null ? host : `${tail[1] ?? ""}${hex(tail[2], tail[3])}:${hex(tail[4], tail[5])}`;
  const [front = "", back] = text.split("::");
  const before = front === "" ? [] : front.split(":");
  const after = back === undefined || back === "" ? [] : back.split(":");
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => "0");
  const bytes = Buffer.alloc(16);
  for (const [i, group] of [...before, ...zeros, ...after].entries()) bytes.writeUInt16BE(Number.parseInt(group, 16), 2 * i);
  return bytes;
}
