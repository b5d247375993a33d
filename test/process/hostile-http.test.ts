// Hostile HTTP: requests that are none, never end, or mean two things. Each is answered or closed with one log line, and viewers go on.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Bystanders, promptConf } from "../helpers/bystanders.js";
import { untilKept } from "../helpers/carried.js";
import { Cleanups } from "../helpers/cleanups.js";
import { Dolphin } from "../helpers/dolphin.js";
import { watchFlv } from "../helpers/flv-reader.js";
import { RawPeer } from "../helpers/raw-peer.js";
import { eventually, within } from "../helpers/wait.js";

/** The server's deadline for the headers of a request, and the interval in which it looks. */
const headersTimeoutMs = 5000;

const cleanups = new Cleanups();
let dolphin: Dolphin;
let bystanders: Bystanders;
let socketsBefore: number;

before(async () => {
  dolphin = await Dolphin.start(cleanups, { conf: promptConf });
  bystanders = await Bystanders.start(cleanups, dolphin);
  await untilKept(dolphin, bystanders.viewers); // each of these is a socket of the master's, too
  socketsBefore = dolphin.openSockets();
});

after(async () => {
  try {
    await bystanders.assertUndisturbed();
    await dolphin.stop({ allow: ({ event }) => event === "http.refused" || event === "flv.closed" });
  } finally {
    await cleanups.stopAll();
  }
});

const get = "GET /live/healthy.flv HTTP/1.1\r\nHost: a\r\n";

const refused: readonly (readonly [sentence: string, status: number, request: string])[] = [
  ["what is no HTTP", 400, "\u0003\u0000\u0000 nonsense\r\n\r\n"],
  ["headers of more than 16 KiB", 431, `${get}X-Long: ${"x".repeat(20_000)}\r\n\r\n`],
  ["a request line of more than 16 KiB", 431, `GET /live/${"x".repeat(20_000)}.flv HTTP/1.1\r\n\r\n`],
  ["a request with two lengths", 400, `${get}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
  ["a request with two different lengths", 400, `${get}Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef`],
  ["a header with a line feed in its name", 400, `${get}X\nY: 1\r\n\r\n`],
];

for (const [sentence, status, request] of refused) {
  void test(`${sentence} gets ${status} and one log line`, async (t) => {
    const peer = await RawPeer.open(dolphin.httpPort);
    t.after(() => peer.close());
    peer.send(Buffer.from(request, "latin1"));
    await peer.waitForText(`HTTP/1.1 ${status}`);
    await peer.assertClosedWith(dolphin, ["FLV_REQUEST"]);
    await bystanders.assertUndisturbed();
  });
}

const notFound: readonly string[] = [
  "/live/..%2f..%2fetc%2fpasswd.flv",
  "/live/a%00b.flv",
  "/live/a%0d%0ab.flv",
  `/live/${"x".repeat(300)}.flv`,
];

for (const path of notFound) {
  void test(`a path that names no stream gets 404: ${path.slice(0, 40)}`, async () => {
    const answer = await watchFlv(`http://127.0.0.1:${dolphin.httpPort}${path}`);
    assert.equal(answer.status, 404);
    await bystanders.assertUndisturbed();
  });
}

void test("headers that never end are given up", async (t) => {
  const [silent, dripping] = [await RawPeer.open(dolphin.httpPort), await RawPeer.open(dolphin.httpPort)];
  for (const peer of [silent, dripping]) t.after(() => peer.close());
  dripping.send(Buffer.from(get));
  const drip = setInterval(() => dripping.send(Buffer.from("X: y\r\n")), 200);
  t.after(() => clearInterval(drip));
  const limitMs = headersTimeoutMs + 1000;
  await Promise.all([
    dripping.assertClosedWith(dolphin, ["FLV_REQUEST"], limitMs),
    within(silent.closed, limitMs, "a silent connection to be closed"),
  ]);
  await bystanders.assertUndisturbed();
});

void test("HEAD is answered at once, and Range and a body are ignored", async (t) => {
  const head = await watchFlv(dolphin.flvUrl("healthy"), { method: "HEAD" });
  assert.equal(head.status, 200);
  assert.equal(await within(head.ended, 3000, "the end of HEAD"), "complete");
  const ranged = await watchFlv(dolphin.flvUrl("healthy"), { headers: { Range: "bytes=100-200" } });
  t.after(() => ranged.close());
  assert.equal(ranged.status, 200);
  await ranged.waitForMedia(10);
});

for (const [sentence, bytes] of [
  ["a second request", Buffer.from(`${get}\r\n`)],
  ["bytes that are no request", Buffer.alloc(65_536, 0x41)],
] as const) {
  void test(`${sentence} behind the one that plays begins no second response`, async (t) => {
    const peer = await RawPeer.open(dolphin.httpPort);
    t.after(() => peer.close());
    peer.send(Buffer.from(`${get}\r\n`), bytes);
    await peer.waitForText("video/x-flv");
    peer.send(bytes);
    await bystanders.assertUndisturbed();
    await bystanders.assertUndisturbed();
    const heads = peer.received.toString("latin1").match(/HTTP\/1\.1 .*/g);
    assert.equal(heads?.length, 1, `the server said ${heads?.join(", ")}`);
  });
}

void test("viewers that reset their connections leave nothing behind", async () => {
  for (let i = 0; i < 40; i++) {
    const peer = await RawPeer.open(dolphin.httpPort);
    peer.send(Buffer.from(`${get}\r\n`));
    if (i % 2 === 0) await peer.waitForText("FLV");
    peer.reset();
  }
  await eventually(() => dolphin.openSockets() <= socketsBefore, { what: "every connection to be closed on the server's side" });
  await bystanders.assertUndisturbed();
});
