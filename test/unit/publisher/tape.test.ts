import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { test, type TestContext } from "node:test";
import { audioCodec, role, videoCodec, videoRole } from "../../../src/codec/av.js";
import { encodeAmf } from "../../../src/codec/rtmp/amf0.js";
import type { Message } from "../../../src/codec/rtmp/message.js";
import { withSetDataFrame } from "../../../src/codec/rtmp/metadata.js";
import { Tape } from "../../../src/publisher/tape.js";
import { projectRoot } from "../../helpers/child.js";
import { flvBytes, temporaryFile } from "../../helpers/flv-file.js";
import { hex } from "../codec/hex.js";

/** Type, time, payload. */
type Tag = readonly [type: number, timestamp: number, payload: Buffer];

function fileOf(tags: readonly Tag[]): Buffer {
  return flvBytes(tags.map(([type, timestamp, payload]) => ({ type, timestamp, payload })));
}

const metadata = encodeAmf("onMetaData", { width: 640 });
const videoHeader = hex("17 00 00 00 00 01 42 c0 1e");
const audioHeader = hex("af 00 12 10");
const keyFrame = hex("17 01 00 00 00 65");
const frame = hex("27 01 00 00 00 41");
const sound = hex("af 01 21");
const end = hex("17 02 00 00 00");
const cue = encodeAmf("onCuePoint", 1);

const setup: readonly Tag[] = [
  [18, 0, metadata],
  [9, 0, videoHeader],
  [8, 0, audioHeader],
];
const media: readonly Tag[] = [
  [9, 1000, keyFrame],
  [8, 1000, sound],
  [18, 0, cue],
  [9, 1040, frame],
];
const file: readonly Tag[] = [...setup, ...media, [9, 1040, end]];

/** The first messages of a tape, as type, time and payload, and what it noted. */
function play(
  t: TestContext,
  path: string,
  count: number,
  isOnce = false,
): { readonly messages: (Tag | null)[]; readonly notes: string[] } {
  const notes: string[] = [];
  const tape = new Tape({ path, isOnce, note: (sentence) => notes.push(sentence) });
  t.after(() => tape.close());
  const plain = (message: Message | null): Tag | null => message && [message.type, message.timestamp, message.payload];
  return { messages: Array.from({ length: count }, () => plain(tape.next())), notes };
}

test("tape: a file goes on with itself, without what is known already and without its end", (t) => {
  const path = temporaryFile(t, fileOf(file));
  assert.deepEqual(play(t, path, 12), {
    messages: [
      [18, 0, withSetDataFrame(metadata)],
      [9, 0, videoHeader],
      [8, 0, audioHeader],
      [9, 0, keyFrame],
      [8, 0, sound],
      [18, 0, cue],
      [9, 40, frame],
      [9, 80, keyFrame],
      [8, 80, sound],
      [18, 80, cue],
      [9, 120, frame],
      [9, 160, keyFrame],
    ],
    notes: [],
  });
});

test("tape: headers that change are sent, and sent again when they change back", (t) => {
  const other = hex("17 00 00 00 00 01 64 00 1e");
  const path = temporaryFile(
    t,
    fileOf([
      [9, 0, videoHeader],
      [9, 0, keyFrame],
      [9, 40, other],
      [9, 40, keyFrame],
    ]),
  );
  const sent = play(t, path, 8).messages.map((message) => message?.[2]);
  assert.deepEqual(sent, [videoHeader, keyFrame, other, keyFrame, videoHeader, keyFrame, other, keyFrame]);
});

test("tape: once is once", (t) => {
  const { messages } = play(t, temporaryFile(t, fileOf(file)), 8, true);
  assert.deepEqual([messages.at(-2), messages.at(-1)], [[9, 40, frame], null]);
});

test("tape: a file of many pieces is read whole", (t) => {
  const frames = Array.from({ length: 400 }, (_, at): Tag => [
    9,
    at * 40,
    Buffer.concat([at === 0 ? keyFrame : frame, Buffer.alloc(997, at)]),
  ]);
  const { messages } = play(t, temporaryFile(t, fileOf(frames)), 801);
  assert.deepEqual(messages.slice(0, 400), frames);
  assert.deepEqual(
    messages.slice(400, 800),
    frames.map(([type, time, payload]) => [type, time + 16_000, payload]),
  );
});

test("tape: a file that was cut plays as far as it is whole, which is told once", (t) => {
  const path = temporaryFile(t, fileOf(media).subarray(0, -3));
  const { messages, notes } = play(t, path, 10);
  assert.deepEqual(
    messages.map((message) => message?.[2]),
    [keyFrame, sound, cue, keyFrame, sound, cue, keyFrame, sound, cue, keyFrame],
  );
  assert.deepEqual(notes, [`${path} ends in the middle of a tag: its last 18 bytes are left out`]);
});

