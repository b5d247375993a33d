import assert from "node:assert/strict";
import { test } from "node:test";
import type { Endpoint } from "../../../../src/conf/meaning/config.js";
import { parse } from "../../../../src/conf/grammar/parser.js";
import { type Block, blockIn, find, isGiven, rootBlock, valueOf, vhostsIn } from "../../../../src/conf/meaning/tree.js";

const rootOf = (text: string): Block<"root"> => rootBlock(parse(text, "f", () => "").directives);

test("tree: the compiler knows the type of a value from its row", () => {
  const root = rootOf("listen 1935 [::1]:2; max_connections 5; dolphin { cores 3; plan b; drain_timeout 1.5; }");
  const dolphin = blockIn(root, "dolphin");
  const listen: readonly Endpoint[] = valueOf(root, "listen");
  const daemon: boolean = valueOf(root, "daemon");
  const most: number | null = valueOf(root, "max_connections");
  const cores: number | "auto" = valueOf(dolphin, "cores");
  const plan: "a" | "b" | "single" = valueOf(dolphin, "plan");
  const drainMs: number | null = valueOf(dolphin, "drain_timeout");
  const stopMs: number = valueOf(dolphin, "stop_timeout");
  const server: readonly string[] = valueOf(dolphin, "server");
  const level: "trace" | "debug" | "info" | "warn" | "error" | "silent" | null = valueOf(root, "srs_log_level_v2");
  const origins: readonly Endpoint[] = valueOf(blockIn(blockIn(root, "vhost"), "cluster"), "origin");
  assert.deepEqual(
    [listen.map(({ port }) => port), daemon, most, cores, plan, drainMs, stopMs, server, level, origins],
    [[1935, 2], true, 5, 3, "b", 1500, 5000, ["builtin"], null, []],
  );
});

test("tree: the compiler refuses a name that is not of the place, and a type that is not the row's", () => {
  const root = rootOf("");
  // @ts-expect-error -- the name is misspelt
  assert.equal(valueOf(root, "lisen"), null);
  // @ts-expect-error -- it stands in vhost.play
  assert.equal(valueOf(root, "gop_cache"), null);
  // @ts-expect-error -- there is no such block
  assert.equal(find(root, "vhosts"), undefined);
  // @ts-expect-error -- it is on or off
  const daemon: number = valueOf(root, "daemon");
  // @ts-expect-error -- it may be left out
  const most: number = valueOf(root, "max_connections");
  // @ts-expect-error -- it has a third word
  const plan: "a" | "b" = valueOf(blockIn(root, "dolphin"), "plan");
  assert.deepEqual([daemon, most, plan], [true, null, "a"]);
});

test("tree: a directive without an argument is not given", () => {
  const root = rootOf("listen; pid x;");
  assert.deepEqual([isGiven(root, "listen"), isGiven(root, "pid"), isGiven(root, "daemon")], [false, true, false]);
});

test("tree: a vhost without braces is an empty one", () => {
  assert.deepEqual(
    vhostsIn(rootOf("vhost a; vhost b { min_latency on; }")).map(({ at, vhost }) => [at.args[0], valueOf(vhost, "min_latency")]),
    [
      ["a", false],
      ["b", true],
    ],
  );
});
