// What HTTP answers beside streams: HEAD as GET would answer, browsers that ask whether they may, a page for whoever opens the
// address, and for a stream that nobody publishes the server's own 404, in time.
import assert from "node:assert/strict";
import { request, type IncomingHttpHeaders } from "node:http";
import { test } from "node:test";
import { Dolphin } from "../helpers/dolphin.js";
import { watchFlv } from "../helpers/flv-reader.js";
import { steadyPublisher } from "../helpers/show.js";
import { within } from "../helpers/wait.js";

const boxes = [
  ["plan a", ["--plan", "a"], ""],
  ["plan single", ["--plan", "single"], ""],
  ["plan b, routing stream", ["--plan", "b"], "routing stream;"],
  ["plan b, routing connection", ["--plan", "b"], "routing connection; servers 1;"],
] as const;

const conf = (block: string): string => `listen 1935; http_server { enabled on; listen 8080; }
vhost __defaultVhost__ { http_remux { enabled on; mount [vhost]/[app]/[stream].flv; } }
dolphin { ${block} }`;

interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** The whole answer, on a connection of its own. It must come well before any wait for a stream is over. */
function ask(port: number, method: string, path: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
  const answered = new Promise<Answer>((resolve, reject) => {
    const asked = request({ host: "127.0.0.1", port, method, path, headers, agent: false }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text: string) => (body += text));
      response.once("end", () => resolve({ status: response.statusCode, headers: response.headers, body }));
    });
    asked.once("error", reject).end();
  });
  return within(answered, 10_000, `the answer to ${method} ${path}`);
}

/** Without those about one connection, which a proxy has of its own, and the clock. */
function endToEnd(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const ofConnection = new Set(["connection", "transfer-encoding", "keep-alive", "date"]);
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !ofConnection.has(name)));
}

for (const [name, args, block] of boxes) {
  void test(`${name}: HEAD has the head of GET, and 404 where nobody publishes, without waiting for somebody who does`, async (t) => {
    const dolphin = await Dolphin.start(t, { args, conf: conf(`http_flv_wait 60; play_wait 60; ${block}`) });
    const encoder = await steadyPublisher(t, dolphin, "s");
    const origin = { Origin: "http://page.test" };
    for (let round = 0; round < 3; round++) {
      // First of a stream that this worker may not have yet.
      const head = await ask(dolphin.httpPort, "HEAD", "/live/s.flv", origin);
      const get = await watchFlv(dolphin.flvUrl("s"), { headers: origin });
      assert.deepEqual([head.status, head.body, get.status], [200, "", 200]);
      assert.deepEqual(endToEnd(head.headers), endToEnd(get.headers));
      assert.equal(head.headers["cache-control"], "no-cache");
      get.close();
    }
    const none = await ask(dolphin.httpPort, "HEAD", "/live/nobody.flv");
    assert.deepEqual([none.status, none.headers["content-length"], none.body], [404, "9", ""]);
    encoder.close();
    assert.deepEqual(
      dolphin.logLines(({ stream }) => stream === "nobody"),
      [],
      "no viewer has come",
    );
    await dolphin.stop();
  });

  void test(`${name}: a browser may send what it asks for by name, and into a private network`, async (t) => {
    const dolphin = await Dolphin.start(t, { args, conf: conf(`http_flv_wait 60; play_wait 60; ${block}`) });
    const asked = await ask(dolphin.httpPort, "OPTIONS", "/live/s.flv", {
      Origin: "http://page.test",
      "Access-Control-Request-Method": "GET",
      "Access-Control-Request-Headers": "authorization,x-token",
      "Access-Control-Request-Private-Network": "true",
    });
    assert.equal(asked.status, 200);
    assert.equal(asked.headers["access-control-allow-origin"], "*");
    assert.equal(asked.headers["access-control-allow-headers"], "authorization,x-token");
    assert.match(asked.headers["access-control-allow-methods"] ?? "", /\bGET\b/);
    assert.equal(asked.headers["access-control-allow-private-network"], "true");
    assert.match(asked.headers.vary ?? "", /Access-Control-Request-Headers/);

    const plain = await ask(dolphin.httpPort, "OPTIONS", "/live/s.flv");
    assert.equal(plain.status, 200);
    assert.deepEqual(
      Object.keys(plain.headers).filter((one) => one.startsWith("access-control")),
      [],
    );
    await dolphin.stop();
  });

  void test(`${name}: who opens the address in a browser gets a page that says what this is and how to watch`, async (t) => {
    const dolphin = await Dolphin.start(t, { args, conf: conf(block) });
    const from = dolphin.logLength;
    for (const path of ["/", "/?utm_source=x"]) {
      const page = await ask(dolphin.httpPort, "GET", path);
      assert.equal(page.status, 200);
      assert.match(page.headers["content-type"] ?? "", /^text\/html/);
      for (const words of ["dolphin", "rtmp://127.0.0.1/live/livestream", `//127.0.0.1:${dolphin.httpPort}/live/livestream.flv`, "ffplay"])
        assert.ok(page.body.includes(words), words);
      assert.doesNotMatch(page.body, /\b(?:src|href|url)\b|<script/i, "nothing is loaded from elsewhere"); // and there is no console
      const head = await ask(dolphin.httpPort, "HEAD", path);
      assert.deepEqual([head.status, head.body, endToEnd(head.headers)], [200, "", endToEnd(page.headers)]);
    }
    assert.deepEqual(dolphin.logLines().slice(from), []);
    await dolphin.stop();
  });
}

for (const [playWait, flvWait] of [
  [4, 4],
  [2, 5],
  [5, 2],
] as const) {
  void test(`plan b, play_wait ${playWait}, http_flv_wait ${flvWait}: a stream that nobody publishes is the server's own 404, after the longer of the two`, async (t) => {
    const dolphin = await Dolphin.start(t, { args: ["--plan", "b"], conf: conf(`play_wait ${playWait}; http_flv_wait ${flvWait};`) });
    const none = await ask(dolphin.httpPort, "GET", "/live/nobody.flv");
    assert.deepEqual([none.status, none.body], [404, "Not Found"]);
    const line = await dolphin.waitFor("proxy.closed");
    const waitedMs = Number(line["durMs"]);
    assert.ok(waitedMs > Math.max(playWait, flvWait) * 1000 - 100, `it waited ${waitedMs} ms`);
    assert.ok(waitedMs < (playWait + flvWait) * 1000, `not one wait after the other: ${waitedMs} ms`);
    assert.deepEqual([line.level, line["status"], line["tried"]], ["info", 404, [line["backend"]]]);
    await dolphin.stop();
  });
}

void test("a client that prefers a shorter wait gets its 404 after that", async (t) => {
  for (const [, args, block] of boxes) {
    const dolphin = await Dolphin.start(t, { args, conf: conf(`play_wait 60; http_flv_wait 60; ${block}`) });
    assert.equal((await ask(dolphin.httpPort, "GET", "/live/nobody.flv", { Prefer: "wait=1" })).status, 404);
    await dolphin.stop();
  }
});
