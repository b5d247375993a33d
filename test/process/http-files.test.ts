// Files over HTTP, of the server's folder and of a vhost's: whole, in parts, unchanged; never from outside of the folder, never in
// the way of a stream, and never at the cost of who watches.
import assert from "node:assert/strict";
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { request, type IncomingHttpHeaders } from "node:http";
import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Cleanups } from "../helpers/cleanups.js";
import { run } from "../helpers/child.js";
import { Dolphin } from "../helpers/dolphin.js";
import { watchFlv } from "../helpers/flv-reader.js";
import { temporaryFolder } from "../helpers/launch.js";
import { RawPeer } from "../helpers/raw-peer.js";
import { steadyPublisher } from "../helpers/show.js";
import { eventually, within } from "../helpers/wait.js";

const cleanups = new Cleanups();
const big = Buffer.from(Array.from({ length: 300_000 }, (_, at) => at % 251));
const hugeBytes = 200 << 20;
/** More than a socket takes at once. */
const segment = Buffer.concat(Array.from({ length: 40 }, () => big));
let dolphin: Dolphin;
let folder: string;

before(async () => {
  folder = temporaryFolder(cleanups);
  const www = join(folder, "www");
  for (const name of ["www/live", "www/sub", "www/.git", "www/.well-known", "www_secret", "vhost/b.test"])
    mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(www, "big.mp4"), big);
  writeFileSync(join(www, "page.html"), "<p>page");
  writeFileSync(join(www, "live/s.flv"), "a file");
  writeFileSync(join(www, "sub/index.html"), "<p>sub");
  writeFileSync(join(www, ".git/config"), "secret");
  writeFileSync(join(www, ".well-known/x"), "known");
  writeFileSync(join(www, "a%2fb"), "odd");
  writeFileSync(join(www, "empty.m3u8"), "");
  writeFileSync(join(folder, "www_secret/x"), "secret");
  writeFileSync(join(folder, "vhost/b.test/x.txt"), "of the vhost");
  writeFileSync(join(www, "huge.ts"), "");
  truncateSync(join(www, "huge.ts"), hugeBytes);
  writeFileSync(join(www, "live/seg-1.ts"), segment);
  symlinkSync(join(folder, "www_secret/x"), join(www, "out"));
  symlinkSync(join(folder, "www_secret"), join(www, "outside"));
  symlinkSync(join(www, "page.html"), join(www, "in.html"));
  await run("mkfifo", [join(www, "pipe")], 5000);
  const remux = "http_remux { enabled on; mount [vhost]/[app]/[stream].flv; }";
  dolphin = await Dolphin.start(cleanups, {
    conf: `listen 1935; http_server { enabled on; listen 8080; dir ${www}; } dolphin { http_flv_wait 1; }
vhost __defaultVhost__ { ${remux} }
vhost b.test { http_remux { enabled off; } http_static { enabled on; mount [vhost]/files; dir ${folder}/vhost/[vhost]; } }`,
  });
});

