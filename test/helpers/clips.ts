// Media of a real encoder as a publisher sends it: audio and video messages with their times, made by ffmpeg once for a test. The npm
// package's ffmpeg writes no H.265 into FLV, so that is wrapped here from its bare stream.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FlvReader, type FlvTag } from "../../src/codec/flv-reader.js";
import { run } from "./child.js";
import { findFfmpeg, findFfprobe } from "./ffmpeg.js";

const tone = "sine=frequency=440:sample_rate=48000";
const x264 = "-c:v libx264 -preset veryfast -pix_fmt yuv420p -sc_threshold 0 -threads 1";

export interface ClipOptions {
  readonly seconds: number;
  readonly video?: "h264" | "h265" | "none";
  readonly audio?: "aac" | "mp3" | "none";
  /** Frames from one key frame to the next. */
  readonly gop?: number;
  /** B-frames between two others. */
  readonly bFrames?: number;
  readonly size?: string;
}

/** The audio and video of a clip in the order of its file. */
export async function clip({
  seconds,
  video = "h264",
  audio = "aac",
  gop = 25,
  bFrames = 0,
  size = "320x180",
}: ClipOptions): Promise<FlvTag[]> {
  const tags: FlvTag[] = [];
  const picture = `testsrc=size=${size}:rate=25`;
  if (video !== "h265") {
    const input = video === "none" ? "" : `-f lavfi -i ${picture} `;
    const inputs = audio === "none" ? input : `${input}-f lavfi -i ${tone} `;
    const coded = video === "none" ? "" : `${x264} -g ${gop} -keyint_min ${gop} -bf ${bFrames} -b_strategy 0 `;
    const sound =
      audio === "none" ? "" : `-c:a ${audio === "aac" ? "aac" : "libmp3lame"} -b:a 64k -ac 2 -ar ${audio === "aac" ? 48000 : 44100} `;
    new FlvReader((tag) => tags.push(tag)).push(await encode(`${inputs}-t ${seconds} ${coded}${sound}`, "flv"));
    return tags.filter(({ type }) => type !== 18);
  }
  const bare = await encode(
    `-f lavfi -i ${picture} -t ${seconds} -c:v libx265 -pix_fmt yuv420p -preset ultrafast -x265-params keyint=${gop}:min-keyint=${gop}:scenecut=0:bframes=0:log-level=none `,
    "hevc",
  );
  tags.push(...hevcMessages(bare));
  if (audio !== "none") tags.push(...(await clip({ seconds, video: "none", audio })));
  return tags.toSorted((one, other) => one.timestamp - other.timestamp);
}

/** What a player finds in a file that it decodes whole. Throws with its words when it finds anything wrong. */
export async function decode(bytes: Buffer, ending: string): Promise<Record<string, number>> {
  return inFolder(async (folder) => {
    const file = join(folder, `clip.${ending}`);
    writeFileSync(file, bytes);
    const words = await run(findFfmpeg(), ["-hide_banner", "-nostats", "-v", "error", "-xerror", "-i", file, "-f", "null", "-"], 30_000);
    if (words.trim() !== "") throw new Error(words);
    const args = ["-v", "error", "-count_frames", "-show_entries", "stream=codec_name,nb_read_frames", "-of", "json", file];
    const { streams = [] } = JSON.parse(await run(findFfprobe(), args, 30_000)) as { streams?: Record<string, string>[] };
    return Object.fromEntries(streams.map((one) => [one["codec_name"] ?? "", Number(one["nb_read_frames"])]));
  });
}

/** Does something in a folder that is removed behind it. */
export async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "dolphin-clip-"));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function encode(args: string, format: string): Promise<Buffer> {
  return inFolder(async (folder) => {
    const file = join(folder, "clip");
    const words = args.trim().split(" ");
    await run(findFfmpeg(), ["-hide_banner", "-loglevel", "error", "-y", ...words, "-f", format, file], 60_000);
    return readFileSync(file);
  });
}

/** A bare stream of H.265 as messages of the old form (codec 12), 40 ms a picture. */
function hevcMessages(bare: Buffer): FlvTag[] {
  const units = unitsOf(bare);
  const typeOf = (unit: Buffer): number => (unit[0]! >> 1) & 0x3f;
  const setOf = (type: number): Buffer => units.find((unit) => typeOf(unit) === type)!;
  const [vps, sps, pps] = [setOf(32), setOf(33), setOf(34)];
  const array = (type: number, set: Buffer): Buffer =>
    Buffer.concat([Buffer.of(0x80 | type, 0, 1, set.length >> 8, set.length & 0xff), set]);
  const level = withoutThrees(sps).subarray(3, 15);
  const fixed = Buffer.of(0xf0, 0, 0xfc, 0xfd, 0xf8, 0xf8, 0, 0, 0x0f, 3);
  const record = Buffer.concat([Buffer.of(1), level, fixed, array(32, vps), array(33, sps), array(34, pps)]);
  const tags: FlvTag[] = [{ type: 9, timestamp: 0, payload: Buffer.concat([Buffer.of(0x1c, 0, 0, 0, 0), record]) }];
  const pictures = units.filter((unit) => typeOf(unit) < 32);
  pictures.forEach((unit, index) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(unit.length);
    const head = Buffer.of(typeOf(unit) >= 16 ? 0x1c : 0x2c, 1, 0, 0, 0);
    tags.push({ type: 9, timestamp: index * 40, payload: Buffer.concat([head, length, unit]) });
  });
  return tags;
}

function unitsOf(bare: Buffer): Buffer[] {
  const units: Buffer[] = [];
  const starts: number[] = [];
  for (let at = bare.indexOf("000001", 0, "hex"); at >= 0; at = bare.indexOf("000001", at + 3, "hex")) starts.push(at);
  starts.forEach((at, index) => {
    let end = starts[index + 1] ?? bare.length;
    while (bare[end - 1] === 0) end--;
    units.push(bare.subarray(at + 3, end));
  });
  return units;
}

function withoutThrees(unit: Buffer): Buffer {
  const out: number[] = [];
  unit.forEach((byte, at) => {
    if (!(byte === 3 && unit[at - 1] === 0 && unit[at - 2] === 0)) out.push(byte);
  });
  return Buffer.from(out);
}
