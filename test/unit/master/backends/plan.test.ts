import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DolphinError } from "../../../../src/base/errors.js";
import { prefaceFor, routingOf, type Config } from "../../../../src/conf/meaning/config.js";
import { applyFlags } from "../../../../src/conf/flags.js";
import { defaultConfig, loadConfig } from "../../../../src/conf/load.js";
import type { Directive } from "../../../../src/conf/grammar/parser.js";
import { checkPlan, countServers, planB, vhostsOf } from "../../../../src/master/backends/plan.js";
import { type ProcessSpec, type Program, publicNames } from "../../../../src/master/processes/plan.js";
import type { ServerSlot } from "../../../../src/master/backends/slots.js";

const slot = (number: number): ServerSlot => ({
  number,
  name: `server-${number}`,
  folder: `/run/s/server-${number}`,
  rtmpPort: 1935 + number,
  httpPort: 8080 + number,
  apiPort: 1985 + number,
});
const program: Program = { argv: ["srs"], env: {}, folder: "/run/s", files: [], servesHttp: true, api: null, cwd: "/" };
const b = (text = "", cores = 2): Config => {
  const { config, problems } = loadConfig({
    file: "t",
    text: `listen 1935; http_server { enabled on; } vhost a { } dolphin { plan b; ${text} }`,
  });
  assert.ok(config !== null, JSON.stringify(problems));
  return applyFlags(config, { cores });
};
const specsOf = (config: Config, made: Program | null = null, maxOpenFiles: number | null = null): ProcessSpec[] =>
  planB(config, { cores: 2, maxOpenFiles, slots: [slot(1), slot(2), slot(3)], programFor: () => made });

describe("plan b", () => {
  it("is servers on private ports and proxies on the public ones, and nobody waits for anybody", () => {
    assert.deepEqual(
      specsOf(b()).map(({ name, duty, place, isPublic, startsAfter }) => [name, duty, place, isPublic, startsAfter]),
      [
        ["server-1", "server", "child", false, null],
        ["server-2", "server", "child", false, null],
        ["server-3", "server", "child", false, null],
        ["proxy-1", "proxy", "child", true, null],
        ["proxy-2", "proxy", "child", true, null],
      ],
    );
    assert.deepEqual(publicNames(b(), 7), ["proxy-1", "proxy-2"]);
  });

  it("lets our own servers serve their slots alone, with the user's vhosts", () => {
    const [first] = specsOf(b());
    assert.deepEqual(first?.config.listen, [{ host: "127.0.0.1", port: 1936 }]);
    assert.deepEqual(first.config.http?.listen, [{ host: "127.0.0.1", port: 8081 }]);
    assert.deepEqual(first.config.vhosts, b().vhosts);
    assert.equal(first.backend?.program, null);
  });

  it("gives the proxies the public addresses", () => {
    const proxy = specsOf(b()).at(-1);
    assert.deepEqual(proxy?.config.listen, [{ host: "0.0.0.0", port: 1935 }]);
    assert.equal(proxy.backend, undefined);
  });

  it("knows that a server may serve no HTTP", () => {
    const httpOf = (config: Config, made: Program | null): unknown => specsOf(config, made)[0]?.backend?.http;
    assert.deepEqual(httpOf(b(), program), { host: "127.0.0.1", port: 8081 });
    assert.equal(httpOf(b(), { ...program, servesHttp: false }), null);
    assert.equal(httpOf(applyFlags(b(), { http: "off" }), null), null);
  });

  it("weighs servers by their place in the list, and those beyond it as 1", () => {
    assert.deepEqual(
      specsOf(b("server_weight 3 0.5;")).flatMap(({ backend }) => backend?.weight ?? []),
      [3, 0.5, 1],
    );
  });

  it("limits a proxy by half of its open files, for a connection has two sockets", () => {
    assert.equal(specsOf(b(), null, 20_000).at(-1)?.maxConnections, 8936);
    assert.equal(specsOf(b(), null, 20_000)[0]?.maxConnections, null);
  });

  it("has as many servers as proxies, unless somebody says how many", () => {
    assert.equal(countServers(b("", 5), 9), 5);
    assert.equal(countServers(b("servers 3;", 5), 9), 3);
  });
});

