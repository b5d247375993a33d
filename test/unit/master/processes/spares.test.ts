import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { defaultConfig } from "../../../../src/conf/load.js";
import type { FromChild, ToChild } from "../../../../src/ipc/messages.js";
import { isServing, type ProcessSpec } from "../../../../src/master/processes/plan.js";
import { spareName, Spares } from "../../../../src/master/processes/spares.js";
import type { Running, RunningEvents } from "../../../../src/master/processes/supervisor.js";
import { FakeTimers } from "../../fake-timers.js";

interface Forked {
  readonly name: string;
  readonly events: RunningEvents;
  readonly sent: ToChild[];
  readonly signals: string[];
}

const config = defaultConfig();
const spec = (name: string, duty: ProcessSpec["duty"] = "edge"): ProcessSpec => ({
  name,
  duty,
  place: "child",
  isPublic: true,
  startsAfter: null,
  config,
  maxConnections: null,
});

let timers: FakeTimers;
let forked: Forked[];
let named: (string | null)[];
let isFull: boolean;
let spares: Spares;

/** What the supervisor of this child hears. */
function heardBy(name: string, duty?: ProcessSpec["duty"]): { readonly said: (FromChild["type"] | "exit")[]; readonly running: Running } {
  const said: (FromChild["type"] | "exit")[] = [];
  const running = spares.spawn(spec(name, duty), { message: ({ type }) => void said.push(type), exit: () => void said.push("exit") });
  return { said, running };
}

const names = (): string[] => forked.map(({ name }) => name);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("a spare", () => {
  beforeEach(() => {
    timers = new FakeTimers();
    [forked, named, isFull] = [[], [], false];
    spares = new Spares({
      timers,
      isFor: isServing,
      named: (name) => void named.push(name),
      spawner: {
        spawn({ name }, events) {
          if (isFull) throw new Error("EAGAIN");
          const one: Forked = { name, events, sent: [], signals: [] };
          forked.push(one);
          return { pid: forked.length, send: (message) => void one.sent.push(message), kill: (signal) => void one.signals.push(signal) };
        },
      },
    });
  });

  it("starts when the others have, is warmed up, and takes the next place at once", async () => {
    heardBy("edge-1");
    timers.pass(2000);
    heardBy("edge-2");
    timers.pass(2000);
    assert.deepEqual(names(), ["edge-1", "edge-2"]);
    timers.pass(1000);
    assert.deepEqual(names(), ["edge-1", "edge-2", spareName]);
    forked[2]!.events.message({ type: "hello" });
    assert.deepEqual(forked[2]!.sent, [{ type: "warm-up" }]);

    const { said, running } = heardBy("edge-1");
    assert.equal(forked.length, 3, "nobody was forked for it");
    assert.deepEqual([running.pid, named], [3, ["edge-1"]]);
    assert.deepEqual(said, [], "not before whoever asked has it");
    await turn();
    forked[2]!.events.message({ type: "ready", endpoints: [] });
    forked[2]!.events.exit("killed by SIGKILL");
    assert.deepEqual(said, ["hello", "ready", "exit"]);
    timers.pass(3000);
    assert.deepEqual(names().slice(3), [spareName], "and another one waits");
  });

  it("that cannot hear yet is left for later, and no place waits for it", () => {
    heardBy("edge-1");
    timers.pass(3000);
    heardBy("edge-1");
    assert.deepEqual(names(), ["edge-1", spareName, "edge-1"]);
    timers.pass(3000);
    assert.equal(forked.length, 3, "one is enough");
  });

  it("that ends is tried again after a minute, one that cannot be made too", () => {
    heardBy("edge-1");
    timers.pass(3000);
    forked[1]!.events.exit("exit 1");
    assert.deepEqual(named, [null]);
    isFull = true;
    timers.pass(60_000);
    isFull = false;
    timers.pass(59_999);
    assert.equal(forked.length, 2);
    timers.pass(1);
    assert.deepEqual(names().slice(2), [spareName]);
  });

  it("is for places that serve viewers, and ends with all", () => {
    heardBy("admin", "admin");
    timers.pass(10_000);
    assert.deepEqual(names(), ["admin"]);
    heardBy("edge-1");
    timers.pass(3000);
    spares.close();
    assert.deepEqual(forked[2]!.signals, ["SIGTERM"]);
    forked[2]!.events.exit("exit 0");
    timers.pass(100_000);
    assert.equal(forked.length, 3);
  });
});
