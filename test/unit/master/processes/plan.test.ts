import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Config } from "../../../../src/conf/meaning/config.js";
import { applyFlags, type Flags } from "../../../../src/conf/flags.js";
import { defaultConfig, loadConfig } from "../../../../src/conf/load.js";
import { isComeUp, planProcesses, publicNames, type PlanFacts } from "../../../../src/master/processes/plan.js";

const facts: PlanFacts = { cores: 3, origin: { host: "127.0.0.1", port: 40_000 }, maxOpenFiles: null };
const withFlags = (flags: Flags): Config => applyFlags(defaultConfig(), flags);

function fromText(text: string): Config {
  const { config, problems } = loadConfig({ file: "test.conf", text });
  assert.ok(config !== null, JSON.stringify(problems));
  return config;
}

describe("plan a", () => {
  it("is an origin in the master and an edge for each core", () => {
    const specs = planProcesses(withFlags({ cores: "auto" }), facts);
    assert.deepEqual(
      specs.map(({ name, duty, place, isPublic, startsAfter }) => [name, duty, place, isPublic, startsAfter]),
      [
        ["origin", "origin", "master", false, null],
        ["edge-1", "edge", "child", true, null],
        ["edge-2", "edge", "child", true, null],
        ["edge-3", "edge", "child", true, null],
      ],
    );
  });

  it("is one origin and one edge on one core", () => {
    assert.deepEqual(
      planProcesses(withFlags({ cores: 1 }), facts).map(({ name }) => name),
      ["origin", "edge-1"],
    );
  });

  it("starts edges after an origin that is a child", () => {
    const specs = planProcesses(withFlags({ cores: 2, originProcess: "child" }), facts);
    assert.deepEqual(
      specs.map(({ place, startsAfter }) => [place, startsAfter]),
      [
        ["child", null],
        ["child", "origin"],
        ["child", "origin"],
      ],
    );
  });

  it("makes every vhost of an edge a relay to the origin that keeps its name and does not forward", () => {
    const config = fromText(
      "listen 1935; vhost a.example { forward { enabled on; destination 10.0.0.9:1935; } } vhost b.example { cluster { mode remote; origin 10.0.0.8:1936; } }",
    );
    const edge = planProcesses(config, facts).find(({ duty }) => duty === "edge");
    for (const vhost of edge?.config.vhosts ?? []) {
      assert.equal(vhost.cluster.mode, "remote");
      assert.deepEqual(vhost.cluster.origins, [facts.origin]);
      assert.equal(vhost.cluster.vhost, "[vhost]");
      assert.deepEqual(vhost.forward, { enabled: false, destinations: [], backend: null });
    }
  });

  it("leaves the user's vhosts to the origin, which pulls a remote one for the whole box", () => {
    const config = fromText("listen 1935; vhost b.example { cluster { mode remote; origin 10.0.0.8:1936; } }");
    const origin = planProcesses(config, facts)[0];
    assert.deepEqual(origin?.config.vhosts, config.vhosts);
  });

  it("lets the origin listen on the loopback alone, without HTTP", () => {
    const origin = planProcesses(defaultConfig(), facts)[0];
    assert.deepEqual(origin?.config.listen, [facts.origin]);
    assert.equal(origin?.config.http, null);
  });
});

describe("plan single", () => {
  it("is one child with the user's own configuration", () => {
    const config = withFlags({ plan: "single", cores: 4 });
    const specs = planProcesses(config, facts);
    assert.deepEqual(
      specs.map(({ name, duty, place }) => [name, duty, place]),
      [["server", "server", "child"]],
    );
    assert.deepEqual(specs[0]?.config, config);
    assert.deepEqual(publicNames(config, 8), ["server"]);
  });
});

describe("the limit of connections", () => {
  it("is divided over the edges, rounded up, and does not bind the origin", () => {
    const box = { ...withFlags({ cores: 3 }), maxConnections: 1000 };
    assert.deepEqual(
      planProcesses(box, facts).map((spec) => spec.maxConnections),
      [null, 334, 334, 334],
    );
  });

  it("is what the open files allow when none is given", () => {
    const box = { ...withFlags({ cores: 1 }), maxConnections: null };
    assert.deepEqual(
      planProcesses(box, { ...facts, maxOpenFiles: 20_000 }).map((spec) => spec.maxConnections),
      [null, 17_936],
    );
    assert.deepEqual(
      planProcesses(box, facts).map((spec) => spec.maxConnections),
      [null, null],
    );
  });
});

describe("a box has come up", () => {
  const children = (front: string, behind: string): Parameters<typeof isComeUp>[0] =>
    [front.split(" "), behind.split(" ")].flatMap((states, at) =>
      states.flatMap((state) =>
        state === "" ? [] : [{ spec: { isPublic: at === 0, duty: "edge" as const }, child: { state: state as "up" } }],
      ),
    );

  it("whatever becomes of its admin", () => {
    const admin = { spec: { isPublic: false, duty: "admin" as const }, child: { state: "failed" as const } };
    assert.equal(isComeUp([...children("up", "up"), admin]), true);
    assert.equal(isComeUp([...children("starting", "up"), { ...admin, child: { state: "up" } }]), false);
    assert.equal(isComeUp([{ ...admin, child: { state: "up" } }]), false);
  });

  for (const [front, behind, expected] of [
    ["up up", "up up", true],
    ["up up", "up failed", true],
    ["up failed", "up", true],
    ["up", "", true],
    ["up up", "failed failed", false],
    ["failed", "up", false],
    ["failed", "", false],
    ["up up", "up starting", false],
    ["up waiting", "up", false],
    ["", "", false],
  ] as const) {
    it(`is ${expected} with ${front || "nobody"} on the public addresses and ${behind || "nobody"} behind`, () => {
      assert.equal(isComeUp(children(front, behind)), expected);
    });
  }
});
