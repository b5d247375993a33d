import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  advance,
  furthest,
  goBehind,
  keepTo,
  makeTimeline,
  makeTimelineBehind,
  replace,
  resume,
  splice,
  type Timeline,
} from "../../../src/stream/timeline.js";

const audio = 8;
const video = 9;
const data = 18;
type Mode = Timeline["mode"];

/** What each input becomes; `splice` stands for a change of the publisher. */
function times(mode: Mode, inputs: readonly (number | "splice" | readonly [type: number, timestamp: number])[]): number[] {
  const timeline = makeTimeline(mode);
  const out: number[] = [];
  for (const input of inputs) {
    if (input === "splice") splice(timeline, timeline.mode);
    else if (typeof input === "number") out.push(advance(timeline, video, input));
    else out.push(advance(timeline, input[0], input[1]));
  }
  return out;
}

const rows: { name: string; mode: Mode; inputs: Parameters<typeof times>[1]; out: number[] }[] = [
  { name: "full starts at 0", mode: "full", inputs: [5000, 5040, 5080], out: [0, 40, 80] },
  { name: "full follows small steps back within a type's latest time", mode: "full", inputs: [0, 100, 60, 140], out: [0, 100, 100, 140] },
  { name: "full follows a step of 250 ms", mode: "full", inputs: [0, 250, 500], out: [0, 250, 500] },
  { name: "full leaves pictures that come rarely as they are", mode: "full", inputs: [0, 1000, 2000, 7000], out: [0, 1000, 2000, 7000] },
  { name: "full makes 10 ms of a jump ahead", mode: "full", inputs: [0, 40, 5041, 5081], out: [0, 40, 50, 90] },
  { name: "full makes 10 ms of a jump back", mode: "full", inputs: [9000, 9040, 0, 40], out: [0, 40, 50, 90] },
  { name: "full passes the wrap at 2³²", mode: "full", inputs: [0xffffffd8, 0, 40], out: [0, 40, 80] },
  { name: "full passes half the range for a jump", mode: "full", inputs: [0, 0x80000000, 0x80000028], out: [0, 10, 50] },
  { name: "zero starts at 0 and leaves jumps as they are", mode: "zero", inputs: [5000, 5040, 9040], out: [0, 40, 4040] },
  { name: "zero passes the wrap at 2³²", mode: "zero", inputs: [0xffffffd8, 0, 5000], out: [0, 40, 5040] },
  {
    name: "off leaves all as it is",
    mode: "off",
    inputs: [5000, 100, "splice", 7, 0xffffffff, [data, 3]],
    out: [5000, 100, 7, 0xffffffff, 3],
  },
  { name: "follow starts at the time that it finds", mode: "follow", inputs: [5000, 5040, 5080], out: [5000, 5040, 5080] },
  {
    name: "follow passes the wrap at 2³² and counts on",
    mode: "follow",
    inputs: [0xffffffd8, 0, 40],
    out: [0xffffffd8, 0x100000000, 0x100000028],
  },
  { name: "adopt makes 10 ms of a jump", mode: "adopt", inputs: [5000, 11_000, 11_040], out: [5000, 5010, 5050] },
  { name: "a splice before anything came changes nothing", mode: "full", inputs: ["splice", 5000, 5040], out: [0, 40] },
  {
    name: "a splice is a step of 10 ms, wherever the new clock begins",
    mode: "full",
    inputs: [5000, 5080, "splice", 0, 40],
    out: [0, 80, 90, 130],
  },
  {
    name: "a splice is one, even if the new clock goes on where the old ended",
    mode: "full",
    inputs: [0, 40, "splice", 80, 120],
    out: [0, 40, 50, 90],
  },
  { name: "two splices with nothing between are one", mode: "full", inputs: [0, 40, "splice", "splice", 9000], out: [0, 40, 50] },
  { name: "a splice of zero", mode: "zero", inputs: [5000, 9000, "splice", 70, 100], out: [0, 4000, 4010, 4040] },
  { name: "a splice of follow", mode: "follow", inputs: [5000, 5040, "splice", 100, 140], out: [5000, 5040, 5050, 5090] },
  {
    name: "a splice follows the furthest type",
    mode: "full",
    inputs: [[video, 0], [video, 200], [audio, 120], "splice", [audio, 0], [video, 5]],
    out: [0, 200, 120, 210, 215],
  },
  {
    name: "audio may lag behind video, and keeps its distance",
    mode: "full",
    inputs: [
      [video, 1000],
      [video, 1040],
      [audio, 1000],
      [video, 1080],
      [audio, 1040],
    ],
    out: [0, 40, 0, 80, 40],
  },
  {
    name: "what lies before the first time of all begins at 0, and the other track keeps its distance from there on",
    mode: "full",
    inputs: [
      [video, 1000],
      [audio, 960],
      [audio, 980],
      [video, 1040],
    ],
    out: [0, 0, 20, 80],
  },
  {
    name: "data has the time of the media before it, whatever it says, and moves nothing",
    mode: "full",
    inputs: [
      [data, 0],
      [video, 5000],
      [data, 0],
      [video, 5040],
      [data, 99_999],
      [video, 5080],
    ],
    out: [0, 0, 0, 40, 40, 80],
  },
  { name: "data does not end a splice", mode: "full", inputs: [0, 40, "splice", [data, 0], 7], out: [0, 40, 40, 50] },
  {
    name: "data never goes back either",
    mode: "full",
    inputs: [
      [video, 0],
      [video, 200],
      [data, 0],
      [audio, 100],
      [data, 0],
    ],
    out: [0, 200, 200, 100, 200],
  },
];

