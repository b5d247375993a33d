import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ServerStats, StreamReport } from "../../../../src/ipc/messages.js";
import { Directory, measureUsage, type Member } from "../../../../src/master/control/directory.js";
import { mergeStreams, type ProcessStreams } from "../../../../src/ipc/streams.js";

const report: StreamReport = {
  vhost: "__defaultVhost__",
  app: "live",
  stream: "livestream",
  state: "wait",
  from: "",
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
const origin = (one: Partial<StreamReport>): ProcessStreams => ({ name: "master", duty: "origin", streams: [{ ...report, ...one }] });
const edge = (name: string, one: Partial<StreamReport>): ProcessStreams => ({ name, duty: "edge", streams: [{ ...report, ...one }] });

describe("streams of several processes", () => {
  it("are published where the edge with the publisher is, not where the origin sees that edge", () => {
    const [stream, ...others] = mergeStreams([
      origin({ state: "publish", from: "127.0.0.1:50000", edges: 1, video: "h264", bytesIn: 900 }),
      edge("edge-1", { state: "pull", from: "127.0.0.1:40000", players: 2, bytesIn: 800 }),
      edge("edge-2", { state: "push", from: "192.0.2.7:61000", video: "h264", audio: "aac" }),
    ]);
    assert.deepEqual(others, []);
    assert.equal(stream?.state, "publish");
    assert.deepEqual(stream?.source, { process: "edge-2", peer: "192.0.2.7:61000" });
    assert.deepEqual([stream?.video, stream?.audio, stream?.bytesIn], ["h264", "aac", 900]);
  });

  it("are published on the origin when no edge says otherwise", () => {
    const [stream] = mergeStreams([origin({ state: "publish", from: "127.0.0.1:50000" }), edge("edge-1", { state: "pull" })]);
    assert.deepEqual(stream?.source, { process: "master", peer: "127.0.0.1:50000" });
  });

  it("count the players of every process, and no edge as a player", () => {
    const [stream] = mergeStreams([
      origin({ state: "publish", edges: 2 }),
      edge("edge-1", { state: "pull", players: 3 }),
      edge("edge-2", { state: "pull", players: 4 }),
      edge("edge-3", { state: "push" }),
    ]);
    assert.equal(stream?.players, 7);
    assert.deepEqual(stream?.playersOf, { "edge-1": 3, "edge-2": 4 });
    assert.equal(stream?.edges, 2);
  });

  it("are pulled when the origin has them from afar", () => {
    const [stream] = mergeStreams([
      edge("edge-1", { state: "pull", from: "127.0.0.1:40000", players: 1 }),
      origin({ state: "pull", from: "198.51.100.1:1935" }),
    ]);
    assert.equal(stream?.state, "pull");
    assert.deepEqual(stream?.source, { process: "master", peer: "198.51.100.1:1935" });
  });

  it("wait when only edges pull what nobody publishes", () => {
    const [stream] = mergeStreams([origin({ state: "wait", edges: 1 }), edge("edge-1", { state: "pull", players: 5 })]);
    assert.equal(stream?.state, "wait");
    assert.equal(stream?.source, null);
    assert.equal(stream?.players, 5);
  });

  it("are told apart by vhost, app and name, and sorted", () => {
    const streams = mergeStreams([
      {
        name: "server",
        duty: "server",
        streams: [
          { ...report, stream: "b" },
          { ...report, stream: "a" },
          { ...report, vhost: "a.example" },
        ],
      },
    ]);
    assert.deepEqual(
      streams.map(({ vhost, stream }) => `${vhost}/${stream}`),
      ["__defaultVhost__/a", "__defaultVhost__/b", "a.example/livestream"],
    );
  });
});

const stats: ServerStats = { connections: 3, players: 2, publishers: 1, bytesIn: 0, bytesOut: 0, lagMs: 4 };
const member: Member = {
  name: "edge-1",
  role: "server",
  duty: "edge",
  pid: 100,
  state: "up",
  restarts: 1,
  lastDeath: { cause: "killed by SIGKILL", atMs: 4000 },
  upAtMs: 5000,
};

describe("the directory", () => {
  it("takes rates from the differences of the last heartbeats", () => {
    const directory = new Directory();
    for (let beat = 0; beat <= 10; beat += 1) {
      directory.heard("edge-1", { ...stats, bytesIn: beat * 125_000, bytesOut: beat * 1_250_000 }, beat * 1000);
    }
    const [process] = directory.processes([member], new Map(), 10_000);
    assert.deepEqual([process?.mbpsIn, process?.mbpsOut], [1, 10]);
  });

  it("tells numbers, ages and what the system says of a process", () => {
    const directory = new Directory();
    directory.heard("edge-1", stats, 1000);
    const [process] = directory.processes([member], new Map([[100, { cpuPercent: 12.345, memoryBytes: 7 }]]), 10_000);
    assert.deepEqual([process?.players, process?.publishers, process?.lagMs], [2, 1, 4]);
    assert.deepEqual([process?.cpuPercent, process?.memoryBytes, process?.upSeconds], [12.35, 7, 5]);
    assert.deepEqual(process?.lastDeath, { cause: "killed by SIGKILL", secondsAgo: 6 });
  });

  it("shows nothing of a process that it has not heard of", () => {
    const [process] = new Directory().processes([{ ...member, pid: null, upAtMs: null, lastDeath: null }], new Map(), 0);
    assert.deepEqual([process?.players, process?.cpuPercent, process?.upSeconds, process?.lastDeath], [0, null, null, null]);
  });

  it("keeps what it knew of a process that is silent, and marks it", () => {
    const directory = new Directory();
    directory.heard("edge-1", stats, 0);
    directory.reported("edge-1", [{ ...report, players: 2 }]);
    directory.silent("edge-1");
    assert.equal(directory.processes([member], new Map(), 0)[0]?.isStale, true);
    assert.equal(directory.streams([member])[0]?.players, 2);
    directory.reported("edge-1", []);
    assert.equal(directory.processes([member], new Map(), 0)[0]?.isStale, false);
  });

  it("forgets the streams and numbers of a process that is gone", () => {
    const directory = new Directory();
    directory.heard("edge-1", stats, 0);
    directory.reported("edge-1", [report]);
    directory.gone("edge-1");
    assert.deepEqual(directory.streams([member]), []);
    assert.equal(directory.processes([member], new Map(), 0)[0]?.players, 0);
  });

  it("measures a process that lives and leaves out one that does not", async () => {
    const usage = await measureUsage([process.pid, 2 ** 22 + 1], 1);
    assert.ok((usage.get(process.pid)?.memoryBytes ?? 0) > 1e6);
    assert.equal(usage.size, 1);
  });
});
