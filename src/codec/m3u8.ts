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
}

/** The list of a stream's segments. */
export function mediaList({ targetSeconds, sequence, discontinuitySequence, entries, isEnded }: MediaList): string {
  const lines = ["#EXTM3U", "#EXT-X-VERSION:3", `#EXT-X-MEDIA-SEQUENCE:${sequence}`, `#EXT-X-TARGETDURATION:${targetSeconds}`];
  lines.push(`#EXT-X-DISCONTINUITY-SEQUENCE:${discontinuitySequence}`);
  let key: Key | null = null;
  let told: number | null = null;
  for (const entry of entries) {
    if (entry.isDiscontinuous) lines.push("#EXT-X-DISCONTINUITY");
    if (entry.key !== null && (entry.key.uri !== key?.uri || entry.key.iv !== key.iv)) {
      lines.push(`#EXT-X-KEY:METHOD=AES-128,URI="${entry.key.uri}",IV=0x${entry.key.iv}`);
    } else if (entry.key === null && key !== null) lines.push("#EXT-X-KEY:METHOD=NONE");
    key = entry.key;
    // Once at the beginning and behind each break; the durations say the rest.
    if (entry.programTimeMs !== null && (told === null || entry.isDiscontinuous)) {
      told = entry.programTimeMs;
      lines.push(`#EXT-X-PROGRAM-DATE-TIME:${new Date(told).toISOString()}`);
    }
    lines.push(`#EXTINF:${(entry.durationMs / 1000).toFixed(3)}, no desc`, entry.uri);
  }
  if (isEnded) lines.push("#EXT-X-ENDLIST");
  return `${lines.join("\n")}\n`;
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
