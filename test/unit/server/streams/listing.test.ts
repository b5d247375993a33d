import assert from "node:assert/strict";
import { test } from "node:test";
import { pageRows, type ClientReport } from "../../../../src/ipc/lists.js";
import type { Client } from "../../../../src/server/peers/clients.js";
import { kick, listPage } from "../../../../src/server/streams/listing.js";

function clients(count: number, isOwn: (at: number) => boolean = () => false): { all: Client[]; dismissed: string[] } {
  const dismissed: string[] = [];
  const all = Array.from({ length: count }, (_, at) => {
    const id = `c${at}`;
    const report = { id, vhost: "v", app: "live", stream: at % 2 === 0 ? "even" : "odd" } as ClientReport;
    return {
      id,
      order: at + 1,
      report: () => (isOwn(at) ? null : report),
      dismiss: ({ code }) => void dismissed.push(`${id} ${code}`),
    } as Client;
  });
  return { all, dismissed };
}

const none = (): [] => [];

test("listing: pages follow each other, nobody twice and nobody missing, and own edges are left out", () => {
  const { all } = clients(2 * pageRows + 7, (at) => at % 10 === 0);
  const ids: string[] = [];
  for (let after: number | null = 0; after !== null;) {
    const page = listPage({ clients: all, reports: none }, "clients", after);
    const rows = JSON.parse(`[${page.rows}]`) as ClientReport[];
    assert.ok(rows.length <= pageRows);
    ids.push(...rows.map(({ id }) => id));
    after = page.next;
  }
  assert.deepEqual(
    ids,
    all.filter(({ order }) => (order - 1) % 10 !== 0).map(({ id }) => id),
  );
});

test("listing: of an empty process there is one page, and nothing behind it", () => {
  assert.deepEqual(listPage({ clients: [], reports: none }, "clients", 0), { rows: "", next: null });
  assert.deepEqual(listPage({ clients: [], reports: none }, "streams", 0), { rows: "", next: null });
});

test("listing: one client is sent away, or all of a stream", () => {
  const { all, dismissed } = clients(4);
  assert.equal(kick(all, { client: "c1" }), 1);
  assert.equal(kick(all, { client: "c9" }), 0);
  assert.equal(kick(all, { stream: "v/live/even" }), 2);
  assert.deepEqual(dismissed, ["c1 RTMP_KICKED", "c0 RTMP_KICKED", "c2 RTMP_KICKED"]);
});
