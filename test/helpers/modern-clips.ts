// Media of the codecs that only enhanced RTMP carries: AV1 and Opus, as a real encoder makes them.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "./child.js";
import { inFolder } from "./clips.js";
import { findFfmpeg } from "./ffmpeg.js";
import type { Media } from "./rtmp-client.js";

const frameMs = 40;
const opusMs = 20;

/** Small pictures, the first of each second a key frame, and sound. */
export async function av1Clip(seconds: number): Promise<Media[]> {
  const sound = await opusMessages(seconds);
  return [...(await av1Messages(seconds)), ...sound].toSorted((one, other) => one.timestamp - other.timestamp);
}

async function av1Messages(seconds: number): Promise<Media[]> {
  const coding = "-c:v libaom-av1 -pix_fmt yuv420p -strict -2 -cpu-used 8 -g 25 -keyint_min 25 -b:v 50k".split(" ");
  const { ivf, mp4 } = await inFolder(async (folder) => {
    const [bare, file] = [join(folder, "a.ivf"), join(folder, "a.mp4")];
    const quiet = ["-v", "error", "-y"];
    await run(findFfmpeg(), [...quiet, "-f", "lavfi", "-i", "testsrc=size=64x64:rate=25", "-t", String(seconds), ...coding, bare], 60_000);
    await run(findFfmpeg(), [...quiet, "-i", bare, "-c", "copy", "-strict", "-2", file], 30_000);
    return { ivf: readFileSync(bare), mp4: readFileSync(file) };
  });
  const at = mp4.indexOf("av1C");
  const record = at < 0 ? null : mp4.subarray(at + 4, at - 4 + mp4.readUInt32BE(at - 4));
  const messages: Media[] = [];
  for (let from = 32, index = 0; from < ivf.length; index++) {
    const size = ivf.readUInt32LE(from);
    const units = unitsOf(ivf.subarray(from + 12, from + 12 + size)).filter(({ type }) => type !== 2);
    const header = units.find(({ type }) => type === 1);
    if (index === 0) messages.push(video(0x90, 0, recordOf(record, header!.bytes)));
    messages.push(video(header === undefined ? 0xa1 : 0x91, index * frameMs, Buffer.concat(units.map(({ bytes }) => bytes))));
    from += 12 + size;
  }
  return messages;
}

/** The record of the bitstream's own header, where the muxer at hand writes none that can be used. */
function recordOf(record: Buffer | null, header: Buffer): Buffer {
  return record !== null && record[0] === 0x81 && record.length > 4 ? record : Buffer.concat([Buffer.of(0x81, 0, 0x0c, 0), header]);
}

function video(head: number, timestamp: number, body: Buffer): Media {
  return { type: 9, timestamp, payload: Buffer.concat([Buffer.of(head), Buffer.from("av01"), body]) };
}

function unitsOf(bytes: Buffer): { type: number; bytes: Buffer }[] {
  const units = [];
  for (let at = 0; at < bytes.length;) {
    const head = bytes[at]!;
    let from = at + ((head & 4) === 0 ? 1 : 2);
    let size = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[from++]!;
      size += (byte & 0x7f) << shift;
      if ((byte & 0x80) === 0) break;
    }
    units.push({ type: (head >> 3) & 15, bytes: bytes.subarray(at, from + size) });
    at = from + size;
  }
  return units;
}

async function opusMessages(seconds: number): Promise<Media[]> {
  const ogg = await inFolder(async (folder) => {
    const file = join(folder, "a.ogg");
    const tone = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-t", String(seconds)];
    await run(findFfmpeg(), ["-v", "error", "-y", ...tone, "-ac", "2", "-c:a", "libopus", "-b:a", "64k", file], 30_000);
    return readFileSync(file);
  });
  const [head, , ...frames] = packetsOf(ogg);
  const audio = (kind: number, timestamp: number, body: Buffer): Media => {
    return { type: 8, timestamp, payload: Buffer.concat([Buffer.of(0x90 | kind), Buffer.from("Opus"), body]) };
  };
  return [audio(0, 0, head!), ...frames.map((frame, index) => audio(1, index * opusMs, frame))];
}

/** The packets of an Ogg file of one stream. */
function packetsOf(ogg: Buffer): Buffer[] {
  const packets: Buffer[] = [];
  let open: Buffer[] = [];
  for (let at = 0; at < ogg.length;) {
    const count = ogg[at + 26]!;
    let from = at + 27 + count;
    for (const lace of ogg.subarray(at + 27, at + 27 + count)) {
      open.push(ogg.subarray(from, from + lace));
      from += lace;
      if (lace === 255) continue;
      packets.push(Buffer.concat(open));
      open = [];
    }
    at = from;
  }
  return packets;
}
