import assert from "node:assert/strict";
import { test } from "node:test";
import type { Vhost } from "../../../../src/conf/meaning/config.js";
import { vhostFor, whyLeave, type Client } from "../../../../src/server/peers/clients.js";
import { settingsOf } from "../../../../src/server/streams/settings.js";
import { configOf } from "../rig.js";

const flv = "http_remux { enabled on; }";
const edge = "cluster { mode remote; origin 127.0.0.1; }";

function vhosts(text: string): readonly Vhost[] {
  return configOf(text).vhosts;
}

test("vhosts: a name is served by its own, else by the default one, and a disabled one serves nobody", () => {
  const served = vhosts("vhost a { } vhost off { enabled off; } vhost __defaultVhost__ { }");
  const nameFor = (name: string): string | undefined => vhostFor(name, served)?.name;
  assert.deepEqual(["a", "b", "off"].map(nameFor), ["a", "__defaultVhost__", undefined]);
  assert.equal(vhostFor("b", vhosts("vhost a { }")), null);
});

test("vhosts: capitals make no other name, neither in the file nor of the client, and the first of two counts", () => {
  const served = vhosts("vhost A.Test { } vhost a.test { enabled off; } vhost __defaultVhost__ { }");
  for (const name of ["a.test", "A.TEST", "A.Test"]) assert.equal(vhostFor(name, served)?.name, "A.Test");
  assert.equal(served.length, 2);
});

for (const [what, client, before, now, why] of [
  ["a player stays where nothing of it changes", "play", "vhost a { }", "vhost a { play { gop_cache off; } } vhost b { }", null],
  ["a player leaves a vhost that is gone", "play", "vhost a { }", "vhost b { }", /no vhost serves the name a/],
  ["a player leaves a vhost that is disabled", "play", "vhost a { }", "vhost a { enabled off; } vhost __defaultVhost__ { }", /no vhost/],
  ["a player leaves for the default vhost", "play", "vhost a { }", "vhost __defaultVhost__ { }", /leads to the vhost __defaultVhost__ now/],
  [
    "a player leaves for a vhost of its name",
    "play",
    "vhost __defaultVhost__ { }",
    "vhost __defaultVhost__ { } vhost a { }",
    /leads to the vhost a/,
  ],
  ["a player stays where the mode changes", "play", "vhost a { }", `vhost a { ${edge} }`, null],
  ["a publisher leaves where the mode changes", "publish", "vhost a { }", `vhost a { ${edge} }`, /of mode remote now/],
  ["a publisher leaves an edge that is none any more", "publish", `vhost a { ${edge} }`, "vhost a { }", /of mode local now/],
  ["a publisher stays without http_remux", "publish", `vhost a { ${flv} }`, "vhost a { }", null],
  ["a viewer over HTTP-FLV leaves without http_remux", "flv", `vhost a { ${flv} }`, "vhost a { }", /no http_remux any more/],
] as const) {
  test(`clients: ${what}`, () => {
    const vhost = vhostFor("a", vhosts(before));
    assert.ok(vhost);
    const does = client === "publish" ? "publish" : "play";
    const asked: Client = {
      does,
      protocol: client === "flv" ? "flv" : "rtmp",
      asked: "a",
      vhost,
      id: "abc",
      order: 1,
      report: () => null,
      dismiss: () => undefined,
      letGo: () => false,
    };
    assert.equal(whyLeave(asked, vhosts(before)), null, "nobody leaves where nothing changes");
    const sentence = whyLeave(asked, vhosts(now));
    if (why === null) assert.equal(sentence, null);
    else assert.match(sentence ?? "", why);
  });
}

test("settings: min_latency gathers nothing, and time is corrected by mode and place", () => {
  const of = (inside: string, isEdge = false): ReturnType<typeof settingsOf> => settingsOf(vhosts(`vhost a { ${inside} }`)[0]!, isEdge);
  assert.deepEqual([of("").delayMs, of("min_latency on;").delayMs], [350, 0]);
  const rows = [
    of(""),
    of("play { time_jitter zero; }"),
    of("play { time_jitter off; }"),
    of("play { atc on; }"),
    of(edge),
    of(edge, true),
  ];
  assert.deepEqual(
    rows.map(({ timeline }) => timeline),
    ["full", "zero", "off", "off", "adopt", "follow"],
  );
});
