// Boxes of one site, and who publishes and plays there.
import { createServer, connect } from "node:net";
import { Dolphin, type Cleanup } from "./dolphin.js";
import { headers, step } from "./media.js";
import { freePort } from "./ports.js";
import type { Redis } from "./redis.js";
import { player, publisher, type RtmpPlayer, type RtmpPublisher } from "./rtmp-client.js";

let sites = 0;

/** One box of a site; `more` are directives of the block `dolphin`, one of which must be `registry`, `vhost` of the vhost. */
export async function boxOf(t: Cleanup, more: string, { plan = "single", api = false, vhost = "" } = {}): Promise<Dolphin> {
  // The address is the one that the flag of the command line names.
  const conf = `listen 127.0.0.1:1; max_connections 100; dolphin { ${more} } vhost __defaultVhost__ { min_latency on; ${vhost} }`;
  const box = await Dolphin.start(t, { cores: 1, args: ["--plan", plan], conf, ...(api ? { api } : {}) });
  await box.waitFor("registry.found");
  return box;
}

/** Boxes of these plans that are one site, which nobody else of the test's file has; `more` are directives of the block `dolphin`. */
export async function boxesOf(t: Cleanup, redis: Redis, plans: readonly string[], more = "", vhost = ""): Promise<Dolphin[]> {
  const lease = more.includes("registry_lease") ? "" : "registry_lease 2;";
  const registry = `registry ${redis.url}; registry_prefix site${++sites}:; ${lease} ${more}`;
  return Promise.all(plans.map((plan) => boxOf(t, registry, { plan, vhost })));
}

/** A publisher of numbered pictures, from this number on. */
export async function encoderAt(t: Cleanup, url: string, from = 0): Promise<RtmpPublisher> {
  const source = await publisher(url);
  t.after(() => source.close());
  t.after(source.sendEvery((index) => [...(index === 0 ? headers("avc", "aac") : []), ...step("avc", "aac", from + index)], 40));
  return source;
}

export async function viewerAt(t: Cleanup, box: Dolphin, stream = "show"): Promise<RtmpPlayer> {
  const one = await player(box.rtmpUrl(stream));
  t.after(() => one.close());
  return one;
}

/** A balancer that gives each connection to the next of these ports. Returns its own. */
async function alternating(t: Cleanup, ports: readonly number[]): Promise<number> {
  let turn = 0;
  const server = createServer((client) => {
    const onward = connect(ports[turn++ % ports.length]!, "127.0.0.1");
    for (const [one, other] of [
      [client, onward],
      [onward, client],
    ] as const) {
      one.on("error", () => undefined).once("close", () => other.destroy());
      one.pipe(other);
    }
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  t.after(() => void server.close());
  return port;
}

/** An encoder comes through a balancer to one box after the other, so many times, as soon as the last connection is closed. */
export async function changeBoxes(t: Cleanup, boxes: readonly Dolphin[], times: number): Promise<void> {
  const port = await alternating(
    t,
    boxes.map(({ rtmpPort }) => rtmpPort),
  );
  for (let turn = 0; turn < times; turn++) {
    const source = await publisher(`rtmp://127.0.0.1:${port}/live/show`);
    for (const media of [...headers("avc", "aac"), ...step("avc", "aac", turn * 25)]) source.send(media);
    source.close();
  }
}
