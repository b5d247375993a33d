import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, type IncomingMessage, type RequestListener } from "node:http";
import { connect, createServer } from "node:net";
import { test } from "node:test";
import { headers as mediaHeaders, step } from "../../../helpers/media.js";
import { publisher } from "../../../helpers/rtmp-client.js";
import { eventually, within } from "../../../helpers/wait.js";
import { ask, begin, startBackend, startProxy, startSilent } from "./rig.js";
import { startOwnServer, target } from "../rtmp/rig.js";

/** Answers with what it was asked. */
const echo =
  (name: string): RequestListener =>
  (request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      response.setHeader("X-Server", name);
      response.end(
        JSON.stringify({ name, method: request.method, url: request.url, raw: request.rawHeaders, body: Buffer.concat(parts).toString() }),
      );
    });
  };

interface Echo {
  readonly name: string;
  readonly method: string;
  readonly url: string;
  readonly raw: readonly string[];
  readonly body: string;
}

function echoed(body: string): Echo {
  return JSON.parse(body) as Echo;
}

function header(raw: readonly string[], name: string): string[] {
  return raw.filter((_value, i) => i % 2 === 1 && raw[i - 1] === name);
}

test("http: requests on one kept connection go to different servers", async (t) => {
  const [one, two] = [await startBackend(t, "one", echo("one")), await startBackend(t, "two", echo("two"))];
  const rig = await startProxy(t, [one.target, two.target]);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  const names: string[] = [];
  for (let i = 0; i < 6; i++) names.push(echoed((await ask(rig.port, { agent })).body).name);
  assert.deepEqual(names, ["one", "two", "one", "two", "one", "two"]);
  assert.equal(rig.proxy.connections, 1);
  assert.deepEqual([one.sockets.size, two.sockets.size], [1, 1], "connections to servers are kept too");
  assert.equal(rig.servers.total, 0);
});

test("http: query, headers and body arrive as they were sent, and the server learns who asks", async (t) => {
  const one = await startBackend(t, "one", echo("one"));
  const rig = await startProxy(t, [one.target]);
  const sent = {
    Host: "live.example.com",
    "X-MiXeD": "Case",
    "X-Forwarded-For": "203.0.113.9",
    Connection: "keep-alive, X-Hop",
    "X-Hop": "not on",
    TE: "trailers",
  };
  const answer = await ask(rig.port, { path: "/api/v1/x?a=%20b&a=2", method: "POST", headers: sent, body: "some body" });
  const { raw, url, method, body } = echoed(answer.body);
  assert.deepEqual([url, method, body], ["/api/v1/x?a=%20b&a=2", "POST", "some body"]);
  assert.deepEqual(header(raw, "Host"), ["live.example.com"]);
  assert.deepEqual(header(raw, "X-MiXeD"), ["Case"]);
  assert.deepEqual(header(raw, "X-Forwarded-For"), ["203.0.113.9, 127.0.0.1"]);
  assert.deepEqual(header(raw, "X-Forwarded-Proto"), ["http"]);
  assert.deepEqual([header(raw, "X-Hop"), header(raw, "TE")], [[], []]);
  assert.equal(answer.headers["x-server"], "one");
  const chunked = await ask(rig.port, { method: "POST", headers: { "Transfer-Encoding": "chunked" }, body: "in pieces" });
  assert.equal(echoed(chunked.body).body, "in pieces");
});

