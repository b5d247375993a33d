// AMF0 values ↔ bytes: what commands and metadata are written in. Decoding is bounded in depth and in nodes, never
// trusts a count or a length, and skips what it knows but has no use for, so that a strange client is served and a
// hostile one costs nothing. Source: Adobe "Action Message Format – AMF 0", section 2.
import { DolphinError } from "../../base/errors.js";

/** What a decoded value can be. Objects have no prototype, so no name in them is special. */
export type AmfValue = number | boolean | string | null | undefined | AmfObject | readonly AmfValue[] | EcmaArray;
export interface AmfObject {
  readonly [name: string]: AmfValue;
}

/** An ECMA array: an object that is written with the array marker, as metadata is. */
export interface EcmaArray {
  readonly [ecma]: AmfObject;
}
const ecma = Symbol("ecma array"); // a symbol, because every text is a name that a peer may send

/** Deepest nesting that is read. */
export const maxDepth = 16;
/** Most values that are read from one message. */
export const maxNodes = 4096;

const marker = {
  number: 0,
  boolean: 1,
  string: 2,
  object: 3,
  movieclip: 4,
  null: 5,
  undefined: 6,
  reference: 7,
  ecmaArray: 8,
  objectEnd: 9,
  strictArray: 10,
  date: 11,
  longString: 12,
  unsupported: 13,
  recordset: 14,
  xml: 15,
  typedObject: 16,
  amf3: 17,
} as const;

interface Cursor {
  readonly bytes: Buffer;
  at: number;
  nodes: number;
}

/**
 * Decodes all values of a message body. An AMF3 value (marker 17) ends the list: what follows is opaque to us.
 * Throws RTMP_AMF for truncated, too deep or too large input and for markers that AMF0 does not have.
 */
export function decodeAmf(bytes: Buffer): AmfValue[] {
  const cursor: Cursor = { bytes, at: 0, nodes: 0 };
  const values: AmfValue[] = [];
  while (cursor.at < bytes.length && bytes[cursor.at] !== marker.amf3) values.push(readValue(cursor, 0));
  return values;
}

/** Whether a value is an object with names, of either kind, and its names if so. */
export function asObject(value: AmfValue): AmfObject | null {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  return isEcma(value) ? value[ecma] : (value as AmfObject);
}

/** Makes an object one that is written as an ECMA array. */
export function ecmaArray(members: AmfObject): EcmaArray {
  return { [ecma]: members };
}

function isEcma(value: object): value is EcmaArray {
  return ecma in value;
}

function readValue(cursor: Cursor, depth: number): AmfValue {
  if (depth > maxDepth) throw new DolphinError("RTMP_AMF", `values are nested deeper than ${maxDepth}`);
  if (++cursor.nodes > maxNodes) throw new DolphinError("RTMP_AMF", `more than ${maxNodes} values in one message`);
  const { bytes } = cursor;
  const kind = bytes[take(cursor, 1)]!;
  switch (kind) {
    case marker.number:
      return bytes.readDoubleBE(take(cursor, 8));
    case marker.boolean:
      return bytes[take(cursor, 1)] !== 0;
    case marker.string:
      return readText(cursor, bytes.readUInt16BE(take(cursor, 2)));
    case marker.longString:
    case marker.xml:
      return readText(cursor, bytes.readUInt32BE(take(cursor, 4)));
    case marker.object:
      return readMembers(cursor, depth);
    case marker.typedObject:
      readText(cursor, bytes.readUInt16BE(take(cursor, 2)));
      return readMembers(cursor, depth);
    case marker.ecmaArray:
      take(cursor, 4); // the count is a hint that encoders get wrong; the end marker decides
      return ecmaArray(readMembers(cursor, depth));
    case marker.strictArray: {
      const count = bytes.readUInt32BE(take(cursor, 4));
      const values: AmfValue[] = [];
      for (let i = 0; i < count; i++) values.push(readValue(cursor, depth + 1)); // bounded by nodes and bytes
      return values;
    }
    case marker.date: {
      const time = bytes.readDoubleBE(take(cursor, 8));
      take(cursor, 2);
      return time;
    }
    case marker.null:
      return null;
    case marker.undefined:
    case marker.unsupported:
      return undefined;
    case marker.reference:
      take(cursor, 2);
      return undefined;
    default:
      throw new DolphinError("RTMP_AMF", `unknown AMF0 marker ${kind} at byte ${cursor.at - 1}`);
  }
}

