// A recording as FLV: the messages as they were published, and a description in front in which length, size and an index of key frames
// are filled in at the end. It is readable at any moment, so whoever finds one that was left cuts it behind its last whole tag and goes on, or ends it.
// Source: Adobe FLV 10.1 annex E.
import { closeSync, fstatSync, openSync, readSync, renameSync } from "node:fs";
import { open, rename, rm, stat } from "node:fs/promises";
import type { DolphinError } from "../../base/errors.js";
import { beforeFirst, packetKey } from "../../base/position.js";
import { signature } from "../../base/version.js";
import { flvHeader, tagOverhead, writeTag } from "../../codec/flv.js";
import { asObject, decodeAmf, ecmaArray, encodeAmf, type AmfObject } from "../../codec/rtmp/amf0.js";
import { messageType } from "../../codec/rtmp/message.js";
import { makePacket, type Packet } from "../../stream/packet.js";
import { addToIndex, indexMembers, makeIndex, type KeyFrameIndex } from "./flv-index.js";
import { FileWriter } from "./file-writer.js";
import type { Ended, LeftOff, Recording } from "./recording.js";

const fileHeadBytes = 13;
const tagHeadBytes = 11;
const backBytes = 4;
/** Of a frame, what tells its kind. */
const kindBytes = 8;
/** How much of a file is read at once. */
const readBytes = 1 << 20;

export interface FlvOptions {
  /** The name that it will have. */
  readonly path: string;
  /** What describes the stream, metadata first. */
  readonly headers: readonly Packet[];
  readonly hasAudio: boolean;
  readonly hasVideo: boolean;
  readonly onError: (error: DolphinError) => void;
  /** Where one that was left goes on; null: it begins. */
  readonly leftOff: LeftOff | null;
}

export class FlvRecording implements Recording {
  private readonly path: string;
  private readonly file: FileWriter;
  private durationMs: number;
  private hasFrames: boolean;

  constructor({ path, headers, hasAudio, hasVideo, onError, leftOff }: FlvOptions) {
    this.path = path;
    this.durationMs = leftOff?.durationMs ?? 0;
    this.hasFrames = leftOff !== null && leftOff.position !== null;
    this.file = new FileWriter(temporaryOf(path), onError, leftOff?.keptBytes ?? null);
    if (leftOff !== null) return;
    this.file.append(flvHeader(hasAudio, hasVideo));
    const metadata = headers.find(({ type }) => type === messageType.data);
    this.append(messageType.data, 0, describe(metadata?.payload ?? null, { durationMs: 0, sizeBytes: 0, index: makeIndex() }));
    for (const { type, payload } of headers) if (type !== messageType.data) this.append(type, 0, payload);
  }

  get hasFailed(): boolean {
    return this.file.hasFailed;
  }

  get sizeBytes(): number {
    return this.file.sizeBytes;
  }

  fits(): boolean {
    return true;
  }

  write({ type, payload, isHeader }: Packet, timeMs: number): void {
    if (!isHeader) {
      this.durationMs = Math.max(this.durationMs, timeMs);
      this.hasFrames ||= type !== messageType.data;
    }
    this.append(type, timeMs, payload);
  }

  async sync(): Promise<void> {
    await this.file.sync();
  }

  leave(): Promise<void> {
    return this.file.close();
  }

  async finish(): Promise<Ended | null> {
    await this.file.close();
    if (!this.hasFrames) {
      await rm(temporaryOf(this.path), { force: true });
      return null;
    }
    return finishFlv(this.path);
  }

  private append(type: number, timeMs: number, payload: Buffer): void {
    const out = Buffer.allocUnsafe(payload.length + tagOverhead);
    writeTag(out, 0, type, timeMs, payload);
    this.file.append(out);
  }
}

/** The name of a recording while it grows. */
export function temporaryOf(path: string): string {
  return `${path}.tmp`;
}

