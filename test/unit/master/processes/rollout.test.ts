import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { defaultConfig } from "../../../../src/conf/load.js";
import type { ProcessSpec } from "../../../../src/master/processes/plan.js";
import { Rollout } from "../../../../src/master/processes/rollout.js";

const config = defaultConfig();

function spec(name: string, changed: Partial<ProcessSpec> = {}): ProcessSpec {
  return { name, duty: "edge", place: "child", isPublic: true, startsAfter: "origin", config, maxConnections: null, ...changed };
}

let told: string[];
let problems: Map<string, string>;

function rolloutOf(...specs: readonly ProcessSpec[]): Rollout {
  return new Rollout(specs, {
    add({ name, startsAfter }) {
      told.push(`add ${name}${startsAfter === null ? "" : ` after ${startsAfter}`}`);
      return Promise.resolve(problems.get(name) ?? null);
    },
    retire: (name, _reason, timeoutMs) => void told.push(`retire ${name} within ${timeoutMs ?? "no bound"}`),
    inherit({ name }, from) {
      told.push(`${name} inherits from ${from ?? "nobody"}`);
      return problems.get(`${name} sockets`) === undefined ? Promise.resolve() : Promise.reject(new Error(problems.get(`${name} sockets`)));
    },
    prepare(heir, from) {
      told.push(`${heir} prepares for ${from}`);
      return Promise.resolve();
    },
    lingers: ({ duty }, drainTimeoutMs) => (duty === "server" ? 7 : drainTimeoutMs),
    forget: (name) => void told.push(`forget ${name}`),
  });
}

const names = (rollout: Rollout): string[] => rollout.specs.map(({ name }) => name);

beforeEach(() => {
  told = [];
  problems = new Map();
});

describe("replacing all", () => {
  it("lets nobody go before every heir serves", async () => {
    const rollout = rolloutOf(spec("edge-1"), spec("edge-2"));
    assert.equal(await rollout.replaceAll([spec("edge-1"), spec("edge-2")], "reload", 5000), null);
    assert.deepEqual(told, [
      "edge-1.2 inherits from edge-1",
      "edge-2.2 inherits from edge-2",
      "add edge-1.2",
      "add edge-2.2",
      "edge-1.2 prepares for edge-1",
      "edge-2.2 prepares for edge-2",
      "retire edge-1 within 5000",
      "forget edge-1",
      "retire edge-2 within 5000",
      "forget edge-2",
    ]);
    assert.deepEqual(names(rollout), ["edge-1.2", "edge-2.2"]);
  });

  it("leaves all as it was when one heir does not come to serve, and lets the others go", async () => {
    const rollout = rolloutOf(spec("edge-1"), spec("edge-2"));
    problems.set("edge-2.2", "exit 70");
    assert.equal(await rollout.replaceAll([spec("edge-1"), spec("edge-2")], "reload", null), "edge-2.2 does not serve: exit 70");
    assert.deepEqual(told.slice(4), ["forget edge-2.2", "retire edge-1.2 within no bound", "forget edge-1.2"]);
    assert.deepEqual(names(rollout), ["edge-1", "edge-2"]);
  });

  it("leaves all as it was when an address cannot be had", async () => {
    const rollout = rolloutOf(spec("edge-1"));
    problems.set("edge-1.2 sockets", "the address is in use by another program");
    assert.match((await rollout.replaceAll([spec("edge-1")], "reload", null)) ?? "", /in use/);
    assert.deepEqual(told, ["edge-1.2 inherits from edge-1", "forget edge-1.2"]);
  });

  it("makes more places, and fewer", async () => {
    const rollout = rolloutOf(spec("edge-1"));
    await rollout.replaceAll([spec("edge-1"), spec("edge-2")], "cores", null);
    assert.deepEqual(names(rollout), ["edge-1.2", "edge-2.2"]);
    assert.ok(told.includes("edge-2.2 inherits from nobody"));
    await rollout.replaceAll([spec("edge-1")], "cores", null);
    assert.deepEqual(names(rollout), ["edge-1.3"]);
    assert.deepEqual(told.slice(-4), [
      "retire edge-1.2 within no bound",
      "forget edge-1.2",
      "retire edge-2.2 within no bound",
      "forget edge-2.2",
    ]);
  });

  it("never uses a name twice, even after a failure", async () => {
    const rollout = rolloutOf(spec("edge-1"));
    problems.set("edge-1.2", "exit 1");
    await rollout.replaceAll([spec("edge-1")], "reload", null);
    await rollout.replaceAll([spec("edge-1")], "reload", null);
    assert.deepEqual(names(rollout), ["edge-1.3"]);
  });
});

