// HTTP-FLV through plan b's proxies: what a viewer gets is what the server that has the stream sends, byte for byte and header
// for header, as it comes; and the server gets the request as it was written.
import assert from "node:assert/strict";
import { request, type IncomingMessage } from "node:http";
import { test, type TestContext } from "node:test";
import { Dolphin } from "../helpers/dolphin.js";
import { headers, step } from "../helpers/media.js";
import { publisher } from "../helpers/rtmp-client.js";
import { eventually } from "../helpers/wait.js";

const conf = `listen 1935; http_server { enabled on; crossdomain on; }
vhost __defaultVhost__ { publish { normal_timeout 60000; } http_remux { enabled on; mount [vhost]/[app]/[stream].flv; } }
vhost b.example.com { http_remux { enabled on; mount [vhost]/[app]/[stream].flv; } }
`;

/** Those that are about one connection only, and the clock. */
const ofConnection = new Set(["connection", "keep-alive", "transfer-encoding", "date"]);

void test("a viewer behind a proxy gets the server's own bytes and headers, while the stream goes on", async (t) => {
  const dolphin = await Dolphin.start(t, { args: ["--plan", "b"], conf });
  const source = await publisher(dolphin.rtmpUrl("s"));
  t.after(() => source.close());
  for (const media of headers("avc", "aac")) source.send(media);
  for (let index = 0; index < 40; index++) for (const media of step("avc", "aac", index)) source.send(media);

  // The publisher is silent now: both begin with the key frame of step 25, and get it although no answer has an end.
  const { balance } = await dolphin.status();
  const owner = balance?.servers.find(({ name }) => name === balance.leases[0]?.backend);
  assert.ok(owner?.http !== null && owner !== undefined);
  const target = "/live/s.flv?token=a%20b&x=%2F&&=";
  const [proxied, direct] = await Promise.all([dolphin.httpPort, owner.http.port].map((port) => Viewer.open(t, port, target)));
  assert.ok(proxied !== undefined && direct !== undefined);
  for (const viewer of [proxied, direct]) await viewer.waitFor(lastOf(39));
  assert.ok(!proxied.body.includes(lastOf(24)), "it begins with the last key frame");

  for (let index = 40; index < 200; index++) for (const media of step("avc", "aac", index)) source.send(media);
  for (const viewer of [proxied, direct]) await viewer.waitFor(lastOf(199));
  assert.equal(proxied.body.length, direct.body.length);
  assert.ok(proxied.body.equals(direct.body), "the bytes agree");
  assert.equal(proxied.body.toString("latin1", 0, 3), "FLV");
  assert.deepEqual([proxied.response.statusCode, proxied.response.statusMessage], [200, direct.response.statusMessage]);
  assert.deepEqual(endToEnd(proxied.response), endToEnd(direct.response));
  assert.ok(endToEnd(proxied.response).some(([name]) => name === "Access-Control-Allow-Origin"));
  await dolphin.stop();
});

void test("a request reaches a server with its query as it was written", async (t) => {
  const dolphin = await Dolphin.start(t, { args: ["--plan", "b"], conf });
  const target = "/nothing.html?token=a%20b&x=%2F&&=&vhost=b.example.com?y";
  const viewer = await Viewer.open(t, dolphin.httpPort, target);
  await viewer.ended;
  assert.equal(viewer.response.statusCode, 404);
  assert.equal((await dolphin.waitFor("http.refused"))["url"], target);

  // Its vhost decides which stream it is for.
  const source = await publisher(dolphin.rtmpUrl("s?vhost=b.example.com"));
  t.after(() => source.close());
  for (const media of [...headers("avc", "aac"), ...step("avc", "aac", 0)]) source.send(media);
  await (await Viewer.open(t, dolphin.httpPort, "/live/s.flv?token=a%20b&vhost=b.example.com")).waitFor(lastOf(0));
  const started = await dolphin.waitFor("play.started", { where: ({ protocol }) => protocol === "flv" });
  assert.equal(started["vhost"], "b.example.com");
  await dolphin.stop();
});

/** An answer as it comes. It is left after the test. */
class Viewer {
  readonly response: IncomingMessage;
  readonly ended: Promise<void>;
  body: Buffer = Buffer.alloc(0);

  private constructor(response: IncomingMessage) {
    this.response = response;
    response.on("data", (bytes: Buffer) => (this.body = Buffer.concat([this.body, bytes])));
    this.ended = new Promise((resolve) => response.once("close", resolve));
  }

  static open(t: TestContext, port: number, path: string): Promise<Viewer> {
    return new Promise((resolve, reject) => {
      const asked = request({ host: "127.0.0.1", port, path, agent: false, headers: { Origin: "http://page.example.com" } }, (response) =>
        resolve(new Viewer(response)),
      );
      t.after(() => asked.destroy());
      asked.on("error", reject);
      asked.end();
    });
  }

  async waitFor(last: Buffer): Promise<void> {
    await eventually(() => this.body.includes(last), { everyMs: 10, what: `a tag after ${this.body.length} bytes` });
  }
}

/** The last tag of a step, without the tag's head and with the size that stands behind it. */
function lastOf(index: number): Buffer {
  const payload = step("avc", "aac", index).at(-1)?.payload ?? Buffer.alloc(0);
  const size = Buffer.alloc(4);
  size.writeUInt32BE(11 + payload.length);
  return Buffer.concat([payload, size]);
}

function endToEnd({ rawHeaders }: IncomingMessage): [name: string, value: string][] {
  const pairs = Array.from({ length: rawHeaders.length / 2 }, (_, at): [string, string] => [rawHeaders[2 * at]!, rawHeaders[2 * at + 1]!]);
  return pairs.filter(([name]) => !ofConnection.has(name.toLowerCase()));
}
