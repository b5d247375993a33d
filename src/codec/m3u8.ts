// The lists of HLS as text: the list of a stream's segments, and the one that names it. Pure; what stands in a list decides its owner.
// Source: RFC 8216 sections 4.3 and 6.2; where SRS's players look for its words (`, no desc`), they are SRS's.

export interface Entry {
  readonly uri: string;
  readonly durationMs: number;
  /** What comes is not the continuation of what was before. */
  readonly isDiscontinuous: boolean;
  /** When its first frame was received (ms since 1970); null: unknown. */
  readonly programTimeMs: number | null;
  readonly key: Key | null;
  /** The URI of what describes its tracks; null: it does so itself. */
  readonly init: string | null;
  /** What players may get before the rest; those of old segments need not be told. */
  readonly parts: readonly Part[];
}

/** Of low latency. */
export interface Part {
  readonly uri: string;
  readonly durationMs: number;
  readonly isIndependent: boolean;
}

/** The low latency of a list. */
export interface LowLatency {
  readonly partMs: number;
  /** The segment under way, where it has parts; it has no end yet. */
  readonly open: Omit<Entry, "uri" | "durationMs"> | null;
  /** The part that comes next; null: none does. */
  readonly nextUri: string | null;
}

export interface Key {
  readonly uri: string;
  /** 32 hex digits. */
  readonly iv: string;
}

export interface MediaList {
  readonly targetSeconds: number;
  /** The number of the first entry. */
  readonly sequence: number;
  /** Discontinuities that have left the list. */
  readonly discontinuitySequence: number;
  readonly entries: readonly Entry[];
  readonly isEnded: boolean;
  /** The attributes of the stream in a list of variants; null: they are not known. */
  readonly streamInf: string | null;
  readonly lowLatency: LowLatency | null;
}

/** By how many of its lengths a player of parts is behind, and how many target durations of a list it may leave out. */
const holdBackParts = 3;
const skippedTargets = 6;

/** The list of a stream's segments. */
export function mediaList(list: MediaList): string {
  const { targetSeconds, sequence, discontinuitySequence, entries, isEnded, lowLatency } = list;
  const isFmp4 = entries.some(({ init }) => init !== null) || lowLatency !== null;
  const version = lowLatency !== null ? 9 : isFmp4 ? 7 : 3;
  const lines = ["#EXTM3U", `#EXT-X-VERSION:${version}`, `#EXT-X-MEDIA-SEQUENCE:${sequence}`, `#EXT-X-TARGETDURATION:${targetSeconds}`];
  lines.push(`#EXT-X-DISCONTINUITY-SEQUENCE:${discontinuitySequence}`);
  if (list.streamInf !== null) lines.push(`${streamInfMark}${list.streamInf}`);
  if (lowLatency !== null) {
    const partSeconds = lowLatency.partMs / 1000;
    const control = `CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=${(holdBackParts * partSeconds).toFixed(3)}`;
    lines.push(`#EXT-X-SERVER-CONTROL:${control},CAN-SKIP-UNTIL=${(skippedTargets * targetSeconds).toFixed(1)}`);
    lines.push(`#EXT-X-PART-INF:PART-TARGET=${partSeconds.toFixed(3)}`);
  }
  const told: Told = { key: null, init: null, time: null };
  for (const entry of entries) {
    lines.push(...linesBefore(entry, told), ...entry.parts.map(partLine));
    lines.push(`#EXTINF:${(entry.durationMs / 1000).toFixed(3)}, no desc`, entry.uri);
  }
  const open = lowLatency?.open ?? null;
  if (open !== null) lines.push(...linesBefore(open, told), ...open.parts.map(partLine));
  const next = lowLatency?.nextUri ?? null;
  if (next !== null) lines.push(`#EXT-X-PRELOAD-HINT:TYPE=PART,URI="${next}"`);
  if (isEnded) lines.push("#EXT-X-ENDLIST");
  return `${lines.join("\n")}\n`;
}

/** What was said last. */
interface Told {
  key: Key | null;
  init: string | null;
  time: number | null;
}

/** What stands before a segment and its parts, as far as it is not as it was. */
function linesBefore({ isDiscontinuous, init, key, programTimeMs }: Omit<Entry, "uri" | "durationMs">, told: Told): string[] {
  const lines: string[] = [];
  if (isDiscontinuous) lines.push("#EXT-X-DISCONTINUITY");
  if (init !== null && init !== told.init) {
    if (told.key !== null) lines.push("#EXT-X-KEY:METHOD=NONE"); // what describes the tracks is not encrypted
    told.key = null;
    lines.push(`#EXT-X-MAP:URI="${init}"`);
  }
  told.init = init;
  if (key !== null && (key.uri !== told.key?.uri || key.iv !== told.key.iv)) {
    lines.push(`#EXT-X-KEY:METHOD=AES-128,URI="${key.uri}",IV=0x${key.iv}`);
  } else if (key === null && told.key !== null) lines.push("#EXT-X-KEY:METHOD=NONE");
  told.key = key;
  // Once at the beginning and behind each break; the durations say the rest.
  if (programTimeMs !== null && (told.time === null || isDiscontinuous)) {
    told.time = programTimeMs;
    lines.push(`#EXT-X-PROGRAM-DATE-TIME:${new Date(programTimeMs).toISOString()}`);
  }
  return lines;
}

function partLine({ uri, durationMs, isIndependent }: Part): string {
  return `#EXT-X-PART:DURATION=${(durationMs / 1000).toFixed(3)},URI="${uri}"${isIndependent ? ",INDEPENDENT=YES" : ""}`;
}

export interface Variant {
  /** Bits per second at most, and on average. */
  readonly peakBps: number;
  readonly averageBps: number;
  readonly codecs: readonly string[];
  readonly width: number;
  readonly height: number;
  /** Pictures a second; 0: it is not told. */
  readonly frameRate: number;
}

/** How a stream's list of segments tells what a list of variants says of it: a comment, which players pass over. */
export const streamInfMark = "## STREAM-INF:";

/** The attributes of a variant. */
export function streamInf({ peakBps, averageBps, codecs, width, height, frameRate }: Variant): string {
  const attributes = [`BANDWIDTH=${Math.max(1, Math.round(peakBps))}`, `AVERAGE-BANDWIDTH=${Math.max(1, Math.round(averageBps))}`];
  if (codecs.length > 0) attributes.push(`CODECS="${codecs.join(",")}"`);
  if (width > 0) attributes.push(`RESOLUTION=${width}x${height}`);
  if (frameRate > 0) attributes.push(`FRAME-RATE=${frameRate.toFixed(3)}`);
  return attributes.join(",");
}

/** The list that a player begins with: where the one of segments is, and its attributes. */
export function masterList(attributes: string, uri: string): string {
  return `#EXTM3U\n#EXT-X-STREAM-INF:${attributes}\n${uri}\n`;
}
