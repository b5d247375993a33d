// The API on every plan: on plan b over the servers behind the proxies, where those are ours, and of what proxies know where they are not.
import assert from "node:assert/strict";
import { test } from "node:test";
import { askApi, clientsOf } from "../helpers/api.js";
import { promptConf } from "../helpers/bystanders.js";
import { Dolphin } from "../helpers/dolphin.js";
import { steadyPublisher } from "../helpers/show.js";
import { player } from "../helpers/rtmp-client.js";
import { eventually } from "../helpers/wait.js";

for (const plan of ["b", "single"] as const) {
  void test(`plan ${plan} lists everybody with the addresses of the clients, and sends away whom it is told to`, async (t) => {
    const dolphin = await Dolphin.start(t, { api: true, conf: promptConf, args: ["--plan", plan] });
    const source = await steadyPublisher(t, dolphin, "s");
    const viewer = await player(dolphin.rtmpUrl("s"));
    t.after(() => viewer.close());
    await viewer.waitForMedia(5);
    const clients = await eventually(
      async () => {
        const found = await clientsOf(dolphin);
        return found.length === 2 ? found : null;
      },
      { what: "both of them" },
    );
    assert.deepEqual(clients.map(({ type, ip }) => `${type} ${String(ip)}`).toSorted(), ["fmle-publish 127.0.0.1", "rtmp-play 127.0.0.1"]);
    const { data } = await askApi(dolphin, `/dolphin/explain/${encodeURIComponent("__defaultVhost__/live/s")}`);
    assert.match(
      String(data?.["why"]),
      plan === "b" ? /it is published there, through proxy-/ : /^published from 127\.0\.0\.1:\d+ at server/,
    );
    const connections = async (): Promise<unknown> => {
      const summary = await askApi(dolphin, "/summaries");
      return (summary.data?.["system"] as { readonly conn_srs: number } | undefined)?.conn_srs;
    };
    await eventually(async () => (await connections()) === 2, { what: "two connections, none of them counted twice" });
    if (plan === "b") {
      assert.equal((await askApi(dolphin, "/dolphin/drain/server-1", { method: "POST" })).code, 0);
      assert.equal((await askApi(dolphin, "/dolphin/undrain/server-1", { method: "POST" })).code, 0);
      // Streams live there: nothing takes its place, and nobody is told that something did.
      const { code, error } = await askApi(dolphin, "/dolphin/restart/server-1", { method: "POST" });
      assert.equal(`${code} ${error}`.slice(0, 62), "409 server-1 is not replaced while streams live in it: dolphin");
    } else assert.equal((await askApi(dolphin, "/dolphin/drain/server", { method: "POST" })).code, 409);
    const { id = "" } = clients.find(({ type }) => type === "rtmp-play") ?? {};
    assert.equal((await askApi(dolphin, `/clients/${id}`, { method: "DELETE" })).code, 0);
    await viewer.ended;
    assert.equal(source.connection.endedBy, null);
    const everybody = `/dolphin/kick-stream/${encodeURIComponent("__defaultVhost__/live/s")}`;
    assert.deepEqual((await askApi(dolphin, everybody, { method: "POST" })).data?.["count"], 1);
    await source.connection.ended;
    await dolphin.stop({ allow: ({ code }) => code === "RTMP_KICKED" });
  });
}
