import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { peerAddress } from "../../../../src/codec/ip-address.js";
import type { PolicyName } from "../../../../src/ipc/balance.js";
import { Backends } from "../../../../src/proxy/balance/backends.js";
import { trustedNetworks } from "../../../../src/conf/meaning/networks.js";
import { createPump } from "../../../../src/proxy/pump/create-pump.js";
import { offerHandles, peerOf, type SocketHandle } from "../../../../src/proxy/pump/handle.js";
import { acceptOptions, TcpProxy, type TcpProxyOptions } from "../../../../src/proxy/balance/tcp-proxy.js";
import { Roll } from "../../../../src/proxy/balance/roll.js";
import { start } from "../../../helpers/child.js";
import { freePort } from "../../../helpers/ports.js";
import { eventually, within } from "../../../helpers/wait.js";
import { backendState, randomFrom } from "./backend-states.js";
import { closing, keptLog, listening, received } from "../pump/rig.js";

const trustLoopback = trustedNetworks(["127.0.0.0/8"]);

interface Setup {
  readonly options?: Partial<TcpProxyOptions>;
  readonly policy?: PolicyName;
  /** Ports of the servers, in their order; by default one that echoes. */
  readonly ports?: readonly number[];
  /** Which pump; by default the best one. */
  readonly pump?: "auto" | "plain";
}

/** A proxy that is offered each connection before it is a socket, as listeners of proxies do it. `sockets` counts those that became one. */
async function started(t: TestContext, { options = {}, policy = "fill", ports, pump: kind = "auto" }: Setup = {}) {
  const { log, lines } = keptLog();
  const backends = new Backends({ policy, random: randomFrom(1) });
  const all = ports ?? [await serving(t, echo)];
  backends.update(all.map((port, i) => backendState({ name: `server-${i + 1}`, rtmp: { host: "127.0.0.1", port } })));
  const pump = await createPump(log, kind);
  const limits = { service: "rtmp", preface: null, trusted: null, idleMs: null, totalMs: null } as const;
  const proxy = new TcpProxy({ ...limits, ...options }, backends, pump, new Roll(), log);
  const sockets: Socket[] = [];
  const accept = (socket: Socket): void => {
    sockets.push(socket);
    proxy.accept(socket, peerAddress(socket)!);
  };
  const port = await serving(t, accept, (handle) => proxy.acceptAtOnce(handle, peerOf(handle)!));
  t.after(() => pump.close());
  const closedLine = (): Promise<Record<string, unknown>> =>
    eventually(() => lines.find(({ event }) => event === "proxy.closed"), { everyMs: 5, what: "a closed line" });
  return { proxy, backends, port, lines, closedLine, pump, sockets };
}

type Offer = (handle: SocketHandle) => boolean;

async function serving(t: TestContext, accept: (socket: Socket) => void, offer: Offer | null = null): Promise<number> {
  const server: Server = createServer(acceptOptions, accept);
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => void sockets.add(socket.on("error", () => undefined)));
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const port = await listening(server);
  if (offer !== null) offerHandles(server, offer);
  return port;
}

function echo(socket: Socket): void {
  socket.pipe(socket);
}

async function client(t: TestContext, port: number): Promise<Socket> {
  const socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true }).on("error", () => undefined);
  t.after(() => socket.destroy());
  await once(socket, "connect");
  return socket;
}

const ways = [
  ["at once", "auto", 0],
  ["as a socket, where the pump moves sockets,", "plain", 1],
] as const;
for (const [way, kind, count] of ways)
  test(`tcp proxy: a connection is moved ${way} to a server and told of in one line`, async (t) => {
    const { port, lines, closedLine, backends, proxy, pump, sockets } = await started(t, { pump: kind });
    const socket = await client(t, port);
    const { localPort } = socket;
    const bytes = Buffer.alloc(5000, "hello");
    socket.end(bytes);
    assert.deepEqual(await received(socket), bytes);
    const { durMs, ...line } = await closedLine();
    assert.ok(typeof durMs === "number" && durMs < 5000);
    assert.deepEqual(line, {
      level: "info",
      event: "proxy.closed",
      conn: 1,
      peer: `127.0.0.1:${localPort}`,
      backend: "server-1",
      reason: "closed",
      endedBy: "client",
      bytesIn: 5000,
      bytesOut: 5000,
      tried: ["server-1"],
    });
    assert.deepEqual(backends.carried(), [{ backend: "server-1", connections: 0, total: 1, bytesIn: 5000, bytesOut: 5000 }]);
    assert.deepEqual([proxy.connections, lines.length], [0, 1]);
    assert.equal(sockets.length, pump.kind === "splice" ? count : 1);
  });

test("tcp proxy: bytes of a connection that is open are carried", async (t) => {
  const { port, backends } = await started(t);
  const socket = await client(t, port);
  socket.write("hello");
  await once(socket, "data");
  await eventually(() => backends.carried()[0]?.bytesOut === 5, { what: "the counters" });
  assert.deepEqual(backends.carried(), [{ backend: "server-1", connections: 1, total: 1, bytesIn: 5, bytesOut: 5 }]);
});