for (const { name, mode, inputs, out } of rows) {
  test(`timeline: ${name}`, () => assert.deepEqual(times(mode, inputs), out));
}

/** A stream of both tracks, each at its own rate, as an encoder sends it: in the order of what is to be shown when. */
interface Show {
  /** How far video is stamped ahead of audio. */
  readonly leadMs?: number;
  /** What a timestamp is where it is not `ms`, the time since the beginning. */
  readonly audio?: (ms: number) => number | null;
  readonly video?: (ms: number) => number | null;
}

/** The times that eight seconds of it are given, with how long after the beginning each was due. */
function shown(
  mode: Mode,
  { leadMs = 0, audio: heard = (ms) => ms, video: seen = (ms) => ms }: Show,
): { type: number; ms: number; out: number }[] {
  const timeline = makeTimeline(mode);
  const due = [
    ...Array.from({ length: 200 }, (_, i) => ({ type: video, ms: i * 40, timestamp: seen(i * 40), leadMs })),
    ...Array.from({ length: 400 }, (_, i) => ({ type: audio, ms: i * 20, timestamp: heard(i * 20), leadMs: 0 })),
  ].toSorted((a, b) => a.ms - b.ms);
  return due.flatMap(({ type, ms, timestamp, leadMs: aheadMs }) =>
    timestamp === null ? [] : [{ type, ms: ms + aheadMs, out: advance(timeline, type, (timestamp + aheadMs) >>> 0) }],
  );
}

/** How far each track is from where it was due, in the order of time: one number for as long as nothing changes. */
function offsets(given: ReturnType<typeof shown>, of: number): number[] {
  const all = given.filter(({ type }) => type === of).map(({ ms, out }) => out - ms);
  return all.filter((offset, i) => offset !== all[i - 1]);
}

