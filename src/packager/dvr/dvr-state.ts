// What is remembered of a stream's recordings beyond a process: the file under way, with the packet that it began with and what describes
// its stream, and those that are finished. From it whoever follows finds what was left.
import { closeSync, existsSync, mkdirSync, openSync, unlinkSync } from "node:fs";
import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import { errnoOf } from "../../base/errors.js";
import type { Position } from "../../base/position.js";
import type { RecordingReport } from "../../ipc/lists.js";
import { makePacket, type Packet, type PacketType } from "../../stream/packet.js";
import { FrameReader } from "../media/frames.js";
import type { StreamName } from "../media/names.js";
import { findFlvEnd, temporaryOf } from "./flv-recording.js";
import { findMp4End } from "./mp4-recording.js";
import type { Ended, LeftOff } from "./recording.js";

/** A finished recording, as hooks are told of it. */
export interface FinishedRecording extends Ended {
  readonly startedAtMs: number;
}

/** The file under way, as JSON. */
export interface FileState {
  readonly path: string;
  readonly startedAtMs: number;
  /** What is taken from the stream's times, which no longer wrap. */
  readonly baseMs: number;
  /** When it begins, by the same times. */
  readonly startMs: number;
  /** Behind its first packet. */
  readonly first: Position;
  readonly headers: readonly { readonly type: PacketType; readonly payload: string }[];
}

export interface DvrState extends StreamName {
  readonly kind: "dvr";
  clockId: number;
  /** Behind the last packet of a stream that has ended. */
  last: Position | null;
  file: FileState | null;
  /** Those that are over, the newest last. */
  finished?: FinishedRecording[];
}

export interface Inherited {
  readonly state: FileState;
  readonly leftOff: LeftOff;
}

/**
 * The name, or the same with a number where there is such a file: none is overwritten. Its temporary file is there from now on, so that
 * nobody else is given it in the meantime, here or in another packager.
 */
export function takeName(path: string): string {
  const dot = path.lastIndexOf(".");
  let name = path;
  for (let number = 1; !canTake(name); number++) name = `${path.slice(0, dot)}-${number}${path.slice(dot)}`;
  return name;
}

/** Takes the name if it is free. Where the disk or the folder fails it is as well taken as not: whoever writes there tells it. */
function canTake(name: string): boolean {
  const temporary = temporaryOf(name);
  try {
    mkdirSync(dirname(temporary), { recursive: true });
  } catch {
    return true;
  }
  try {
    closeSync(openSync(temporary, "wx", 0o644));
    if (!existsSync(name)) return true; // looked for behind the other, which becomes it in one step
    unlinkSync(temporary);
    return false;
  } catch (thrown) {
    return errnoOf(thrown) !== "EEXIST";
  }
}

export async function findLeft(file: FileState): Promise<Inherited | null> {
  try {
    await stat(temporaryOf(file.path));
    const leftOff = isMp4(file.path) ? await findMp4End(temporaryOf(file.path)) : await findFlvEnd(temporaryOf(file.path), 0, file.baseMs);
    return { state: file, leftOff };
  } catch {
    return null; // it is gone, or is no file: then there is nothing to go on with
  }
}

export function headersOf({ headers }: FileState): Packet[] {
  return headers.map(({ type, payload }) => makePacket(type, 0, Buffer.from(payload, "base64")));
}

export function tracksOf(file: FileState): Pick<FrameReader, "video" | "audio"> {
  const reader = new FrameReader();
  for (const header of headersOf(file)) reader.take(header);
  return reader;
}

export function isMp4(path: string): boolean {
  return path.endsWith(".mp4");
}

export function keyOf({ vhost, app, stream }: StreamName): string {
  return `dvr ${vhost}/${app}/${stream}`;
}

/** The finished recordings that a state tells of; none of a state of another kind. */
export function finishedIn(state: unknown): RecordingReport[] {
  if (!isState(state)) return [];
  const { vhost, app, stream, finished = [] } = state;
  return finished.map(({ path, startedAtMs, durationMs, sizeBytes }) => {
    return { vhost, app, stream, path, state: "finished", startedAtMs, durationMs, sizeBytes };
  });
}

export function isState(found: unknown): found is DvrState {
  return typeof found === "object" && found !== null && "kind" in found && found.kind === "dvr";
}
