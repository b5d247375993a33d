import assert from "node:assert/strict";
import { test } from "node:test";
import { trustedNetworks } from "../../../../src/conf/meaning/networks.js";

test("trusted networks: addresses within them, of either family and also as mapped ones, are trusted", () => {
  const trusted = trustedNetworks(["10.0.0.0/8", "fd00::/8", "192.0.2.7/32"]);
  for (const address of ["10.1.2.3", "::ffff:10.1.2.3", "fd12::1", "fd12::1%eth0", "192.0.2.7"]) assert.ok(trusted.has(address), address);
  for (const address of ["11.1.2.3", "192.0.2.8", "fe80::1", "::1", "", "name"]) assert.ok(!trusted.has(address), address);
  assert.ok(!trustedNetworks([]).has("127.0.0.1"));
});
