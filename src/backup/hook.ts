// What the server beside a node tells it: SRS's callbacks, as SRS 7 and our own packager send them. Pure.
import { join, resolve } from "node:path";
import { isListPath } from "./names.js";

/** A segment is on the disk. */
export interface SegmentHook {
  readonly kind: "segment";
  /** The path of the stream's list. */
  readonly path: string;
  readonly file: string;
  /** Of one publish; numbers begin anew with each, or may. */
  readonly publish: string;
  readonly sequence: number;
  readonly durationMs: number;
}

/** A publish has ended. */
export interface EndHook {
  readonly kind: "end";
  readonly publish: string;
}

/** The longest body of a call. */
export const maxHookBytes = 64 << 10;
const longestMs = 600_000;
const maxIdChars = 64;

/** Reads a call; null: it is one that concerns nobody here; a sentence: it is wrong. */
export function readHook(text: string): SegmentHook | EndHook | string | null {
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch {
    return "the body is no JSON";
  }
  if (typeof found !== "object" || found === null) return "the body is no object";
  const body: Readonly<Record<string, unknown>> = { ...found };
  const { action, client_id: client, service_id: service } = body;
  if (typeof action !== "string") return "the body has no action";
  if (action !== "on_hls" && action !== "on_unpublish") return null;
  if (!isWord(client) || !isWord(service)) return "client_id or service_id is missing";
  const publish = `${service} ${client}`;
  if (action === "on_unpublish") return { kind: "end", publish };
  const { cwd, file, m3u8_url: path, seq_no: sequence, duration } = body;
  if (typeof path !== "string" || !isListPath(path.replace(/^\/+/, ""))) return "m3u8_url is no path of a list below hls_path";
  if (typeof cwd !== "string" || typeof file !== "string" || file === "" || `${cwd}${file}`.includes("\0")) return "cwd or file is missing";
  if (typeof sequence !== "number" || !Number.isSafeInteger(sequence) || sequence < 0 || sequence > 1e12 - 1) return "seq_no is no number";
  const durationMs = typeof duration === "number" ? Math.round(duration * 1000) : Number.NaN;
  if (!(durationMs > 0 && durationMs <= longestMs)) return "duration is no length of a segment";
  return { kind: "segment", path: path.replace(/^\/+/, ""), file: resolve(join("/", cwd), file), publish, sequence, durationMs };
}

function isWord(found: unknown): found is string {
  return typeof found === "string" && found !== "" && found.length <= maxIdChars;
}
