// Hostile bytes below the dialogue: handshake, chunks, AMF. Each vector costs its own connection and one log line with a code,
// while a publisher and players at every edge go on undisturbed and memory stays bounded.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Bystanders, promptConf } from "../helpers/bystanders.js";
import { untilKept } from "../helpers/carried.js";
import { Cleanups } from "../helpers/cleanups.js";
import { Dolphin } from "../helpers/dolphin.js";
import { encodeAmf } from "../helpers/amf0.js";
import { command, control, handshake, header, login, loginAndPublish, message, RawPeer } from "../helpers/raw-peer.js";
import { encodeAggregate } from "../helpers/rtmp-client.js";
import { eventually } from "../helpers/wait.js";

const maxGrowthBytes = 150 << 20;
const mebibyte = 1 << 20;
/** The server's own deadline for a connection that does not get as far as `connect`. */
const loginTimeoutMs = 10_000;

const cleanups = new Cleanups();
let dolphin: Dolphin;
let bystanders: Bystanders;
let bytesBefore: number;
let socketsBefore: number;

before(async () => {
  dolphin = await Dolphin.start(cleanups, { conf: promptConf });
  bystanders = await Bystanders.start(cleanups, dolphin);
  bytesBefore = await memoryBytes();
  await untilKept(dolphin, bystanders.viewers); // each of these is a socket of the master's, too
  socketsBefore = dolphin.openSockets();
});

after(async () => {
  try {
    await bystanders.assertUndisturbed();
    await dolphin.stop({ allow: ({ event }) => event === "rtmp.closed" });
  } finally {
    await cleanups.stopAll();
  }
});

/** Bytes after `login`, and the code of the line with which the connection ends. */
const refused: readonly (readonly [sentence: string, code: string, bytes: () => Buffer, prelude?: () => Buffer])[] = [
  ["a chunk size of 0", "RTMP_CHUNK_SIZE", () => control(1, 0)],
  ["a negative chunk size", "RTMP_CHUNK_SIZE", () => control(1, 0x80001000)],
  ["a chunk size of 1", "RTMP_CHUNK_SIZE", () => control(1, 1)],
  ["a command of 16 MiB", "RTMP_MESSAGE_SIZE", () => header(0, 3, { length: 0xffffff })],
  ["a picture of 16 MiB", "RTMP_MESSAGE_SIZE", () => header(0, 6, { type: 9, length: 0xffffff, streamId: 1 })],
  ["many chunk streams with unfinished messages", "RTMP_CHUNK_STREAMS", manyChunkStreams],
  ["unfinished messages of 18 MiB together", "RTMP_MEMORY", unfinishedMessages],
  ["a new header inside a message", "RTMP_CHUNK_HEADER", () => headerInsideMessage(0)],
  ["another length inside a message", "RTMP_CHUNK_HEADER", () => headerInsideMessage(1)],
  ["a chunk stream that begins with format 3", "RTMP_CHUNK_HEADER", () => header(3, 10)],
  ["a chunk stream that begins with format 1", "RTMP_CHUNK_HEADER", () => header(1, 10, { length: 5 })],
  ["a chunk stream that begins with format 2", "RTMP_CHUNK_HEADER", () => header(2, 10)],
  ["AMF objects nested 70,000 deep", "RTMP_AMF", () => message(20, deepAmf(70_000))],
  [
    "an AMF array that claims 2^32-1 items",
    "RTMP_AMF",
    () => message(20, Buffer.concat([encodeAmf("call", 5), Buffer.from("0affffffff05", "hex")])),
  ],
  ["an AMF string past the end", "RTMP_AMF", () => message(20, Buffer.from("02ffff61", "hex"))],
  ["an AMF object without an end", "RTMP_AMF", () => message(20, Buffer.concat([encodeAmf("call", 5), Buffer.from("03000161", "hex")]))],
  ["an AMF marker that nobody knows", "RTMP_AMF", () => message(20, Buffer.concat([encodeAmf("call", 5), Buffer.of(0x7f)]))],
  ["a command that is no AMF", "RTMP_AMF", () => message(20, Buffer.alloc(64, 0xee))],
  ["a command without a name", "RTMP_COMMAND", () => message(20, Buffer.of(5))],
  [
    "an aggregate whose part is longer than itself",
    "RTMP_AGGREGATE",
    () => message(22, brokenAggregate(), { csid: 7, streamId: 1 }),
    publishing,
  ],
  ["an aggregate inside an aggregate", "RTMP_AGGREGATE", () => message(22, nestedAggregate(), { csid: 7, streamId: 1 }), publishing],
  ["the version 6 in C0", "RTMP_HANDSHAKE", () => Buffer.alloc(1537, 6), nothing],
  ["the prefix of a proxy that nobody trusts", "PROXY_HEADER", () => Buffer.from("f300047f00000103", "hex"), nothing],
  ["an HTTP request on the RTMP port", "RTMP_HANDSHAKE", () => Buffer.from("GET / HTTP/1.1\r\n\r\n"), nothing],
];

