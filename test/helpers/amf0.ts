// AMF0 for the tests' own RTMP client: written from the specification alone, so that a mistake of the server's codec is not
// made twice. Strict: what the server sends must be well formed to the last byte.

/** Values of commands. `undefined` is AMF's own undefined; an ECMA array reads as an object. */
export type Amf = number | boolean | string | null | undefined | readonly Amf[] | { readonly [key: string]: Amf };

export function encodeAmf(...values: readonly Amf[]): Buffer {
  return Buffer.concat(values.map(encodeOne));
}

/** Every value in the payload. Throws when anything is cut short or unknown. */
export function decodeAmf(payload: Buffer): Amf[] {
  const values: Amf[] = [];
  let at = 0;
  while (at < payload.length) {
    const [value, next] = decodeOne(payload, at);
    values.push(value);
    at = next;
  }
  return values;
}

export function asObject(value: Amf): Readonly<Record<string, Amf>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error(`not an object: ${JSON.stringify(value)}`);
  return value as Record<string, Amf>;
}

function encodeOne(value: Amf): Buffer {
  if (value === null) return Buffer.of(5);
  if (value === undefined) return Buffer.of(6);
  if (typeof value === "boolean") return Buffer.of(1, value ? 1 : 0);
  if (typeof value === "number") {
    const out = Buffer.alloc(9);
    out.writeDoubleBE(value, 1);
    return out;
  }
  if (typeof value === "string") return Buffer.concat([Buffer.of(2), key(value)]);
  if (Array.isArray(value)) {
    const count = Buffer.alloc(5);
    count[0] = 10;
    count.writeUInt32BE(value.length, 1);
    return Buffer.concat([count, ...(value as readonly Amf[]).map(encodeOne)]);
  }
  const encoded = Object.entries(value).map(([name, member]) => Buffer.concat([key(name), encodeOne(member)]));
  return Buffer.concat([Buffer.of(3), ...encoded, Buffer.of(0, 0, 9)]);
}

function key(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.of(bytes.length >> 8, bytes.length & 255), bytes]);
}

function decodeOne(b: Buffer, at: number): [Amf, number] {
  const marker = b.readUInt8(at);
  switch (marker) {
    case 0:
      return [b.readDoubleBE(at + 1), at + 9];
    case 1:
      return [b.readUInt8(at + 1) !== 0, at + 2];
    case 2:
      return stringAt(b, at + 1, 2);
    case 3:
      return members(b, at + 1);
    case 5:
      return [null, at + 1];
    case 6:
      return [undefined, at + 1];
    case 8:
      return members(b, at + 5);
    case 10:
      return items(b, at + 5, b.readUInt32BE(at + 1));
    case 11:
      return [b.readDoubleBE(at + 1), at + 11];
    case 12:
      return stringAt(b, at + 1, 4);
    default:
      throw new Error(`AMF0 marker ${marker} at ${at} of ${b.toString("hex").slice(0, 200)}`);
  }
}

function stringAt(b: Buffer, at: number, width: 2 | 4): [string, number] {
  const end = at + width + b.readUIntBE(at, width);
  if (end > b.length) throw new Error(`a string runs past the end at ${at}`);
  return [b.toString("utf8", at + width, end), end];
}

function items(b: Buffer, from: number, count: number): [Amf, number] {
  const list: Amf[] = [];
  let at = from;
  for (let i = 0; i < count; i++) {
    const [value, next] = decodeOne(b, at);
    list.push(value);
    at = next;
  }
  return [list, at];
}

function members(b: Buffer, from: number): [Amf, number] {
  const object: Record<string, Amf> = {};
  let at = from;
  for (;;) {
    const [name, next] = stringAt(b, at, 2);
    if (name === "" && b.readUInt8(next) === 9) return [object, next + 1];
    [object[name], at] = decodeOne(b, next);
  }
}
