// IP addresses: the text that people and headers write ↔ the 4 or 16 bytes that binary headers carry. Pure, unlike
// node:net, which codecs do without.

/** An address and a port, as `Endpoint` of the configuration has them; port 0: not told. */
export interface SocketAddress {
  /** Numeric, as {@link addressText} writes it; IPv6 stands without brackets. */
  readonly host: string;
  readonly port: number;
}

/** What stands before the 4 bytes of an IPv4 address in one of IPv6 (RFC 4291, section 2.5.5.2). */
const mappedPrefix = Buffer.from("00000000000000000000ffff", "hex");

/** The 4 bytes of an IPv4 address, the 16 of an IPv6 one (without a zone), or null for what is neither. */
export function addressBytes(text: string): Buffer | null {
  return text.includes(":") ? bytesOfV6(text) : bytesOfV4(text);
}

/**
 * The one text of 4 or 16 bytes: of IPv6 the longest run of zeros is left out, as RFC 5952 has it, and an IPv4 address that is
 * written as one of IPv6 (`::ffff:192.0.2.1`, as a socket for both families tells it) is IPv4.
 */
export function addressText(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join(".");
  if (bytes.indexOf(mappedPrefix) === 0) return bytes.subarray(mappedPrefix.length).join(".");
  const text = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(2 * i).toString(16)).join(":");
  let at = 0;
  let longest = "";
  for (const { index, 0: zeros } of text.matchAll(/\b0(?::0)+\b/g)) {
    if (zeros.length > longest.length) [at, longest] = [index, zeros];
  }
  if (longest === "") return text;
  return `${text.slice(0, at).replace(/:$/, "")}::${text.slice(at + longest.length).replace(/^:/, "")}`;
}

/** The one text of an address, however it is written and without the zone of a link-local one; what is no address stays as it is. */
export function canonicalAddress(text: string): string {
  if (!/[:%]/.test(text)) return text; // IPv4 is written in one way only
  const bytes = addressBytes(text.replace(/%.*$/, ""));
  return bytes === null ? text : addressText(bytes);
}

/** Why a connection without a peer is closed. */
export const goneBefore = "the peer had gone before the connection was accepted";

/**
 * Who is on the other end of a socket: to be asked when it is accepted, for later the system may have forgotten. Null: the peer has
 * gone already, and nobody is there to be told or told of.
 */
export function peerAddress(socket: {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
}): SocketAddress | null {
  const { remoteAddress, remotePort } = socket;
  return remoteAddress === undefined ? null : { host: canonicalAddress(remoteAddress), port: remotePort ?? 0 };
}

function bytesOfV4(text: string): Buffer | null {
  const parts = text.split(".");
  const isAddress = parts.length === 4 && parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256);
  return isAddress ? Buffer.from(parts.map(Number)) : null;
}

/** Groups of 16 bits, one `::` for as many zeros as are missing, and perhaps an IPv4 address in place of the last two. */
function bytesOfV6(text: string): Buffer | null {
  const [front = "", back, ...more] = text.split("::");
  if (more.length > 0) return null;
  const before = groupsOf(front, back === undefined);
  const after = groupsOf(back ?? "", true);
  if (before === null || after === null) return null;
  const missing = 8 - before.length - after.length;
  if (back === undefined ? missing !== 0 : missing < 1) return null;
  const bytes = Buffer.alloc(16);
  for (const [i, group] of before.entries()) bytes.writeUInt16BE(group, 2 * i);
  for (const [i, group] of after.entries()) bytes.writeUInt16BE(group, 2 * (8 - after.length + i));
  return bytes;
}

function groupsOf(text: string, isLast: boolean): number[] | null {
  if (text === "") return [];
  const parts = text.split(":");
  const tail = isLast && parts.at(-1)!.includes(".") ? bytesOfV4(parts.pop()!) : Buffer.alloc(0);
  if (tail === null || !parts.every((part) => /^[\da-f]{1,4}$/i.test(part))) return null;
  const groups = parts.map((part) => Number.parseInt(part, 16));
  return tail.length === 0 ? groups : [...groups, tail.readUInt16BE(0), tail.readUInt16BE(2)];
}
