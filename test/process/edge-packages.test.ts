// An edge of a far origin that cuts HLS and records, for sites between which the line is narrow: one pull for players of RTMP and of HLS,
// each of whom begins it alone. The vhost is the seed's example, but for its ports.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { RecordingReport } from "../../src/ipc/lists.js";
import { fetchLists } from "../../src/master/control/client.js";
import { Dolphin, type LogLine } from "../helpers/dolphin.js";
import { packetsOf, probe, publish } from "../helpers/ffmpeg.js";
import { HlsReader } from "../helpers/hls-reader.js";
import { pictures } from "../helpers/media.js";
import { player } from "../helpers/rtmp-client.js";
import { steadyPublisher } from "../helpers/show.js";
import { eventually } from "../helpers/wait.js";

const edgeOf = (port: number): string => `
listen 1935; max_connections 100; dolphin { http_flv_wait 1; pull_linger 0; }
vhost __defaultVhost__ {
    cluster { mode remote; origin 127.0.0.1:${port} localhost:${port}; }
    hls { enabled on; hls_fragment 1; hls_window 10; hls_ctx off; }
    dvr { enabled on; dvr_path ./objs/nginx/html/[app]/[stream].[timestamp].mp4; }
}
`;

const isOf = (stream: string) => (line: LogLine) => line["stream"] === stream;

void test("an edge packages what somebody plays there, begins it for a player of HLS alone, and ends it with its players", async (t) => {
  const far = await Dolphin.start(t, { args: ["--plan", "single", "--http", "off"] });
  const edge = await Dolphin.start(t, { cores: 1, conf: edgeOf(far.rtmpPort) });
  const listOf = (stream: string): string => edge.flvUrl(stream).replace(".flv", ".m3u8");
  const encoder = publish(far.rtmpUrl("s"), { seconds: 120 });
  t.after(() => encoder.stop());

  const isNowhere = async (): Promise<void> => assert.equal((await fetch(listOf("none"))).status, 404);

  const viaHlsAlone = async (): Promise<void> => {
    await steadyPublisher(t, far, "t");
    const response = await fetch(listOf("t")); // is answered when there is a list
    assert.equal(response.status, 200);
    const [segment = ""] = /^[^#].*\.ts\b.*$/m.exec(await response.text()) ?? [];
    const bytes = Buffer.from(await (await fetch(new URL(segment, listOf("t")))).arrayBuffer());
    assert.ok(bytes.length > 1_000 && bytes[0] === 0x47, "an MPEG transport stream");
    const found = (await edge.status()).streams.find(({ stream }) => stream === "t");
    assert.deepEqual([found?.state, found?.source?.process], ["pull", "master"]);
  };

  const viaRtmp = async (): Promise<void> => {
    await encoder.started;
    const viewer = await player(edge.rtmpUrl("s"));
    await edge.waitFor("package.started", { where: isOf("s") });
    await eventually(() => pictures(viewer.messages).length > 60, { what: "pictures" });
    viewer.close();
    await edge.waitFor("package.ended", { where: isOf("s") }); // the packager is none for whom it is pulled
    const from = edge.logLength;
    const { packets } = await eventually(async () => probe(await recordingOf(edge, "s")), { what: "the recording" });
    assert.ok(packets.length > 60, `${packets.length} packets were recorded`);

    const reader = new HlsReader(listOf("s")); // alone: what it finds goes on
    await reader.more(1);
    await edge.waitFor("package.started", { from, where: isOf("s") });
    await eventually(() => reader.discontinuities === 1, { what: "segments of the next pull" });
    await reader.close();
    assert.ok((await packetsOf(listOf("s"), 1)).length > 20);
  };

  await Promise.all([isNowhere(), viaHlsAlone(), viaRtmp()]);
  await encoder.stop();
  await edge.stop({ allow: ({ event }) => event === "pull.lost" });
  await far.stop();
});

/** Where the finished recording of a stream can be had. */
async function recordingOf(box: Dolphin, name: string): Promise<string> {
  const rows = (await fetchLists<RecordingReport>(box.controlSocket, "recordings")).flatMap((list) => list.rows);
  const found = rows.find(({ stream, state }) => stream === name && state === "finished") ?? assert.fail("no recording");
  return new URL(found.path.replace(/.*\//, ""), box.flvUrl(name)).href;
}
