// What players of others say of segments: every kind of stream is written at once and read by a strict reader of our own, by ffmpeg, by
// mux.js, by mp4box and by a parser of lists.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test, type TestContext } from "node:test";
import { parse } from "hls-parser";
import { createFile, MP4BoxBuffer } from "mp4box";
import muxjs, { type Elementary } from "mux.js";
import { messageType } from "../../../../src/codec/rtmp/message.js";
import { isFrame } from "../../../../src/stream/packet.js";
import { advance, makeTimeline } from "../../../../src/stream/timeline.js";
import { run } from "../../../helpers/child.js";
import { clip, inFolder } from "../../../helpers/clips.js";
import { findFfmpeg } from "../../../helpers/ffmpeg.js";
import { av1Clip } from "../../../helpers/modern-clips.js";
import { clipSums, flvOf, joined, pictureSums, readList, repeated, type ReadList } from "../../../helpers/packages.js";
import type { Media } from "../../../helpers/rtmp-client.js";
import { TsJudge, type ReadSegment } from "../../../helpers/ts-judge.js";
import { dvrOf, hlsOf, leastSeconds, packetOf, write } from "../direct.js";

/** What mux.js finds: pictures as their times, and how many frames of AAC. */
function readByMuxJs(bytes: Buffer): { pictures: Elementary[]; frames: number } {
  const first = new muxjs.mp2t.TransportPacketStream();
  const elementary = first.pipe(new muxjs.mp2t.TransportParseStream()).pipe(new muxjs.mp2t.ElementaryStream());
  const pictures: Elementary[] = [];
  let frames = 0;
  elementary.on("data", (data) => void (data.type === "video" && pictures.push(data)));
  elementary.pipe(new muxjs.codecs.Adts()).on("data", () => void frames++);
  first.push(bytes);
  first.flush();
  return { pictures, frames };
}

/** The coded frames of sound of a file, each with its head. */
function soundOf(bytes: Buffer, ending: string, format: "adts" | "mp3"): Promise<Buffer> {
  return inFolder(async (folder) => {
    const [file, bare] = [join(folder, `a.${ending}`), join(folder, "bare")];
    writeFileSync(file, bytes);
    const plain = format === "mp3" ? ["-write_xing", "0", "-id3v2_version", "0"] : [];
    await run(findFfmpeg(), ["-v", "fatal", "-i", file, "-map", "0:a", "-c", "copy", ...plain, "-f", format, bare], 30_000);
    return readFileSync(bare);
  });
}

/** Fails unless a package has the very frames of sound of the stream, but for one before the first picture: so it has all samples. */
async function assertSameSound(media: readonly Media[], bytes: Buffer, ending: string): Promise<void> {
  const format = media.some(({ type, payload }) => type === 8 && payload[0]! >> 4 === 2) ? "mp3" : "adts";
  const [want, got] = [await soundOf(flvOf(media), "flv", format), await soundOf(bytes, ending, format)];
  const missing = want.length - got.length;
  assert.ok(missing >= 0 && missing < 1500, `${missing} bytes are missing of ${want.length}`);
  assert.ok(want.subarray(missing).equals(got), "frames of sound");
}

interface Kind {
  readonly name: string;
  readonly media: () => Promise<Media[]>;
  /** Stream types in the tables, in the order of the segments, without repetitions. */
  readonly types: readonly string[];
  /** How many discontinuities a list has. */
  readonly breaks?: number;
  /** When its times begin. */
  readonly startMs?: number;
}

const avAt = (media: readonly Media[], byMs: number): Media[] => media.map((one) => ({ ...one, timestamp: (one.timestamp + byMs) >>> 0 }));
const roundTimes = Math.max(4, leastSeconds / 2);
const long = async (options: Parameters<typeof clip>[0], times = roundTimes): Promise<Media[]> =>
  repeated(await clip(options), times, options.seconds * 1000);

/** The same pictures, shown so much earlier that some would be before their decoding. */
function shownEarlier(media: readonly Media[], byMs: number): Media[] {
  return media.map((one) => {
    if (one.type !== 9 || one.payload[1] !== 1) return one;
    const payload = Buffer.from(one.payload);
    payload.writeIntBE(payload.readIntBE(2, 3) - byMs, 2, 3);
    return { ...one, payload };
  });
}

