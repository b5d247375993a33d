import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { takeFront } from "../../../../src/base/sockets/socket-front.js";

/** Takes a line of four bytes; a `!` is none. */
const line = {
  timeoutMs: 5_000,
  read(bytes: Buffer): { readonly text: string; readonly sizeBytes: number } | null {
    if (bytes.includes("!")) throw new Error("no line");
    return bytes.length < 4 ? null : { text: bytes.toString("latin1", 0, 4), sizeBytes: 4 };
  },
};

async function pair(t: TestContext): Promise<{ peer: Socket; accepted: Socket }> {
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const peer = connect({ host: "127.0.0.1", port: (server.address() as { port: number }).port, noDelay: true });
  const [accepted] = (await once(server, "connection")) as [Socket];
  accepted.on("error", () => undefined);
  t.after(() => {
    peer.destroy();
    accepted.destroy();
    server.close();
  });
  return { peer, accepted };
}

test("socket front: what comes in pieces is found, and the socket has the rest", async (t) => {
  const { peer, accepted } = await pair(t);
  const front = takeFront(accepted, line);
  for (const piece of ["o", "ne", ".two"]) {
    peer.write(piece);
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.deepEqual(await front, { text: "one.", sizeBytes: 4 });
  assert.ok(accepted.isPaused());
  peer.end(" three");
  const parts: Buffer[] = [];
  for await (const part of accepted) parts.push(part as Buffer);
  assert.equal(Buffer.concat(parts).toString(), "two three");
});

test("socket front: a peer that leaves before has said nothing", async (t) => {
  const { peer, accepted } = await pair(t);
  peer.end("on");
  assert.equal(await takeFront(accepted, line), null);
});

test("socket front: what cannot be read, or does not come in time, is thrown", async (t) => {
  const { peer, accepted } = await pair(t);
  peer.write("a!");
  await assert.rejects(takeFront(accepted, line), /no line/);
  const late = await pair(t);
  late.peer.write("one");
  await assert.rejects(takeFront(late.accepted, { ...line, timeoutMs: 20 }), { code: "PROXY_HEADER" });
  assert.equal(late.accepted.listenerCount("readable"), 0, "nobody listens any more");
});
