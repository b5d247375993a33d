import assert from "node:assert/strict";
import { test } from "node:test";
import type { BoxStatus, ProcessStatus } from "../../../../src/master/control/status.js";
import type { StreamStatus } from "../../../../src/ipc/streams.js";
import { whereaboutsText } from "../../../../src/master/control/text.js";
import { findStream } from "../../../../src/master/control/whereabouts.js";

const key = "__defaultVhost__/live/s";
const published: StreamStatus = {
  vhost: "__defaultVhost__",
  app: "live",
  stream: "s",
  state: "publish",
  source: { process: "master", peer: "192.0.2.7:61000" },
  players: 2,
  playersOf: { "edge-1": 2 },
  edges: 1,
  pulledBy: ["edge-1"],
  video: "H.264",
  audio: "AAC",
  bytesIn: 1,
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

function box(streams: readonly StreamStatus[], duties: Readonly<Record<string, ProcessStatus["duty"]>>): BoxStatus {
  const processes = Object.entries(duties).map(([name, duty]) => ({ name, duty, state: "up" }));
  return { plan: "a", streams, processes } as unknown as BoxStatus;
}

/** The sentence, and what each process is to the stream. */
function told(found: ReturnType<typeof findStream>): [why: string, ...hows: string[]] {
  return [found.why, ...found.processes.map(({ name, how, players }) => `${name} ${how}, ${players}`)];
}

const planA = { master: "origin", "edge-1": "edge", "edge-2": "edge" } as const;

test("explain: a stream that is published at the origin is pulled by the edges that have players", () => {
  assert.deepEqual(told(findStream(box([published], planA), key)), [
    "published from 192.0.2.7:61000 at master, H.264 AAC, 2 players",
    "master has its publisher, 192.0.2.7:61000, 0",
    "edge-1 pulls it from the origin, 2",
    "edge-2 pulls it when its first player comes, 0",
  ]);
});

test("explain: an edge that has the publisher gives it to the origin", () => {
  const stream = { ...published, source: { process: "edge-2", peer: "192.0.2.7:61000" } };
  const found = findStream(box([stream], { master: null, origin: "origin", "edge-1": "edge", "edge-2": "edge" }), key);
  assert.deepEqual(told(found).slice(1), [
    "origin gets it from edge-2, 0",
    "edge-1 pulls it from the origin, 2",
    "edge-2 has its publisher, 192.0.2.7:61000, 0",
  ]);
});

test("explain: what comes from a far origin is pulled by one process", () => {
  const stream = { ...published, state: "pull", source: { process: "master", peer: "198.51.100.1:1935" } } as const;
  const [why, master] = told(findStream(box([stream], planA), key));
  assert.deepEqual(
    [why, master],
    ["pulled from 198.51.100.1:1935 by master, H.264 AAC, 2 players", "master pulls it from 198.51.100.1:1935, 0"],
  );
});

test("explain: players may wait for a publisher", () => {
  const stream = { ...published, state: "wait", source: null, video: "", audio: "", players: 1, playersOf: { server: 1 } } as const;
  const found = findStream(box([stream], { server: "server" }), key);
  assert.deepEqual(told(found), ["nobody publishes it, 1 player waiting", "server waits for a publisher, 1"]);
});

test("explain: a stream that is not there is told, with those of that name in other vhosts", () => {
  const found = findStream(box([{ ...published, vhost: "a.example" }], planA), key);
  assert.equal(found.stream, null);
  assert.equal(found.why, "nobody publishes or plays it; there is a.example/live/s");
  assert.equal(findStream(box([published], planA), "__defaultVhost__/live/t").why, "nobody publishes or plays it");
});

test("explain: only printable characters of a name reach the terminal", () => {
  assert.match(whereaboutsText(findStream(box([], planA), "v/live/a\u001b[2J")), /^v\/live\/a\\u\{1b\}\[2J: nobody publishes/);
});
