// Which part of a file a request wants, if any: conditions and ranges by RFC 9110 (sections 13 and 14.2). Of several ranges none is
// served, which is allowed: the whole file answers. Pure.

/** The headers that decide, as Node.js has them. */
interface Conditions {
  readonly range?: string | undefined;
  readonly "if-match"?: string | undefined;
  readonly "if-none-match"?: string | undefined;
  readonly "if-modified-since"?: string | undefined;
  readonly "if-unmodified-since"?: string | undefined;
  readonly "if-range"?: string | string[] | undefined;
}

/** A file's present state. */
export interface FileState {
  /** With its quotes. */
  readonly etag: string;
  readonly modifiedMs: number;
  readonly sizeBytes: number;
}

/** The answer's status, and for 200 and 206 the bytes from `start` up to `end`, which is not among them. */
export interface Part {
  readonly status: 200 | 206 | 304 | 412 | 416;
  readonly start: number;
  readonly end: number;
}

/** What a GET or HEAD with these headers is answered. */
export function partOf(headers: Conditions, file: FileState): Part {
  const none = { start: 0, end: 0 };
  if (isStale(headers, file)) return { status: 412, ...none };
  if (isKnown(headers, file)) return { status: 304, ...none };
  const whole: Part = { status: 200, start: 0, end: file.sizeBytes };
  const { range } = headers;
  if (range === undefined || !mayRange(headers["if-range"], file)) return whole;
  const [, first, last] = /^bytes=\s*(\d*)-(\d*)\s*$/.exec(range) ?? [];
  if (first === undefined || last === undefined || (first === "" && last === "")) return whole;
  if (first !== "" && last !== "" && Number(first) > Number(last)) return whole;
  const start = first === "" ? Math.max(0, file.sizeBytes - Number(last)) : Number(first);
  const end = first === "" || last === "" ? file.sizeBytes : Math.min(file.sizeBytes, Number(last) + 1);
  return start < end ? { status: 206, start, end } : { status: 416, ...none };
}

/** The Last-Modified header of a file. */
export function lastModified({ modifiedMs }: FileState): string {
  return new Date(modifiedMs).toUTCString();
}

function isStale({ "if-match": match, "if-unmodified-since": since }: Conditions, file: FileState): boolean {
  if (match !== undefined) return match.trim() !== "*" && !tagsOf(match).includes(file.etag);
  const at = since === undefined ? Number.NaN : Date.parse(since);
  return !Number.isNaN(at) && seconds(file.modifiedMs) > seconds(at);
}

function isKnown({ "if-none-match": noneMatch, "if-modified-since": since }: Conditions, file: FileState): boolean {
  if (noneMatch !== undefined) return noneMatch.trim() === "*" || tagsOf(noneMatch).some((tag) => tag.replace(/^W\//, "") === file.etag);
  const at = since === undefined ? Number.NaN : Date.parse(since);
  return !Number.isNaN(at) && seconds(file.modifiedMs) <= seconds(at);
}

/** A range of what has changed since would not fit to what the client has. */
function mayRange(ifRange: string | string[] | undefined, file: FileState): boolean {
  if (ifRange === undefined) return true;
  const [condition = ""] = [ifRange].flat();
  return condition.startsWith('"') ? condition.trim() === file.etag : Date.parse(condition) === seconds(file.modifiedMs) * 1000;
}

function tagsOf(list: string): string[] {
  return Array.from(list.matchAll(/(?:W\/)?"[^"]*"/g), ([tag]) => tag);
}

function seconds(ms: number): number {
  return Math.floor(ms / 1000);
}