const jump = 3_600_000;
const shows: { name: string; show: Show; video: number[]; audio: number[] }[] = [
  { name: "both tracks from the start on", show: {}, video: [0], audio: [0] },
  { name: "video that is stamped 450 ms ahead of audio", show: { leadMs: 450, video: (ms) => ms }, video: [-450, 0], audio: [0] },
  {
    name: "audio that is stamped 450 ms ahead of video",
    show: { leadMs: -450, video: (ms) => ms + 500, audio: (ms) => ms + 500 },
    video: [450],
    audio: [450],
  },
  { name: "video that is stamped 3 s ahead of audio", show: { leadMs: 3000 }, video: [-3000, 0], audio: [0] },
  {
    name: "a jump ahead of both tracks",
    show: { video: (ms) => ms + (ms < 4000 ? 0 : jump), audio: (ms) => ms + (ms < 4000 ? 0 : jump) },
    video: [0, -10],
    audio: [0, -10],
  },
  {
    name: "a jump ahead of both tracks, audio first",
    show: { video: (ms) => ms + (ms < 4010 ? 0 : jump), audio: (ms) => ms + (ms < 4000 ? 0 : jump) },
    video: [0, 10],
    audio: [0, 10],
  },
  {
    name: "a jump ahead of both tracks, of which video is 450 ms ahead",
    show: { leadMs: 450, video: (ms) => ms + (ms < 4000 ? 0 : jump), audio: (ms) => ms + (ms < 4000 ? 0 : jump) },
    video: [-450, 0, -30, -10],
    audio: [0, -10],
  },
  {
    name: "a jump back of both tracks",
    show: { video: (ms) => ms + (ms < 4000 ? jump : 0), audio: (ms) => ms + (ms < 4000 ? jump : 0) },
    video: [0, -10],
    audio: [0, -10],
  },
  {
    name: "a jump back of both tracks to their start",
    show: { video: (ms) => ms % 4000, audio: (ms) => ms % 4000 },
    video: [0, -10],
    audio: [0, -10],
  },
  { name: "the wrap at 2³² of both tracks", show: { video: (ms) => ms - 4000, audio: (ms) => ms - 4000 }, video: [0], audio: [0] },
  { name: "a step ahead of one track, up to a second", show: { audio: (ms) => ms + (ms < 4000 ? 0 : 900) }, video: [0], audio: [0, 900] },
  { name: "a jump ahead of one track", show: { audio: (ms) => ms + (ms < 4000 ? 0 : 5000) }, video: [0], audio: [0, 10] },
  { name: "a jump far ahead of one track", show: { video: (ms) => ms + (ms < 4000 ? 0 : jump) }, video: [0, -10], audio: [0] },
  {
    name: "a jump back of one track",
    show: { audio: (ms) => ms + (ms < 4000 ? jump : 0), video: (ms) => ms + jump },
    video: [0],
    audio: [0, 10],
  },
  { name: "a jump back of one track by 3 s", show: { audio: (ms) => ms - (ms < 4000 ? 0 : 3000) }, video: [0], audio: [0, 10] },
  { name: "a pause of one track", show: { audio: (ms) => (ms >= 2000 && ms < 5000 ? null : ms) }, video: [0], audio: [0] },
  {
    name: "a pause of the track that is 450 ms ahead",
    show: { leadMs: 450, video: (ms) => (ms >= 2000 && ms < 5000 ? null : ms) },
    video: [-450, 0],
    audio: [0],
  },
  {
    name: "a pause of the track that is 3 s ahead",
    show: { leadMs: 3000, video: (ms) => (ms >= 2000 && ms < 5000 ? null : ms) },
    video: [-3000, 0],
    audio: [0],
  },
  {
    name: "a pause of both tracks",
    show: { audio: (ms) => (ms >= 2000 && ms < 5000 ? null : ms), video: (ms) => (ms >= 2000 && ms < 5000 ? null : ms) },
    video: [0, -3010],
    audio: [0, -3010],
  },
  { name: "a track that joins late", show: { audio: (ms) => (ms < 4000 ? null : ms) }, video: [0], audio: [0] },
  {
    name: "a track that joins late, 450 ms behind",
    show: { leadMs: 450, audio: (ms) => (ms < 4000 ? null : ms), video: (ms) => ms },
    video: [-450],
    audio: [-450],
  },
  {
    name: "a track that joins late with a clock of its own",
    show: { audio: (ms) => (ms < 4000 ? null : ms + jump) },
    video: [0],
    audio: [0],
  },
  { name: "a wrong timestamp of one track, far ahead", show: { video: (ms) => (ms === 4000 ? jump : ms) }, video: [0, -10, 0], audio: [0] },
  { name: "a wrong timestamp of one track, 0", show: { audio: (ms) => (ms === 4000 ? 0 : ms) }, video: [0], audio: [0, 10, 0] },
  { name: "a wrong timestamp of one track, 3 s ahead", show: { video: (ms) => (ms === 4000 ? 7000 : ms) }, video: [0, -10, 0], audio: [0] },
  { name: "audio alone", show: { video: () => null }, video: [], audio: [0] },
  { name: "audio alone that jumps", show: { video: () => null, audio: (ms) => ms + (ms < 4000 ? 0 : jump) }, video: [], audio: [0, -10] },
  {
    name: "audio alone with a wrong timestamp",
    show: { video: () => null, audio: (ms) => (ms === 4000 ? jump : ms) },
    video: [],
    audio: [0, -10, 0],
  },
  {
    name: "audio alone that leaves silence out",
    show: { video: () => null, audio: (ms) => (ms >= 2000 && ms < 5000 ? null : ms) },
    video: [],
    audio: [0],
  },
  { name: "two pictures in a second beside audio", show: { video: (ms) => (ms % 500 === 0 ? ms : null) }, video: [0], audio: [0] },
  {
    name: "two pictures in a second, 3 s ahead of audio",
    show: { leadMs: 3000, video: (ms) => (ms % 500 === 0 ? ms : null) },
    video: [-3000, 0],
    audio: [0],
  },
];

