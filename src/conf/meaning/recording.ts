// The blocks `hls` and `dvr` of a vhost as a Config has them.

/** The block `hls` where it is on. Paths and names still have their placeholders. */
export interface HlsBlock {
  /** The folder that all names are below. */
  readonly path: string;
  readonly listFile: string;
  readonly segmentFile: string;
  /** Of what describes the tracks of fMP4; null: segments are transport streams. */
  readonly initFile: string | null;
  /** The length of a part, of fMP4 alone; null: segments have none. */
  readonly partMs: number | null;
  /** `[timestamp]` in names counts fragments since 1970, and lengths follow the clock. */
  readonly followsClock: boolean;
  /** What stands before a segment's name in the list; empty: nothing. */
  readonly entryPrefix: string;
  readonly fragmentMs: number;
  /** What a segment is cut at, by the length of a fragment. */
  readonly tdRatio: number;
  /** The same where pictures have stopped coming. */
  readonly aofRatio: number;
  readonly windowMs: number;
  /** What becomes of the stream's HLS when a write has failed; the publisher never notices. */
  readonly onError: "ignore" | "disconnect" | "continue";
  readonly waitsForKeyFrame: boolean;
  /** Times are the publisher's, of which only the rounding is taken out; else sound is counted by its samples. */
  readonly takesTimes: boolean;
  /** Segments that have left the list are deleted. */
  readonly cleansUp: boolean;
  /** How long after the last packet everything is deleted; 0: never. */
  readonly disposeMs: number;
  readonly notifyBytes: number;
  readonly hasSessions: boolean;
  readonly segmentsHaveSession: boolean;
  /** The variables of time in names are UTC's, and not the machine's own. */
  readonly isUtc: boolean;
  readonly keys: HlsKeys;
}

export interface HlsKeys {
  /** Whether segments are encrypted. */
  readonly areOn: boolean;
  readonly segmentsPerKey: number;
  readonly file: string;
  readonly path: string;
  /** What stands before a key's name in the list; null: it is told as segments are, by its place. */
  readonly url: string | null;
}

/** The block `dvr` where it is on. */
export interface DvrBlock {
  /** `app/stream` each, or `all`; `*` stands for any name. */
  readonly apply: readonly string[];
  readonly path: string;
  readonly plan: "session" | "segment" | "append";
  readonly durationMs: number;
  readonly waitsForKeyFrame: boolean;
  readonly timeJitter: "full" | "zero" | "off";
  /** As in `HlsBlock`. */
  readonly isUtc: boolean;
}
