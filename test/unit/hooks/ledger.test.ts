import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { Ledger, rememberedMs } from "../../../src/hooks/ledger.js";
import type { Due, Undelivered } from "../../../src/ipc/dues.js";

const due = (key: string): Due => ({ key, action: "on_stop", urls: [], body: { client_id: key } });
const nothing = (): Set<string> => new Set();

let nowMs = 0;
let ended: string[];
let resumed: Undelivered[];
let answers: string[];
let ledger: Ledger;

describe("ledger", () => {
  beforeEach(() => {
    nowMs = 1_000_000;
    ended = [];
    resumed = [];
    ledger = new Ledger({
      nowMs: () => nowMs,
      end: ({ key }) => ended.push(key),
      resume: (undelivered) => resumed.push(undelivered),
      answer: (owner, id, goesOn) => answers.push(`${owner} ${id} ${goesOn}`),
    });
    answers = [];
  });

  it("ends a sitting that no process has touched for its time, once, and none of whose process is gone", () => {
    ledger.heard("edge-1", [{ sitting: { due: due("a"), idleMs: 4000 } }, { sitting: { due: due("b"), idleMs: 4000 } }]);
    ledger.gone("edge-1", nothing);
    nowMs += 3000;
    ledger.heard("edge-2", [{ touched: "a" }]);
    nowMs += 3000;
    ledger.sweep();
    assert.deepEqual(ended, ["b"]);
    nowMs += 1000;
    ledger.sweep();
    ledger.sweep();
    assert.deepEqual(ended, ["b", "a"]);
  });

  it("tells who asks whether a sitting goes on, and to whom asks about one that it goes on is touched", () => {
    ledger.heard("edge-1", [{ sitting: { due: due("a"), idleMs: 4000 } }]);
    nowMs += 3000;
    ledger.heard("edge-2", [
      { asked: "a", id: 7 },
      { asked: "b", id: 8 },
    ]);
    assert.deepEqual(answers, ["edge-2 7 true", "edge-2 8 false"]);
    nowMs += 3000;
    ledger.sweep();
    assert.deepEqual(ended, []);
  });

  it("leaves sittings to another master, and ends those that it has at the end of the box", () => {
    ledger.heard("edge-1", [{ sitting: { due: due("a"), idleMs: 4000 } }]);
    const taken = ledger.takeSittings();
    ledger.endSittings();
    assert.deepEqual(ended, []);
    ledger.inherit(taken);
    ledger.endSittings();
    assert.deepEqual(ended, ["a"]);
  });

  it("answers for sittings that another master has, too, ends none of them by its time, and goes on where that one is given up", () => {
    ledger.heard("edge-1", [{ sitting: { due: due("a"), idleMs: 4000 } }]);
    assert.deepEqual(
      ledger.shareSittings().map((sitting) => sitting.due.key),
      ["a"],
    );
    nowMs += 5000;
    ledger.sweep();
    ledger.heard("edge-1", [{ asked: "a", id: 1 }]);
    assert.deepEqual([ended, answers], [[], ["edge-1 1 true"]]);
    nowMs += 5000;
    ledger.keepSittings();
    nowMs += 3000;
    ledger.sweep();
    assert.deepEqual(ended, []);
    nowMs += 1000;
    ledger.sweep();
    assert.deepEqual(ended, ["a"]);
  });

  it("knows what its predecessor has from the start, and of what one of both has ended meanwhile tells nothing again", () => {
    const [a, b, c, d] = ["a", "b", "c", "d"].map((key) => ({ due: due(key), idleMs: 4000 }));
    ledger.borrow([a!, b!, c!]);
    ledger.heard("edge-1", [{ asked: "a", id: 1 }, { over: "b" }]);
    nowMs += 5000;
    ledger.sweep();
    assert.deepEqual([ended, answers], [["b"], ["edge-1 1 true"]]);
    ledger.inherit([a!, b!, d!]); // c was ended there, d is new
    ledger.endSittings();
    assert.deepEqual(ended, ["b", "a", "d"]);
  });

  it("calls what a process that is gone had open, and nothing of others", () => {
    ledger.heard("edge-1", [{ open: due("a") }, { open: due("b") }, { done: "a" }]);
    ledger.heard("edge-2", [{ open: due("c") }]);
    ledger.gone("edge-1", nothing);
    assert.deepEqual(ended, ["b"]);
    ledger.gone("edge-1", nothing);
    assert.deepEqual(ended, ["b"]);
  });

  it("calls what a client did before the end of its connection, which was opened first", () => {
    const close: Due = { ...due("a.close"), action: "on_close" };
    ledger.heard("edge-1", [{ open: close }, { open: due("a.stop") }]);
    ledger.gone("edge-1", nothing);
    ledger.lost([{ ...close, key: "b.close" }, due("b.stop")]);
    assert.deepEqual(ended, ["a.stop", "a.close", "b.stop", "b.close"]);
  });

  it("does not call what goes on in another process, until that one is gone", () => {
    ledger.heard("edge-1", [{ open: due("a") }]);
    ledger.gone("edge-1", () => new Set(["a"]));
    ledger.heard("edge-2", [{ open: due("a") }]);
    assert.deepEqual(ended, []);
    ledger.gone("edge-2", nothing);
    assert.deepEqual(ended, ["a"]);
  });

  it("does not call twice what was let go to another process", () => {
    ledger.heard("edge-1", [{ open: due("a") }, { moved: "a" }]);
    ledger.heard("edge-2", [{ open: due("a") }, { done: "a" }]);
    ledger.gone("edge-1", nothing);
    ledger.gone("edge-2", nothing);
    assert.deepEqual(ended, []);
  });

  it("takes a due for that of the process that opened it last", () => {
    ledger.heard("edge-1", [{ open: due("a") }]);
    ledger.heard("edge-2", [{ open: due("a") }]);
    ledger.heard("edge-1", [{ moved: "a" }]);
    ledger.gone("edge-1", nothing);
    assert.deepEqual(ended, []);
    ledger.gone("edge-2", nothing);
    assert.deepEqual(ended, ["a"]);
  });

  it("calls what is due for a connection that nobody goes on with, unless it was called", () => {
    ledger.heard("edge-1", [{ open: due("a") }, { open: due("b") }, { done: "a" }]);
    assert.deepEqual(ledger.stillDue([due("a"), due("b")]), [due("b")]);
    ledger.lost([due("a"), due("b"), due("unknown")]);
    assert.deepEqual(ended, ["b", "unknown"]);
    ledger.lost([due("b")]);
    assert.deepEqual(ended, ["b", "unknown"]);
    ledger.gone("edge-1", nothing);
    assert.deepEqual(ended, ["b", "unknown"]);
  });

  it("forgets what was called a while ago", () => {
    for (let round = 0; round < 4; round++) {
      ledger.heard("edge-1", [{ open: due(`a${round}`) }, { done: `a${round}` }]);
      nowMs += rememberedMs + 1;
    }
    assert.deepEqual(ledger.stillDue([due("a0"), due("a3")]), [due("a0")]);
    assert.equal(ledger.size, 0);
  });

  it("counts who plays a stream at which process, and tells which counts have changed", () => {
    const at = (key: string, stream: string, action: Due["action"] = "on_stop"): Due => {
      return { key, action, urls: [], body: { client_id: key, vhost: "v", app: "live", stream } };
    };
    ledger.heard("edge-1", [{ open: at("a", "s") }, { open: at("b", "s") }, { open: at("p", "s", "on_unpublish") }]);
    ledger.heard("edge-2", [{ open: at("c", "s") }, { open: at("d", "t") }]);
    assert.deepEqual(ledger.takeChanges(), ["v/live/s", "v/live/t"]);
    assert.deepEqual(
      ["edge-1", "edge-2", "edge-3"].map((name) => ledger.playersElsewhere("v/live/s", name)),
      [1, 2, 3],
    );
    assert.deepEqual(ledger.takeChanges(), []);
    ledger.heard("edge-1", [{ done: "a" }, { moved: "b" }]);
    ledger.heard("edge-2", [{ open: at("b", "s") }]);
    assert.equal(ledger.playersElsewhere("v/live/s", "edge-1"), 2);
    ledger.gone("edge-2", nothing);
    assert.equal(ledger.playersElsewhere("v/live/s", "edge-1"), 0);
    assert.deepEqual(ledger.takeChanges(), ["v/live/s", "v/live/t"]);
    ledger.heard("edge-1", [{ open: at("e", "s") }]);
    ledger.takeChanges();
    ledger.changeAll();
    assert.deepEqual(ledger.takeChanges(), ["v/live/s"]);
  });

  it("goes on telling what a process could not", () => {
    const undelivered = { action: "on_stop", url: "u", text: "{}", event: "a", attempt: 2 };
    ledger.heard("edge-1", [{ undelivered }]);
    assert.deepEqual(resumed, [undelivered]);
  });
});