/** The same, with pictures from then on only. */
function joiningAt(atMs: number, media: readonly Media[]): Media[] {
  const isLate = ({ type, timestamp, payload }: Media): boolean => type === 8 || timestamp >= atMs || payload[1] === 0;
  const timeOf = ({ type, timestamp, payload }: Media): number => (type === 9 && payload[1] === 0 ? atMs : timestamp);
  const moved = media.filter(isLate).map((one): Media => ({ type: one.type, payload: one.payload, timestamp: timeOf(one) }));
  return moved.toSorted((one, other) => one.timestamp - other.timestamp);
}

const kinds: readonly Kind[] = [
  { name: "H.264 with B-frames, and AAC", media: () => long({ seconds: 2, bFrames: 2 }), types: ["1b 0f"] },
  { name: "H.265 and AAC", media: () => long({ seconds: 2, video: "h265" }), types: ["24 0f"] },
  { name: "H.264 and MP3", media: () => long({ seconds: 2, audio: "mp3" }), types: ["1b 03"] },
  { name: "AAC alone", media: () => long({ seconds: 2, video: "none" }), types: ["0f"] },
  { name: "MP3 alone", media: () => long({ seconds: 2, video: "none", audio: "mp3" }), types: ["03"] },
  { name: "pictures alone", media: () => long({ seconds: 2, audio: "none" }), types: ["1b"] },
  {
    name: "pictures that join late",
    media: async () => joiningAt(4000, await long({ seconds: 2 })),
    types: ["0f", "1b 0f"],
    breaks: 1,
  },
  { name: "composition times below 0", media: async () => shownEarlier(await long({ seconds: 2, bFrames: 2 }), 80), types: ["1b 0f"] },
  { name: "a stream of 26 h 30 min", media: () => long({ seconds: 2 }), startMs: 95_439_000, types: ["1b 0f"] },
  { name: "a stream of 49 d 17 h", media: () => long({ seconds: 2 }), startMs: 2 ** 32 - 3000, types: ["1b 0f"] },
];

async function packaged(t: TestContext, media: readonly Media[], directives: string) {
  const box = await hlsOf(t, `hls_fragment 1; hls_window ${Math.max(60, 2 * leastSeconds)}; ${directives}`);
  await write(box, media);
  const path = join(box.folder, "live/s.m3u8");
  const list = readList(path);
  assert.equal(parse(list.text).isMasterPlaylist, false);
  assert.deepEqual(
    box.told.filter(({ level }) => level === "error"),
    [],
  );
  return { path, list, bytes: joined(path, list) };
}

function segmentsOf(path: string, { entries }: ReadList): ReadSegment[] {
  const judge = new TsJudge();
  return entries.map(({ uri, isDiscontinuous }) => judge.read(readFileSync(join(dirname(path), uri)), !isDiscontinuous));
}

/** Fails unless each length is what lies between the beginnings of a segment and the next, and none of that adds up. */
function assertLengths({ entries }: ReadList, segments: readonly ReadSegment[]): void {
  const starts = segments.map(({ pes, tracks }) => {
    const first = pes.find(({ pid }) => [0x1b, 0x24].includes(tracks.get(pid)!));
    return { dts: (first ?? pes[0]!).dts, mostOff: first === undefined ? 0.025 : 0.001 };
  });
  const mostOff = Math.max(...starts.map((start) => start.mostOff));
  let told = 0;
  let real = 0;
  for (const [index, { seconds }] of entries.entries()) {
    const next = starts[index + 1];
    if (next === undefined || entries[index + 1]!.isDiscontinuous) continue;
    const length = (next.dts - starts[index]!.dts) / 90_000;
    assert.ok(Math.abs(length - seconds) <= next.mostOff, `segment ${index} lasts ${length}, told are ${seconds}`);
    told += seconds;
    real += length;
    assert.ok(Math.abs(told - real) <= mostOff, `after ${real} s the list has told ${told}`);
  }
}

