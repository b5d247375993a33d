// The API over servers that have none: nginx behind plan b's proxies. It tells what the proxies know.
import assert from "node:assert/strict";
import { test } from "node:test";
import { askApi, clientsOf } from "../helpers/api.js";
import { inLull } from "../helpers/audience.js";
import { countsOf, untilKept } from "../helpers/carried.js";
import { Dolphin } from "../helpers/dolphin.js";
import { findNginx } from "../helpers/nginx.js";
import { nginxConf, provoked, publishAndPlay } from "../helpers/planb.js";
import { eventually } from "../helpers/wait.js";

const nginx = await findNginx();

for (const routing of ["stream", "connection"] as const) {
  void test(
    `routing ${routing}: clients of nginx are listed and sent away by what the proxies know, under ids that outlive a proxy`,
    { skip: typeof nginx === "string" && nginx },
    async (t) => {
      assert.ok(typeof nginx !== "string");
      const conf = nginxConf(t, nginx).replace(/^dolphin \{/m, `dolphin { routing ${routing}; servers 1;`);
      const dolphin = await Dolphin.start(t, { api: true, conf });
      const { source, viewer } = await publishAndPlay(t, dolphin, "s");
      await viewer.waitForMedia(5);
      const clients = await clientsOf(dolphin);
      const isRead = routing === "stream";
      assert.deepEqual(
        clients.map(({ type, ip, name, publish }) => [type, ip, name, publish].join(" ")).toSorted(),
        isRead
          ? ["fmle-publish 127.0.0.1 s true", "rtmp-play 127.0.0.1 s false"]
          : ["Unknown 127.0.0.1  false", "Unknown 127.0.0.1  false"],
      );
      assert.ok(clients.some((row) => Number(row["recv_bytes"]) > 1000) && clients.some((row) => Number(row["send_bytes"]) > 1000));
      const { streams = [] } = await askApi(dolphin, "/streams/");
      assert.deepEqual(
        streams.map(({ name, clients: count, publish }) => [name, count, publish.active, publish.cid]),
        isRead ? [["s", 2, true, clients.find(({ type }) => type === "fmle-publish")?.id]] : [],
      );

      await untilKept(dolphin, 2);
      await inLull(dolphin, source, [viewer], () => {
        for (const name of ["proxy-1", "proxy-2"]) process.kill(dolphin.pidOf(name), "SIGKILL");
      });
      await eventually(async () => ((await countsOf(dolphin))?.carried ?? 0) >= 2, { what: "both go on elsewhere" });
      const ids = clients.map(({ id }) => id).toSorted();
      await eventually(
        async () => {
          const now = (await clientsOf(dolphin)).map(({ id }) => id).toSorted();
          return now.join() === ids.join();
        },
        { what: "the same two clients at other proxies" },
      );
      const meant = isRead ? clients.filter(({ type }) => type === "rtmp-play") : clients;
      for (const { id } of meant) assert.equal((await askApi(dolphin, `/clients/${id}`, { method: "DELETE" })).code, 0);
      await viewer.ended;
      assert.equal((await askApi(dolphin, `/clients/${meant[0]?.id}`, { method: "DELETE" })).code, 2049);
      await dolphin.stop({ allow: provoked });
    },
  );
}
