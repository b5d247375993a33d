// The bench's HTTP load tool against servers of this process: what it asks, what it counts, and what it does when a connection ends.
import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import { startQuestions } from "../../../bench/load.js";

/** A server of HTTP that ends with the test. */
async function serve(t: TestContext, answer: RequestListener): Promise<number> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

test("httpload: every answer counts once, however many pieces it comes in, and each question waits for its answer", async (t) => {
  const body = "x".repeat(300_000);
  const open = new Map<string, number>();
  let most = 0;
  const port = await serve(t, (request, response) => {
    const path = request.url ?? "";
    open.set(path, (open.get(path) ?? 0) + 1);
    most = Math.max(most, open.get(path) ?? 0);
    response.on("finish", () => open.set(path, (open.get(path) ?? 0) - 1));
    response.writeHead(200, { "Content-Length": body.length });
    response.write(body.slice(0, 1000));
    setImmediate(() => response.end(body.slice(1000)));
  });
  const { answered, failed, kibEach } = await startQuestions(port, ["/a", "/b"], 0, 1).report;
  assert.ok(answered > 2, `${answered} answers`);
  assert.equal(failed, 0);
  assert.ok(kibEach > 290 && kibEach < 320, `${kibEach} KiB each`);
  assert.equal(most, 1);
  assert.deepEqual([...open.keys()].toSorted(), ["/a", "/b"]);
});

test("httpload: a question with a time is asked no sooner again", async (t) => {
  let asked = 0;
  const port = await serve(t, (_, response) => {
    asked += 1;
    response.setHeader("Content-Length", 2);
    response.end("ok");
  });
  await startQuestions(port, ["/slow?a=b@60000"], 0, 1).report;
  assert.equal(asked, 1);
});

test("httpload: a refusal and an answer cut short are failures, and it goes on with a new connection", async (t) => {
  let asked = 0;
  const port = await serve(t, (_, response) => {
    asked += 1;
    if (asked === 1) response.destroy();
    else if (asked === 2) response.writeHead(503, { "Content-Length": 0, Connection: "close" }).end();
    else response.setHeader("Content-Length", 2).end("ok");
  });
  const { answered, failed } = await startQuestions(port, ["/"], 0, 1).report;
  assert.equal(failed, 2);
  assert.ok(answered > 0, "the third was answered");
});
