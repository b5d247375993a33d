// IP addresses: the text that people and headers write ↔ the 4 or 16 bytes that binary headers carry. Pure, unlike
// node:net, which codecs do without.

/** An address and a port, as `Endpoint` of the configuration has them; port 0: not told. */
export interface SocketAddress {
  /** Numeric; IPv6 stands without brackets. */
  readonly host: string;
  readonly port: number;
}

/** The 4 bytes of an IPv4 address, the 16 of an IPv6 one (without a zone), or null for what is neither. */
export function addressBytes(text: string): Buffer | null {
  return text.includes(":") ? bytesOfV6(text) : bytesOfV4(text);
}

/** The text of 4 or 16 bytes; of IPv6 the longest run of zeros is left out, as RFC 5952 has it. */
export function addressText(bytes: Buffer): string {
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

/** An IPv4 peer of an IPv6 socket is `::ffff:192.0.2.1`, and a link-local one may carry its zone: the address without either. */
export function plainAddress(host: string): string {
  return (/^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(host)?.[1] ?? host).replace(/%.*$/, "");
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
