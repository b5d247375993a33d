// What packages of a stream are made of, for tests: a clip is sent faster than it would be watched, and what came of it is decoded and
// compared with it picture by picture.
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { flvHeader, tagOverhead, writeTag } from "../../src/codec/flv.js";
import { run } from "./child.js";
import { inFolder } from "./clips.js";
import { findFfmpeg } from "./ffmpeg.js";
import type { Media, RtmpPublisher } from "./rtmp-client.js";

/** A list of segments, as far as tests look at it. */
export interface ReadList {
  readonly text: string;
  readonly sequence: number;
  readonly targetSeconds: number;
  readonly entries: readonly { readonly uri: string; readonly seconds: number; readonly isDiscontinuous: boolean }[];
}

/** Sends media so many times faster than its times say. Resolves when all is sent; throws when the connection has ended before. */
export async function sendClip(source: RtmpPublisher, clip: readonly Media[], speed: number, from = 0, to = clip.length): Promise<void> {
  const begun = Date.now();
  const first = clip[from]?.timestamp ?? 0;
  for (const media of clip.slice(from, to)) {
    const dueMs = begun + (media.timestamp - first) / speed;
    if (dueMs - Date.now() > 5) await new Promise((resolve) => setTimeout(resolve, dueMs - Date.now()));
    if (source.connection.endedBy !== null) throw new Error(`the publisher was closed: ${source.connection.endedBy}`);
    source.send(media);
  }
}

/** A clip again behind its end, so many times in all. */
export function repeated(clip: readonly Media[], times: number, lengthMs: number): Media[] {
  const isConfig = ({ payload }: Media): boolean => payload[1] === 0;
  const first = clip[0]?.timestamp ?? 0;
  return Array.from({ length: times }, (_, round) =>
    clip
      .filter((media) => round === 0 || !isConfig(media))
      .map(({ type, timestamp, payload }) => ({ type, payload, timestamp: timestamp - first + round * lengthMs })),
  ).flat();
}

export function readList(path: string): ReadList {
  return parseList(readFileSync(path, "utf8"));
}

export function parseList(text: string): ReadList {
  const entries: { uri: string; seconds: number; isDiscontinuous: boolean }[] = [];
  let isDiscontinuous = false;
  let seconds = 0;
  for (const line of text.split("\n")) {
    if (line === "#EXT-X-DISCONTINUITY") isDiscontinuous = true;
    else if (line.startsWith("#EXTINF:")) seconds = Number.parseFloat(line.slice(8));
    else if (line !== "" && !line.startsWith("#")) {
      entries.push({ uri: line, seconds, isDiscontinuous });
      isDiscontinuous = false;
    }
  }
  const numberOf = (tag: string): number => Number(new RegExp(`^#EXT-X-${tag}:(\\d+)$`, "m").exec(text)?.[1] ?? Number.NaN);
  return { text, sequence: numberOf("MEDIA-SEQUENCE"), targetSeconds: numberOf("TARGETDURATION"), entries };
}

/** The segments of a list behind each other. */
export function joined(listPath: string, { entries }: ReadList): Buffer {
  return Buffer.concat(entries.map(({ uri }) => readFileSync(join(dirname(listPath), uri))));
}

/** The checksum of each picture of a file of this kind, decoded, in order. Throws when ffmpeg finds anything wrong. */
export async function pictureSums(bytes: Buffer, ending: string): Promise<string[]> {
  return inFolder(async (folder) => {
    const file = join(folder, `media.${ending}`);
    writeFileSync(file, bytes);
    const args = ["-hide_banner", "-nostats", "-v", "error", "-xerror", "-i", file, "-map", "0:v", "-vsync", "0", "-f", "framemd5", "-"];
    const lines = (await run(findFfmpeg(), args, 60_000)).split("\n").filter((line) => line.startsWith("0,"));
    return lines.map((line) => line.split(",").at(-1)!.trim());
  });
}

/** The same of a clip. */
export function clipSums(clip: readonly Media[]): Promise<string[]> {
  return pictureSums(flvOf(clip), "flv");
}

/** A clip as a file. */
export function flvOf(clip: readonly Media[]): Buffer {
  const tags = clip.map(({ type, timestamp, payload }) => {
    const out = Buffer.alloc(payload.length + tagOverhead);
    writeTag(out, 0, type, timestamp, payload);
    return out;
  });
  return Buffer.concat([flvHeader(true, true), ...tags]);
}
