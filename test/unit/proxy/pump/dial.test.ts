// Connections that are joined as they are accepted, to a server that is connected to within one call.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { test, type TestContext } from "node:test";
import type { Endpoint } from "../../../../src/conf/meaning/config.js";
import { createPump } from "../../../../src/proxy/pump/create-pump.js";
import { dial } from "../../../../src/proxy/pump/dial.js";
import { offerHandles } from "../../../../src/proxy/pump/handle.js";
import type { PumpEnd } from "../../../../src/proxy/pump/pump.js";
import { loadSpliceCalls, type SpliceCalls } from "../../../../src/proxy/pump/splice-calls.js";
import { eventually } from "../../../helpers/wait.js";
import { keptLog, listening, received } from "./rig.js";

const calls = await loadSpliceCalls();
const skip = calls === null ? "Linux with koffi alone has these calls" : false;

async function serve(
  t: TestContext,
  onSocket: (socket: Socket) => void,
): Promise<{ readonly server: Server; readonly endpoint: Endpoint }> {
  const server = createServer({ allowHalfOpen: true }, onSocket);
  t.after(() => void server.close());
  return { server, endpoint: { host: "127.0.0.1", port: await listening(server) } };
}

/** Where nobody listens. */
async function nobody(): Promise<Endpoint> {
  const server = createServer();
  const port = await listening(server);
  server.close();
  await once(server, "close");
  return { host: "127.0.0.1", port };
}

test("dial: a server of the loopback is connected to within one call; one that refuses leaves no descriptor", { skip }, async (t) => {
  const got = new Promise<Buffer>(
    (resolve) => void serve(t, (socket) => resolve(received(socket))).then(({ endpoint }) => dialled(endpoint)),
  );
  const dialled = (endpoint: Endpoint): void => {
    const fd = dial(calls!, endpoint, Buffer.from("hello"));
    assert.notEqual(fd, null);
    calls!.close(fd!);
  };
  assert.equal((await got).toString(), "hello");
  const there = await nobody();
  const before = readdirSync("/proc/self/fd").length;
  assert.equal(dial(calls!, there, null), null);
  assert.equal(readdirSync("/proc/self/fd").length, before);
});

test("dial: a server that is not on the loopback is not even tried", () => {
  const none = new Proxy({} as SpliceCalls, { get: (_, name) => assert.fail(`${String(name)} was called`) });
  for (const host of ["192.0.2.1", "::1", "localhost"]) assert.equal(dial(none, { host, port: 1935 }, null), null);
});

test("pump: a connection is joined as it is accepted; where the server refuses it becomes a socket", { skip }, async (t) => {
  const pump = await createPump(keptLog().log, "auto");
  t.after(() => pump.close());
  const ends: PumpEnd[] = [];
  const back = await serve(t, (socket) => void received(socket).then((bytes) => socket.end(`${bytes.toString()}, too`)));
  let server = back.endpoint;
  const front = await serve(t, (socket) => void received(socket).then((bytes) => socket.end(`not joined: ${bytes.toString()}`)));
  offerHandles(front.server, (client) => {
    const options = { idleMs: null, totalMs: null, session: null, onEnd: (end: PumpEnd) => void ends.push(end) };
    return pump.joinAtOnce(client, server, Buffer.from("preface, "), options) !== null;
  });
  const answer = async (): Promise<string> => {
    const client = connect({ ...front.endpoint, allowHalfOpen: true });
    client.end("client");
    return (await received(client)).toString();
  };
  assert.equal(await answer(), "preface, client, too");
  await eventually(() => ends.length > 0, { what: "the pair to end" });
  assert.deepEqual(
    ends.map(({ reason, bytesIn, bytesOut }) => [reason, bytesIn, bytesOut]),
    [["closed", 6, 20]],
  );
  server = await nobody();
  assert.equal(await answer(), "not joined: client");
  assert.equal(ends.length, 1);
});
