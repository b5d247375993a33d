import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { noStats, type StreamReport } from "../../../../src/ipc/messages.js";
import type { Member } from "../../../../src/master/control/directory.js";
import { Overview } from "../../../../src/master/control/overview.js";

const master: Member = { name: "master", role: "master", duty: "origin", pid: null, state: "up", restarts: 0, lastDeath: null, upAtMs: 0 };
const edge = (name: string, state: Member["state"]): Member => ({ ...master, name, role: "server", duty: "edge", state });
const report: StreamReport = {
  vhost: "v",
  app: "live",
  stream: "s",
  state: "publish",
  from: "192.0.2.7:1",
  players: 0,
  edges: 0,
  video: "",
  audio: "",
  bytesIn: 0,
  bytesOut: 0,
  publisherId: "",
  tcUrl: "",
  sinceMs: null,
  videoFrames: 0,
  audioFrames: 0,
  keyFrameMs: null,
  videoDetails: null,
  audioDetails: null,
};

describe("the overview", () => {
  it("asks the children that are up, and puts their answers beside the origin's own streams", async () => {
    const asked: string[] = [];
    const overview: Overview = new Overview({
      timers: { nowMs: () => 0, after: () => () => undefined },
      children: () => [edge("edge-1", "up"), edge("edge-2", "waiting")],
      ask(name, id) {
        asked.push(name);
        queueMicrotask(() => overview.heard(name, { type: "reported", id, streams: [{ ...report, state: "pull", players: 3 }] }));
        return true;
      },
      ownStreams: () => [report],
    });
    const { processes, streams } = await overview.look(master);
    assert.deepEqual(asked, ["edge-1"]);
    assert.deepEqual(
      processes.map(({ name }) => name),
      ["master", "edge-1", "edge-2"],
    );
    assert.deepEqual(
      streams.map(({ players, source }) => [players, source?.process]),
      [[3, "master"]],
    );
  });

  it("does not wait for a child that goes while it is asked", async () => {
    const overview: Overview = new Overview({
      timers: { nowMs: () => 0, after: () => () => undefined },
      children: () => [edge("edge-1", "up")],
      ask(name) {
        queueMicrotask(() => overview.gone(name));
        return true;
      },
      ownStreams: () => [],
    });
    const { processes } = await overview.look(master);
    assert.equal(processes[1]?.isStale, false);
  });

  it("counts nothing twice when a heartbeat comes behind the end of its process", () => {
    let children = [edge("edge-1", "up")];
    const overview = new Overview({
      timers: { nowMs: () => 0, after: () => () => undefined },
      children: () => children,
      ask: () => false,
      ownStreams: () => [],
    });
    const beat = { type: "heartbeat", stats: { ...noStats, bytesOut: 100, connections: 1 } } as const;
    overview.heard("edge-1", beat);
    for (const left of [[edge("edge-1", "waiting")], []]) {
      children = left;
      overview.gone("edge-1");
      overview.heard("edge-1", beat);
      const { bytesOut, counts, processes } = overview.facts(master);
      assert.deepEqual([bytesOut, counts[0]?.bytesOut, counts[0]?.reportAgeSeconds, processes[1]?.connections ?? 0], [100, 100, null, 0]);
    }
  });
});
