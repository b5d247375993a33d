import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { Worker } from "node:worker_threads";
import type { Pump } from "../../../../src/proxy/pump/pump.js";
import { createPump } from "../../../../src/proxy/pump/create-pump.js";
import { run, projectRoot } from "../../../helpers/child.js";
import { eventually } from "../../../helpers/wait.js";
import { closing, joinPair, keptLog, pattern, received, Rig, stillness, type Pair } from "./rig.js";

const { log, lines } = keptLog();
const hasSplice =
  process.platform === "linux" && (await createPump(log).then(async (pump) => (await pump.close(), pump.kind))) === "splice";

test("pump: on Linux with koffi the kernel moves the bytes", { skip: process.platform !== "linux" }, () => {
  assert.ok(hasSplice);
});

for (const kind of ["auto", "plain"] as const) {
  describe(`${kind === "auto" ? "splice" : "plain"} pump`, { skip: kind === "auto" && !hasSplice }, () => {
    let pump: Pump;
    let rig: Rig;
    before(async () => {
      pump = await createPump(log, kind);
      rig = await new Rig().start();
    });
    after(async () => {
      rig.stop(); // first, so that nothing stays open when the pump fails
      await pump.close();
    });

    test("both directions arrive unchanged, each end of stream goes on, and the counters are exact", async () => {
      const { client, server, joined, ended } = await rig.join(pump);
      const up = pattern(1_500_001, 3);
      const down = pattern(2_000_003, 5);
      const atServer = received(server);
      const atClient = received(client);
      client.end(up);
      assert.ok((await atServer).equals(up));
      server.end(down); // the server answers long after the client's end of stream
      assert.ok((await atClient).equals(down));
      assert.deepEqual(await ended, { endedBy: "client", reason: "closed", bytesIn: up.length, bytesOut: down.length });
      assert.deepEqual([joined.bytesIn, joined.bytesOut], [up.length, down.length]);
    });

    test("a server that ends first leaves the client to go on", async () => {
      const { client, server, ended } = await rig.join(pump);
      const atServer = received(server);
      server.end("bye");
      assert.equal((await received(client)).toString(), "bye");
      client.end("and this");
      assert.equal((await atServer).toString(), "and this");
      assert.deepEqual(await ended, { endedBy: "server", reason: "closed", bytesIn: 8, bytesOut: 3 });
    });

    for (const by of ["client", "server"] as const) {
      test(`a reset by the ${by} reaches the other side as a reset`, async () => {
        const pair = await rig.join(pump);
        pair.client.write("x");
        await once(pair.server, "data");
        const other = closing(by === "client" ? pair.server : pair.client);
        pair[by].resetAndDestroy();
        assert.equal(await other, "ECONNRESET");
        assert.deepEqual(await pair.ended, { endedBy: by, reason: "reset", bytesIn: 1, bytesOut: 0 });
      });
    }

    test("who does not read stops who writes, holds little meanwhile, and loses nothing", async () => {
      const { client, server, joined, ended } = await rig.join(pump);
      const sent = pattern(24 << 20, 7);
      client.pause();
      server.end(sent);
      await stillness(() => joined.bytesOut);
      assert.ok(joined.bytesOut > 0 && joined.bytesOut < 16 << 20, `${joined.bytesOut} bytes`);
      const other = await rig.join(pump); // nobody else waits for it, or gets its bytes
      other.client.end(pattern(300_000, 9));
      assert.ok((await received(other.server)).equals(pattern(300_000, 9)));
      other.server.end();
      assert.ok((await received(client)).equals(sent));
      client.end();
      assert.equal((await ended).bytesOut, sent.length);
      await other.ended;
    });

    test("bytes that were read or written before the join come first", async () => {
      const open = await rig.open();
      open.client.write("early ");
      open.near.client.resume();
      await once(open.near.client, "readable");
      open.near.server.write("header ");
      const pair = joinPair(pump, open);
      open.client.end("late");
      assert.equal((await received(open.server)).toString(), "header early late");
      open.server.end();
      assert.deepEqual(await pair.ended, { endedBy: "client", reason: "closed", bytesIn: 10, bytesOut: 0 });
    });

    test("a join waits for what the far side has not taken yet", async () => {
      const open = await rig.open();
      const header = pattern(8 << 20, 11);
      open.server.pause();
      open.near.server.write(header);
      assert.ok(open.near.server.writableLength > 0);
      const pair = joinPair(pump, open);
      open.client.end("tail");
      const got = await received(open.server);
      assert.ok(got.equals(Buffer.concat([header, Buffer.from("tail")])));
      open.server.end();
      assert.equal((await pair.ended).bytesIn, 4);
    });

    test("closing the pump ends a pair that still waits for its far side", async (t) => {
      const own = await createPump(log, kind);
      t.after(() => own.close());
      const open = await rig.open();
      open.server.pause();
      open.near.server.write(pattern(8 << 20));
      const pair = joinPair(own, open);
      await own.close();
      assert.deepEqual(await pair.ended, { endedBy: "proxy", reason: "stopped", bytesIn: 0, bytesOut: 0 });
    });

    test("a socket that broke before the join ends the pair", async () => {
      const open = await rig.open();
      open.near.server.destroy();
      const pair = joinPair(pump, open);
      assert.equal(await closing(open.client), "ECONNRESET");
      assert.deepEqual(await pair.ended, { endedBy: "server", reason: "reset", bytesIn: 0, bytesOut: 0 });
    });

    test("a pair in which nothing moves ends at the idle limit, one that moves does not", async (t) => {
      const still = await rig.join(pump, { idleMs: 500 });
      const moving = await rig.join(pump, { idleMs: 800 });
      moving.server.resume();
      const timer = setInterval(() => moving.client.write("x"), 100);
      t.after(() => clearInterval(timer));
      const { endedBy, reason } = await still.ended;
      assert.deepEqual([endedBy, reason], ["proxy", "idle"]);
      // That many take longer than its limit and the second after which it is looked at.
      await eventually(() => moving.joined.bytesIn >= 19, { what: "19 bytes to pass" });
      clearInterval(timer);
      assert.equal((await moving.ended).reason, "idle");
    });

    test("a pair ends at the total limit, whatever moves", async (t) => {
      const pair = await rig.join(pump, { totalMs: 1000 });
      pair.server.resume();
      const timer = setInterval(() => pair.client.write("x"), 100);
      t.after(() => clearInterval(timer));
      const { endedBy, reason, bytesIn } = await pair.ended;
      assert.deepEqual([endedBy, reason], ["proxy", "limit"]);
      assert.ok(bytesIn > 0);
    });

    test("a pair can be closed, at once or later, and more than once", async () => {
      const early = await rig.join(pump);
      early.joined.close();
      early.joined.close();
      const late = await rig.join(pump);
      late.client.write("x");
      await once(late.server, "data");
      const others = [closing(late.client), closing(late.server)];
      late.joined.close();
      late.joined.close();
      assert.equal((await early.ended).reason, "stopped");
      assert.deepEqual(await late.ended, { endedBy: "proxy", reason: "stopped", bytesIn: 1, bytesOut: 0 });
      assert.deepEqual(await Promise.all(others), ["in order", "in order"]);
    });

    test("hundreds of pairs that come and go leave no descriptor behind", { skip: process.platform !== "linux" }, async () => {
      const descriptors = (): number => readdirSync("/proc/self/fd").length;
      const first = await rig.join(pump); // what is made once is there
      first.client.destroy();
      first.server.destroy();
      await first.ended;
      await pause(50);
      const least = descriptors();
      const one = async ({ client, server, ended }: Pair, i: number): Promise<void> => {
        const bytes = pattern(1000 + 997 * i, i);
        const atServer = received(server);
        client.end(bytes);
        assert.ok((await atServer).equals(bytes));
        if (i % 3 === 0) server.resetAndDestroy();
        else server.end("ok");
        client.resume();
        assert.equal((await ended).bytesIn, bytes.length);
      };
      for (let round = 0; round < 4; round++) {
        const pairs: Pair[] = [];
        while (pairs.length < 60) pairs.push(await rig.join(pump));
        await Promise.all(pairs.map((pair, i) => one(pair, i)));
      }
      const last = await rig.join(pump);
      let isTold = false;
      void last.ended.then(() => (isTold = true));
      await pump.close();
      assert.ok(isTold, "closing waits for the ends of all pairs");
      for (const socket of [last.client, last.server]) socket.destroy();
      await eventually(() => descriptors() <= least, { what: `${least} descriptors again` });
      const late = await rig.join(pump);
      assert.equal((await late.ended).reason, "stopped");
    });
  });
}