/** What looks hostile and must work all the same: `connect` is answered after it. */
const tolerated: readonly (readonly [sentence: string, bytes: () => readonly Buffer[]])[] = [
  ["handshake and connect in one piece", () => [login()]],
  ["a chunk size of 2^31-1", () => [handshake(), control(1, 0x7fffffff), connectIn(0xffffff)]],
  ["a new chunk size between two chunks of a message", interleavedChunkSize],
  [
    "a message that is aborted half way",
    () => [handshake(), header(0, 5, { length: 300 }), Buffer.alloc(128), control(2, 5), connectIn(128)],
  ],
  ["acknowledgements without end", () => [handshake(), ...Array.from({ length: 500 }, (_, i) => control(3, i)), connectIn(128)]],
  ["windows of 0 and of 2^32-1", () => [handshake(), control(5, 0), control(5, 0xffffffff), connectIn(128)]],
  ["a peer bandwidth of 0", () => [handshake(), message(6, Buffer.alloc(5), { csid: 2 }), connectIn(128)]],
  [
    "control messages of no length",
    () => [handshake(), ...[3, 4, 5, 6].map((type) => message(type, Buffer.alloc(0), { csid: 2 })), connectIn(128)],
  ],
  ["a lying count of an ECMA array", () => [handshake(), message(20, Buffer.concat([encodeAmf("connect", 1), ecmaConnect()]))]],
  ["a strict array among connect's properties", () => [handshake(), command("connect", 1, { app: "live", fourCcList: ["av01", "hvc1"] })]],
  [
    "connect in an AMF3 envelope",
    () => [handshake(), message(17, Buffer.concat([Buffer.of(0), encodeAmf("connect", 1, { app: "live" })]))],
  ],
  ["chunk stream ids of two and three bytes", () => [handshake(), ...[64, 319, 320, 65_599].map(pingOn), connectIn(128)]],
];

// The one whose time is the server's deadline runs beside the others, which come one after the other.
void describe("hostile bytes", { concurrency: true }, () => {
  void test(
    "who says nothing, drips, never finishes, or sends noise is closed after the login's time at the latest",
    { timeout: 30_000 },
    async (t) => {
      const [silent, dripping, noC2, unfinished] = await Promise.all([1, 2, 3, 4].map(() => RawPeer.open(dolphin.rtmpPort)));
      assert.ok(silent && dripping && noC2 && unfinished);
      const peers = [silent, dripping, noC2, unfinished];
      for (const peer of peers) t.after(() => peer.close());
      noC2.send(handshake().subarray(0, 1537));
      unfinished.send(handshake(), header(0, 6, { type: 9, length: 8 * mebibyte - 1, streamId: 1 }));
      const drip = setInterval(() => dripping.send(Buffer.of(3)), 200);
      t.after(() => clearInterval(drip));
      const noisy = await Promise.all(
        Array.from({ length: 30 }, async (_, seed) => {
          const peer = await RawPeer.open(dolphin.rtmpPort);
          t.after(() => peer.close());
          peer.send(handshake(), noise(seed, 8192));
          return peer;
        }),
      );
      const late = peers.map((peer) => peer.assertClosedWith(dolphin, ["RTMP_TIMEOUT"], loginTimeoutMs + 3000));
      // What noise means is chance: most of it ends at once, some of it announces a message that never comes.
      const wrong = noisy.map((peer) => peer.assertClosedWith(dolphin, ["RTMP_TIMEOUT", ...lowLevelCodes], loginTimeoutMs + 3000));
      await Promise.all([...late, ...wrong]);
      await bystanders.assertUndisturbed();
    },
  );

  void describe("one after the other", { concurrency: false }, () => {
    for (const [sentence, code, bytes, prelude = login] of refused) {
      void test(`${sentence} costs its own connection only: ${code}`, async (t) => {
        const peer = await RawPeer.open(dolphin.rtmpPort);
        t.after(() => peer.close());
        peer.send(prelude(), bytes());
        await peer.assertClosedWith(dolphin, [code]);
        await bystanders.assertUndisturbed();
      });
    }

    for (const [sentence, bytes] of tolerated) {
      void test(`${sentence} is coped with`, async (t) => {
        const peer = await RawPeer.open(dolphin.rtmpPort);
        t.after(() => peer.close());
        peer.send(...bytes());
        await peer.waitForText("NetConnection.Connect.Success");
      });
    }

    void test("a session that comes byte by byte works", async (t) => {
      const peer = await RawPeer.open(dolphin.rtmpPort);
      t.after(() => peer.close());
      for (const byte of login()) {
        peer.send(Buffer.of(byte));
        if (byte % 64 === 0) await new Promise(setImmediate); // lets the system send what is there
      }
      await peer.waitForText("NetConnection.Connect.Success");
    });
  });
});