describe("replacing one after the other", () => {
  it("lets each go when its heir serves", async () => {
    const rollout = rolloutOf(spec("edge-1"), spec("edge-2"));
    assert.equal(await rollout.replaceEach("restart", null), null);
    assert.deepEqual(
      told.filter((line) => /^(add|retire)/.test(line)),
      ["add edge-1.2", "retire edge-1 within no bound", "add edge-2.2", "retire edge-2 within no bound"],
    );
  });

  it("replaces one alone where it is named", async () => {
    const rollout = rolloutOf(spec("edge-1"), spec("edge-2"));
    assert.equal(await rollout.replaceEach("too large", null, "edge-2"), null);
    assert.deepEqual(names(rollout), ["edge-1", "edge-2.2"]);
  });

  it("goes no further than an heir that does not serve", async () => {
    const rollout = rolloutOf(spec("edge-1"), spec("edge-2"), spec("edge-3"));
    problems.set("edge-2.2", "not ready within 30 s");
    assert.equal(await rollout.replaceEach("restart", null), "edge-2.2 does not serve: not ready within 30 s");
    assert.deepEqual(names(rollout), ["edge-1.2", "edge-2", "edge-3"]);
  });

  it("lets an heir prepare before the old process is let go, which lingers as its kind does", async () => {
    const rollout = rolloutOf(spec("server", { duty: "server" }));
    await rollout.replaceEach("restart", null);
    assert.deepEqual(told.slice(-4), ["add server.2", "server.2 prepares for server", "retire server within 7", "forget server"]);
  });
});

it("new specs keep the names that the processes have by now", async () => {
  const rollout = rolloutOf(spec("edge-1"));
  await rollout.replaceEach("restart", null);
  assert.deepEqual(
    rollout.update([spec("edge-1", { maxConnections: 7 })]).map(({ name, maxConnections }) => [name, maxConnections]),
    [["edge-1.2", 7]],
  );
});

describe("another number", () => {
  it("starts those that are missing, and leaves the others alone", async () => {
    const rollout = rolloutOf(spec("edge-1"));
    assert.equal(await rollout.resize([spec("edge-1"), spec("edge-2"), spec("edge-3")], "scale", 5000), null);
    assert.deepEqual(told, ["edge-2.2 inherits from nobody", "add edge-2.2", "edge-3.2 inherits from nobody", "add edge-3.2"]);
    assert.deepEqual(names(rollout), ["edge-1", "edge-2.2", "edge-3.2"]);
  });

  it("lets those go that are too many, whatever they are called by now", async () => {
    const rollout = rolloutOf(spec("edge-1"), spec("edge-2"));
    await rollout.replaceEach("restart", 5000);
    told = [];
    assert.equal(await rollout.resize([spec("edge-1")], "scale", 5000), null);
    assert.deepEqual(told, ["retire edge-2.2 within 5000", "forget edge-2.2"]);
    assert.deepEqual(names(rollout), ["edge-1.2"]);
  });

  it("stays as it was where one of the new ones does not serve", async () => {
    const rollout = rolloutOf(spec("edge-1"));
    problems.set("edge-3.2", "exit 70");
    assert.match(
      (await rollout.resize([spec("edge-1"), spec("edge-2"), spec("edge-3")], "scale", 5000)) ?? "",
      /edge-3\.2 does not serve: exit 70/,
    );
    assert.deepEqual(told.slice(-3), ["forget edge-3.2", "retire edge-2.2 within 5000", "forget edge-2.2"]);
    assert.deepEqual(names(rollout), ["edge-1"]);
  });
});
