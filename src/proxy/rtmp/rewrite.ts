// Writes a server's messages for a client whose chunk reader is in another state than the server believes: it saw other
// headers, or none. What a client remembers is plain data, one header per chunk stream; the seam decides when it is the
// same as the server's. Source: Adobe RTMP 1.0 section 5.3.1.
//
//   the server's header        written as
//   ───────────────────        ──────────────────────────────────────────────────────────────────────────────
//   fmt 0                      fmt 0, the same header                                             → equal
//   fmt 1, 2, 3                as it is, where all that it leaves out is what the client remembers → equal
//                              fmt 1 with the same difference, where time and stream id agree      → equal
//                              fmt 0 with the time that it comes to                                → equal but for the difference
//
// So a chunk stream is equal after two messages at the latest, whatever its server leaves out.
import { extendedFrom } from "../../codec/rtmp/chunk-writer.js";
import type { ChunkHeader } from "../../codec/rtmp/chunk-stream.js";

/** What a client's chunk reader remembers of one chunk stream. */
interface Remembered extends ChunkHeader {
  /** Whether it was ever given a difference other than 0: some readers still go by the last one behind a fmt 0. */
  readonly hasMoved: boolean;
}

/** What a client's chunk reader remembers, by chunk stream. */
export type Memory = Map<number, Remembered>;

/** A client's memory from the headers that its reader has seen. */
export function memoryOf(headers: readonly ChunkHeader[]): Memory {
  return new Map(headers.map((header) => [header.csid, { ...header, hasMoved: header.isDifference && header.field !== 0 }]));
}

/** Whether a client takes any next chunk of this chunk stream as the server means it. */
export function isEqual(memory: Memory, server: ChunkHeader): boolean {
  const client = memory.get(server.csid);
  return (
    client !== undefined &&
    client.timestamp === server.timestamp &&
    isSameField(client, server) &&
    client.length === server.length &&
    client.type === server.type &&
    client.streamId === server.streamId &&
    // a reader that has learnt one habit of extended timestamps may not understand the other
    (client.repeatsExtended === null || client.repeatsExtended === server.repeatsExtended)
  );
}

/**
 * Writes one message as new bytes and notes in `memory` what the client remembers of it. `header` is what the server's side
 * stands at behind the message, `fmt` how the message began there, `chunkSize` what the client knows.
 */
export function rewrite(memory: Memory, payload: Buffer, header: ChunkHeader, fmt: number, chunkSize: number): Buffer {
  const client = memory.get(header.csid);
  const form = shortestForm(client, header, fmt);
  const isMoved = form === 0 && fmt !== 0; // the server wrote a difference, the client gets the time
  const field = isMoved ? header.timestamp : header.field;
  const isExtended = isMoved ? field >= extendedFrom : header.isExtended;
  const repeats = client?.repeatsExtended ?? header.repeatsExtended ?? true;
  const basic = basicHeader(header.csid);
  const tail = Buffer.alloc(isExtended ? 4 : 0);
  if (isExtended) tail.writeUInt32BE(field);

  const parts = [withFmt(basic, form), messageHeader(form, isExtended ? extendedFrom : field, header)];
  if (form < 3 || repeats) parts.push(tail);
  for (let at = 0; at < payload.length || at === 0; at += chunkSize) {
    if (at > 0) {
      parts.push(withFmt(basic, 3));
      if (repeats) parts.push(tail);
    }
    parts.push(payload.subarray(at, at + chunkSize));
  }
  const showsHabit = isExtended && (form === 3 || payload.length > chunkSize);
  memory.set(header.csid, {
    ...header,
    field,
    isExtended,
    isDifference: form === 0 ? false : header.isDifference,
    hasMoved: (client?.hasMoved ?? false) || (form !== 0 && header.isDifference && field !== 0),
    repeatsExtended: showsHabit ? repeats : (client?.repeatsExtended ?? null),
  });
  return Buffer.concat(parts);
}

/** The fmt that says the message to this client, at most as short as the server's own. */
function shortestForm(client: Remembered | undefined, header: ChunkHeader, fmt: number): number {
  if (fmt === 0 || client === undefined || client.streamId !== header.streamId) return 0;
  if ((client.timestamp + header.field) >>> 0 !== header.timestamp) return 0;
  const isSameShape = client.length === header.length && client.type === header.type;
  if (fmt === 3 && isSameShape && isSameField(client, header)) return 3;
  if (!header.isDifference) return 0; // fmt 3 behind fmt 0: readers do not agree on what it means
  return fmt === 2 && isSameShape ? 2 : 1;
}

/** Whether a fmt 3 behind either header moves the time by the same. 0 is 0, as a time and as a difference. */
function isSameField(client: Remembered, server: ChunkHeader): boolean {
  const isSameKind = client.isDifference === server.isDifference || (client.field === 0 && !client.hasMoved);
  return client.field === server.field && isSameKind && client.isExtended === server.isExtended;
}

function messageHeader(form: number, time: number, { length, type, streamId }: ChunkHeader): Buffer {
  const bytes = Buffer.alloc(11);
  bytes.writeUIntBE(time, 0, 3);
  bytes.writeUIntBE(length, 3, 3);
  bytes[6] = type;
  bytes.writeUInt32LE(streamId, 7);
  return bytes.subarray(0, [11, 7, 3, 0][form]);
}

/** The basic header (section 5.3.1.1) of fmt 0. */
function basicHeader(csid: number): Buffer {
  if (csid < 64) return Buffer.of(csid);
  if (csid < 320) return Buffer.of(0, csid - 64);
  return Buffer.of(1, (csid - 64) & 0xff, (csid - 64) >>> 8);
}

function withFmt(basic: Buffer, fmt: number): Buffer {
  const bytes = Buffer.from(basic);
  bytes[0] = bytes[0]! | (fmt << 6);
  return bytes;
}