for (const { name, media: make, types, breaks = 0, startMs = 0 } of kinds) {
  test(`hls-output: segments of ${name} hold to what a strict reader, ffmpeg and mux.js ask`, async (t) => {
    const media = await make();
    const { path, list, bytes } = await packaged(t, avAt(media, startMs), "");
    const segments = segmentsOf(path, list);
    const found = segments.map(({ tracks }) => [...tracks.values()].map((type) => type.toString(16).padStart(2, "0")).join(" "));
    assert.deepEqual(
      found.filter((one, index) => one !== found[index - 1]),
      types,
    );
    assert.equal(list.entries.filter(({ isDiscontinuous }) => isDiscontinuous).length, breaks, list.text);
    assertLengths(list, segments);
    const hasVideo = media.some(({ type }) => type === 9);
    const sums = hasVideo ? await pictureSums(bytes, "ts") : [];
    // The npm package's ffmpeg reads no H.265 in FLV.
    if (types.includes("1b 0f") && breaks === 0) assert.deepEqual(sums, await clipSums(media));
    assert.equal(sums.length, media.filter(({ type, payload }) => type === 9 && payload[1] === 1).length);
    if (media.some(({ type }) => type === 8)) await assertSameSound(media, bytes, "ts");
    const pes = segments.flatMap((segment) => segment.pes.map((one) => ({ ...one, type: segment.tracks.get(one.pid)! })));
    const pictures = pes.filter(({ type }) => type === 0x1b);
    const byMuxJs = readByMuxJs(bytes);
    assert.equal(byMuxJs.pictures.length, pictures.length);
    if (breaks === 0)
      assert.deepEqual(
        byMuxJs.pictures.map(({ pts, dts }) => [pts % 2 ** 33, dts % 2 ** 33]),
        pictures.map(({ pts, dts }) => [pts % 2 ** 33, dts % 2 ** 33]),
      );
    if (types[0]!.endsWith("0f"))
      assert.ok(Math.abs(byMuxJs.frames - media.filter(({ type, payload }) => type === 8 && payload[1] === 1).length) <= 1);
  });
}

/** Pictures and sound of some seconds whose times somebody has changed: from then on, or at one picture only. */
function wild(media: readonly Media[], change: { readonly fromMs: number; readonly byMs: number; readonly isLone: boolean }): Media[] {
  const at = media.findIndex(({ type, timestamp }) => type === 9 && timestamp >= change.fromMs);
  return media.map((one, index) => {
    const isChanged = change.isLone ? index === at : index >= at;
    return isChanged ? { ...one, timestamp: (one.timestamp + change.byMs) >>> 0 } : one;
  });
}

const hourMs = 3_600_000;
for (const { name, fromMs, byMs, isLone, breaks } of [
  { name: "an hour ahead", fromMs: 6000, byMs: hourMs, isLone: false, breaks: 1 },
  { name: "an hour back", fromMs: 6000, byMs: -hourMs, isLone: false, breaks: 1 },
  { name: "one picture that is an hour ahead", fromMs: 6100, byMs: hourMs, isLone: true, breaks: 1 },
  { name: "one picture that is an hour back", fromMs: 6100, byMs: -hourMs, isLone: true, breaks: 1 },
]) {
  const make = async (): Promise<Media[]> => {
    const whole = avAt(await long({ seconds: 2 }, 5), 2 * hourMs);
    return wild(whole, { fromMs: 2 * hourMs + fromMs, byMs, isLone });
  };

  test(`hls-output: over ${name} segments go on behind one discontinuity, where times are left as they are`, async (t) => {
    const { path, list } = await packaged(t, await make(), "");
    segmentsOf(path, list);
    assert.equal(list.entries.filter(({ isDiscontinuous }) => isDiscontinuous).length, breaks, list.text);
    assert.equal(list.targetSeconds, 1, list.text);
    assert.ok(list.entries.length >= 8, list.text);
  });

  test(`hls-output: over ${name} nothing is to be seen, by a stream's own clock`, async (t) => {
    const timeline = makeTimeline("full");
    const media = (await make()).map(({ type, timestamp, payload }): Media => {
      return { type, payload, timestamp: advance(timeline, type, timestamp, type !== messageType.data && payload[1] === 0) >>> 0 };
    });
    const { path, list, bytes } = await packaged(t, media, "");
    assertLengths(list, segmentsOf(path, list));
    assert.equal(list.entries.filter(({ isDiscontinuous }) => isDiscontinuous).length, 0, list.text);
    assert.deepEqual(await pictureSums(bytes, "ts"), await clipSums(await long({ seconds: 2 }, 5)));
  });
}