describe("splice pump alone", { skip: !hasSplice }, () => {
  let pump: Pump;
  let rig: Rig;
  beforeEach(async () => {
    pump = await createPump(log);
    rig = await new Rig().start();
  });
  afterEach(async () => {
    rig.stop();
    await pump.close();
  });

  test("an answer reaches the client although the server stopped reading and reset", async () => {
    const { client, server, joined, ended } = await rig.join(pump);
    server.pause();
    const sent = pattern(24 << 20);
    client.write(sent);
    await stillness(() => joined.bytesIn); // a client in the middle of a write would meet the reset before the answer
    assert.ok(joined.bytesIn < sent.length, `${joined.bytesIn} bytes`);
    const parts: Buffer[] = [];
    client.on("data", (bytes: Buffer) => parts.push(bytes));
    const clientClosed = closing(client);
    server.write("too much", () => server.destroy()); // closing with unread bytes resets
    const { endedBy, reason, bytesOut } = await ended;
    assert.deepEqual([endedBy, reason, bytesOut], ["server", "reset", 8]);
    await clientClosed; // the pump tells of the end before the client has read
    assert.equal(Buffer.concat(parts).toString(), "too much");
  });

  test("when its loop fails, its pairs are told of, nothing stays open, and others go on with plain sockets", async () => {
    const lost = await rig.join(pump, { idleMs: 60_000 });
    lost.client.write("x");
    await once(lost.server, "data");
    const ends = [closing(lost.client), closing(lost.server)];
    await (pump as unknown as { worker: Worker }).worker.terminate();
    assert.deepEqual(await lost.ended, { endedBy: "proxy", reason: "failed", bytesIn: 1, bytesOut: 0 });
    assert.deepEqual(await Promise.all(ends), ["in order", "in order"]);
    assert.deepEqual(
      lines.map(({ event, code, connections }) => [event, code, connections]),
      [["pump.lost", "PROXY_PUMP", 1]],
    );
    const next = await rig.join(pump);
    const got = received(next.server);
    next.client.end("still works");
    assert.equal((await got).toString(), "still works");
  });

  for (const [how, ending] of [
    ["by itself", ""],
    ["by process.exit", "process.exit(0);"],
  ] as const) {
    test(`a process with an idle pump ends ${how}`, async () => {
      const script = `const { createPump } = await import("./dist/src/proxy/pump/create-pump.js"); console.log((await createPump({})).kind); ${ending}`;
      assert.equal(await run(process.execPath, ["--input-type=module", "-e", script], 10_000, projectRoot), "splice");
    });
  }
});
