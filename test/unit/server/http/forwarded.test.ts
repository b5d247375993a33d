import assert from "node:assert/strict";
import { test } from "node:test";
import { trustedNetworks } from "../../../../src/conf/meaning/networks.js";
import { forwardedClient } from "../../../../src/server/http/forwarded.js";

const trusted = trustedNetworks(["127.0.0.1/32", "10.0.0.0/8", "fd00::/8"]);
const proxy = { host: "127.0.0.1", port: 40_000 };

for (const [what, forwardedFor, client] of [
  ["a client with its port", "192.0.2.1:50000", ["192.0.2.1", 50_000]],
  ["a client without one", "192.0.2.1", ["192.0.2.1", 0]],
  ["an IPv6 client", "2001:db8::1", ["2001:db8::1", 0]],
  ["an IPv6 client with its port", "[2001:db8::1]:50000", ["2001:db8::1", 50_000]],
  ["a client behind two trusted proxies", "192.0.2.1:1, 10.0.0.1:2,[fd00::1]:3", ["192.0.2.1", 1]],
  ["a client that makes others up", "203.0.113.9, 10.0.0.1, 192.0.2.1:1, 10.0.0.2", ["192.0.2.1", 1]],
  ["a trusted proxy's own request", "10.0.0.1:5", ["10.0.0.1", 5]],
  ["one that a trusted proxy does not know", "unknown, 10.0.0.1:5", ["10.0.0.1", 5]],
  ["nobody, by a word", "localhost", ["127.0.0.1", 40_000]],
  ["nobody, by a port beyond 65535", "192.0.2.1:65536", ["127.0.0.1", 40_000]],
  ["nobody, by an empty header", "", ["127.0.0.1", 40_000]],
] as const) {
  test(`forwarded: a header names ${what}`, () => {
    const [host, port] = client;
    assert.deepEqual(forwardedClient({ "x-forwarded-for": forwardedFor }, proxy, trusted), { host, port });
  });
}

test("forwarded: X-Real-IP counts where there is no X-Forwarded-For", () => {
  assert.equal(forwardedClient({ "x-real-ip": "192.0.2.1" }, proxy, trusted).host, "192.0.2.1");
  assert.equal(forwardedClient({ "x-real-ip": "192.0.2.1", "x-forwarded-for": "192.0.2.2" }, proxy, trusted).host, "192.0.2.2");
  assert.equal(forwardedClient({}, proxy, trusted), proxy);
});

test("forwarded: what a peer says that is not trusted does not count", () => {
  const peer = { host: "192.0.2.7", port: 1 };
  assert.equal(forwardedClient({ "x-forwarded-for": "192.0.2.1", "x-real-ip": "192.0.2.1" }, peer, trusted), peer);
});