after(async () => {
  try {
    await dolphin.stop({ allow: ({ event }) => event === "http.refused" });
  } finally {
    await cleanups.stopAll();
  }
});

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** The path goes out as it is written. */
function ask(path: string, headers: Readonly<Record<string, string>> = {}, method = "GET"): Promise<Answer> {
  const answered = new Promise<Answer>((resolve, reject) => {
    const asked = request({ host: "127.0.0.1", port: dolphin.httpPort, method, path, headers, agent: false }, (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.once("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(parts) }));
      response.once("error", reject);
    });
    asked.once("error", reject).end();
  });
  return within(answered, 10_000, `the answer to ${method} ${path}`);
}

void test("a file comes whole with its type, its size and what tells it from another, and HEAD the same without it", async () => {
  const { status, headers, body } = await ask("/big.mp4", { Origin: "http://page.test" });
  assert.equal(status, 200);
  assert.ok(body.equals(big));
  assert.deepEqual(
    [headers["content-type"], headers["content-length"], headers["accept-ranges"], headers["x-content-type-options"]],
    ["video/mp4", String(big.length), "bytes", "nosniff"],
  );
  assert.equal(headers["access-control-allow-origin"], "*");
  const head = await ask("/big.mp4?x=1", { Origin: "http://page.test" }, "HEAD");
  assert.deepEqual([head.status, head.body.length], [200, 0]);
  assert.deepEqual({ ...head.headers, date: "" }, { ...headers, date: "" });
  const again = await ask("/big.mp4", { "If-None-Match": headers.etag ?? "" });
  assert.deepEqual([again.status, again.body.length, again.headers.etag], [304, 0, headers.etag]);
  assert.equal((await ask("/big.mp4", { "If-Modified-Since": headers["last-modified"] ?? "" })).status, 304);
  assert.deepEqual(
    [(await ask("/empty.m3u8")).status, (await ask("/empty.m3u8")).headers["content-type"]],
    [200, "application/vnd.apple.mpegurl"],
  );
});

void test("parts of a file come as they are asked for", async () => {
  for (const [range, from, to] of [
    ["bytes=0-0", 0, 1],
    ["bytes=100000-199999", 100_000, 200_000],
    ["bytes=-1000", 299_000, 300_000],
  ] as const) {
    const { status, headers, body } = await ask("/big.mp4", { Range: range });
    assert.deepEqual([status, headers["content-range"]], [206, `bytes ${from}-${to - 1}/300000`]);
    assert.ok(body.equals(big.subarray(from, to)), range);
  }
  const beyond = await ask("/big.mp4", { Range: "bytes=300000-" });
  assert.deepEqual([beyond.status, beyond.headers["content-range"]], [416, "bytes */300000"]);
});

void test("a folder is its index.html and is never listed; the server's own page stands where there is none", async () => {
  assert.equal((await ask("/sub/")).body.toString(), "<p>sub");
  const moved = await ask("/sub");
  assert.deepEqual([moved.status, moved.headers.location], [301, "./sub/"]);
  for (const path of ["/live/", "/live", "/sub//", "//sub"]) assert.ok([404, 301, 200].includes((await ask(path)).status), path);
  assert.equal((await ask("/live/")).status, 404);
  assert.match((await ask("/")).body.toString(), /<title>dolphin/);
});

void test("nothing outside of the folder, nothing hidden, and nothing that is no file is served", async () => {
  for (const path of [
    "/../www_secret/x",
    "/..%2fwww_secret%2fx",
    "/sub/..%2f..%2fwww_secret/x",
    "/%2e%2e/www_secret/x",
    "/%252e%252e/www_secret/x",
    "/..%5cwww_secret%5cx",
    "/..\\www_secret\\x",
    "/.%00./www_secret/x",
    "/page.html%00.txt",
    "/page.html%",
    "/_secret/x",
    "/out",
    "/outside/x",
    "/.git/config",
    "/sub/../.git/config",
    "/pipe",
    `/${"x".repeat(5000)}`,
    "/page.html/",
    "/page.html/x",
    "//etc/passwd",
    "http://127.0.0.1/..%2fwww_secret/x",
  ]) {
    const { status, body } = await ask(path);
    assert.deepEqual([status, body.toString()], [404, "Not Found"], path);
  }
  for (const [path, body] of [
    ["/in.html", "<p>page"],
    ["/.well-known/x", "known"],
    ["/a%252fb", "odd"],
    ["/%70age.html", "<p>page"],
  ] as const) {
    assert.equal((await ask(path)).body.toString(), body, path);
  }
});

void test("where a stream and a file have one path it is the stream's; a vhost's files are its own", async () => {
  assert.equal((await ask("/live/s.flv")).status, 404, "nobody publishes it");
  assert.equal((await ask("/live/s.flv", { Host: "b.test" })).body.toString(), "a file", "a vhost without http_remux");
  assert.equal((await ask("/files/x.txt", { Host: "b.test:8080" })).body.toString(), "of the vhost");
  assert.equal((await ask("/files/x.txt?vhost=b.test")).body.toString(), "of the vhost");
  assert.equal((await ask("/files/x.txt")).status, 404);
  assert.equal((await ask("/page.html", { Host: "b.test" })).body.toString(), "<p>page");
});

void test("those who ask for a large file and do not read cost the process no memory, and those who watch nothing", async (t) => {
  const encoder = await steadyPublisher(t, dolphin, "s");
  const viewer = await watchFlv(dolphin.flvUrl("s"));
  await viewer.waitForMedia(20);
  const memory = async (): Promise<number> =>
    (await dolphin.status()).processes.reduce((sum, { memoryBytes }) => sum + (memoryBytes ?? 0), 0);
  const idle = await memory();
  const peers = await Promise.all(Array.from({ length: 60 }, () => RawPeer.open(dolphin.httpPort)));
  t.after(() => peers.forEach((peer) => peer.close()));
  for (const peer of peers) {
    peer.pause();
    peer.send(Buffer.from("GET /huge.ts HTTP/1.1\r\nHost: h\r\n\r\n".repeat(10)));
  }
  await viewer.waitForMedia(viewer.media.length + 100);
  const grown = (await memory()) - idle;
  assert.ok(grown < hugeBytes, `60 clients of a file of 200 MiB took ${grown >> 20} MiB`);
  // One that asks for more than anybody waits for is sent away.
  const greedy = await RawPeer.open(dolphin.httpPort);
  greedy.pause();
  greedy.send(Buffer.from("GET /huge.ts HTTP/1.1\r\nHost: h\r\n\r\n".repeat(100)));
  await dolphin.waitFor("http.refused", { where: ({ code }) => code === "FLV_REQUEST" });
  viewer.close();
  encoder.close();
});

void test("requests on a kept connection, also behind each other, are answered in their order", async (t) => {
  const peer = await RawPeer.open(dolphin.httpPort);
  t.after(() => peer.close());
  peer.send(Buffer.from(["/big.mp4", "/page.html", "/nothing", "/sub/"].map((path) => `GET ${path} HTTP/1.1\r\nHost: h\r\n\r\n`).join("")));
  await eventually(() => (peer.received.toString("latin1").match(/HTTP\/1\.1 /g) ?? []).length >= 3, { what: "three answers" });
  assert.deepEqual(peer.received.toString("latin1").match(/HTTP\/1\.1 \d+/g), ["HTTP/1.1 200", "HTTP/1.1 200", "HTTP/1.1 404"]);
});

void test("a segment that many fetch comes whole to each, also to who reads late, in parts and again, and another under its name later", async (t) => {
  assert.ok((await ask("/live/seg-1.ts")).body.equals(segment));
  const late = connect(dolphin.httpPort, "127.0.0.1");
  t.after(() => late.destroy());
  late.pause().write("GET /live/seg-1.ts HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  const { body, headers } = await ask("/live/seg-1.ts", { Range: "bytes=5-7000000" });
  assert.ok(body.equals(segment.subarray(5, 7_000_001)));
  const known = await ask("/live/seg-1.ts", { "If-None-Match": headers.etag ?? "" });
  assert.deepEqual([known.status, known.body.length], [304, 0]);
  const parts: Buffer[] = [];
  late.on("data", (part) => void parts.push(part)).resume();
  await within(once(late, "end"), 10_000, "all of the segment");
  const received = Buffer.concat(parts);
  assert.ok(received.subarray(received.indexOf("\r\n\r\n") + 4).equals(segment));
  writeFileSync(join(folder, "www/live/seg-1.ts"), "another");
  await eventually(async () => (await ask("/live/seg-1.ts")).body.toString() === "another", { what: "the other one" });
});
