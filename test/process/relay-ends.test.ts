// The end of a stream that goes on to another server: what its publisher sent last arrives there.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Dolphin } from "../helpers/dolphin.js";
import { headers, step, videoFrame } from "../helpers/media.js";
import { player, publisher } from "../helpers/rtmp-client.js";

for (const [what, relay] of [
  ["a forward", (port: number) => `forward { enabled on; destination 127.0.0.1:${port}; }`],
  ["an edge", (port: number) => `cluster { mode remote; origin 127.0.0.1:${port}; }`],
] as const) {
  void test(`${what} sends all that came before the end of the stream, more than a socket takes at once`, async (t) => {
    const far = await Dolphin.start(t, { args: ["--plan", "single"] });
    const near = await Dolphin.start(t, {
      args: ["--plan", "single"],
      conf: `listen 1935; max_connections 100; vhost __defaultVhost__ { ${relay(far.rtmpPort)} }`,
    });
    const viewer = await player(far.rtmpUrl("show"));
    t.after(() => viewer.close());
    const source = await publisher(near.rtmpUrl("show"));
    t.after(() => source.close());
    for (const media of [...headers("avc", "none"), ...step("avc", "none", 0)]) source.send(media);
    await far.waitFor("publish.started");
    const last = videoFrame("avc", 25, 1000, 3 << 20);
    source.send(last);
    source.unpublish();
    assert.equal((await far.waitFor("rtmp.closed"))["reason"], "the peer left");
    await viewer.waitUntil("the last picture", (messages) => messages.at(-1)?.payload.equals(last.payload) === true);
    source.close();
    viewer.close();
    await near.stop();
    await far.stop();
  });
}
