// A list of segments as its viewers get it: with the session of each behind the names of what is in it, without what a viewer knows, and
// how far it has got, for those who wait for more. Pure, and each once for a version of a list.
// Source: RFC 8216bis sections 4.4.5.2 (EXT-X-SKIP) and 6.2.5 (blocking reload).
import { streamInfMark } from "../../codec/m3u8.js";

/** The parameter that names a session. */
export const sessionParameter = "hls_ctx";

/** How far a list has got. */
export interface Reach {
  /** The number of the segment behind the last whole one. */
  readonly next: number;
  /** Of that one, how many parts there are. */
  readonly parts: number;
  readonly targetMs: number;
}

export function reachOf(text: string): Reach {
  const sequence = Number(/^#EXT-X-MEDIA-SEQUENCE:(\d+)/m.exec(text)?.[1] ?? 0);
  const targetMs = 1000 * Number(/^#EXT-X-TARGETDURATION:(\d+)/m.exec(text)?.[1] ?? 0);
  const whole = text.match(/^#EXTINF:/gm)?.length ?? 0;
  const open = text.slice(text.lastIndexOf("\n#EXTINF:") + 1);
  return { next: sequence + whole, parts: open.match(/^#EXT-X-PART:/gm)?.length ?? 0, targetMs };
}

/** What a viewer waits for: a segment, or a part of one; a part behind the last of its segment is the first of the next one. */
export interface Awaited {
  readonly segment: number;
  readonly part: number | null;
}

export function hasReached({ next, parts }: Reach, { segment, part }: Awaited): boolean {
  return segment < next || (segment === next && part !== null && part < parts);
}

/** Whether nobody may wait for it yet. */
export function isTooFar({ next }: Reach, { segment }: Awaited): boolean {
  return segment > next + 1;
}

/** A list around the place of the session's id: joined by the id it is that session's. */
export function piecesOf(text: string): readonly string[] {
  const mark = `${sessionParameter}=`;
  const named = (uri: string): string => `${uri}${uri.includes("?") ? "&" : "?"}${mark}\0`;
  const marked = text
    .replaceAll("\0", "")
    .replaceAll(/^(?!#)\S.*$/gm, named)
    .replaceAll(/^(#EXT-X-(?:PART|PRELOAD-HINT|MAP):.*\bURI=")([^"]*)(?=")/gm, (_all, before: string, uri: string) => before + named(uri));
  return marked.split("\0");
}

/** A list without the segments that a viewer has long had; as it is, where there are none. */
export function withoutSkipped(text: string): string {
  const untilMs = 1000 * Number(/CAN-SKIP-UNTIL=([\d.]+)/.exec(text)?.[1] ?? 0);
  if (untilMs === 0) return text;
  const [head = "", ...entries] = entriesOf(text);
  let left = untilMs;
  let kept = entries.length;
  while (kept > 0 && left > 0) left -= 1000 * Number(/^#EXTINF:([\d.]+)/m.exec(entries[--kept]!)?.[1] ?? 0);
  if (kept < 1) return text;
  return `${head}#EXT-X-SKIP:SKIPPED-SEGMENTS=${kept}\n${entries.slice(kept).join("")}`;
}

/** What stands in front of the segments, and the lines of each; behind the last one, those of what follows it. */
function entriesOf(text: string): string[] {
  const found: string[] = [];
  let lines = "";
  let isHead = true;
  for (const line of text.split(/(?<=\n)/)) {
    if (isHead && /^#(?:EXTINF|EXT-X-(?:DISCONTINUITY\n|KEY|MAP|PROGRAM-DATE-TIME|PART:|PRELOAD))/.test(line)) {
      found.push(lines);
      lines = "";
      isHead = false;
    }
    lines += line;
    if (!isHead && !line.startsWith("#")) {
      found.push(lines);
      lines = "";
    }
  }
  if (found.length > 1) found.push(found.pop()! + lines);
  else found.push(lines);
  return found;
}

/** What the packager tells of the stream in its list; as SRS has it where it tells nothing. */
export function streamInfOf(text: string): string {
  const line = text.split("\n", 16).find((one) => one.startsWith(streamInfMark));
  return line?.slice(streamInfMark.length) ?? "BANDWIDTH=1,AVERAGE-BANDWIDTH=1";
}
