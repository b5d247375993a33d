import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ChildView } from "../../../src/master/processes/supervisor.js";
import { isAnythingUp, statusLine } from "../../../src/box/service.js";

const totals = { connections: 1260, players: 1234, publishers: 17 };

describe("the line that a service manager shows", () => {
  it("tells who serves and whom", () => {
    assert.equal(statusLine({ plan: "a", isEnding: false, up: 3, workers: 4, totals }), "3/4 workers, 1,234 viewers, 17 publishers");
    const one = { connections: 2, players: 1, publishers: 1 };
    assert.equal(statusLine({ plan: "single", isEnding: false, up: 1, workers: 1, totals: one }), "1/1 worker, 1 viewer, 1 publisher");
  });

  it("tells connections where proxies do not know what is in them", () => {
    assert.equal(statusLine({ plan: "b", isEnding: false, up: 4, workers: 4, totals }), "4/4 workers, 1,260 connections");
  });

  it("tells who is left when it ends", () => {
    assert.equal(statusLine({ plan: "a", isEnding: true, up: 0, workers: 4, totals }), "stopping: 1,234 viewers, 17 publishers left");
  });
});

describe("a box is sound", () => {
  const child = (isPublic: boolean, state: string): ChildView => ({ spec: { isPublic }, child: { state } }) as unknown as ChildView;

  it("while something of each kind serves", () => {
    assert.equal(isAnythingUp([child(true, "up"), child(true, "failed"), child(false, "up")]), true);
    assert.equal(isAnythingUp([child(true, "up")]), true, "the origin is in the master");
  });

  it("no longer, when nobody faces the public, or nobody is behind those who do", () => {
    assert.equal(isAnythingUp([child(true, "waiting"), child(true, "stopping"), child(false, "up")]), false);
    assert.equal(isAnythingUp([child(true, "up"), child(false, "starting")]), false);
  });
});