test("tape: damage ends it when it is reached, with place and remedy", (t) => {
  const bytes = fileOf(media);
  bytes.writeUInt8(0x2a, bytes.length - frame.length - 15);
  const path = temporaryFile(t, bytes);
  const message = `${path} is damaged or encrypted at byte ${bytes.length - frame.length - 15}: there is no tag of type 42; \`ffmpeg -i ${path} -c copy ${path.replace(".flv", "-new.flv")}\` makes one that can be played`;
  assert.throws(() => play(t, path, 4), { code: "FLV_FILE", message });
});

test("tape: a file of another kind is refused when it is opened, with what makes one of ours of it", (t) => {
  const path = temporaryFile(t, hex("00 00 00 20 66 74 79 70 69 73 6f 6d 00 00 02 00"), "my film.mp4");
  const ending = `as no FLV file does; \`ffmpeg -i '${path}' -c copy '${path.replace(".mp4", ".flv")}'\` makes one that can be played`;
  assert.throws(() => new Tape({ path, isOnce: false, note: assert.fail }), {
    code: "FLV_FILE",
    message: `${path} begins with 000000206674797069, ${ending}`,
  });
});

for (const [name, bytes] of [
  ["nothing", fileOf([])],
  ["headers alone", fileOf(setup)],
  ["one tag that is cut", fileOf([[9, 0, keyFrame]]).subarray(0, -1)],
] as const) {
  test(`tape: a file with ${name} is refused, and not played for ever`, (t) => {
    const path = temporaryFile(t, bytes);
    assert.throws(() => play(t, path, 4), { code: "FLV_FILE", message: `${path} holds neither sound nor pictures` });
  });
}

test("tape: an empty file is refused", (t) => {
  const path = temporaryFile(t, Buffer.alloc(0));
  assert.throws(() => play(t, path, 1), { code: "FLV_FILE", message: /x\.flv ends after 0 bytes, before an FLV file has begun; / });
});

test("tape: what is no plain file is refused and not waited for", (t) => {
  const folder = dirname(temporaryFile(t, Buffer.alloc(0)));
  execFileSync("mkfifo", [join(folder, "pipe")]);
  for (const path of [folder, join(folder, "pipe")])
    assert.throws(() => play(t, path, 1), {
      code: "FLV_FILE",
      message: `${path} cannot be read: it is no plain file, which could be read again from its beginning`,
    });
  assert.throws(() => play(t, join(folder, "none.flv"), 1), { code: "FLV_FILE", message: /none\.flv cannot be read: ENOENT/ });
});

test("tape: an open file is closed, once, and after a failure too", (t) => {
  const before = readdirSync("/proc/self/fd").length;
  const tape = new Tape({ path: temporaryFile(t, fileOf(file)), isOnce: false, note: assert.fail });
  tape.close();
  tape.close();
  assert.throws(() => new Tape({ path: temporaryFile(t, Buffer.from("no flv at all")), isOnce: false, note: assert.fail }));
  assert.equal(readdirSync("/proc/self/fd").length, before);
});

test("tape: the clip that comes along is small, plays anywhere, and goes on with itself without a jump", (t) => {
  const path = join(projectRoot, "conf/demo.flv");
  assert.ok(statSync(path).size < 600_000, `${statSync(path).size} bytes`);
  const [description, ...rest] = play(t, path, 3 + 3 * (400 + 750)).messages.map((message) => message!);
  assert.equal(description?.[0], 18);
  const last = (type: number): number => rest.findLast((message) => message[0] === type)![1];
  for (const [type, codec, stepMs] of [
    [9, "H.264", 40],
    [8, "AAC", 22],
  ] as const) {
    const track = rest.filter((message) => message[0] === type);
    assert.deepEqual(new Set(track.map(([, , payload]) => (type === 9 ? videoCodec : audioCodec)(payload))), new Set([codec]));
    const steps = track.slice(2).map(([, time], at) => time - track[at + 1]![1]);
    assert.ok(
      steps.every((step) => step > 0 && step <= stepMs),
      `steps of ${[...new Set(steps)].join(", ")} ms`,
    );
    assert.ok(last(type) > 47_900 && last(type) < 48_000, `three rounds end at ${last(type)} ms`);
  }
  const keys = rest.filter(([type, , payload]) => type === 9 && videoRole(payload) === role.keyFrame).map(([, time]) => time);
  assert.deepEqual(
    keys,
    Array.from({ length: 24 }, (_, at) => at * 2000),
  );
  const frames = rest.filter(([type]) => type === 9).slice(1);
  assert.ok(
    frames.every(([, , payload]) => payload.readIntBE(2, 3) === 0),
    "pictures are shown in the order in which they come",
  );
});