function readMembers(cursor: Cursor, depth: number): AmfObject {
  const members = Object.create(null) as Record<string, AmfValue>;
  for (;;) {
    const name = readText(cursor, cursor.bytes.readUInt16BE(take(cursor, 2)));
    if (name === "" && cursor.bytes[cursor.at] === marker.objectEnd) {
      cursor.at += 1;
      return members;
    }
    members[name] = readValue(cursor, depth + 1);
  }
}

function readText(cursor: Cursor, length: number): string {
  const at = take(cursor, length);
  return cursor.bytes.toString("utf8", at, at + length);
}

/** Moves over `count` bytes and returns where they begin. */
function take(cursor: Cursor, count: number): number {
  const at = cursor.at;
  if (count > cursor.bytes.length - at) throw new DolphinError("RTMP_AMF", `the message ends inside a value at byte ${at}`);
  cursor.at = at + count;
  return at;
}

/** Memory of this size stays for the next values; longer ones are rare. */
const draftBytes = 4096;
/** What is written, until its length is known. A buffer of its own for each value would cost more than all else of an answer. */
let draft = Buffer.allocUnsafeSlow(draftBytes);
let end = 0;

/** Encodes values into new memory, in order. */
export function encodeAmf(...values: readonly AmfValue[]): Buffer {
  end = 0;
  for (const value of values) writeValue(value);
  const encoded = Buffer.from(draft.subarray(0, end));
  if (draft.length > draftBytes) draft = Buffer.allocUnsafeSlow(draftBytes);
  return encoded;
}

function writeValue(value: AmfValue): void {
  if (value === undefined) writeByte(marker.undefined);
  else if (value === null) writeByte(marker.null);
  else if (typeof value === "boolean") {
    writeByte(marker.boolean);
    writeByte(value ? 1 : 0);
  } else if (typeof value === "number") {
    writeByte(marker.number);
    const at = room(8);
    draft.writeDoubleBE(value, at);
  } else if (typeof value === "string") {
    const bytes = Buffer.byteLength(value);
    writeByte(bytes > 0xffff ? marker.longString : marker.string);
    if (bytes > 0xffff) writeUint32(bytes);
    else writeUint16(bytes);
    writeText(value, bytes);
  } else if (Array.isArray(value)) {
    writeByte(marker.strictArray);
    writeUint32(value.length);
    for (const item of value as readonly AmfValue[]) writeValue(item);
  } else {
    const members = asObject(value) ?? {};
    writeByte(isEcma(value) ? marker.ecmaArray : marker.object);
    if (isEcma(value)) writeUint32(Object.keys(members).length);
    for (const [name, member] of Object.entries(members)) {
      const bytes = Buffer.byteLength(name);
      writeUint16(bytes);
      writeText(name, bytes);
      writeValue(member);
    }
    writeUint16(0);
    writeByte(marker.objectEnd);
  }
}

function writeByte(value: number): void {
  const at = room(1);
  draft[at] = value;
}

function writeUint16(value: number): void {
  const at = room(2);
  draft.writeUInt16BE(value & 0xffff, at);
}

function writeUint32(value: number): void {
  const at = room(4);
  draft.writeUInt32BE(value, at);
}

function writeText(text: string, bytes: number): void {
  const at = room(bytes);
  draft.write(text, at);
}

/** Takes the next bytes of the draft, which may be another one then, and returns where they begin. */
function room(bytes: number): number {
  const at = end;
  end += bytes;
  if (end > draft.length) {
    const longer = Buffer.allocUnsafeSlow(Math.max(end, 2 * draft.length));
    draft.copy(longer, 0, 0, at);
    draft = longer;
  }
  return at;
}
