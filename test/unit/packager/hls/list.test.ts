import assert from "node:assert/strict";
import { test } from "node:test";
import {
  addSegment,
  goBehind,
  listText,
  makeHlsState,
  spentFile,
  takeExpired,
  type HlsState,
  type KeyFile,
  type ListedSegment,
} from "../../../../src/packager/hls/list.js";
import { configOf } from "../../server/rig.js";

const name = { vhost: "v", app: "live", stream: "s" };
const settings = configOf("vhost __defaultVhost__ { hls { enabled on; hls_fragment 10; hls_window 60; } }").vhosts[0]!.hls!;

const extras = { entryPrefix: "", partMs: null, open: null, nextUri: null };

function segment(sequence: number, more: Partial<ListedSegment> = {}): ListedSegment {
  const uri = `s-${sequence}.ts`;
  return {
    sequence,
    uri,
    path: `/p/${uri}`,
    durationMs: 10_000,
    sizeBytes: 1,
    isDiscontinuous: false,
    programTimeMs: 0,
    key: null,
    init: null,
    ...more,
  };
}

function filled(count: number, more: (sequence: number) => Partial<ListedSegment> = () => ({})): HlsState {
  const state = makeHlsState(name);
  for (let sequence = 0; sequence < count; sequence++) addSegment(state, segment(sequence, more(sequence)), settings, sequence * 10_000);
  return state;
}

test("list: a window of 60 s keeps the six segments of 10 s that fill it", () => {
  const { segments, first, next } = filled(9);
  assert.deepEqual([segments.length, segments[0]?.sequence, first, next], [6, 3, 3, 9]);
});

test("list: numbers go on behind a list that names more than is known, and not behind one that does not", () => {
  const state = filled(9);
  const text = listText(state, extras);
  goBehind(state, text, 0);
  assert.deepEqual([state.next, state.segments.length], [9, 6], "the list of this very state");
  const older = filled(7); // what the disk had of it when the power went
  goBehind(older, text, 0);
  assert.deepEqual([older.next, older.first, older.segments.length, older.open], [9, 9, 0, null]);
  assert.deepEqual(takeExpired(older, Infinity, null).length, 6, "what is not listed any more is deleted one day, but for one");
});

test("list: files that have left stay for the window and three target durations", () => {
  const state = filled(7);
  assert.equal(spentFile(state, 60_000 + 89_999), null);
  assert.equal(spentFile(state, 60_000 + 90_000), "/p/s-0.ts");
});

test("list: of files whose time has come one stays for the next segment to be made of, and is forgotten when it was", () => {
  const state = filled(10);
  assert.deepEqual(takeExpired(state, 180_000, null), ["/p/s-1.ts", "/p/s-2.ts", "/p/s-3.ts"]);
  assert.equal(spentFile(state, 180_000), "/p/s-0.ts");
  assert.deepEqual(takeExpired(state, 180_000, null), [], "it stays");
  assert.deepEqual(takeExpired(state, 180_000, "/p/s-0.ts"), []);
  assert.deepEqual([spentFile(state, 180_000), state.expired], [null, []]);
});

test("list: a discontinuity that leaves is counted, and only then", () => {
  const isDiscontinuous = (sequence: number) => ({ isDiscontinuous: sequence === 1 });
  assert.equal(filled(7, isDiscontinuous).discontinuitySequence, 0);
  assert.equal(filled(8, isDiscontinuous).discontinuitySequence, 1);
});

test("list: the target duration is that of a fragment, rises with a longer segment, and never falls", () => {
  const state = filled(1);
  assert.equal(state.targetSeconds, 10);
  addSegment(state, segment(1, { durationMs: 12_600 }), settings, 0);
  assert.equal(state.targetSeconds, 13);
  for (let sequence = 2; sequence < 12; sequence++) addSegment(state, segment(sequence), settings, 0);
  assert.equal(state.targetSeconds, 13);
});

test("list: numbers that were not written leave no hole in it", () => {
  const state = filled(2);
  addSegment(state, segment(5), settings, 0);
  assert.match(listText(state, extras), /#EXT-X-MEDIA-SEQUENCE:0\n/);
  assert.equal(state.next, 6);
});

test("list: a key is deleted with the last segment that it is for", () => {
  const keyOf = (sequence: number): KeyFile => ({ path: `/p/${Math.floor(sequence / 2)}.key`, uri: "k", iv: "00" });
  const gone = (count: number): string[] => filled(count, (sequence) => ({ key: keyOf(sequence) })).expired.map(({ path }) => path);
  assert.deepEqual(gone(7), ["/p/s-0.ts"]);
  assert.deepEqual(gone(8), ["/p/s-0.ts", "/p/s-1.ts", "/p/0.key"]);
});

test("list: what stands before a name stands before each", () => {
  assert.match(listText(filled(1), { ...extras, entryPrefix: "http://cdn/" }), /\nhttp:\/\/cdn\/s-0\.ts\n/);
});