/** Finds the last whole tag of a file that was left, looking from a place where one ends (0: from the beginning). */
export async function findFlvEnd(path: string, fromBytes = 0, baseMs = 0): Promise<LeftOff & { readonly index: KeyFrameIndex }> {
  const { size } = await stat(path);
  const handle = await open(path, "r");
  try {
    let at = Math.max(fromBytes, fileHeadBytes);
    let durationMs = 0;
    let position: LeftOff["position"] = null;
    const index = makeIndex();
    const window = { from: 0, bytes: Buffer.alloc(0) as Buffer };
    const read = async (from: number, count: number): Promise<Buffer> => {
      if (from < window.from || from + count > window.from + window.bytes.length) {
        const bytes = Buffer.allocUnsafe(Math.max(readBytes, count));
        const { bytesRead } = await handle.read(bytes, 0, bytes.length, from);
        window.from = from;
        window.bytes = bytes.subarray(0, bytesRead);
      }
      return window.bytes.subarray(from - window.from, from - window.from + count);
    };
    while (at + tagHeadBytes + backBytes <= size) {
      const head = await read(at, tagHeadBytes);
      const [type = 0] = head;
      const payloadBytes = head.readUIntBE(1, 3);
      const end = at + tagHeadBytes + payloadBytes + backBytes;
      if (![8, 9, 18].includes(type) || end > size) break;
      const back = await read(end - backBytes, backBytes);
      if (back.readUInt32BE(0) !== tagHeadBytes + payloadBytes) break;
      const timeMs = head.readUIntBE(4, 3) + head[7]! * 0x1000000;
      if (type !== messageType.data) {
        position = { timestamp: (timeMs + baseMs) >>> 0, packet: packetKey(type, payloadBytes) };
        durationMs = timeMs;
      }
      if (type === messageType.video) {
        const { isKeyFrame, isHeader } = makePacket(type, 0, await read(at + tagHeadBytes, Math.min(kindBytes, payloadBytes)));
        if (isKeyFrame || isHeader) addToIndex(index, { timeMs, at, isHeader });
      }
      at = end;
    }
    return { keptBytes: Math.min(at, size), position, durationMs, index };
  } finally {
    await handle.close();
  }
}

/** Takes a finished file up again, to add to it; null: there is none, or it is no such file. */
export function takeFlv(path: string): LeftOff | null {
  try {
    const found = flvEndSync(path);
    if (found !== null) renameSync(path, temporaryOf(path));
    return found;
  } catch {
    return null;
  }
}

/** Where a finished file ends and how long it lasts: its last tag tells, found by the number behind it. */
function flvEndSync(path: string): LeftOff | null {
  const file = openSync(path, "r");
  try {
    const { size } = fstatSync(file);
    const read = (at: number, count: number): Buffer => {
      const bytes = Buffer.alloc(count);
      return bytes.subarray(0, readSync(file, bytes, 0, count, at));
    };
    if (size < fileHeadBytes + tagHeadBytes + backBytes || read(0, 3).toString("latin1") !== "FLV") return null;
    const tagBytes = read(size - backBytes, backBytes).readUInt32BE(0);
    const at = size - backBytes - tagBytes;
    if (at < fileHeadBytes) return null;
    const head = read(at, tagHeadBytes);
    if (head.readUIntBE(1, 3) + tagHeadBytes !== tagBytes) return null;
    const durationMs = head.readUIntBE(4, 3) + head[7]! * 0x1000000;
    return { keptBytes: size, position: beforeFirst, durationMs };
  } finally {
    closeSync(file);
  }
}

/** Ends a file behind its last whole tag: with its length, size and key frames, under its own name; null: it has none. */
export async function finishFlv(path: string): Promise<Ended | null> {
  const { keptBytes, durationMs, index, position } = await findFlvEnd(temporaryOf(path));
  if (position === null) {
    await rm(temporaryOf(path), { force: true });
    return null;
  }
  const handle = await open(temporaryOf(path), "r+");
  try {
    await handle.truncate(keptBytes);
    const head = Buffer.alloc(tagHeadBytes);
    await handle.read(head, 0, head.length, fileHeadBytes);
    const payload = Buffer.alloc(Math.max(0, Math.min(head.readUIntBE(1, 3), keptBytes - fileHeadBytes - tagHeadBytes)));
    await handle.read(payload, 0, payload.length, fileHeadBytes + tagHeadBytes);
    const described = describe(payload, { durationMs, sizeBytes: keptBytes, index });
    // It has kept its length unless it is no description of ours: then it stays as it is.
    if (head[0] === messageType.data && described.length === payload.length)
      await handle.write(described, 0, described.length, fileHeadBytes + tagHeadBytes);
  } finally {
    await handle.close();
  }
  await rename(temporaryOf(path), path);
  return { path, durationMs, sizeBytes: keptBytes };
}

interface Described {
  readonly durationMs: number;
  readonly sizeBytes: number;
  readonly index: KeyFrameIndex;
}

/** The stream's own description, and what is known of the file, in as many bytes whatever that is. */
function describe(metadata: Buffer | null, { durationMs, sizeBytes, index }: Described): Buffer {
  let told: AmfObject = {};
  try {
    told = metadata === null ? {} : (asObject(decodeAmf(metadata)[1]) ?? {});
  } catch {
    told = {}; // what we cannot read stands in no file
  }
  const kept = Object.fromEntries(Object.entries(told).filter(([name]) => !ownMembers.has(name)));
  const own = { service: signature, ...indexMembers(index), duration: durationMs / 1000, filesize: sizeBytes };
  return encodeAmf("onMetaData", ecmaArray({ ...kept, ...own }));
}

const ownMembers: ReadonlySet<string> = new Set([
  "service",
  "duration",
  "filesize",
  ...Object.keys({ ...indexMembers(makeIndex()), keyframes: 0, lastkeyframetimestamp: 0, lastkeyframelocation: 0 }),
]);
