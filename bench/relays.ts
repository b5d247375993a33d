// The proxies that are compared in front of one server, each started for one measurement: PlanB's own with either pump,
// HAProxy in tcp mode with and without splicing, and nginx's stream module. One process each, whose threads all count.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectRoot, start, type Child } from "../test/helpers/child.js";
import type { HaproxyProgram } from "../test/helpers/haproxy.js";
import type { NginxProgram } from "../test/helpers/nginx.js";
import { freePort } from "../test/helpers/ports.js";
import { eventually } from "../test/helpers/wait.js";
import { portIsOpen } from "./port.js";

/** A proxy that is running. */
interface Relay {
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
}

/** A kind of proxy; `start` puts one in front of a server's port. */
export interface RelayKind {
  readonly name: string;
  start(serverPort: number): Promise<Relay>;
}

/** Our own, with the pump that is named. */
export function dolphinRelay(pump: "auto" | "plain"): RelayKind {
  const program = join(projectRoot, "dist/bench/relay-runner.js");
  return {
    name: pump === "auto" ? "dolphin" : "dolphin, plain sockets",
    start: (serverPort) => started(async (port) => start(process.execPath, [program, String(port), String(serverPort), pump])),
  };
}

export function haproxyRelay({ path, libraries }: HaproxyProgram, isSplicing: boolean): RelayKind {
  return {
    name: isSplicing ? "HAProxy with splice" : "HAProxy",
    start: (serverPort) =>
      started(async (port, folder) => {
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
      }),
  };
}

export function nginxRelay({ path }: NginxProgram, streamModule: string | null): RelayKind {
  return {
    name: "nginx stream",
    start: (serverPort) =>
      started(async (port, folder) => {
        const file = join(folder, "nginx.conf");
        const lines = [
          streamModule === null ? "" : `load_module ${streamModule};`,
          `daemon off; master_process off; worker_rlimit_nofile 20000; pid ${folder}/pid; error_log ${folder}/log;`,
          "events { worker_connections 18000; }",
          `stream { server { listen 127.0.0.1:${port} backlog=1024; proxy_pass 127.0.0.1:${serverPort}; proxy_timeout 60s; } }`,
        ];
        writeFileSync(file, `${lines.join("\n")}\n`);
        return start(path, ["-p", folder, "-c", file, "-e", join(folder, "log")]);
      }),
  };
}

async function started(run: (port: number, folder: string) => Promise<Child>): Promise<Relay> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), "dolphin-relay-"));
  const child = await run(port, folder);
  const stop = async (): Promise<void> => {
    await child.stop("SIGTERM", 3000);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await eventually(() => portIsOpen(child, port), { timeoutMs: 5000, what: "the proxy to listen" });
  } catch (thrown) {
    await stop();
    throw new Error(`${child.name} does not start: ${child.output()}`, { cause: thrown });
  }
  return { port, pid: child.pid, stop };
}
