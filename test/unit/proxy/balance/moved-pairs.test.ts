import assert from "node:assert/strict";
import { closeSync, fstatSync, openSync } from "node:fs";
import { after, before, beforeEach, describe, test } from "node:test";
import type { Position } from "../../../../src/base/position.js";
import type { Carriage, CarriedSession, Carrier, SavedPair } from "../../../../src/ipc/carried.js";
import { loadDescriptorLinks, type DescriptorLinks } from "../../../../src/ipc/descriptor-link.js";
import { loadMarks, stateClean, stateWord, type Marks } from "../../../../src/ipc/marks.js";
import { Backends } from "../../../../src/proxy/balance/backends.js";
import { MovedPairs, sessionOf } from "../../../../src/proxy/balance/moved-pairs.js";
import type { Pump } from "../../../../src/proxy/pump/pump.js";
import { createPump } from "../../../../src/proxy/pump/create-pump.js";
import { Roll } from "../../../../src/proxy/balance/roll.js";
import { eventually } from "../../../helpers/wait.js";
import { keptLog, pattern, received, Rig, stillness, type Pair } from "../pump/rig.js";

/** One copy of a pair's connections, as the master has it. */
interface Copy {
  readonly session: CarriedSession;
  readonly fds: readonly number[];
  readonly row: number;
}

/** Keeps copies as the master does, in this process. */
class Keeper implements Carrier {
  readonly marksFd: number;
  readonly copies = new Map<string, Copy>();
  private readonly marks: Marks;
  private readonly links: DescriptorLinks;

  constructor(links: DescriptorLinks, made: { readonly marks: Marks; readonly fd: number }) {
    this.links = links;
    this.marks = made.marks;
    this.marksFd = made.fd;
  }

  readonly isGiven = (): boolean => false;

  carry(descriptors: () => readonly number[] | null, session: CarriedSession): Carriage | null {
    const row = this.marks.take(null) ?? assert.fail("a row");
    const { link, otherFd } = this.links.pair();
    const other = this.links.open(otherFd);
    link.send([{ descriptors, note: null }]);
    const [parcel] = other.receive();
    this.copies.set(session.token, { session, fds: parcel?.fds ?? [], row });
    for (const end of [link, other]) end.close();
    const over = (): void => {
      for (const fd of this.copies.get(session.token)?.fds ?? []) closeSync(fd);
      this.copies.delete(session.token);
    };
    return { words: this.marks.words, at: row, isOver: false, isKept: true, renew: () => undefined, over, letGo: () => undefined };
  }

  /** Gives a copy away, with how far it has got. */
  give(): Copy & { readonly from: Position } {
    const [copy] = this.copies.values();
    assert.ok(copy !== undefined);
    this.copies.delete(copy.session.token);
    assert.equal(this.marks.words[copy.row + stateWord], stateClean);
    const from = this.marks.read(copy.row);
    assert.ok(from !== null && from !== "start");
    return { ...copy, from };
  }

  close(): void {
    this.marks.close();
    closeSync(this.marksFd);
  }
}

const saved: SavedPair = {
  backend: "server-1",
  lease: { id: 7, key: "v/live/s" },
  line: { conn: 4, peer: "192.0.2.1:5555" },
  startedAtMs: 0,
  bytesIn: 500,
  bytesOut: 900,
};
const canCarry = process.platform === "linux" && (await loadDescriptorLinks()) !== null;

