import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { endKept, keepConnections } from "../../../../src/base/sockets/kept-connections.js";

/** A server that keeps connections for so long, and what a client gets that asks it. */
async function rig(
  t: TestContext,
  keptMs: number,
): Promise<{ server: Server; socket: Socket; ask: () => void; answer: () => Promise<string> }> {
  const server = createServer({ keepAlive: true }, (_, response) => response.end("ok"));
  keepConnections(server, () => false);
  server.on("request", () => (server.keepAliveTimeout = keptMs));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  t.after(() => (socket.destroy(), server.close()));
  await new Promise((resolve) => socket.once("connect", resolve));
  const answer = (): Promise<string> =>
    new Promise((resolve) => {
      socket.once("data", (bytes) => resolve(String(bytes)));
      socket.once("error", (error) => resolve(String(error)));
      socket.once("close", () => resolve("closed"));
    });
  return { server, socket, ask: () => void socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), answer };
}

/** Nothing else happens in this process meanwhile. */
function beBusy(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

test("kept-connections: a request that has come before its connection's time was over is answered, however late it is read", async (t) => {
  const { ask, answer } = await rig(t, 30);
  ask();
  assert.match(await answer(), /^HTTP.1.1 200/);
  ask();
  beBusy(1100); // node waits a second for requests that cross the end
  assert.match(await answer(), /^HTTP.1.1 200/);
  assert.equal(await answer(), "closed", "nothing came in its time");
});

test("kept-connections: a request that has come when nothing new is taken any more is answered", async (t) => {
  const { server, ask, answer } = await rig(t, 1000);
  ask();
  assert.match(await answer(), /^HTTP.1.1 200/);
  ask();
  endKept(server);
  assert.match(await answer(), /^HTTP.1.1 200/);
});

test("kept-connections: they are kept for longer than viewers of HLS are silent, but for a moment where there are too many", async (t) => {
  const server = createServer((_, response) => response.end());
  let isCrowded = false;
  keepConnections(server, () => isCrowded);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const told = async (): Promise<string | null> => (await fetch(`http://127.0.0.1:${port}`)).headers.get("keep-alive");
  assert.equal(await told(), "timeout=75");
  isCrowded = true;
  await told();
  assert.equal(await told(), "timeout=5");
});

test("kept-connections: an answer that waits for its slow reader is not cut off when nothing new is taken any more", async (t) => {
  const body = Buffer.alloc(24 << 20, "0123456789abcdef\n"); // more than any system takes for a client who does not read
  const server = createServer((request, response) => {
    response.setHeader("Content-Length", body.length);
    if (request.url === "/last") response.write(body.subarray(0, 1000));
    response.end(body.subarray(request.url === "/last" ? 1000 : 0));
  });
  keepConnections(server, () => false);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => (server.closeAllConnections(), server.close()));
  const slow = ["/", "/last"].map((path) => {
    const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
    t.after(() => socket.destroy());
    let sizeBytes = 0;
    socket.on("data", (bytes) => (sizeBytes += bytes.length)).pause();
    socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
    return { socket, closed: once(socket, "close"), sizeBytes: () => sizeBytes };
  });
  for (const _ of slow) await once(server, "request");
  endKept(server);
  await new Promise((resolve) => setTimeout(resolve, 50)); // what is ended at once is ended by then
  for (const { socket } of slow) socket.resume();
  for (const { closed, sizeBytes } of slow) {
    await closed;
    assert.ok(sizeBytes() > body.length, `${sizeBytes()} bytes of more than ${body.length}`);
  }
});
