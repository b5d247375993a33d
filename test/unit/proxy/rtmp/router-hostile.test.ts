import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeAmf } from "../../../helpers/amf0.js";
import { RawPeer, command, handshake, login, loginAndPublish, message } from "../../../helpers/raw-peer.js";
import { eventually, within } from "../../../helpers/wait.js";
import type { Choice, Question } from "../../../../src/proxy/balance/chooser.js";
import { FakeServer } from "./fake-server.js";
import { startRouter, target, type ListChooser, type Rig } from "./rig.js";

/** The single closed line, once the connection is over. */
async function ending(rig: Rig, peer: RawPeer): Promise<unknown[]> {
  await within(peer.closed, 3000, "the router to close");
  const [line] = await rig.closedLines(1);
  return [line!.level, line!.code, line!["doing"]];
}

test("router: who says nothing, or drips, is gone when the time is over", async (t) => {
  const openings: readonly (readonly [Buffer, string])[] = [
    [Buffer.alloc(0), "handshaking"],
    [handshake().subarray(0, 1600), "handshaking"],
    [handshake(), "waiting for connect"],
    [login(), "waiting for publish or play"],
  ];
  for (const [bytes, doing] of openings) {
    const rig = await startRouter(t, [], { nameTimeoutMs: 150 });
    const peer = await RawPeer.open(rig.port);
    peer.send(bytes);
    const drip = setInterval(() => peer.send(bytes.length === 1600 ? Buffer.of(0) : message(4, Buffer.alloc(6), { csid: 2 })), 20);
    t.after(() => clearInterval(drip));
    if (doing !== "waiting for publish or play") clearInterval(drip);
    assert.deepEqual(await ending(rig, peer), ["warn", "RTMP_TIMEOUT", doing]);
  }
});

test("router: another protocol, and a broken one, cost their own connection", async (t) => {
  const rows: readonly (readonly [Buffer, string])[] = [
    [Buffer.from("GET / HTTP/1.1\r\n\r\n"), "RTMP_HANDSHAKE"],
    [Buffer.concat([handshake(), Buffer.of(0xc5)]), "RTMP_CHUNK_HEADER"],
    [Buffer.concat([login(), Buffer.alloc(100_000, message(18, Buffer.alloc(116)))]), "RTMP_MEMORY"],
  ];
  for (const [bytes, code] of rows) {
    const rig = await startRouter(t, []);
    const peer = await RawPeer.open(rig.port);
    peer.send(bytes);
    assert.equal((await ending(rig, peer))[1], code);
  }
});

test("router: a whole publish in one segment, and in single bytes, arrives whole", async (t) => {
  const media = Buffer.concat(
    Array.from({ length: 20 }, (_, i) => message(9, Buffer.alloc(3000, i), { csid: 6, streamId: 1, timestamp: 40 * i })),
  );
  const bytes = Buffer.concat([loginAndPublish("s"), media]);
  for (const size of [bytes.length, 1]) {
    const fake = await FakeServer.start(t);
    const rig = await startRouter(t, [target("one", fake.port)]);
    const peer = await RawPeer.open(rig.port);
    for (let at = 0; at < bytes.length; at += size) {
      peer.send(bytes.subarray(at, at + size));
      if (at % 256 === 0) await new Promise(setImmediate);
    }
    await eventually(() => fake.sessions[0]?.media.length === 20, { everyMs: 5, what: "all media" });
    assert.ok(fake.sessions[0]!.media.every(({ payload }, i) => payload.equals(Buffer.alloc(3000, i))));
    peer.close();
    await rig.closedLines(1);
    assert.deepEqual(
      rig.accounts.bytes.map(({ bytesIn }) => bytesIn),
      [bytes.length],
    );
  }
});

test("router: a publisher that sends on while no server is there yet is read no further than the limit", async (t) => {
  const rig = await startRouter(t, []);
  let place = (_choice: Choice | null): void => undefined;
  const chooser: Pick<ListChooser, "choose"> = rig.chooser;
  chooser.choose = ((_question: Question) => new Promise<Choice | null>((resolve) => (place = resolve))) as never;
  const fake = await FakeServer.start(t);
  const peer = await RawPeer.open(rig.port);
  peer.send(loginAndPublish("s"));
  const frame = message(9, Buffer.alloc(60_000, 7), { csid: 6, streamId: 1 });
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 200; i++) peer.send(frame);
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.ok(process.memoryUsage().arrayBuffers - before < 16 << 20, "what waits is the peer's and the system's");
  place({ target: target("one", fake.port), lease: null, release: () => undefined, hasOther: () => false });
  await eventually(() => fake.sessions[0]?.media.length === 200, { everyMs: 5, what: "all media" });
  peer.close();
});

test("router: a client that is gone at any byte of its dialogue leaves nothing behind", async (t) => {
  const fake = await FakeServer.start(t);
  const rig = await startRouter(t, [target("one", fake.port)]);
  const bytes = Buffer.concat([loginAndPublish("s"), message(8, Buffer.alloc(300), { csid: 4, streamId: 1 })]);
  const offsets = Array.from({ length: bytes.length - 3000 }, (_, i) => i + 3000).filter((at) => at % 7 === 0);
  for (const [i, at] of [0, 1, 1537, ...offsets].entries()) {
    const peer = await RawPeer.open(rig.port);
    peer.send(bytes.subarray(0, at));
    await new Promise(setImmediate);
    if (i % 2 === 0) peer.reset();
    else peer.close();
    await peer.closed;
  }
  await rig.closedLines(offsets.length + 3);
  assert.deepEqual([rig.router.connections, rig.accounts.total, rig.chooser.leases.size], [0, 0, 0]);
  await eventually(() => [...fake.sockets].every((socket) => socket.destroyed), { everyMs: 5, what: "the server's connections to end" });
  assert.deepEqual(
    rig.lines.filter(({ level, code }) => level === "error" || code === "INTERNAL"),
    [],
  );
});

test("router: a player that leaves while it waits for a publisher is forgotten at once", async (t) => {
  const rig = await startRouter(t, []);
  let asked: Question | null = null;
  const chooser: Pick<ListChooser, "choose"> = rig.chooser;
  chooser.choose = ((question: Question) => {
    asked = question;
    return new Promise((resolve) => question.signal.addEventListener("abort", () => resolve(null)));
  }) as never;
  const peer = await RawPeer.open(rig.port);
  peer.send(login(), command("createStream", 2, null), message(20, encodeAmf("play", 3, null, "s"), { streamId: 1 }));
  await eventually(() => asked !== null, { everyMs: 5, what: "the question" });
  // Who leaves with something unread resets.
  await eventually(() => peer.received.toString("latin1").split("_result").length > 2, { everyMs: 5, what: "both answers" });
  peer.close();
  const [line] = await rig.closedLines(1);
  assert.deepEqual([line!.reason, line!["doing"], line!["stream"]], ["the client left", "choosing a server", "s"]);
  assert.equal(rig.router.connections, 0);
});

test("router: silence at the seam ends with the idle limit", async (t) => {
  const silent = await FakeServer.start(t, { chunkSize: null });
  const rig = await startRouter(t, [target("one", silent.port)], { idleMs: 100 });
  const peer = await RawPeer.open(rig.port);
  peer.send(login(), command("createStream", 2, null), command("FCSubscribe", 3, null), command("FCPublish", 9, null, "s"));
  peer.send(message(20, encodeAmf("publish", 0, null, "s"), { streamId: 1 }));
  const [level, code] = await ending(rig, peer);
  assert.deepEqual([level, code], ["warn", "PROXY_IDLE"]);
});
