// Newcomers storm a box, over a hundred a second and sixty at once now and then, while its public processes are replaced by reloads
// and by USR2, one after the other for DOLPHIN_SOAK_S seconds: each of them gets an answer.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Dolphin } from "../helpers/dolphin.js";
import { Knocker } from "../helpers/knocker.js";
import { vhost } from "../helpers/show.js";
import { soakSeconds } from "../helpers/soak.js";
import { eventually } from "../helpers/wait.js";

for (const plan of ["a", "b"] as const) {
  void test(`plan ${plan}: for ${soakSeconds} s nobody is refused while everything is replaced`, async (t) => {
    const confOf = (rtmp: number, http: number, serves: boolean): string =>
      `listen 127.0.0.1:${rtmp}; http_server { enabled ${serves ? "on" : "off"}; listen 127.0.0.1:${http}; } dolphin { plan ${plan}; cores 2; } ${vhost("one")}`;
    const dolphin = await Dolphin.start(t, { words: () => [], conf: (rtmp, http) => confOf(rtmp, http, true) });
    const knocker = new Knocker(dolphin.rtmpPort);
    t.after(() => knocker.close());
    let rounds = 0;
    for (const untilMs = Date.now() + soakSeconds * 1000; Date.now() < untilMs; rounds++) {
      const from = dolphin.logLength;
      const isReload = rounds % 2 === 0;
      if (isReload) dolphin.writeConf(confOf(dolphin.rtmpPort, dolphin.httpPort, rounds % 4 !== 0));
      await knocker.between(() => dolphin.signal(isReload ? "SIGHUP" : "SIGUSR2"));
      await dolphin.waitFor(isReload ? "reload.applied" : "dolphin.restarted", { from, timeoutMs: 20_000 });
      const { answered } = knocker;
      await eventually(() => knocker.answered > answered + 30, { what: "thirty more newcomers" });
    }
    await knocker.close();
    assert.ok(rounds > 0);
    assert.equal(knocker.refused, 0, `of ${knocker.answered + knocker.refused} newcomers`);
    t.diagnostic(`${rounds} replacements under ${knocker.answered} newcomers, of whom none was refused`);
    // A server of plan b that is to serve HTTP, or no more, is started anew.
    await dolphin.stop({ allow: ({ event }) => event === "child.exited" });
  });
}