interface FragmentKind {
  readonly name: string;
  readonly media: () => Promise<Media[]>;
  readonly codecs: readonly RegExp[];
}

const fragmented: readonly FragmentKind[] = [
  {
    name: "H.264 with B-frames, and AAC",
    media: () => long({ seconds: 2, bFrames: 2 }),
    codecs: [/^avc1\.[0-9A-F]{6}$/i, /^mp4a\.40\.2$/],
  },
  {
    name: "composition times below 0",
    media: async () => shownEarlier(await long({ seconds: 2, bFrames: 2 }), 80),
    codecs: [/^avc1\./, /^mp4a\.40\.2$/],
  },
  { name: "H.265 and AAC", media: () => long({ seconds: 2, video: "h265" }), codecs: [/^hvc1\.1\.6\.L\d+/, /^mp4a\.40\.2$/] },
  { name: "AV1 and Opus", media: async () => repeated(await av1Clip(2), roundTimes / 2, 2000), codecs: [/^av01\.0\.\d\dM\.08/, /^opus$/i] },
  { name: "AAC alone", media: () => long({ seconds: 2, video: "none" }), codecs: [/^mp4a\.40\.2$/] },
];

for (const { name, media: make, codecs } of fragmented) {
  test(`hls-output: fragments of ${name} hold to what mp4box and ffmpeg ask, and parts are the segments`, async (t) => {
    const media = await make();
    const { path, list, bytes } = await packaged(t, media, "hls_use_fmp4 on; hls_low_latency on; hls_part 0.3;");
    const init = readFileSync(join(dirname(path), /#EXT-X-MAP:URI="([^"]+)"/.exec(list.text)![1]!));
    const file = createFile(false);
    const whole = Buffer.concat([init, bytes]);
    file.appendBuffer(MP4BoxBuffer.fromArrayBuffer(new Uint8Array(whole).buffer, 0));
    file.flush();
    const { tracks } = file.getInfo();
    assert.equal(tracks.length, codecs.length);
    for (const [index, { codec, id }] of tracks.entries()) {
      assert.match(codec, codecs[index]!);
      const samples = file.getTrackSamplesInfo(id);
      for (const [at, sample] of samples.entries()) {
        const next = samples[at + 1];
        if (next === undefined) continue;
        const off = next.dts - sample.dts - sample.duration;
        // Sound leans to the stream's time where that is not its samples': as at the ends of these clips.
        const mostOff = codec.startsWith("mp4a") ? 1024 : 0;
        assert.ok(Math.abs(off) <= mostOff, `sample ${at} of ${codec}: ${off} of ${sample.timescale}`);
      }
      const type = /^(avc1|hvc1|av01)/.test(codec) ? 9 : 8;
      const sent = media.filter((one) => one.type === type && isFrame(packetOf(one))).length;
      assert.ok(sent - samples.length <= 1 && sent >= samples.length, `${samples.length} of ${sent} frames of ${codec}`);
    }
    const hasVideo = codecs.length > 1;
    if (hasVideo) assert.ok((await pictureSums(whole, "mp4")).length > 0);
    if (codecs.at(-1)!.source.startsWith("^mp4a")) await assertSameSound(media, whole, "mp4");
  });
}

test("hls-output: an origin that has come less far than the one before is no break, of the list or of a recording", async (t) => {
  const media = (await clip({ seconds: 4, bFrames: 2 })).map(packetOf);
  const [hls, dvr] = [await hlsOf(t, "hls_fragment 1; hls_window 60;"), await dvrOf(t, "s.mp4")];
  for (const { output } of [hls, dvr]) {
    output.begin(1, []);
    for (const packet of media.slice(0, 150)) output.push(packet);
    output.begin(1, media.slice(100, 130));
    for (const packet of media.slice(150)) output.push(packet); // see repeats.ts
    await output.close(true);
  }
  const path = join(hls.folder, "live/s.m3u8");
  const list = readList(path);
  assert.equal(list.entries.filter(({ isDiscontinuous }) => isDiscontinuous).length, 0);
  const sums = await clipSums(await clip({ seconds: 4, bFrames: 2 }));
  assert.deepEqual(await pictureSums(joined(path, list), "ts"), sums);
  assert.equal(dvr.finished.length, 1);
  assert.deepEqual(await pictureSums(readFileSync(dvr.finished[0]!.path), "mp4"), sums);
});
