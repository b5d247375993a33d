import assert from "node:assert/strict";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import { Peer } from "../../../src/backup/peer.js";
import type { Report } from "../../../src/backup/report.js";
import { sha256Of } from "../../../src/backup/store.js";
import { eventually } from "../../helpers/wait.js";

const bytes = Buffer.alloc(188, 7);
const segment = { id: `b_1_1_${sha256Of(bytes).slice(0, 16)}`, sha256: sha256Of(bytes), sizeBytes: bytes.length, durationMs: 2000 };

interface Rig {
  readonly peer: Peer;
  readonly copied: string[];
  readonly links: string[];
  readonly pass: (ms: number) => void;
  forgotten: number;
}

/** A node whose peer answers copies so; and a clock. */
async function rig(t: TestContext, answer: (response: ServerResponse) => void): Promise<Rig> {
  const server = createServer((request, response) => {
    request.resume();
    if (request.url === "/sync") response.end('{"node":"b","session":"s"}');
    else answer(response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  let nowMs = 1000;
  const made: Rig = {
    copied: [],
    links: [],
    forgotten: 0,
    pass: (ms) => (nowMs += ms),
    peer: new Peer({
      url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
      token: "t",
      me: "a",
      leaseMs: 3000,
      paths: () => [],
      reportOf: () => null,
      onSegment: async ({ id }) => void made.copied.push(id),
      onForget: () => (made.forgotten += 1),
      onLink: (link) => made.links.push(link),
      nowMs: () => nowMs,
    }),
  };
  t.after(() => {
    made.peer.close();
    server.closeAllConnections();
    server.close();
  });
  return made;
}

test("peer: a segment is copied once, and only as what it was said to be", async (t) => {
  const { peer, copied } = await rig(t, (response) => response.end(bytes));
  const [one, other] = await Promise.all([peer.fetch(segment), peer.fetch(segment)]);
  assert.deepEqual([one, other, copied], [bytes, bytes, [segment.id]]);
});

for (const [what, answer] of [
  ["other bytes of the same length", (response) => response.end(Buffer.alloc(188, 8))],
  ["less than was said", (response) => response.end(bytes.subarray(1))],
  ["more than was said, without an end", (response) => void response.write(Buffer.alloc(1 << 20))],
  ["an error", (response) => response.writeHead(500).end("x")],
  ["an error without an end", (response) => void response.writeHead(404).write(Buffer.alloc(1 << 20))],
  ["a connection that is broken off", (response) => response.destroy()],
] as const satisfies readonly (readonly [string, (response: ServerResponse) => void])[]) {
  test(`peer: ${what} is no segment, and is asked for again later`, async (t) => {
    const { peer, copied } = await rig(t, answer);
    assert.equal(await peer.fetch(segment), null);
    assert.deepEqual([copied, peer.failedFetches], [[], 1]);
    peer.want(segment);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(peer.failedFetches, 1, "not at once");
  });
}

test("peer: it is linked when it has told everything to the one that we are now, and not by what comes late or from another life", async (t) => {
  const made = await rig(t, (response) => response.end());
  const { peer, pass } = made;
  const say = (more: Partial<Report>): { readonly receipt: string; readonly isNew: boolean } => {
    const report: Report = { node: "b", boot: "1", count: 1, session: "", streams: [], isWhole: true, ...more };
    const answer = peer.hear(report);
    if (typeof answer === "string") throw new Error(answer);
    return answer;
  };
  const sessionOf = ({ receipt }: { readonly receipt: string }): string => (JSON.parse(receipt) as { readonly session: string }).session;
  const looks = (): string => {
    peer.look();
    return peer.link;
  };
  // Its own report has to be answered, too.
  const isLinked = (): Promise<boolean> => eventually(() => looks() === "linked", { what: "the link", everyMs: 5 });
  const session = sessionOf(say({}));
  assert.equal(looks(), "joining");
  assert.equal(say({ count: 2, session }).isNew, true);
  await isLinked();
  assert.equal(say({ count: 2, session }).isNew, false);
  const again = sessionOf(say({ boot: "2", session }));
  assert.equal(made.forgotten, 1);
  assert.equal(looks(), "joining", "it has begun anew, and is not dead");
  say({ boot: "2", count: 2, session: again });
  await isLinked();
  for (let step = 0; step < 14; step++) {
    pass(250);
    looks();
  }
  assert.equal(peer.link, "alone");
  assert.equal(made.forgotten, 2);
  pass(10_000);
  assert.equal(looks(), "joining", "who stood still does not know whether it may go on");
  assert.equal(typeof peer.hear({ node: "a", boot: "3", count: 1, session: "", streams: [], isWhole: true }), "string");
});
