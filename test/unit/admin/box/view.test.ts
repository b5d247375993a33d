import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ControlAnswer, ControlClient } from "../../../../src/admin/box/control-client.js";
import { BoxView } from "../../../../src/admin/box/view.js";
import type { ClientReport, ProcessList, ProgramReport } from "../../../../src/ipc/lists.js";

const client = (id: string): ClientReport => ({
  id,
  vhost: "v",
  app: "live",
  stream: "s",
  type: "rtmp-play",
  ip: "192.0.2.1",
  tcUrl: "",
  pageUrl: "",
  swfUrl: "",
  name: "s",
  sinceMs: 0,
  bytesIn: 0,
  bytesOut: 0,
});
const list = (name: string, ...ids: string[]): ProcessList<ClientReport> => ({ name, duty: "edge", rows: ids.map(client), isStale: false });

/** A master that answers with these lists, and counts how often it is asked. */
function viewOf<Row = ClientReport>(lists: () => Promise<readonly ProcessList<Row>[]>): { view: BoxView; asked: string[] } {
  const asked: string[] = [];
  const ask = async (path: string): Promise<ControlAnswer> => {
    asked.push(path);
    return { status: 200, body: { lists: await lists() } };
  };
  return { view: new BoxView({ ask } as unknown as ControlClient), asked };
}

describe("what is known of the box", () => {
  it("is asked for once by all who want to know at once, and in the next moment", async () => {
    const { view, asked } = viewOf(() => Promise.resolve([list("edge-1", "a"), list("edge-2", "b")]));
    const [one, two] = await Promise.all([view.clients(), view.clients()]);
    assert.equal(one, two);
    await view.clients();
    assert.deepEqual(asked, ["/list/clients"]);
  });

  it("has programs without the keys of streams elsewhere that their words hold", async () => {
    const output = "rtmp://far.example/live2/s3cret-key";
    const program = { argv: ["ffmpeg", output], input: "", output, lastLine: `${output}: Broken pipe` };
    const row = program as unknown as ProgramReport;
    const { view } = viewOf(() => Promise.resolve([{ name: "packager", duty: "packager", rows: [row], isStale: false }]));
    const shown = "rtmp://far.example/live2/…";
    assert.deepEqual(await view.programs(), [{ argv: ["ffmpeg", shown], input: "", output: shown, lastLine: `${shown} Broken pipe` }]);
  });

  it("is a second old at most in its numbers, however long the master took to answer, and ten seconds in its lists", async (t) => {
    let nowMs = 0;
    t.mock.method(performance, "now", () => nowMs);
    const { view, asked } = viewOf(() => {
      nowMs += 3000; // of a machine that is busy, or for a process that hangs
      return Promise.resolve([]);
    });
    const look = async (): Promise<void> => void (await Promise.all([view.facts(), view.clients()]));
    await look();
    assert.deepEqual(asked.splice(0), ["/box", "/list/clients"]);
    nowMs += 1;
    await look();
    assert.deepEqual(asked.splice(0), ["/box"]);
    nowMs += 10_000;
    await look();
    assert.deepEqual(asked, ["/box", "/list/clients"]);
  });

  it("rests from lists for twenty times what they took", async (t) => {
    let nowMs = 0;
    t.mock.method(performance, "now", () => nowMs);
    const { view, asked } = viewOf(() => {
      nowMs += 100;
      return Promise.resolve([]);
    });
    await view.clients();
    nowMs += 1999;
    await view.clients();
    assert.equal(asked.length, 1);
    nowMs += 1;
    await view.clients();
    assert.equal(asked.length, 2);
  });

  it("is asked for again when somebody has acted, or the answer failed", async () => {
    let isDown = true;
    const { view, asked } = viewOf(() => (isDown ? Promise.reject(new Error("down")) : Promise.resolve([])));
    await assert.rejects(view.clients(), /down/);
    isDown = false;
    await view.clients();
    view.forget();
    await view.clients();
    assert.equal(asked.length, 3);
  });

  it("has everybody once, whom two processes tell of while he goes from one to the other", async () => {
    const { view } = viewOf(() => Promise.resolve([list("edge-1", "a", "b"), list("edge-2", "b", "c")]));
    const clients = await view.clients();
    assert.deepEqual(
      clients.map(({ id, process }) => `${id} ${process}`),
      ["a edge-1", "b edge-2", "c edge-2"],
    );
  });
});
