import assert from "node:assert/strict";
import { createServer, type Server, type Socket } from "node:net";
import { afterEach, test } from "node:test";
import { answerHello, helloBytes } from "../../../../src/codec/rtmp/handshake.js";
import type { Endpoint } from "../../../../src/conf/meaning/config.js";
import { probeHttp, probeRtmp } from "../../../../src/master/backends/probe.js";

const servers: Server[] = [];
const sockets: Socket[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
  for (const socket of sockets.splice(0)) socket.destroy();
});

function serve(onConnection: (socket: Socket) => void): Promise<Endpoint> {
  return new Promise((resolve) => {
    const server = createServer((socket) => {
      sockets.push(socket);
      socket.on("error", () => undefined);
      onConnection(socket);
    });
    servers.push(server);
    server.listen({ host: "127.0.0.1", port: 0 }, () => resolve({ host: "127.0.0.1", port: (server.address() as { port: number }).port }));
  });
}

const rtmpServer = (pieces: number) => (socket: Socket) => {
  let received = Buffer.alloc(0);
  socket.on("data", (bytes) => {
    received = Buffer.concat([received, bytes]);
    if (received.length < helloBytes) return;
    const answer = answerHello(received);
    const size = Math.ceil(answer.length / pieces);
    for (let at = 0; at < answer.length; at += size) socket.write(answer.subarray(at, at + size));
  });
};

test("probe: a server that answers the handshake serves, in one piece or in many", async () => {
  assert.equal(await probeRtmp(await serve(rtmpServer(1)), 1000), null);
  assert.equal(await probeRtmp(await serve(rtmpServer(10)), 1000), null);
});

test("probe: it hangs up politely, so that the server sees an end and no reset", async () => {
  let endpoint: Promise<Endpoint> | null = null;
  const ending = new Promise((resolve) => {
    endpoint = serve((socket) => {
      rtmpServer(1)(socket);
      socket.once("error", () => resolve("reset"));
      socket.once("end", () => resolve("end"));
    });
  });
  assert.equal(await probeRtmp(await endpoint!, 1000), null);
  assert.equal(await ending, "end");
});

for (const [what, onConnection, why] of [
  ["that accepts and says nothing", () => undefined, /^did not answer within 0.1 s$/],
  ["that closes at once", (socket: Socket) => socket.end(), /^closed the connection without an answer$/],
  ["that resets", (socket: Socket) => socket.resetAndDestroy(), /^reset the connection|^refused/],
  ["of another protocol", (socket: Socket) => socket.write("220 hello\r\n"), /^does not speak RTMP$/],
  ["that stops in the middle", (socket: Socket) => socket.write(Buffer.alloc(1000, 3)), /^did not answer within 0.1 s$/],
] as const) {
  test(`probe: a server ${what} does not serve`, async () => {
    assert.match((await probeRtmp(await serve(onConnection), 100)) ?? "it serves", why);
  });
}

test("probe: nobody there is a refusal", async () => {
  const endpoint = await serve(() => undefined);
  await new Promise((resolve) => servers[0]?.close(resolve));
  assert.equal(await probeRtmp(endpoint, 1000), "refused the connection");
});

test("probe: any HTTP answer will do, and nothing else", async () => {
  const answering = (text: string) => (socket: Socket) => void socket.once("data", () => socket.end(text));
  assert.equal(await probeHttp(await serve(answering("HTTP/1.1 404 Not Found\r\n\r\n")), 1000), null);
  assert.equal(await probeHttp(await serve(answering("nonsense")), 1000), "does not speak HTTP");
  assert.equal(await probeHttp(await serve(() => undefined), 50), "did not answer within 0.05 s");
});