for (const { name, show, ...expected } of shows) {
  test(`timeline: full and ${name}`, () => {
    const given = shown("full", show);
    assert.deepEqual({ video: offsets(given, video), audio: offsets(given, audio) }, expected);
  });
}

const inputs = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: fc.tuple(fc.constantFrom(audio, video, data), fc.oneof(fc.nat(0xffffffff), fc.nat(10_000))) },
    { weight: 1, arbitrary: fc.constant("splice" as const) },
  ),
  { maxLength: 60 },
);

for (const mode of ["full", "zero", "adopt", "follow"] as const) {
  const splices = mode === "follow" ? "" : ", and a splice not within any"; // to the same clock an edge's splice is none
  test(`timeline: ${mode} never goes back within a type${splices}`, () => {
    fc.assert(
      fc.property(inputs, (list) => {
        const latest = new Map<number, number>();
        const out = times(mode, list);
        let at = 0;
        let isSpliced = false;
        for (const input of list) {
          if (input === "splice") {
            isSpliced = latest.size > 0;
            continue;
          }
          const [type] = input;
          const time = out[at++]!;
          assert.ok(Number.isInteger(time) && time >= (latest.get(type) ?? 0), `${time} after ${latest.get(type)}`);
          if (isSpliced && type !== data && splices !== "") {
            for (const before of latest.values()) assert.ok(time >= before);
            isSpliced = false;
          }
          latest.set(type, time);
        }
      }),
      { numRuns: 1000 },
    );
  });
}

test("timeline: an edge of the box's own origin takes every forward time as it is, so that all edges agree", () => {
  const timeline = makeTimeline("follow");
  assert.equal(advance(timeline, 9, 5000), 5000);
  assert.equal(advance(timeline, 9, 9000), 9000, "what it missed is missing, not squeezed");
  splice(timeline, timeline.mode);
  assert.equal(advance(timeline, 9, 9040), 9040, "a new connection to the same origin changes nothing");
  splice(timeline, timeline.mode);
  assert.equal(advance(timeline, 9, 0), 9050, "an origin that began anew does not send viewers back");
  assert.equal(advance(timeline, 9, 40), 9090);
});

for (const mode of ["full", "zero", "off", "adopt", "follow"] as const) {
  test(`timeline: one of ${mode} goes on elsewhere as if it had stayed`, () => {
    const packets: [type: number, timestamp: number][] = [];
    for (let i = 0; i < 10; i++) packets.push([video, 5000 + i * 40], [audio, 5010 + i * 40], [data, 0]);
    packets.push([video, 90], [audio, 100]); // a jump back
    const given = (cut: number): number[] => {
      let timeline = makeTimeline(mode);
      return packets.map(([type, timestamp], i) => {
        if (i === cut) {
          const heir = makeTimeline(mode);
          resume(heir, JSON.parse(JSON.stringify(timeline)) as Timeline);
          timeline = heir;
        }
        return advance(timeline, type, timestamp);
      });
    };
    for (let cut = 0; cut < packets.length; cut++) assert.deepEqual(given(cut), given(-1), `behind ${cut} packets`);
  });
}

test("timeline: one that has had a clock to follow keeps its own, and splices", () => {
  const timeline = makeTimeline("full");
  for (const timestamp of [0, 40, 80]) advance(timeline, video, timestamp);
  splice(timeline, "full");
  resume(timeline, { ...makeTimeline("full") });
  assert.equal(advance(timeline, video, 9040), 90);
});

const pair = (timeline: Timeline, ...list: readonly (readonly [type: number, timestamp: number])[]): number[] =>
  list.map(([type, timestamp]) => advance(timeline, type, timestamp));

