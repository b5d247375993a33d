// Origins by name: what a DNS server says of them changes while viewers watch, over loopback and with a DNS server of the test's own.
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { test } from "node:test";
import { DnsServer } from "../../helpers/dns-server.js";
import type { Cleanup } from "../../helpers/dolphin.js";
import { pictures } from "../../helpers/media.js";
import { freePort } from "../../helpers/ports.js";
import { eventually } from "../../helpers/wait.js";
import { Encoder, startServer, watch, type Rig } from "./rig.js";

/** All servers of a process ask one DNS server. */
const serving = (dns: DnsServer): string => `dolphin { resolver ${dns.address}; } vhost __defaultVhost__ { min_latency on; }`;

function edgeOf(t: Cleanup, dns: DnsServer, origin: string): Promise<Rig> {
  const resolver = `dolphin { resolver ${dns.address}; }`;
  return startServer(t, `${resolver} vhost __defaultVhost__ { min_latency on; cluster { mode remote; origin ${origin}; } }`);
}

test("names: an origin that moves is found at its new address, and while the DNS server is silent at the last one that was good", async (t) => {
  const dns = await DnsServer.start(t);
  const port = await freePort();
  const first = await startServer(t, serving(dns), { address: `127.0.0.1:${port}` });
  (await Encoder.open(t, first.rtmpUrl("s"))).sendSteadily(t);
  dns.records = { "origin.test": { a: ["127.0.0.1"] } };
  const edge = await edgeOf(t, dns, `origin.test:${port}`);
  const viewer = await watch(t, edge.rtmpUrl("s"));
  await viewer.waitForMedia(5);
  dns.isSilent = true;
  await first.server.close("it moves");
  await eventually(() => edge.lines.some(({ event }) => event === "pull.lost"), { what: "the loss" });
  const again = await startServer(t, serving(dns), { address: `127.0.0.1:${port}` });
  (await Encoder.open(t, again.rtmpUrl("s"))).sendSteadily(t);
  const before = pictures(viewer.messages).length;
  await eventually(() => pictures(viewer.messages).length > before + 5, { what: "pictures by the last good answer", timeoutMs: 15_000 });
  dns.isSilent = false;
  await again.server.close("it moves on");
  dns.records = { "origin.test": { a: ["127.0.0.2"] } };
  const other = await startServer(t, serving(dns), { address: `127.0.0.2:${port}` });
  (await Encoder.open(t, other.rtmpUrl("s"))).sendSteadily(t);
  const then = pictures(viewer.messages).length;
  await eventually(() => pictures(viewer.messages).length > then + 5, { what: "pictures from the new address", timeoutMs: 15_000 });
});

test("names: of several addresses those are tried in turn that refuse, and that accept and say nothing", async (t) => {
  const dns = await DnsServer.start(t);
  const port = await freePort();
  const mute = createServer();
  await new Promise<void>((resolve) => mute.listen(port, "127.0.0.3", resolve));
  t.after(() => void mute.close());
  const origin = await startServer(t, serving(dns), { address: `127.0.0.2:${port}` });
  (await Encoder.open(t, origin.rtmpUrl("s"))).sendSteadily(t);
  dns.records = { "origins.test": { a: ["127.0.0.1", "127.0.0.3", "127.0.0.2"] } };
  const edge = await edgeOf(t, dns, `origins.test:${port}`);
  const viewer = await watch(t, edge.rtmpUrl("s"));
  await eventually(() => pictures(viewer.messages).length > 5, { what: "pictures", timeoutMs: 20_000 });
});

test("names: a service tells the port, and its next server is taken when the first is gone", async (t) => {
  const dns = await DnsServer.start(t);
  const [one, other] = [await startServer(t, serving(dns)), await startServer(t, serving(dns))];
  (await Encoder.open(t, other.rtmpUrl("s"))).sendSteadily(t);
  const portOf = ({ address }: Rig): number => Number(address.split(":")[1]);
  dns.records = {
    "_rtmp._tcp.site.test": {
      srv: [
        { host: "b.test", port: portOf(other), priority: 2 },
        { host: "a.test", port: portOf(one), priority: 1 },
      ],
    },
    "a.test": { a: ["127.0.0.1"] },
    "b.test": { a: ["127.0.0.1"] },
  };
  await one.server.close("it is gone");
  const edge = await edgeOf(t, dns, "srv+_rtmp._tcp.site.test");
  const viewer = await watch(t, edge.rtmpUrl("s"));
  await eventually(() => pictures(viewer.messages).length > 5, { what: "pictures", timeoutMs: 10_000 });
  assert.ok(dns.asked.includes("SRV _rtmp._tcp.site.test"));
});

test("names: a name that is fresh is not asked for with each connection", async (t) => {
  const dns = await DnsServer.start(t);
  const origin = await startServer(t, serving(dns));
  const port = origin.address.split(":")[1] ?? "";
  dns.records = { "fresh.test": { a: ["127.0.0.1"], ttlSeconds: 60 } };
  const edge = await edgeOf(t, dns, `fresh.test:${port}`);
  for (const stream of ["a", "b", "c"]) {
    (await Encoder.open(t, origin.rtmpUrl(stream))).send(5);
    await (await watch(t, edge.rtmpUrl(stream))).waitForMedia(5);
  }
  assert.deepEqual(
    dns.asked.filter((question) => question === "A fresh.test"),
    ["A fresh.test"],
  );
});
