// The blocks `ingest`, `transcode` and `exec` of a vhost as a Config has them: what ffmpeg and other programs are run for.

/** A block `ingest` that is on. */
export interface IngestBlock {
  readonly name: string;
  readonly ffmpeg: string;
  readonly input: { readonly type: "file" | "stream"; readonly url: string };
  /** At least one; one that is off only tells where the copy goes. */
  readonly engines: readonly EngineBlock[];
}

/** A block `transcode` that is on. */
export interface TranscodeBlock {
  /** Empty: all streams; `app`, or `app/stream`. */
  readonly scope: string;
  readonly ffmpeg: string;
  /** Those that are on. */
  readonly engines: readonly EngineBlock[];
}

/** A block `engine`: one output of ffmpeg. Empty words and zeros are what the file leaves out. */
export interface EngineBlock {
  readonly name: string;
  readonly isOn: boolean;
  /** Words of ffmpeg before its input, before the codecs, and of each codec. */
  readonly perFile: readonly string[];
  readonly filters: readonly string[];
  readonly inputFormat: string;
  readonly video: {
    readonly codec: string;
    readonly kbps: number;
    readonly framesPerSecond: number;
    readonly width: number;
    readonly height: number;
    readonly threads: number;
    readonly profile: string;
    readonly preset: string;
    readonly params: readonly string[];
  };
  readonly audio: {
    readonly codec: string;
    readonly kbps: number;
    readonly sampleRate: number;
    readonly channels: number;
    readonly params: readonly string[];
  };
  readonly outputFormat: string;
  /** With its placeholders. */
  readonly output: string;
}