void test("connections that are reset at any byte leave nothing behind", { timeout: 30_000 }, async () => {
  const session = loginAndPublish("reset");
  for (let at = 0; at < session.length; at += 53) {
    const peer = await RawPeer.open(dolphin.rtmpPort);
    peer.send(session.subarray(0, at));
    peer.reset();
  }
  await eventually(() => dolphin.openSockets() <= socketsBefore, { what: "every connection to be closed on the server's side" });
  const { streams } = await dolphin.status();
  assert.equal(
    streams.some(({ stream }) => stream === "reset"),
    false,
  );
  await bystanders.assertUndisturbed();
});

void test("memory is where it was, within a bound", async () => {
  const grown = (await memoryBytes()) - bytesBefore;
  assert.ok(grown < maxGrowthBytes, `the processes took ${Math.round(grown / mebibyte)} MiB more`);
});

const lowLevelCodes = [
  "RTMP_CHUNK_HEADER",
  "RTMP_CHUNK_SIZE",
  "RTMP_CHUNK_STREAMS",
  "RTMP_MESSAGE_SIZE",
  "RTMP_MEMORY",
  "RTMP_AMF",
  "RTMP_AGGREGATE",
  "RTMP_STATE",
  "RTMP_COMMAND",
];

async function memoryBytes(): Promise<number> {
  const { processes } = await dolphin.status();
  return processes.reduce((sum, process) => sum + (process.memoryBytes ?? 0), 0);
}

function nothing(): Buffer {
  return Buffer.alloc(0);
}

function publishing(): Buffer {
  return loginAndPublish("hostile");
}

function manyChunkStreams(): Buffer {
  const body = Buffer.alloc(128);
  const shape = { type: 9, length: 129, streamId: 1 };
  const short = Array.from({ length: 61 }, (_, i) => [header(0, 3 + i, shape), body]);
  // From 64 on the id stands in a second byte after an id of 0.
  const long = Array.from({ length: 10 }, (_, i) => [Buffer.of(0, i), header(0, 3, shape).subarray(1), body]);
  return Buffer.concat([...short, ...long].flat());
}

/** Three pictures of 8 MiB in chunks of 1 MiB, taking turns, each without its last chunk. */
function unfinishedMessages(): Buffer {
  const chunk = Buffer.alloc(mebibyte);
  const out = [control(1, mebibyte)];
  for (let round = 0; round < 7; round++) {
    for (const csid of [20, 21, 22]) out.push(header(round === 0 ? 0 : 3, csid, { type: 9, length: 8 * mebibyte, streamId: 1 }), chunk);
  }
  return Buffer.concat(out);
}

function headerInsideMessage(format: 0 | 1): Buffer {
  return Buffer.concat([header(0, 5, { length: 300 }), Buffer.alloc(128), header(format, 5, { length: 5000 }), Buffer.alloc(128)]);
}

function deepAmf(depth: number): Buffer {
  return Buffer.concat([encodeAmf("call", 5), ...Array.from({ length: depth }, () => Buffer.from("03000161", "hex"))]);
}

function brokenAggregate(): Buffer {
  const whole = encodeAggregate([{ type: 9, timestamp: 0, payload: Buffer.alloc(40) }], 1);
  whole.writeUIntBE(5000, 1, 3);
  return whole;
}

function nestedAggregate(): Buffer {
  return encodeAggregate(
    [{ type: 22, timestamp: 0, payload: encodeAggregate([{ type: 9, timestamp: 0, payload: Buffer.alloc(8) }], 1) }],
    1,
  );
}

/** `connect` with enough in it for two chunks of 128 bytes, in chunks of the given size. */
function connectIn(chunkSize: number): Buffer {
  const payload = encodeAmf("connect", 1, { app: "live", tcUrl: "rtmp://127.0.0.1/live", flashVer: "x".repeat(200) });
  if (chunkSize === 128) return message(20, payload);
  return Buffer.concat([header(0, 3, { length: payload.length }), payload]);
}

function interleavedChunkSize(): Buffer[] {
  const payload = encodeAmf("connect", 1, { app: "live", tcUrl: "rtmp://127.0.0.1/live", flashVer: "x".repeat(400) });
  const first = Buffer.concat([header(0, 3, { length: payload.length }), payload.subarray(0, 128)]);
  return [handshake(), first, control(1, 4096), header(3, 3), payload.subarray(128)];
}

function ecmaConnect(): Buffer {
  const object = encodeAmf({ app: "live", tcUrl: "rtmp://127.0.0.1/live" });
  return Buffer.concat([Buffer.from("08ffffffff", "hex"), object.subarray(1)]);
}

/** A ping response, which nobody answers, on any chunk stream. */
function pingOn(csid: number): Buffer {
  return message(4, Buffer.from("000700000000", "hex"), { csid });
}

/** The same bytes for the same seed. */
function noise(seed: number, bytes: number): Buffer {
  let state = (seed + 1) * 0x9e3779b1;
  return Buffer.from(
    Array.from({ length: bytes }, () => {
      state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x6d2b79f5) | 0;
      return (state >>> 13) & 255;
    }),
  );
}
