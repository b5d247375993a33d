// One stream under all the names that clients, edges and viewers over HTTP have for it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { watchFlv } from "../../../helpers/flv-reader.js";
import { pictures } from "../../../helpers/media.js";
import { player } from "../../../helpers/rtmp-client.js";
import { Encoder, startServer, watch } from "../rig.js";

const remux = "http_remux { enabled on; mount [vhost]/[app]/[stream].flv; }";

/** What an edge of SRS tells in `connect`. */
const srsEdge = { srs_sig: "SRS", srs_server: "SRS/7.0.18(Hang)", srs_version: "7.0.18", srs_pid: 4711 };

test("names: an edge of SRS whose viewer came over HTTP-FLV asks for s.flv, and gets s", async (t) => {
  const rig = await startServer(t, `vhost __defaultVhost__ { min_latency on; }`);
  const encoder = await Encoder.open(t, rig.rtmpUrl("s"));
  encoder.send(5);
  const edge = await player(rig.rtmpUrl("s.flv?k=1"), { connectObject: srsEdge });
  t.after(() => edge.close());
  await edge.waitUntil("the pictures", (messages) => pictures(messages).length === 5);
  assert.deepEqual(
    rig.server.streams().map(({ stream }) => stream),
    ["s"],
  );
});

test("names: an edge asks its origin for s, whatever ending its viewers and publishers give it", async (t) => {
  const origin = await startServer(t, `vhost __defaultVhost__ { min_latency on; }`);
  const edge = await startServer(
    t,
    `vhost __defaultVhost__ { min_latency on; cluster { mode remote; origin ${origin.address}; } ${remux} }`,
  );
  const encoder = await Encoder.open(t, edge.rtmpUrl("s.flv"));
  encoder.send(5);
  const viewers = [await watch(t, edge.rtmpUrl("s.m3u8")), await watch(t, edge.rtmpUrl("s")), await watchFlv(edge.flvUrl("s.flv"))];
  t.after(() => viewers.at(-1)?.close());
  for (const viewer of viewers) await viewer.waitForMedia(6);
  assert.deepEqual(
    origin.server.streams().map(({ stream, players }) => [stream, players]),
    [["s", 1]],
  );
});
