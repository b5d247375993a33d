import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { render } from "../../../../src/admin/metrics/exposition.js";
import { others, streamFamilies } from "../../../../src/admin/metrics/stream-families.js";
import { mergeStreams, type StreamStatus } from "../../../../src/ipc/streams.js";
import type { StreamReport } from "../../../../src/ipc/messages.js";

const report: StreamReport = {
  vhost: "v",
  app: "live",
  stream: "s",
  state: "publish",
  from: "192.0.2.1:1",
  players: 0,
  edges: 0,
  video: "h264",
  audio: "",
  bytesIn: 0,
  bytesOut: 0,
  publisherId: "",
  tcUrl: "",
  sinceMs: 1000,
  videoFrames: 0,
  audioFrames: 0,
  keyFrameMs: 2000,
  videoDetails: null,
  audioDetails: null,
};
const streamsOf = (...streams: Partial<StreamReport>[]): StreamStatus[] =>
  mergeStreams([{ name: "master", duty: "origin", streams: streams.map((one) => Object.assign({}, report, one)) }]);
const linesOf = (streams: StreamStatus[], most: number): string[] =>
  render(
    streamFamilies(streams, most, () => ({ recv: 8, send: 16 })),
    "text",
  )
    .split("\n")
    .filter((line) => line.startsWith("dolphin_stream_players"));

describe("series of single streams", () => {
  it("are those with most viewers, and the rest together", () => {
    const streams = streamsOf({ stream: "a", players: 1 }, { stream: "b", players: 5 }, { stream: "c", players: 2 });
    assert.deepEqual(linesOf(streams, 1), [
      'dolphin_stream_players{vhost="v",app="live",stream="b"} 5',
      `dolphin_stream_players{vhost="${others}",app="${others}",stream="${others}"} 3`,
    ]);
    assert.equal(linesOf(streams, 3).length, 3, "without a rest there is no series of it");
  });

  it("are of streams that come in: one that is only waited for has none", () => {
    assert.deepEqual(linesOf(streamsOf({ state: "wait", from: "", sinceMs: null, players: 3 }), 10), []);
  });

  it("are never twice the same, however streams are called", () => {
    const streams = streamsOf({ stream: "a\u0001", players: 2 }, { stream: "a%01", players: 1 });
    const lines = linesOf(streams, 10);
    assert.equal(new Set(lines.map((line) => line.replace(/ \d+$/, ""))).size, lines.length);
    assert.equal(lines.length, 2);
    assert.ok(lines.some((line) => line.includes(others)));
  });

  it("tell rates in bytes", () => {
    const text = render(
      streamFamilies(streamsOf({}), 1, () => ({ recv: 8, send: 16 })),
      "text",
    );
    assert.match(text, /^dolphin_stream_receive_bytes_per_second\{.*\} 1000$/m);
    assert.match(text, /^dolphin_stream_send_bytes_per_second\{.*\} 2000$/m);
    assert.match(text, /^dolphin_stream_key_frame_interval_seconds\{.*\} 2$/m);
  });
});
