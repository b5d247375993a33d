import assert from "node:assert/strict";
import { test } from "node:test";
import { masterList, mediaList, streamInf, type Entry } from "../../../src/codec/m3u8.js";

const entry = (uri: string, more: Partial<Entry> = {}): Entry => ({
  uri,
  durationMs: 4000,
  isDiscontinuous: false,
  programTimeMs: null,
  key: null,
  init: null,
  parts: [],
  ...more,
});
const list = (entries: readonly Entry[]): string =>
  mediaList({ targetSeconds: 5, sequence: 7, discontinuitySequence: 2, entries, isEnded: false, streamInf: null, lowLatency: null });

test("m3u8: a list of segments is SRS's, with what players need to keep their place", () => {
  const text = list([
    entry("a-7.ts", { durationMs: 4218, programTimeMs: 0 }),
    entry("a-8.ts", { programTimeMs: 4218 }),
    entry("a-9.ts", { isDiscontinuous: true, durationMs: 560, programTimeMs: 90_000 }),
  ]);
  assert.equal(
    text,
    `#EXTM3U
#EXT-X-VERSION:3
#EXT-X-MEDIA-SEQUENCE:7
#EXT-X-TARGETDURATION:5
#EXT-X-DISCONTINUITY-SEQUENCE:2
#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:00.000Z
#EXTINF:4.218, no desc
a-7.ts
#EXTINF:4.000, no desc
a-8.ts
#EXT-X-DISCONTINUITY
#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:01:30.000Z
#EXTINF:0.560, no desc
a-9.ts
`,
  );
});

test("m3u8: a key stands at the first entry of a list and where it changes", () => {
  const one = { uri: "a-5.key", iv: "00000000000000000000000000000001" };
  const other = { uri: "a-8.key", iv: "00000000000000000000000000000002" };
  const text = list([entry("7.ts", { key: one }), entry("8.ts", { key: other }), entry("9.ts", { key: other }), entry("10.ts")]);
  assert.deepEqual(
    text.split("\n").filter((line) => line.startsWith("#EXT-X-KEY") || line.endsWith(".ts")),
    [
      '#EXT-X-KEY:METHOD=AES-128,URI="a-5.key",IV=0x00000000000000000000000000000001',
      "7.ts",
      '#EXT-X-KEY:METHOD=AES-128,URI="a-8.key",IV=0x00000000000000000000000000000002',
      "8.ts",
      "9.ts",
      "#EXT-X-KEY:METHOD=NONE",
      "10.ts",
    ],
  );
});

test("m3u8: a stream that is over ends its list", () => {
  const text = mediaList({
    targetSeconds: 5,
    sequence: 0,
    discontinuitySequence: 0,
    entries: [entry("a.ts")],
    isEnded: true,
    streamInf: null,
    lowLatency: null,
  });
  assert.ok(text.endsWith("a.ts\n#EXT-X-ENDLIST\n"));
});

test("m3u8: the list of variants says what the stream is", () => {
  const attributes = streamInf({
    peakBps: 2_000_000.4,
    averageBps: 0,
    codecs: ["avc1.42C00D", "mp4a.40.2"],
    width: 320,
    height: 180,
    frameRate: 25,
  });
  assert.equal(
    masterList(attributes, "a.m3u8?x=1"),
    '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=2000000,AVERAGE-BANDWIDTH=1,CODECS="avc1.42C00D,mp4a.40.2",RESOLUTION=320x180,FRAME-RATE=25.000\na.m3u8?x=1\n',
  );
});

test("m3u8: a list of low latency tells parts, what comes next, and how long players may wait and leave out", () => {
  const part = (uri: string, isIndependent = false) => ({ uri, durationMs: 480, isIndependent });
  const entries = [
    entry("a-7.m4s", { init: "init.mp4", programTimeMs: 0 }),
    entry("a-8.m4s", { init: "init.mp4", parts: [part("a-8.part0.m4s", true), part("a-8.part1.m4s")] }),
  ];
  const open = { isDiscontinuous: true, init: "init-2.mp4", key: null, programTimeMs: 60_000, parts: [part("a-9.part0.m4s", true)] };
  const text = mediaList({
    targetSeconds: 4,
    sequence: 7,
    discontinuitySequence: 0,
    entries,
    isEnded: false,
    streamInf: "BANDWIDTH=1",
    lowLatency: { partMs: 500, open, nextUri: "a-9.part1.m4s" },
  });
  assert.equal(
    text,
    `#EXTM3U
#EXT-X-VERSION:9
#EXT-X-MEDIA-SEQUENCE:7
#EXT-X-TARGETDURATION:4
#EXT-X-DISCONTINUITY-SEQUENCE:0
## STREAM-INF:BANDWIDTH=1
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.500,CAN-SKIP-UNTIL=24.0
#EXT-X-PART-INF:PART-TARGET=0.500
#EXT-X-MAP:URI="init.mp4"
#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:00.000Z
#EXTINF:4.000, no desc
a-7.m4s
#EXT-X-PART:DURATION=0.480,URI="a-8.part0.m4s",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.480,URI="a-8.part1.m4s"
#EXTINF:4.000, no desc
a-8.m4s
#EXT-X-DISCONTINUITY
#EXT-X-MAP:URI="init-2.mp4"
#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:01:00.000Z
#EXT-X-PART:DURATION=0.480,URI="a-9.part0.m4s",INDEPENDENT=YES
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="a-9.part1.m4s"
`,
  );
});
