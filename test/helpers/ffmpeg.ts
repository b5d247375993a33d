// Real encoders and players: ffmpeg as publisher and recorder, ffprobe as judge of what was recorded.
// Looked for in FFMPEG_PATH and FFPROBE_PATH, then in PATH, then in the npm packages, whose programs may still lack the
// right to be executed because the packages' own install step did not run.
import { accessSync, chmodSync, constants } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, dirname, join } from "node:path";
import { run, start, type Child, type Ending } from "./child.js";
import { within } from "./wait.js";

export interface PublishOptions {
  readonly video?: "h264" | "none";
  readonly audio?: "aac" | "mp3" | "none";
  readonly seconds: number;
  /** Frames from one key frame to the next; 25 are one second. */
  readonly gop?: number;
  readonly kbps?: number;
}

export interface Publisher {
  readonly pid: number;
  /** Resolves when the first media has been sent; rejects when ffmpeg ends before. */
  readonly started: Promise<void>;
  readonly ended: Promise<Ending>;
  output(): string;
  stop(): Promise<Ending>;
}

export interface ProbedPacket {
  readonly streamIndex: number;
  readonly codecType: string;
  readonly ptsMs: number;
  readonly dtsMs: number;
  readonly sizeBytes: number;
  readonly isKey: boolean;
}

export interface Probe {
  /** Frames are counted by decoding them. */
  readonly streams: readonly { readonly codec: string; readonly type: string; readonly frames: number }[];
  readonly packets: readonly ProbedPacket[];
}

/** The ffmpeg and ffprobe at hand. Throws with the places that were tried. */
export function findFfmpeg(): string {
  return findProgram("ffmpeg", "FFMPEG_PATH");
}

export function findFfprobe(): string {
  return findProgram("ffprobe", "FFPROBE_PATH");
}

/** Publishes a test picture and a tone in real time. The caller stops it, or it ends after `seconds`. */
export function publish(url: string, options: PublishOptions): Publisher {
  const { video = "h264", audio = "aac", seconds, gop = 25, kbps = 200 } = options;
  const args = ["-hide_banner", "-nostats", "-progress", "pipe:1"];
  if (video !== "none") args.push("-re", "-f", "lavfi", "-i", "testsrc=size=320x180:rate=25");
  if (audio !== "none") args.push("-re", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100");
  args.push("-t", String(seconds));
  if (video !== "none") {
    const rate = [`-b:v`, `${kbps}k`, "-maxrate", `${kbps}k`, "-bufsize", `${kbps}k`];
    args.push("-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-profile:v", "baseline", "-pix_fmt", "yuv420p");
    args.push("-g", String(gop), "-keyint_min", String(gop), "-sc_threshold", "0", "-threads", "1", ...rate);
  }
  if (audio !== "none") args.push("-c:a", audio === "aac" ? "aac" : "libmp3lame", "-b:a", "64k", "-ac", "2");
  args.push("-f", "flv", url);

  let begin = (): void => undefined;
  const begun = new Promise<void>((resolve) => (begin = resolve));
  const child = start(findFfmpeg(), args, {
    onLine: (line) => {
      const size = /^total_size=(\d+)/.exec(line)?.[1];
      if (size !== undefined && Number(size) > 0) begin();
    },
  });
  const failed = child.ended.then((): never => {
    throw new Error(`ffmpeg ended before it published to ${url}:\n${child.output().slice(-1500)}`);
  });
  const started = within(Promise.race([begun, failed]), 15_000, () => `ffmpeg to publish:\n${child.output().slice(-1500)}`);
  started.catch(() => undefined); // whoever awaits it sees it
  return { pid: child.pid, started, ended: child.ended, output: () => child.output(), stop: () => child.stop("SIGTERM", 3000) };
}

/** Records what a URL plays into a file, without decoding, until `seconds` of media are there. Throws when they do not come. */
export async function record(url: string, file: string, seconds: number, timeoutMs = seconds * 1000 + 12_000): Promise<void> {
  const recorder = startRecording(url, file, seconds);
  try {
    const { code } = await within(recorder.ended, timeoutMs, () => `${seconds} s of ${url}:\n${recorder.output().slice(-1500)}`);
    if (code !== 0) throw new Error(`recording ${url} ended with ${code}:\n${recorder.output().slice(-1500)}`);
  } finally {
    await recorder.stop("SIGKILL");
  }
}

function startRecording(url: string, file: string, seconds: number): Child {
  // A short analysis: the default reads up to five seconds before it copies anything.
  const input = ["-rw_timeout", "15000000", "-analyzeduration", "1500000", "-i", url];
  return start(findFfmpeg(), ["-hide_banner", "-nostats", "-y", ...input, "-t", String(seconds), "-c", "copy", "-f", "flv", file]);
}

/** Streams with their decoded frames, and every packet with its times. Throws when the file is no media. */
export async function probe(file: string): Promise<Probe> {
  const args = ["-v", "error", "-show_streams", "-show_packets", "-count_frames", "-of", "json", file];
  const found = JSON.parse(await run(findFfprobe(), args, 30_000)) as {
    streams?: Record<string, string>[];
    packets?: Record<string, string>[];
  };
  return {
    streams: (found.streams ?? []).map((s) => ({
      codec: s["codec_name"] ?? "",
      type: s["codec_type"] ?? "",
      frames: Number(s["nb_read_frames"] ?? 0),
    })),
    packets: (found.packets ?? []).map(packetOf),
  };
}

/** The packets of so many seconds of a stream as ffprobe plays it, with its own times. Throws when it is no media. */
export async function packetsOf(url: string, seconds: number): Promise<readonly ProbedPacket[]> {
  const args = ["-v", "error", "-rw_timeout", "15000000", "-show_packets", "-read_intervals", `%+${seconds}`, "-of", "json", url];
  const { packets = [] } = JSON.parse(await run(findFfprobe(), args, 30_000)) as { packets?: Record<string, string>[] };
  return packets.map(packetOf);
}

function packetOf(p: Readonly<Record<string, string>>): ProbedPacket {
  return {
    streamIndex: Number(p["stream_index"]),
    codecType: p["codec_type"] ?? "",
    ptsMs: Math.round(Number(p["pts_time"] ?? p["dts_time"]) * 1000),
    dtsMs: Math.round(Number(p["dts_time"]) * 1000),
    sizeBytes: Number(p["size"]),
    isKey: (p["flags"] ?? "").includes("K"),
  };
}

function findProgram(name: "ffmpeg" | "ffprobe", variable: string): string {
  const named = process.env[variable];
  if (named !== undefined && named !== "") return named;
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    if (folder !== "" && isExecutable(join(folder, name))) return join(folder, name);
  }
  const file = npmProgram(name);
  if (!isExecutable(file)) chmodSync(file, 0o755);
  return file;
}

function npmProgram(name: "ffmpeg" | "ffprobe"): string {
  const require = createRequire(import.meta.url);
  // The wrapper itself throws when its program may not be executed, so it is only asked where it stands.
  const manifest =
    name === "ffmpeg"
      ? require.resolve("@ffmpeg-installer/ffmpeg/package.json")
      : require.resolve("@ffprobe-installer/ffprobe/package.json");
  const platform = `${process.platform}-${process.arch}`;
  return join(dirname(manifest), "..", platform, process.platform === "win32" ? `${name}.exe` : name);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
