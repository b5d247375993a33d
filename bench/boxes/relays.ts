// The proxies that are compared, each in front of one server that is the same for all and does not count: plan b with one proxy,
// HAProxy in tcp mode with and without splicing, and nginx's stream module, one thread each.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Cleanups } from "../../test/helpers/cleanups.js";
import { start, type Child } from "../../test/helpers/child.js";
import { findNginxStreamModule, type HaproxyProgram } from "../../test/helpers/haproxy.js";
import type { NginxProgram } from "../../test/helpers/nginx.js";
import { freePort } from "../../test/helpers/ports.js";
import { eventually } from "../../test/helpers/wait.js";
import { compiled, startStormServer, type ServerBehind } from "../load.js";
import { Box, type Shape } from "./box.js";
import type { Build } from "./build.js";
import { portIsOpen } from "./port.js";
import { serveBox, single, type Serving } from "./servers.js";

/** What stands behind the proxy: a dolphin that streams, or the server of short connections. */
export type Behind = "stream" | "storm";

/** Plan b of a build, without its server: the proxy, and the master that looks after it. */
export async function servePlanB(build: Build, kind: Behind): Promise<Serving> {
  const box = await Box.start(build, await planB(kind));
  const { rtmpPort, httpPort } = box;
  const tree = { roots: [box.pidOf("master")], except: [box.pidOf("server-1")] };
  return { rtmpPort, httpPort, askPort: 0, box, tree, stop: () => box.stop() };
}

export function serveHaproxy({ path, libraries }: HaproxyProgram, isSplicing: boolean, kind: Behind, own: Build): Promise<Serving> {
  return serveRelay(kind, own, (port, serverPort, folder) => {
    const file = join(folder, "haproxy.cfg");
    const lines = [
      "global",
      "  maxconn 6000",
      "  nbthread 1",
      "defaults",
      "  mode tcp",
      "  timeout connect 1s",
      "  timeout client 60s",
      "  timeout server 60s",
      isSplicing ? "  option splice-auto" : "",
      "listen relay",
      `  bind 127.0.0.1:${port} backlog 1024`,
      `  server server-1 127.0.0.1:${serverPort}`,
    ];
    writeFileSync(file, `${lines.join("\n")}\n`);
    return start(path, ["-db", "-f", file], libraries === null ? {} : { env: { LD_LIBRARY_PATH: libraries } });
  });
}

export async function serveNginxStream({ path }: NginxProgram, kind: Behind, own: Build): Promise<Serving> {
  const streamModule = await findNginxStreamModule();
  return serveRelay(kind, own, (port, serverPort, folder) => {
    const file = join(folder, "nginx.conf");
    const lines = [
      streamModule === null ? "" : `load_module ${streamModule};`,
      `daemon off; master_process off; worker_rlimit_nofile 20000; pid ${folder}/pid; error_log ${folder}/log;`,
      "events { worker_connections 18000; }",
      `stream { server { listen 127.0.0.1:${port} backlog=1024; proxy_pass 127.0.0.1:${serverPort}; proxy_timeout 60s; } }`,
    ];
    writeFileSync(file, `${lines.join("\n")}\n`);
    return start(path, ["-p", folder, "-c", file, "-e", join(folder, "log")]);
  });
}

/** Raw connections from the first byte, as the peers' are; a foreign server is told nothing about its clients. */
async function planB(kind: Behind): Promise<Shape> {
  const storm = `${await compiled("tcpstorm")} serve 127.0.0.1 {rtmp_port}`;
  const server = kind === "storm" ? ["--server", storm] : [];
  return { args: ["--plan", "b", "--cores", "1", ...server], env: { SRS_DOLPHIN_SERVERS: "1", SRS_DOLPHIN_ROUTING: "connection" } };
}

async function serveSingle(own: Build): Promise<ServerBehind> {
  const serving = await serveBox(own, single);
  return { rtmpPort: serving.rtmpPort, pids: serving.tree.roots, stop: () => serving.stop() };
}

async function serveRelay(kind: Behind, own: Build, run: (port: number, serverPort: number, folder: string) => Child): Promise<Serving> {
  const cleanups = new Cleanups();
  try {
    const server = kind === "storm" ? await startStormServer() : await serveSingle(own);
    cleanups.after(() => server.stop());
    const port = await freePort();
    const folder = mkdtempSync(join(tmpdir(), "dolphin-relay-"));
    cleanups.after(() => rmSync(folder, { recursive: true, force: true }));
    const child = run(port, server.rtmpPort, folder);
    cleanups.after(async () => void (await child.stop("SIGTERM", 3000)));
    await eventually(() => portIsOpen(child, port), { timeoutMs: 5000, what: `${child.name} to listen: ${child.output()}` });
    const tree = { roots: [child.pid], except: server.pids };
    return { rtmpPort: port, httpPort: 0, askPort: 0, box: null, tree, stop: () => cleanups.stopAll() };
  } catch (thrown) {
    await cleanups.stopAll();
    throw thrown;
  }
}