describe("routing auto", () => {
  const routing = (vhosts: string, block = ""): string => {
    const { config } = loadConfig({ file: "t", text: `listen 1935; ${vhosts} dolphin { plan b; ${block} }` });
    assert.ok(config !== null);
    return routingOf(config);
  };
  const edge = "vhost a { cluster { mode remote; origin 10.0.0.1; } }";

  it("is by stream where a vhost is an origin, by connection where all are edges", () => {
    assert.equal(routing("vhost a { }"), "stream");
    assert.equal(routing(edge), "connection");
    assert.equal(routing(`${edge} vhost b { }`), "stream");
    assert.equal(routing(`${edge} vhost b { enabled off; }`), "connection");
  });

  it("gives way to what is asked for", () => {
    assert.equal(routing(edge, "routing stream;"), "stream");
    assert.equal(routing("vhost a { }", "routing connection;"), "connection");
  });
});

describe("a foreign server", () => {
  it("is refused by plans that have no proxies", () => {
    const refused = (flags: Parameters<typeof applyFlags>[1]): void => checkPlan(applyFlags(defaultConfig(), flags));
    assert.throws(() => refused({ server: "srs", plan: "a" }), isConfError);
    assert.throws(() => refused({ server: "srs", plan: "single" }), isConfError);
    refused({ server: "srs" });
    refused({ plan: "a" });
  });
});

describe("the vhosts that servers tell apart", () => {
  const named = (vhost: string): Directive => ({ name: "vhost", args: [vhost], children: [], file: "srs.conf", line: 1, column: 1 });
  const srsFile = [{ ...named("1935"), name: "listen" }, named("a.com"), named("__defaultVhost__")];

  it("are our own servers' by our file, and an srs's by its own", () => {
    assert.equal(vhostsOf("builtin", []), null);
    assert.deepEqual(vhostsOf("srs", srsFile), ["a.com", "__defaultVhost__"]);
  });

  it("are none of another program's: what our file says is not its own", () => {
    assert.deepEqual(vhostsOf("command", []), []);
  });
});

describe("send_proxy", () => {
  const formsOf = (text: string): unknown[] => (["rtmp", "http"] as const).map((protocol) => prefaceFor(b(text).dolphin, protocol));
  const trustedBy = (text: string): unknown => specsOf(b(text))[0]?.config.dolphin.balance.trustedProxies;

  it("is version 2 for our own servers and off for others, unless somebody says otherwise", () => {
    assert.deepEqual(formsOf(""), ["v2", "v2"]);
    assert.deepEqual(formsOf("server srs;"), [null, null]);
    for (const server of ["builtin", "srs"]) {
      assert.deepEqual(formsOf(`server ${server}; send_proxy v1;`), ["v1", "v1"]);
      assert.deepEqual(formsOf(`server ${server}; send_proxy off;`), [null, null]);
    }
  });

  it("is SRS's form for RTMP alone, whatever the routing", () => {
    assert.deepEqual(formsOf("server srs; send_proxy srs;"), ["srs", null]);
    assert.deepEqual(formsOf("send_proxy srs; routing connection;"), ["srs", "v2"]);
    checkPlan(b("server srs; send_proxy srs; routing connection;"));
  });

  it("makes our own servers believe the proxies before them and the networks that these trust", () => {
    assert.deepEqual(trustedBy("trusted_proxies 10.0.0.0/8;"), ["10.0.0.0/8", "127.0.0.1/32"]);
    assert.deepEqual(trustedBy("trusted_proxies 10.0.0.0/8; send_proxy off;"), [], "a client's own bytes are the first");
    const proxy = specsOf(b("trusted_proxies 10.0.0.0/8;")).at(-1);
    assert.deepEqual(proxy?.config.dolphin.balance.trustedProxies, ["10.0.0.0/8"]);
  });
});

function isConfError(thrown: unknown): boolean {
  return thrown instanceof DolphinError && thrown.code === "CONF_VALUE";
}
