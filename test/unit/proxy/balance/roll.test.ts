import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { pageRows, type ClientReport } from "../../../../src/ipc/lists.js";
import type { StreamReport } from "../../../../src/ipc/messages.js";
import { Roll, type Asks, type Described } from "../../../../src/proxy/balance/roll.js";

const told = (asks: Asks | null, more: Partial<Described> = {}): Described => ({
  asks,
  protocol: "rtmp",
  peer: "192.0.2.1:5000",
  sinceMs: 7,
  bytesIn: 1,
  bytesOut: 2,
  ...more,
});

function add(roll: Roll, id: string, described: Described | null): { leave(): void; readonly dismissed: string[] } {
  const dismissed: string[] = [];
  return { leave: roll.add({ id, describe: () => described, dismiss: () => void dismissed.push(id) }), dismissed };
}

function all<Row>(roll: Roll, what: "clients" | "streams"): Row[] {
  const rows: Row[] = [];
  for (let after: number | null = 0; after !== null;) {
    const page = roll.list(what, after);
    rows.push(...(JSON.parse(`[${page.rows}]`) as Row[]));
    after = page.next;
  }
  return rows;
}

const play = { key: "v/live/s", what: "play" } as const;
const publish = { key: "v/live/s", what: "publish" } as const;

describe("what a proxy knows of its clients", () => {
  it("is each with his address and his stream, or without one where it is not read, and nobody who has asked for nothing", () => {
    const roll = new Roll();
    add(roll, "a", told(publish));
    add(roll, "b", told(play, { protocol: "flv", peer: "[2001:db8::1]:5000" }));
    add(roll, "c", told(null));
    add(roll, "d", null);
    assert.deepEqual(
      all<ClientReport>(roll, "clients").map(({ id, type, ip, vhost, app, stream }) => [id, type, ip, vhost, app, stream]),
      [
        ["a", "fmle-publish", "192.0.2.1", "v", "live", "s"],
        ["b", "flv-play", "2001:db8::1", "v", "live", "s"],
        ["c", "Unknown", "192.0.2.1", "", "", ""],
      ],
    );
  });

  it("is sent away in the order of coming, publishers last", () => {
    const roll = new Roll();
    const gone: string[] = [];
    for (const [id, asks] of [
      ["a", publish],
      ["b", play],
      ["c", null],
      ["d", play],
    ] as const) {
      const leave = roll.add({
        id,
        describe: () => told(asks),
        dismiss: (why) => {
          gone.push(`${id}: ${why}`);
          leave();
        },
      });
    }
    roll.sendAway(2, "x");
    assert.deepEqual([gone, roll.size], [["b: x", "c: x"], 2]);
    roll.sendAway(5, "y");
    assert.deepEqual(gone.slice(2), ["d: y", "a: y"]);
  });

  it("makes streams: who publishes, how many play, and what goes to them", () => {
    const roll = new Roll();
    add(roll, "a", told(play));
    add(roll, "b", told(publish, { bytesIn: 50 }));
    add(roll, "c", told(play, { bytesOut: 40 }));
    add(roll, "d", told({ key: "v/live/other", what: "play" }));
    add(roll, "e", told(null));
    assert.deepEqual(
      all<StreamReport>(roll, "streams").map(({ stream, state, from, publisherId, players, bytesIn, bytesOut, sinceMs }) => {
        return [stream, state, from, publisherId, players, bytesIn, bytesOut, sinceMs];
      }),
      [
        ["s", "publish", "192.0.2.1:5000", "b", 2, 50, 42, 7],
        ["other", "wait", "", "", 1, 0, 2, null],
      ],
    );
  });

  it("is told in pages, and nobody twice", () => {
    for (const count of [0, 1, pageRows - 1, pageRows, pageRows + 1, 3 * pageRows]) {
      const roll = new Roll();
      for (let at = 0; at < count; at++) add(roll, String(at), told({ key: `v/live/${at}`, what: "play" }));
      assert.deepEqual(
        all<ClientReport>(roll, "clients").map(({ id }) => id),
        Array.from({ length: count }, (_, at) => String(at)),
      );
      assert.equal(new Set(all<StreamReport>(roll, "streams").map(({ stream }) => stream)).size, count);
    }
  });

  it("goes with him, and tells who is meant when one or all of a stream are to leave", () => {
    const roll = new Roll();
    const [a, b, c] = [add(roll, "a", told(publish)), add(roll, "b", told(play)), add(roll, "c", told(null))];
    assert.equal(roll.kick({ client: "c" }), 1);
    assert.equal(roll.kick({ stream: "v/live/s" }), 2);
    assert.deepEqual([a.dismissed, b.dismissed, c.dismissed], [["a"], ["b"], ["c"]]);
    b.leave();
    assert.equal(roll.kick({ client: "b" }), 0);
    assert.equal(all(roll, "clients").length, 2);
  });
});