test("timeline: a new publisher's tracks keep their distance, though one lies before what viewers have had", () => {
  const timeline = makeTimeline("full");
  pair(timeline, [video, 0], [audio, 0], [video, 40], [audio, 40]);
  splice(timeline, "full");
  const given = pair(timeline, [video, 450], [audio, 0], [video, 490], [audio, 20], [audio, 40], [video, 530]);
  assert.deepEqual(given, [50, 50, 540, 70, 90, 580], "490 is 490 ms behind 0");
});

test("timeline: what describes a track moves no clock with a time that makes no sense", () => {
  const timeline = makeTimeline("full");
  assert.equal(advance(timeline, video, 5000, true), 0);
  assert.deepEqual(pair(timeline, [video, 5000], [audio, 5010], [video, 5040]), [0, 10, 40]);
  assert.equal(advance(timeline, video, 0, true), 40);
  assert.equal(advance(timeline, video, 5080, true), 80, "one that makes sense is kept");
  assert.deepEqual(pair(timeline, [video, 5080], [audio, 5030]), [80, 30]);
});

test("timeline: what describes the tracks of a foreign stream does not begin its clock", () => {
  const timeline = makeTimeline("adopt");
  assert.deepEqual([advance(timeline, audio, 0, true), advance(timeline, video, 0, true)], [0, 0]);
  assert.deepEqual(pair(timeline, [video, 3_600_000], [audio, 3_599_990]), [3_600_000, 3_599_990]);
});

test("timeline: an edge of the box's own origin keeps the distance of both tracks, however large", () => {
  const timeline = makeTimeline("follow");
  assert.deepEqual(pair(timeline, [video, 90_000], [audio, 5000], [video, 90_040], [audio, 5020]), [90_000, 5000, 90_040, 5020]);
  splice(timeline, "follow");
  assert.deepEqual(pair(timeline, [audio, 90_100], [video, 90_080]), [90_100, 90_080], "over a new connection too");
});

for (const mode of ["full", "zero", "adopt", "follow"] as const) {
  test(`timeline: one of ${mode} that runs goes on behind what somebody has seen, both tracks at their distance`, () => {
    const timeline = makeTimeline(mode);
    pair(timeline, [video, 0], [audio, 0], [video, 40], [audio, 20]);
    goBehind(timeline, 30);
    assert.deepEqual(pair(timeline, [video, 80], [audio, 40]), [80, 40], "it has come further itself");
    goBehind(timeline, 7314);
    assert.deepEqual(pair(timeline, [video, 120], [audio, 130], [video, 160]), [7324, 7334, 7364]);
  });
}

test("timeline: one whose publisher goes by its very clock takes every time as it is, wherever the publisher's tracks stand", () => {
  const timeline = makeTimeline("full");
  pair(timeline, [video, 0], [video, 40]);
  splice(timeline, "follow");
  goBehind(timeline, 3_600_000);
  keepTo(timeline);
  assert.deepEqual(pair(timeline, [video, 3_600_460], [audio, 3_600_010], [audio, 3_600_030]), [3_600_460, 3_600_010, 3_600_030]);
});

test("timeline: one that takes the place of another goes on as that would", () => {
  const [before, after] = [makeTimeline("follow"), makeTimeline("follow")];
  pair(before, [video, 500], [audio, 490]);
  replace(after, before, "full");
  assert.deepEqual(pair(after, [audio, 510], [video, 540], [video, 9000]), [510, 540, 550]);
  assert.deepEqual(pair(before, [video, 540]), [540], "which does not notice");
});

for (const mode of ["full", "zero"] as const) {
  test(`timeline: one of ${mode} that begins behind a time goes on 10 ms after it, wherever its publisher's clock stands`, () => {
    const timeline = makeTimelineBehind(mode, 3_600_000);
    const given = [data, video, audio, video].map((type, i) => advance(timeline, type, 70 + i * 10));
    assert.deepEqual(given, [3_600_000, 3_600_010, 3_600_020, 3_600_030]);
  });
}

test("timeline: one that begins behind no time begins at 0", () => {
  const timeline = makeTimelineBehind("full", null);
  assert.equal(furthest(timeline), null);
  assert.equal(advance(timeline, video, 70), 0);
  assert.equal(furthest(timeline), 0);
});

test("timeline: the furthest time is that of the type that is ahead", () => {
  const timeline = makeTimeline("full");
  for (const [type, time] of [
    [video, 0],
    [video, 200],
    [audio, 120],
  ] as const)
    advance(timeline, type, time);
  assert.equal(furthest(timeline), 200);
});
