import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { test } from "node:test";
import type { Endpoint } from "../../../../src/conf/meaning/config.js";
import { listeningInodes, portOwner } from "../../../../src/master/sockets/port-owner.js";
import { portSentence } from "../../../../src/master/sockets/port-sentence.js";

for (const [code, port, sentence] of [
  ["EADDRINUSE", 80, /^\[::\]:80 is in use by process 7 \(nginx\): stop it, or take another port$/],
  ["EACCES", 80, /needs a privilege, for ports below \d+ are the system's: take a higher one, or give CAP_NET_BIND_SERVICE/],
  ["EACCES", 65_000, /may not be listened on by this user \(it failed\): take another address/],
  ["EADDRNOTAVAIL", 80, /is no address of this machine, or none yet: correct listen, or start when it is there/],
  ["ENOTFOUND", 80, /nobody knows an address of ::/],
  ["EMFILE", 80, /cannot be listened on: it failed; correct listen/],
] as const) {
  test(`port sentence: ${code} of port ${port} has its own`, () => {
    const cause = Object.assign(new Error("it failed"), { code });
    assert.match(
      portSentence({ host: "::", port }, cause, () => ({ pid: 7, name: "nginx" })),
      sentence,
    );
  });
}

test("port sentence: who has a port is this dolphin itself, or another program where the system does not tell", () => {
  const cause = Object.assign(new Error("x"), { code: "EADDRINUSE" });
  const at = { host: "0.0.0.0", port: 80 };
  assert.match(
    portSentence(at, cause, () => null),
    /in use by another program/,
  );
  assert.match(
    portSentence(at, cause, () => ({ pid: process.pid, name: "node" })),
    /in use by this dolphin itself: another of its addresses covers it$/,
  );
});

test("port owner: only sockets count that listen on the port, and on an address that covers the wanted one or is covered by it", () => {
  const table = [
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
    "   0: 0100007F:078F 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0",
    "   1: 0100007F:078F 0100007F:C001 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 20 4 30 10 -1",
    "   2: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0 100 0 0 10 0",
    "   3: 0200007F:078F 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4714 1 0 100 0 0 10 0",
    "   4: 0000000000000000FFFF00000100007F:0051 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 4715 1 0 100 0 0 10 0",
  ].join("\n");
  const at = (host: string, port: number): Endpoint => ({ host, port });
  assert.deepEqual(listeningInodes(table, at("127.0.0.1", 1935)), ["4711"]);
  assert.deepEqual(listeningInodes(table, at("127.0.0.2", 1935)), ["4714"]);
  assert.deepEqual(listeningInodes(table, at("127.0.0.3", 1935)), []);
  for (const host of ["0.0.0.0", "::", "a.test"]) assert.deepEqual(listeningInodes(table, at(host, 1935)), ["4711", "4714"], host);
  assert.deepEqual(listeningInodes(table, at("10.0.0.1", 80)), ["4713"]);
  assert.deepEqual(listeningInodes(table, at("127.0.0.1", 81)), ["4715"]);
  assert.deepEqual(listeningInodes(table, at("127.0.0.1", 8080)), []);
});

test("port owner: whoever listens is found, and nobody where nobody does", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  assert.equal(portOwner({ host: "127.0.0.1", port })?.pid, process.pid);
  assert.equal(portOwner({ host: "127.0.0.2", port }), null);
  server.close();
  await once(server, "close");
  assert.equal(portOwner({ host: "127.0.0.1", port }), null);
});