test("http: a server that takes it learns the client's port too", async (t) => {
  const one = await startBackend(t, "one", echo("one"));
  const rig = await startProxy(t, [one.target], { tellsPort: true });
  const socket = connect(rig.port, "127.0.0.1");
  t.after(() => socket.destroy());
  socket.write("PROXY TCP6 2001:db8::7 ::1 50000 80\r\nGET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  const parts: Buffer[] = [];
  for await (const part of socket) parts.push(part as Buffer);
  assert.match(Buffer.concat(parts).toString(), /"X-Forwarded-For","\[2001:db8::7\]:50000"/);
});

test("http: headers that do not come in time are answered with 408, and told", async (t) => {
  const rig = await startProxy(t, [], { headersTimeoutMs: 100 });
  const socket = connect(rig.port, "127.0.0.1");
  t.after(() => socket.destroy());
  socket.write("GET / HT");
  const [answer] = (await once(socket, "data")) as [Buffer];
  assert.match(answer.toString(), /^HTTP\/1\.1 408 /);
  assert.deepEqual(
    rig.lines.map(({ event, reason }) => [event, reason]),
    [["proxy.closed", "the headers of a request did not come in time"]],
  );
});

test("http: status, reason and headers of the answer pass as they are", async (t) => {
  const one = await startBackend(t, "one", (_request, response) => {
    response.sendDate = false;
    response.writeHead(404, "Gone Fishing", ["Set-Cookie", "a=1", "Set-Cookie", "b=2", "X-CaSe", "x", "Content-Length", "2"]).end("no");
  });
  const rig = await startProxy(t, [one.target]);
  const answer = await begin(rig.port);
  assert.deepEqual([answer.statusCode, answer.statusMessage], [404, "Gone Fishing"]);
  assert.deepEqual(answer.headers["set-cookie"], ["a=1", "b=2"]);
  assert.ok(answer.rawHeaders.includes("X-CaSe") && !answer.rawHeaders.includes("Date"));
  answer.resume();
  const head = await ask(rig.port, { method: "HEAD" });
  assert.deepEqual([head.status, head.headers["content-length"], head.body], [404, "2", ""]);
});

test("http: servers that refuse or say nothing are passed over before the client notices", async (t) => {
  const silent = await startSilent(t, "silent");
  const one = await startBackend(t, "one", echo("one"));
  const gone = target("gone", await closedPort());
  const rig = await startProxy(t, [gone, silent, one.target], { answerTimeoutMs: 200 });
  assert.equal(echoed((await ask(rig.port)).body).name, "one");
  assert.equal(rig.servers.total, 0);
  const posts = await startProxy(t, [gone, one.target]);
  for (const body of ["first", "second"]) assert.equal(echoed((await ask(posts.port, { method: "POST", body })).body).body, body);
});

test("http: a request whose body was sent is not asked a second time", async (t) => {
  const silent = await startSilent(t, "silent");
  const one = await startBackend(t, "one", echo("one"));
  const rig = await startProxy(t, [silent, one.target], { answerTimeoutMs: 200 });
  const answer = await ask(rig.port, { method: "POST", body: "pay once" });
  assert.deepEqual([answer.status, answer.body], [504, "No server answered in time.\n"]);
  assert.equal(one.sockets.size, 0);
});

test("http: without a server the client gets a sentence, and the log the reason", async (t) => {
  const gone = target("gone", await closedPort());
  const rig = await startProxy(t, [gone]);
  const answer = await ask(rig.port);
  assert.deepEqual([answer.status, answer.body], [502, "No server could answer.\n"]);
  const none = await startProxy(t, []);
  assert.equal((await ask(none.port, { path: "/live/s.flv" })).status, 502);
  assert.deepEqual([rig.lines[0]!.code, none.lines[0]!.code], ["PROXY_CONNECT", "PROXY_NO_SERVER"]);
  const silent = await startProxy(t, [await startSilent(t, "silent")], { answerTimeoutMs: 100 });
  assert.equal((await ask(silent.port)).status, 504);
});

test("http: a kept connection that its server closed at the wrong moment costs nothing", async (t) => {
  let closes = false;
  const one = await startBackend(t, "one", (request, response) => {
    if (closes) request.socket.destroy();
    else response.end("fine");
    closes = false;
  });
  const rig = await startProxy(t, [one.target]);
  assert.equal((await ask(rig.port)).body, "fine");
  closes = true;
  assert.equal((await ask(rig.port)).body, "fine");
  assert.equal(one.sockets.size, 2);
});

test("http: a client that leaves ends the server's work, and a server that breaks off is seen", async (t) => {
  let ended = 0;
  const one = await startBackend(t, "one", (request, response) => {
    response.write("begun");
    request.on("close", () => (ended += 1));
    if (request.url === "/broken.flv") setTimeout(() => request.socket.destroy(), 20);
  });
  const rig = await startProxy(t, [one.target]);
  const answer = await begin(rig.port, { path: "/live/s.flv" });
  await firstBytes(answer);
  answer.destroy();
  await eventually(() => ended === 1, { everyMs: 5, what: "the server to hear of it" });
  await eventually(() => rig.lines.some(({ reason }) => reason === "the client left"), { everyMs: 5, what: "its line" });
  await assert.rejects(ask(rig.port, { path: "/broken.flv" }), /aborted/);
  await eventually(() => rig.lines.some(({ reason }) => reason === "the server broke off its answer"), { everyMs: 5, what: "its line" });
  assert.equal(rig.servers.total, 0);
});

test("http: a long answer passes as it comes, and a slow reader holds the server back", async (t) => {
  const pieces = 64;
  let written = 0;
  const one = await startBackend(t, "one", (_request, response) => {
    response.flushHeaders();
    const piece = Buffer.alloc(1 << 20);
    const feed = (): void => {
      while (written < pieces) {
        written += 1;
        if (!response.write(piece)) return;
      }
      response.end();
    };
    response.on("drain", feed);
    setTimeout(feed, 30);
  });
  const rig = await startProxy(t, [one.target]);
  const before = process.memoryUsage().arrayBuffers;
  const answer = await begin(rig.port); // the head comes before the first byte of the body
  await eventually(() => written > 1, { everyMs: 5, what: "the server to write" });
  await sleep(200);
  assert.ok(written < pieces / 2, `${written} pieces went to a reader that takes none`);
  assert.ok(process.memoryUsage().arrayBuffers - before < 32 << 20);
  let bytes = 0;
  for await (const part of answer) bytes += (part as Buffer).length;
  assert.equal(bytes, pieces << 20);
});

test("http: streams go where they are published, segments of a playlist with them, and the rest by the policy", async (t) => {
  const [one, two] = [await startBackend(t, "one", echo("one")), await startBackend(t, "two", echo("two"))];
  const rig = await startProxy(t, [one.target, two.target], { vhosts: new Set(["v.example.com"]) });
  rig.chooser.leases.set("__defaultVhost__/live/s", "two");
  rig.chooser.leases.set("__defaultVhost__/live/s-2", "one");
  rig.chooser.leases.set("v.example.com/live/s", "one");
  const at = async (path: string, headers = {}): Promise<string> => echoed((await ask(rig.port, { path, headers })).body).name;
  assert.equal(await at("/live/s.flv?token=1"), "two");
  assert.equal(await at("/live/s.m3u8"), "two");
  assert.equal(await at("/live/s-17.ts?x=1"), "two");
  assert.equal(await at("/live/s-2.flv"), "one");
  assert.equal(await at("/live/s.flv?vhost=v.example.com"), "one");
  assert.equal(await at("/live/s.flv", { Host: "v.example.com:8080" }), "one");
  assert.deepEqual(
    rig.chooser.questions.map(({ waitMs }) => waitMs > 0),
    [true, false, false, true, true, true],
  );
  assert.deepEqual(
    [await at("/api/v1/versions"), await at("/api/v1/versions")].toSorted((a, b) => a.localeCompare(b)),
    ["one", "two"],
  );
  const raw = await startProxy(t, [one.target, two.target], { byStream: false });
  raw.chooser.leases.set("__defaultVhost__/live/s", "two");
  assert.equal(echoed((await ask(raw.port, { path: "/live/s.flv" })).body).name, "one");
});

test("http: HTTP-FLV of our own server plays through the proxy", async (t) => {
  const { target: own } = await startOwnServer(t);
  const rig = await startProxy(t, [own]);
  const source = await publisher(`rtmp://127.0.0.1:${own.rtmp.port}/live/s`);
  const sent = [...mediaHeaders("avc", "aac"), ...step("avc", "aac", 0), ...step("avc", "aac", 1)];
  for (const media of sent) source.send(media);
  const answer = await begin(rig.port, { path: "/live/s.flv" });
  assert.equal(answer.headers["content-type"], "video/x-flv");
  await within(firstBytes(answer), 3000, "the stream");
  source.close();
  answer.destroy();
});

test("http: a balancer in front tells who the client is", async (t) => {
  const one = await startBackend(t, "one", echo("one"));
  const rig = await startProxy(t, [one.target]);
  const socket = connect({ host: "127.0.0.1", port: rig.port });
  t.after(() => void socket.destroy());
  socket.write("PROXY TCP4 192.0.2.7 192.0.2.1 50000 80\r\nGET /x HTTP/1.1\r\nHost: h\r\n\r\n");
  let text = "";
  socket.on("data", (bytes: Buffer) => (text += bytes.toString()));
  await eventually(() => text.includes("192.0.2.7"), { everyMs: 5, what: "the answer" });
  socket.write("GET /y HTTP/1.1\r\nHost: h\r\n\r\n");
  await eventually(() => text.split("192.0.2.7").length === 3, { everyMs: 5, what: "the second answer" });
});

test("http: what is no HTTP, and headers without an end, are refused", async (t) => {
  const rig = await startProxy(t, []);
  const said = async (bytes: string): Promise<string> => {
    const socket = connect({ host: "127.0.0.1", port: rig.port });
    let text = "";
    socket.on("data", (part: Buffer) => (text += part.toString())).on("error", () => undefined);
    socket.write(bytes);
    await within(new Promise((resolve) => socket.once("close", resolve)), 3000, "the end");
    return text;
  };
  assert.match(await said("\x03\x00\x00\r\n\r\n"), /^HTTP\/1.1 400 /);
  assert.match(await said(`GET / HTTP/1.1\r\nX: ${"x".repeat(20_000)}\r\n\r\n`), /^HTTP\/1.1 431 /);
  assert.match(
    await said("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    /^HTTP\/1.1 400 /,
  );
});

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function firstBytes(answer: IncomingMessage): Promise<void> {
  await new Promise((resolve) => answer.once("data", resolve));
}

async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
