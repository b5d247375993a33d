import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer as createSecureServer } from "node:https";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { Backend, maxAnswerBytes, type Answer, type Call } from "../../../src/hooks/backend.js";
import { projectRoot } from "../../helpers/child.js";
import type { Cleanup } from "../../helpers/dolphin.js";
import { HookBackend } from "../../helpers/hook-backend.js";

const settings = { timeoutMs: 5000, connections: 4, keepsAlive: false };

function callOf(change: Partial<Call> = {}): Call {
  const quiet = { isWanted: () => true, onStart: () => undefined };
  return { method: "POST", text: '{"action":"on_play"}', headers: {}, readsBytes: null, timeoutMs: 5000, ...quiet, ...change };
}

function failureOf(answer: Answer): string {
  assert.ok("failure" in answer, JSON.stringify(answer));
  return answer.failure ?? "";
}

/** A server that does this with every connection once a request has come. */
async function rawServer(t: Cleanup, serve: (socket: Socket) => void): Promise<string> {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => serve(socket));
    t.after(() => void socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => void server.close());
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  return `http://127.0.0.1:${address.port}/hook`;
}

test("backend: never more calls are under way than it may have, and all of them are answered", async (t) => {
  const site = await HookBackend.start(t);
  const waiting: (() => void)[] = [];
  site.answer = () => new Promise((resolve) => waiting.push(() => resolve("0")));
  const backend = new Backend(site.url("on_play"), () => settings);
  const answers = Array.from({ length: 50 }, () => backend.call(callOf()));
  for (let left = 50; left > 0; left--) {
    await site.until("a full house", () => waiting.length === Math.min(left, 4));
    waiting.shift()!();
  }
  for (const answer of await Promise.all(answers)) assert.deepEqual(answer, { status: 200, body: "0" });
  assert.equal(site.mostOpen, 4);
});

test("backend: whoever has left before his turn is not asked about", async (t) => {
  const site = await HookBackend.start(t);
  let go = (): void => undefined;
  site.answer = () => new Promise((resolve) => (go = () => resolve("0")));
  const backend = new Backend(site.url("on_play"), () => ({ ...settings, connections: 1 }));
  let isWanted = true;
  const first = backend.call(callOf());
  const second = backend.call(callOf({ isWanted: () => isWanted }));
  await site.waitFor("on_play");
  isWanted = false;
  go();
  await first;
  assert.deepEqual(await second, { failure: null });
  assert.equal(site.calls.length, 1);
});

test("backend: the time of a call counts from when it is asked for, in its turn or not", async (t) => {
  const site = await HookBackend.start(t);
  site.answer = () => new Promise(() => undefined);
  const backend = new Backend(site.url("on_play"), () => ({ ...settings, connections: 1 }));
  const answers = await Promise.all([backend.call(callOf({ timeoutMs: 100 })), backend.call(callOf({ timeoutMs: 100 }))]);
  for (const answer of answers) assert.match(failureOf(answer), /did not answer within 100 ms/);
  assert.equal(site.calls.length, 1);
});

test("backend: an answer that comes byte by byte has no more time than any other", async (t) => {
  const url = await rawServer(t, (socket) => {
    socket.write("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
    const timer = setInterval(() => socket.write(" "), 10);
    socket.on("close", () => clearInterval(timer));
  });
  const answer = await new Backend(url, () => settings).call(callOf({ timeoutMs: 200 }));
  assert.match(failureOf(answer), /did not answer within 200 ms/);
});

test("backend: a connection that is reset, and one that ends within its answer, are failures", async (t) => {
  const reset = await rawServer(t, (socket) => socket.resetAndDestroy());
  assert.match(failureOf(await new Backend(reset, () => settings).call(callOf())), /cannot be asked/);
  const cut = await rawServer(t, (socket) => void socket.end("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0"));
  assert.match(failureOf(await new Backend(cut, () => settings).call(callOf())), /broke off its answer/);
});

test("backend: an answer of a megabyte is not read to its end", async (t) => {
  const site = await HookBackend.start(t);
  site.answer = () => "0".repeat(1 << 20);
  const answer = await new Backend(site.url("on_play"), () => settings).call(callOf());
  assert.match(failureOf(answer), new RegExp(`more than ${maxAnswerBytes} bytes`));
});

test("backend: a redirect is an answer and is not followed", async (t) => {
  const site = await HookBackend.start(t);
  site.answer = ({ path }) => (path === "/on_play" ? (response) => response.writeHead(302, { Location: site.url("other") }).end("0") : "0");
  assert.deepEqual(await new Backend(site.url("on_play"), () => settings).call(callOf()), { status: 302, body: "0" });
  assert.equal(site.calls.length, 1);
});

test("backend: nobody there, and what is no URL, are failures at once", async (t) => {
  const site = await HookBackend.start(t);
  const url = site.url("on_play");
  await site.stop();
  assert.match(failureOf(await new Backend(url, () => settings).call(callOf())), /ECONNREFUSED/);
  for (const text of ["", "nonsense", "ftp://127.0.0.1/", "rtmp://127.0.0.1/"]) {
    assert.match(failureOf(await new Backend(text, () => settings).call(callOf())), /no URL of http/);
  }
});

test("backend: connections are kept for further calls where that is wanted, and only there", async (t) => {
  for (const keepsAlive of [true, false]) {
    const site = await HookBackend.start(t);
    const backend = new Backend(site.url("on_play"), () => ({ ...settings, keepsAlive }));
    for (let i = 0; i < 5; i++) assert.deepEqual(await backend.call(callOf()), { status: 200, body: "0" });
    assert.equal(site.connections, keepsAlive ? 1 : 5);
  }
});

test("backend: a kept connection that the other end has closed meanwhile costs no call", async (t) => {
  let requests = 0;
  const url = await rawServer(t, (socket) => {
    const answer = (): void => void socket.write("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n0");
    requests += 1;
    answer();
    socket.on("data", () => socket.resetAndDestroy()); // as if it had been closed while the next request was on its way
  });
  const backend = new Backend(url, () => ({ ...settings, keepsAlive: true }));
  assert.deepEqual(await backend.call(callOf()), { status: 200, body: "0" });
  assert.deepEqual(await backend.call(callOf()), { status: 200, body: "0" });
  assert.equal(requests, 2);
});

test("backend: a certificate that nobody vouches for is a failure, and one for another name as well", async (t) => {
  const pem = readFileSync(join(projectRoot, "test/fixtures/self-signed.pem"));
  const server = createSecureServer({ key: pem, cert: pem }, (_request, response) => response.end("0"));
  await new Promise<void>((resolve) => server.listen(0, resolve));
  t.after(() => void server.close());
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  for (const host of ["localhost", "127.0.0.1"]) {
    const answer = await new Backend(`https://${host}:${address.port}/`, () => settings).call(callOf());
    assert.match(failureOf(answer), /cannot be asked: .*(?:certificate|altnames)/);
  }
});

test("backend: user and password of a URL are sent as HTTP has it", async (t) => {
  const site = await HookBackend.start(t);
  await new Backend(site.url("on_play").replace("//", "//me:secret@"), () => settings).call(callOf());
  assert.equal(site.calls[0]?.headers.authorization, `Basic ${Buffer.from("me:secret").toString("base64")}`);
});

test("backend: of an answer to GET no more is read than is wanted", async (t) => {
  const url = await rawServer(t, (socket) => void socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n${"x".repeat(100)}`));
  const answer = await new Backend(url, () => settings).call(callOf({ method: "GET", text: "", readsBytes: 64 }));
  assert.ok("status" in answer && answer.status === 200);
});
