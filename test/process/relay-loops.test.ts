// A box that is told to forward to itself, or to pull from itself, with its processes between: the loop is named once, and nobody
// else notices.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Dolphin, type LogLine } from "../helpers/dolphin.js";
import { publish } from "../helpers/ffmpeg.js";
import { player } from "../helpers/rtmp-client.js";
import { eventually } from "../helpers/wait.js";

const isLoop = ({ event, code }: LogLine): boolean => (event === "forward.lost" || event === "pull.lost") && code === "RELAY_LOOP";

for (const plan of ["a", "b", "single"]) {
  void test(`plan ${plan}: a forward to the box's own address is named once, while an ffmpeg publishes and others watch`, async (t) => {
    const conf = (port: number): string =>
      `listen 1935; vhost __defaultVhost__ { min_latency on; forward { enabled on; destination 127.0.0.1:${port}; } }`;
    const dolphin = await Dolphin.start(t, { args: ["--plan", plan, "--http", "off"], conf });
    const encoder = publish(dolphin.rtmpUrl("s"), { seconds: 30 });
    t.after(() => encoder.stop());
    const line = await dolphin.waitFor("forward.lost");
    assert.equal(line.code, "RELAY_LOOP");
    assert.match(line.msg ?? "", new RegExp(`^it leads back here: 127\\.0\\.0\\.1:${dolphin.rtmpPort} is this very server`));
    const viewer = await player(dolphin.rtmpUrl("s"));
    t.after(() => viewer.close());
    await viewer.waitForMedia(50);
    assert.deepEqual(dolphin.logLines(({ level }) => level === "warn").length, 1);
    viewer.close();
    await encoder.stop();
    await dolphin.stop({ allow: isLoop });
  });
}

for (const plan of ["a", "single"]) {
  void test(`plan ${plan}: an origin that is the box itself is named once, however many watch`, async (t) => {
    const conf = (port: number): string => `listen 1935; vhost __defaultVhost__ { cluster { mode remote; origin 127.0.0.1:${port}; } }`;
    const dolphin = await Dolphin.start(t, { args: ["--plan", plan, "--http", "off"], conf });
    for (let i = 0; i < 4; i++) {
      const viewer = await player(dolphin.rtmpUrl("s"));
      t.after(() => viewer.close());
    }
    await eventually(() => dolphin.logLines(isLoop).length > 0, { what: "the loop to be named" });
    assert.equal(dolphin.logLines(({ level }) => level === "warn").length, 1);
    await dolphin.stop({ allow: isLoop });
  });
}
