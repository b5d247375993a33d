// Requests that come again, byte for byte: over real connections to a server of node:http that stands behind the entrance.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { unheardLog } from "../../../../src/base/log.js";
import { defaultConfig } from "../../../../src/conf/load.js";
import { AskedAgain } from "../../../../src/server/http/asked-again.js";
import { openEach } from "../../../../src/server/http/entrance.js";
import { answerHot } from "../../../../src/server/http/files.js";
import type { HotFile } from "../../../../src/server/hls/hot-files.js";
import { loadSystemCopies } from "../../../../src/server/hls/system-copy.js";

const copyToSystem = await loadSystemCopies();
const options = { skip: copyToSystem === null && "this system gives no copies" };

function fileOf(t: TestContext, sizeBytes: number): HotFile {
  const bytes = Buffer.alloc(sizeBytes, "0123456789abcdef\n");
  const copy = copyToSystem!(bytes);
  t.after(() => copy?.close());
  return { bytes, etag: `"${sizeBytes}"`, modifiedMs: 0, sizeBytes, copy };
}

/** A server that answers everything with one file; `heard` has what came to Node. */
async function serve(t: TestContext, sizeBytes = 100_000) {
  const state = { file: fileOf(t, sizeBytes), config: defaultConfig(), heard: [] as string[] };
  const again = new AskedAgain({
    hot: { known: () => state.file },
    sessions: { find: () => null, count: () => undefined },
    config: () => state.config,
  });
  const server = createServer((request: IncomingMessage, response) => {
    state.heard.push(request.url ?? "");
    again.follow(request, response);
    const { file } = state;
    const isWhole = answerHot(request, response, {}, { file, path: "/s.ts", body: file.bytes });
    if (isWhole && request.method === "GET") again.learn(response, { key: "s", file, session: null });
  });
  openEach(server, { hub: { trusted: { has: () => false } }, log: unheardLog(), again, meet: (accepted) => again.take(accepted) });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    again.endIdle();
    server.closeAllConnections();
    server.close();
  });
  return { ...state, state, again, server, port: (server.address() as AddressInfo).port };
}

/** A client that reads answers one after the other. */
class Asker {
  readonly socket: Socket;
  private got = Buffer.alloc(0);

  constructor(t: TestContext, port: number) {
    this.socket = connect(port, "127.0.0.1");
    this.socket.on("data", (bytes) => (this.got = Buffer.concat([this.got, bytes])));
    t.after(() => this.socket.destroy());
  }

  ask(text: string): this {
    this.socket.write(text);
    return this;
  }

  async answer(): Promise<{ readonly head: string; readonly body: Buffer }> {
    for (;;) {
      const end = this.got.indexOf("\r\n\r\n") + 4;
      const head = this.got.subarray(0, end).toString();
      const size = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0);
      if (end > 3 && this.got.length >= end + size) {
        const body = this.got.subarray(end, end + size);
        this.got = this.got.subarray(end + size);
        return { head, body };
      }
      if (this.socket.destroyed) assert.fail("the connection ended before the answer");
      await Promise.race([once(this.socket, "data"), once(this.socket, "close")]);
    }
  }
}

const request = (more = ""): string => `GET /s.ts HTTP/1.1\r\nHost: box\r\n${more}\r\n`;
const undated = (head: string): string => head.replace(/^Date: .*$/m, "");

test("asked again: the same request gets the same answer, and Node hears of the first alone", options, async (t) => {
  const { port, file, state } = await serve(t);
  const first = await new Asker(t, port).ask(request()).answer();
  const asker = new Asker(t, port);
  for (let times = 0; times < 3; times++) {
    const { head, body } = await asker.ask(request()).answer();
    assert.equal(undated(head), undated(first.head));
    assert.match(head, /^Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r$/m);
    assert.ok(body.equals(file.bytes));
  }
  assert.equal(state.heard.length, 1);
});

test("asked again: what is not the same to the byte is Node's, and so is what comes in pieces or behind another", options, async (t) => {
  const { port, state, file } = await serve(t);
  const asker = new Asker(t, port);
  await asker.ask(request()).answer();
  const { head, body } = await asker.ask(request("Range: bytes=2-5\r\n")).answer();
  assert.match(head, /^HTTP\/1\.1 206 /);
  assert.equal(body.toString(), "2345");
  assert.equal((await asker.ask(request(`If-None-Match: ${file.etag}\r\n`)).answer()).head.slice(9, 12), "304");
  assert.equal(state.heard.length, 3);
  assert.ok((await asker.ask(request()).answer()).body.equals(file.bytes));
  assert.equal(state.heard.length, 3);
  const other = new Asker(t, port);
  asker.ask(request().slice(0, 20));
  await other.ask(request()).answer(); // by then the piece has been read
  assert.ok((await asker.ask(request().slice(20)).answer()).body.equals(file.bytes));
  assert.equal(state.heard.length, 4);
});

test("asked again: two requests at once are answered one after the other", options, async (t) => {
  const { port, state, file } = await serve(t);
  await new Asker(t, port).ask(request()).answer();
  const asker = new Asker(t, port).ask(request() + request("Range: bytes=0-3\r\n"));
  assert.ok((await asker.answer()).body.equals(file.bytes));
  assert.equal((await asker.answer()).body.toString(), "0123");
  assert.ok((await asker.ask(request()).answer()).body.equals(file.bytes));
  assert.equal(state.heard.length, 4); // where one ends and the next begins is Node's to say, on this connection
});

test("asked again: the body of a request is never taken for a request", options, async (t) => {
  const { port, state } = await serve(t);
  await new Asker(t, port).ask(request()).answer();
  const withBody = `GET /s.ts HTTP/1.1\r\nHost: box\r\nContent-Length: ${request().length}\r\n\r\n`;
  for (let times = 0; times < 2; times++) {
    const asker = new Asker(t, port).ask(withBody);
    await asker.answer();
    asker.ask(request()); // its body
    const { body } = await asker.ask(request("Range: bytes=0-3\r\n")).answer();
    assert.equal(body.toString(), "0123");
  }
  assert.equal(state.heard.length, 5);
});

test("asked again: another file under its name, or another configuration, is Node's to answer", options, async (t) => {
  const { port, state } = await serve(t);
  const asker = new Asker(t, port);
  await asker.ask(request()).answer();
  state.file = fileOf(t, 70_000);
  assert.equal((await asker.ask(request()).answer()).body.length, 70_000);
  state.config = { ...state.config };
  assert.equal((await asker.ask(request()).answer()).body.length, 70_000);
  assert.equal(state.heard.length, 3);
});

test("asked again: who reads slowly gets all of it, and may ask behind it; meanwhile it is not idle", options, async (t) => {
  const { port, state, file, again } = await serve(t, 12 << 20);
  await new Asker(t, port).ask(request()).answer();
  const asker = new Asker(t, port);
  const idle = new Asker(t, port);
  await Promise.all([once(asker.socket, "connect"), once(idle.socket, "connect")]);
  asker.socket.pause();
  asker.ask(request());
  idle.ask(request());
  await idle.answer(); // by then the other has been read
  again.endIdle();
  await once(idle.socket, "close");
  asker.socket.resume();
  assert.ok((await asker.answer()).body.equals(file.bytes));
  assert.ok((await asker.ask(request()).answer()).body.equals(file.bytes));
  assert.equal(state.heard.length, 1);
});

test("asked again: who says that he has done is left", options, async (t) => {
  const { port } = await serve(t);
  await new Asker(t, port).ask(request()).answer();
  const asker = new Asker(t, port).ask(request());
  await asker.answer();
  asker.socket.end();
  await once(asker.socket, "close");
});