describe("a pair that another proxy has moved", { skip: !canCarry }, () => {
  const { log, lines } = keptLog();
  let rig: Rig;
  let [first, second]: [Keeper | null, Keeper | null] = [null, null];
  let pumps: Pump[] = [];
  let moved: MovedPairs;
  let backends: Backends;
  let leases: string[];

  before(async () => {
    const [links, marks] = [await loadDescriptorLinks(), await loadMarks()];
    assert.ok(links !== null && marks !== null);
    [first, second] = [new Keeper(links, marks.create()), new Keeper(links, marks.create())];
    pumps = [await createPump(log, "auto", first), await createPump(log, "auto", second)];
    rig = await new Rig().start();
  });
  after(async () => {
    rig.stop();
    for (const pump of pumps) await pump.close();
    first?.close();
    second?.close();
  });
  beforeEach(() => {
    lines.length = 0;
    leases = [];
    backends = new Backends({ policy: "least" });
    const hold = (key: string, backend: string): { id: number; release(): void } => {
      leases.push(`hold ${key} ${backend}`);
      return { id: 1, release: () => void leases.push("release") };
    };
    moved = new MovedPairs({ backends, places: { hold }, pump: pumps[1]!, roll: new Roll(), log, idleMs: null });
  });

  const join = (): Promise<Pair> => rig.join(pumps[0]!, { session: sessionOf(saved, "token") });

  /** The first proxy lets go, and the second goes on. */
  async function move(pair: Pair): Promise<void> {
    pumps[0]!.letGo();
    assert.equal((await pair.ended).reason, "moved");
    const { fds, session, from } = first!.give();
    moved.adopt(fds, { session, from });
  }

  async function echo({ client, server }: Pair, bytes: Buffer): Promise<void> {
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      let got = 0;
      const take = (part: Buffer): void => {
        assert.ok(part.equals(bytes.subarray(got, got + part.length)));
        got += part.length;
      };
      to.on("data", take).resume();
      from.write(bytes);
      await eventually(() => got === bytes.length, { everyMs: 5, what: "all bytes" });
      to.off("data", take);
    }
  }

  test("goes on where it was, in both directions, and is told as one connection", async () => {
    const pair = await join();
    await echo(pair, pattern(200_000));
    await move(pair);
    assert.deepEqual([moved.connections, backends.carried()[0]?.connections], [1, 1]);
    await echo(pair, pattern(300_001, 2));
    const over = moved.drain();
    pair.client.end();
    pair.server.end();
    await over;
    const [resumed, closed] = lines;
    assert.deepEqual(resumed, { level: "info", event: "proxy.resumed", ...saved.line, backend: "server-1" });
    const bytes = 500_001 - (200_000 % 1024); // what the first one had moved is known in KiB
    assert.deepEqual(
      { ...closed, durMs: 0, endedBy: "" },
      {
        level: "info",
        event: "proxy.closed",
        ...saved.line,
        backend: "server-1",
        reason: "closed",
        endedBy: "",
        durMs: 0,
        bytesIn: 500 + bytes,
        bytesOut: 900 + bytes,
      },
    );
    assert.deepEqual(backends.carried(), []);
    assert.equal(second!.copies.size, 0);
  });

  test("holds the lease of its publisher until it ends, and not when it is moved on", async () => {
    const pair = await join();
    await echo(pair, pattern(10));
    await move(pair);
    const { session } = [...second!.copies.values()][0]!;
    assert.deepEqual(session.kind === "pair" && session.saved.lease, { id: 1, key: "v/live/s" });
    const over = moved.drain();
    pumps[1]!.letGo();
    await over;
    assert.deepEqual(leases, ["hold v/live/s server-1"]);
    const { fds, session: again, from } = second!.give();
    moved.adopt(fds, { session: again, from });
    assert.equal(again.token, session.token, "one name for its life");
    await echo(pair, pattern(10));
    pair.client.destroy();
    pair.server.destroy();
    await moved.drain();
    assert.deepEqual(leases.at(-1), "release");
  });

  test("goes on half closed", async () => {
    const pair = await join();
    const atServer = received(pair.server);
    pair.client.end("all that I say");
    await atServer;
    await eventually(() => [...first!.copies.values()].length === 1, { what: "its copy" });
    await move(pair);
    const atClient = received(pair.client);
    pair.server.write("still ");
    pair.server.end("talking");
    assert.equal((await atClient).toString(), "still talking");
    await moved.drain();
    assert.equal(lines.at(-1)?.["reason"], "closed");
  });

  test("is let go only when the slow side has taken what was read", async () => {
    const pair = await join();
    let isOver = false;
    void pair.ended.then(() => (isOver = true));
    const bytes = pattern(20_000_000);
    pair.client.write(bytes);
    await stillness(() => pair.joined.bytesIn); // the server reads nothing
    pumps[0]!.letGo();
    await stillness(() => pair.joined.bytesIn + 1);
    assert.ok(!isOver);
    const atServer = received(pair.server);
    await move(pair);
    pair.client.end();
    assert.ok((await atServer).equals(bytes));
    pair.server.end();
    await moved.drain();
  });

  test("of another kind is refused, and its descriptors are closed", () => {
    const fds = [openSync("/dev/null", "r")];
    assert.throws(() => moved.adopt(fds, { session: { token: "a", kind: "flv", saved: null }, from: null }), /flv/);
    assert.throws(() => fstatSync(fds[0]!));
  });
});