test("tcp proxy: a server that refuses is replaced by the next before the client notices", async (t) => {
  const good = await serving(t, echo);
  const { port, closedLine, backends, sockets } = await started(t, { ports: [await freePort(), await freePort(), good] });
  const socket = await client(t, port);
  socket.end("hello");
  assert.equal((await received(socket)).toString(), "hello");
  assert.equal(sockets.length, 1, "it has to wait for the others");
  const line = await closedLine();
  assert.deepEqual([line["backend"], line["tried"]], ["server-3", ["server-1", "server-2", "server-3"]]);
  assert.deepEqual(
    backends.carried().map(({ connections }) => connections),
    [0, 0, 0],
  );
});

test("tcp proxy: a server that does not accept in time is replaced by the next", { skip: process.platform !== "linux" }, async (t) => {
  const { port, closedLine } = await started(t, {
    ports: [(await fullServer(t)).port, await serving(t, echo)],
    options: { connectTimeoutMs: 200 },
  });
  const socket = await client(t, port);
  socket.end("hello");
  assert.equal((await received(socket)).toString(), "hello");
  const line = await closedLine();
  assert.deepEqual(line["tried"], ["server-1", "server-2"]);
  assert.ok((line["durMs"] as number) >= 190);
});

test("tcp proxy: a server that accepts late is waited for while there is no other", { skip: process.platform !== "linux" }, async (t) => {
  const server = await fullServer(t);
  const { port, backends, closedLine } = await started(t, { ports: [server.port], options: { connectTimeoutMs: 50 } });
  let looks = 0;
  t.mock.method(backends, "canPick", () => ++looks < 0);
  const socket = await client(t, port);
  socket.end("hello");
  await eventually(() => looks >= 3, { everyMs: 5, what: "turns without an answer" });
  server.goOn();
  assert.equal((await received(socket)).toString(), "hello");
  assert.deepEqual((await closedLine())["tried"], ["server-1"]);
});

for (const [name, ports, isUp, code, tried] of [
  ["all servers refuse", 2, true, "PROXY_CONNECT", ["server-1", "server-2"]],
  ["no server is up", 1, false, "PROXY_NO_SERVER", []],
] as const) {
  test(`tcp proxy: when ${name}, the client is closed and the line has the code`, async (t) => {
    const { port, closedLine, backends, proxy } = await started(t, {
      ports: await Promise.all(Array.from({ length: ports }, () => freePort())),
    });
    if (!isUp) backends.update([backendState({ isUp })]);
    const socket = await client(t, port);
    await closing(socket);
    const line = await closedLine();
    assert.deepEqual([line["level"], line["code"], line["tried"], line["endedBy"]], ["warn", code, tried, "proxy"]);
    assert.equal(proxy.connections, 0);
    assert.ok(backends.carried().every(({ connections }) => connections === 0));
  });
}

test("tcp proxy: a reset of the server is passed on, and the line says who and how", async (t) => {
  const resets = await serving(t, (socket) => {
    socket.once("data", () => socket.resetAndDestroy()).resume();
  });
  const { port, closedLine } = await started(t, { ports: [resets] });
  const socket = await client(t, port);
  const how = closing(socket);
  socket.write("x");
  assert.equal(await how, "ECONNRESET");
  const line = await closedLine();
  assert.deepEqual([line["reason"], line["endedBy"], line["bytesIn"]], ["reset", "server", 1]);
});

for (const [form, pattern] of [
  ["v1", /^PROXY TCP4 127\.0\.0\.1 127\.0\.0\.1 \d+ \d+\r\nhello$/],
  ["v2", /^\r\n\r\n[^]\r\nQUIT\n![^]{15}hello$/],
  ["srs", /^\xf3[^]{2}\x7f[^]{3}hello$/],
] as const) {
  test(`tcp proxy: a server that is told by ${form} gets that first`, async (t) => {
    const { port, closedLine } = await started(t, { options: { preface: form } });
    const socket = await client(t, port);
    socket.end("hello");
    assert.match((await received(socket)).toString("latin1"), pattern);
    assert.equal((await closedLine())["bytesIn"], 5, "the header is not the client's");
  });
}

test("tcp proxy: whom a trusted peer names is the client, in the log and to the server", async (t) => {
  const { port, closedLine, sockets } = await started(t, { options: { trusted: trustLoopback, preface: "v1" } });
  const socket = await client(t, port);
  socket.write("PROXY TCP4 192.0.2.1 198.");
  await new Promise((resolve) => setImmediate(resolve)); // it comes in two pieces
  socket.end("51.100.2 50000 1935\r\nhello");
  assert.equal((await received(socket)).toString(), "PROXY TCP4 192.0.2.1 198.51.100.2 50000 1935\r\nhello");
  const { peer, bytesIn } = await closedLine();
  assert.deepEqual([peer, bytesIn, sockets.length], ["192.0.2.1:50000", 5, 1]);
});

test("tcp proxy: a header of a peer that is not trusted is the server's to refuse", async (t) => {
  const { port, closedLine } = await started(t, { options: { trusted: trustedNetworks(["10.0.0.0/8"]) } });
  const socket = await client(t, port);
  const { localPort } = socket;
  socket.end("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n");
  assert.match((await received(socket)).toString(), /^PROXY/);
  assert.equal((await closedLine())["peer"], `127.0.0.1:${localPort}`);
});

