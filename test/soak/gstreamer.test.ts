// GStreamer reads what the packager writes: segments behind each other, and recordings. It is no part of CI, for it is fetched.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { clip, type ClipOptions } from "../helpers/clips.js";
import { buffersOf, missingGstreamer, type Parser } from "../helpers/gstreamer.js";
import { joined, readList, repeated } from "../helpers/packages.js";
import { dvrOf, hlsOf, write } from "../unit/packager/direct.js";

const kinds: readonly { readonly name: string; readonly options: Omit<ClipOptions, "seconds">; readonly parsers: readonly Parser[] }[] = [
  { name: "H.264 and AAC", options: { bFrames: 2 }, parsers: ["h264parse", "aacparse"] },
  { name: "H.265 and AAC", options: { video: "h265" }, parsers: ["h265parse", "aacparse"] },
  { name: "H.264 and MP3", options: { audio: "mp3" }, parsers: ["h264parse", "mpegaudioparse"] },
  { name: "AAC alone", options: { video: "none" }, parsers: ["aacparse"] },
  { name: "pictures alone", options: { audio: "none" }, parsers: ["h264parse"] },
];

for (const { name, options, parsers } of kinds) {
  void test(`gstreamer: ${name} in segments and recordings has every frame, and nothing is wrong with it`, async (t) => {
    const missing = await missingGstreamer();
    if (missing !== null) return t.skip(missing);
    const media = repeated(await clip({ seconds: 2, ...options }), 4, 2000);
    const pictures = media.filter(({ type, payload }) => type === 9 && payload[1] === 1).length;
    const isInfo = options.audio === "mp3" ? 1 : 0; // the first frame, which is no sound: the parser takes it
    const sounds = media.filter(({ type, payload }) => type === 8 && (isInfo === 1 || payload[1] === 1)).length - isInfo;
    const frames = [pictures, sounds].filter((count) => count > 0);
    const hls = await hlsOf(t, "hls_fragment 1; hls_window 60;");
    await write(hls, media);
    const list = join(hls.folder, "live/s.m3u8");
    const whole = join(hls.folder, "whole.ts");
    writeFileSync(whole, joined(list, readList(list)));
    const files: (readonly [file: string, demuxer: "tsdemux" | "qtdemux" | "flvdemux"])[] = [[whole, "tsdemux"]];
    for (const [ending, demuxer] of [
      ["mp4", "qtdemux"],
      ["flv", "flvdemux"],
    ] as const) {
      if (ending === "flv" && options.video === "h265") continue; // not in this GStreamer's FLV
      const dvr = await dvrOf(t, `s.${ending}`);
      await write(dvr, media);
      files.push([join(dvr.folder, `s.${ending}`), demuxer]);
    }
    for (const [file, demuxer] of files) {
      const found = await buffersOf(file, demuxer, parsers);
      t.diagnostic(`${demuxer}: ${found.join(" and ")} frames`);
      assert.deepEqual(found, frames, demuxer);
    }
    return undefined;
  });
}
