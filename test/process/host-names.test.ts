// A vhost is found by its name however a client spells that: in capitals, with a port, with the dot at its end, in a URL, a Host
// header or a parameter; by one process, and by the proxies of plan b, which send all of them to one server.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Dolphin } from "../helpers/dolphin.js";
import { watchFlv } from "../helpers/flv-reader.js";
import { headers, step } from "../helpers/media.js";
import { player, publisher } from "../helpers/rtmp-client.js";
import { vhost } from "../helpers/show.js";

/** Two vhosts and no default one: a name that is not found is refused. */
const conf = `listen 1935; http_server { enabled on; listen 8080; } ${vhost("a.test")} ${vhost("B.Test")} dolphin { http_flv_wait 1; servers 2; }`;

for (const plan of ["a", "single", "b"]) {
  void test(`plan ${plan}: a host name in capitals, with a port or a dot, is the vhost of that name`, async (t) => {
    const dolphin = await Dolphin.start(t, { args: ["--plan", plan], conf });
    const tcUrl = (host: string): { connectArguments: { tcUrl: string } } => ({ connectArguments: { tcUrl: `rtmp://${host}/live` } });
    for (const [name, published, played] of [
      ["a.test", "A.TEST", ["a.test", "A.Test.", "a.TEST:1935"]],
      ["B.Test", "b.test.", ["B.TEST", "b.test", "B.Test:1935"]],
    ] as const) {
      const source = await publisher(dolphin.rtmpUrl("s"), tcUrl(published));
      t.after(() => source.close());
      t.after(source.sendEvery((index) => [...(index === 0 ? headers("avc", "aac") : []), ...step("avc", "aac", index)], 40));
      for (const host of played) {
        const viewer = await player(dolphin.rtmpUrl("s"), tcUrl(host));
        t.after(() => viewer.close());
        await viewer.waitForMedia(3);
        const flv = await watchFlv(dolphin.flvUrl("s"), { headers: { Host: host } });
        assert.equal(flv.status, 200, host);
        flv.close();
      }
      const byParameter = await watchFlv(`${dolphin.flvUrl("s")}?vhost=${published}:80`);
      assert.equal(byParameter.status, 200);
      byParameter.close();
      const { streams } = await dolphin.status();
      assert.ok(streams.some((stream) => stream.vhost === name));
    }
    if (plan === "b") {
      const told = await dolphin.ask("explain", "A.TEST/live/s");
      assert.match(told, /server-\d/);
      assert.equal((await dolphin.status()).balance?.leases.length, 2);
    }
    await dolphin.stop();
  });
}