test("tcp proxy: a trusted peer may leave its header out", async (t) => {
  const { port } = await started(t, { options: { trusted: trustLoopback } });
  const socket = await client(t, port);
  socket.end("\x03hello");
  assert.equal((await received(socket)).toString(), "\x03hello");
});

test("tcp proxy: a broken header of a trusted peer closes the connection", async (t) => {
  const { port, closedLine } = await started(t, { options: { trusted: trustLoopback } });
  const socket = await client(t, port);
  socket.write("PROXY TCP9 what is this\r\n");
  await closing(socket);
  const line = await closedLine();
  assert.deepEqual([line["level"], line["code"]], ["warn", "PROXY_HEADER"]);
});

test("tcp proxy: of a trusted peer that leaves without a word nobody is told", async (t) => {
  const { port, closedLine } = await started(t, { options: { trusted: trustLoopback } });
  const socket = await client(t, port);
  socket.end();
  const line = await closedLine();
  assert.deepEqual([line["level"], line["code"], line["reason"], line["endedBy"]], ["debug", undefined, "closed", "client"]);
});

for (const [service, bytes, level] of [
  ["rtmp", 3072, "debug"], // no whole handshake
  ["rtmp", 3073, "info"],
  ["http", 4095, "debug"],
  ["http", 4096, "info"],
] as const) {
  test(`tcp proxy: a connection over ${service} with ${bytes} bytes is told of at ${level}`, async (t) => {
    const port = await serving(t, echo);
    const { closedLine, proxy, backends } = await started(t, { options: { service }, ports: [port] });
    backends.update([backendState({ name: "server-1", rtmp: { host: "127.0.0.1", port }, http: { host: "127.0.0.1", port } })]);
    const socket = await client(t, await serving(t, (accepted) => proxy.accept(accepted, peerAddress(accepted)!)));
    socket.end(Buffer.alloc(bytes));
    assert.equal((await received(socket)).length, bytes);
    assert.equal((await closedLine())["level"], level);
  });
}

test("tcp proxy: the idle limit closes with its code", async (t) => {
  const { port, closedLine } = await started(t, { options: { idleMs: 1000 } });
  await client(t, port);
  const line = await closedLine();
  assert.deepEqual([line["reason"], line["code"], line["endedBy"]], ["idle", "PROXY_IDLE", "proxy"]);
});

test("tcp proxy: closing it ends what it has and takes no more", async (t) => {
  const { port, proxy, lines } = await started(t);
  const sockets = [await client(t, port), await client(t, port)];
  for (const socket of sockets) {
    socket.write("x");
    await once(socket, "data");
  }
  const ends = sockets.map((socket) => closing(socket));
  proxy.close();
  proxy.close();
  await Promise.all(ends);
  await eventually(() => lines.length === 2, { what: "both lines" });
  assert.deepEqual(
    lines.map(({ reason, endedBy }) => [reason, endedBy]),
    [
      ["stopped", "proxy"],
      ["stopped", "proxy"],
    ],
  );
  await within(closing(await client(t, port)), 2000, "a late connection to be closed");
  assert.equal(proxy.connections, 0);
});

/** An echo server that is stopped, with a full queue: the kernel leaves further connections unanswered until it goes on. */
async function fullServer(t: TestContext): Promise<{ readonly port: number; goOn(): void }> {
  const script = `
    const s = require("net").createServer({ allowHalfOpen: true }, (socket) => socket.on("error", () => {}).pipe(socket));
    s.listen({ host: "127.0.0.1", port: 0, backlog: 1 }, () => { console.log(s.address().port); process.kill(process.pid, "SIGSTOP"); });`;
  let tell = (_port: number): void => undefined;
  const told = new Promise<number>((resolve) => (tell = resolve));
  const child = start(process.execPath, ["-e", script], { onLine: (line) => tell(Number(line)) });
  t.after(async () => void (await child.stop("SIGKILL")));
  const port = await told;
  for (let i = 0; i < 4; i++) {
    const filler = connect({ host: "127.0.0.1", port }).on("error", () => undefined);
    t.after(() => filler.destroy());
  }
  await new Promise((resolve) => setTimeout(resolve, 100));
  return { port, goOn: () => process.kill(child.pid, "SIGCONT") };
}

for (const pump of ["auto", "plain"] as const) {
  test(`tcp proxy: servers take turns whether or not a connection can be joined as it is accepted (${pump} pump)`, async (t) => {
    const counts = [0, 0];
    const count = (at: number) => (socket: Socket) => {
      counts[at]! += 1;
      echo(socket);
    };
    const ports = [await serving(t, count(0)), await serving(t, count(1))];
    const { port } = await started(t, { policy: "round_robin", ports, pump });
    for (let i = 0; i < 6; i++) {
      const one = await client(t, port);
      one.write("x");
      await within(once(one, "data"), 5000, "the echo");
    }
    assert.deepEqual(counts, [3, 3]);
  });
}
