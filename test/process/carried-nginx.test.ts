// Connections through plan b's proxies to nginx outlive the proxies, as those to our own servers do.
import assert from "node:assert/strict";
import { test } from "node:test";
import { countsOf, killChild, untilKept } from "../helpers/carried.js";
import { Dolphin } from "../helpers/dolphin.js";
import { findNginx } from "../helpers/nginx.js";
import { nginxConf, provoked } from "../helpers/planb.js";
import { proxies, ProxiedShow } from "../helpers/proxied-show.js";

const nginx = await findNginx();

for (const [routing, servers] of [
  ["stream", 2],
  ["connection", 1],
] as const) {
  void test(
    `routing ${routing}: viewers and publishers of nginx outlive the proxies`,
    { skip: typeof nginx === "string" && nginx },
    async (t) => {
      assert.ok(typeof nginx !== "string");
      const conf = nginxConf(t, nginx).replace(/^dolphin \{/m, `dolphin { routing ${routing}; servers ${servers};`);
      const dolphin = await Dolphin.start(t, { conf });
      const show = await ProxiedShow.open(t, dolphin);
      await untilKept(dolphin, show.connections);
      for (const name of [...proxies, "proxy-1"]) {
        await killChild(dolphin, name, (kill) => show.inLull(kill));
        await show.goesOn();
      }
      dolphin.signal("SIGUSR2");
      await dolphin.waitFor("dolphin.restarted");
      await show.goesOn();
      assert.equal((await countsOf(dolphin))?.cut, 0);
      show.close();
      await dolphin.stop({ allow: provoked });
    },
  );
}
