// ENTRY POINT of a proxy of plan b: accepts on the public addresses and hands each connection to a server. What it shares
// with the other children of the master is in worker/process.ts.
import type { ProxySetup } from "../ipc/balance.js";
import type { Balancer as RunningBalancer, News } from "../proxy/balancer.js";
import { onTerminate } from "../worker/signals.js";

const { Balancer } = await import("../proxy/balancer.js");
const { runChild } = await import("../worker/process.js");

let balancer: RunningBalancer | null = null;
/** What the master says while the proxy is still starting counts as well. */
const early: News[] = [];

await runChild<ProxySetup>({
  role: "proxy",
  onTerminate,
  setupIn: (message) => (message.type === "configure-proxy" ? message.setup : null),
  async start(setup, log, send, carrier, locator) {
    const started = await Balancer.create(setup, log, { send, carrier, locator });
    balancer = started;
    for (const message of early.splice(0)) started.hear(message);
    await started.listen();
    return started;
  },
  load: ({ connections }) => [[connections, "connection"]],
  hear(message) {
    if (balancer === null) early.push(message);
    else balancer.hear(message);
  },
});
