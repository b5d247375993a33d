// The servers that are compared, each started for one measurement and stopped after it.
import { Cleanups } from "../test/helpers/cleanups.js";
import { Dolphin, type DolphinOptions } from "../test/helpers/dolphin.js";
import { startNginx, type NginxProgram } from "../test/helpers/nginx.js";
import { freePort } from "../test/helpers/ports.js";

/** A server under load: where to publish, where to watch, and the process whose CPU counts. */
export interface Serving {
  readonly rtmpPort: number;
  /** 0 where there is no HTTP-FLV. */
  readonly httpPort: number;
  readonly pid: number;
  stop(): Promise<void>;
}

/** A box with one edge: publishers and players are on that edge, and it is the process that is measured. */
export function serveEdge(): Promise<Serving> {
  return serve({ cores: 1, args: ["--plan", "a"] }, "edge-1");
}

/** The same, and its viewers end with it. */
export function serveEdgeAlone(): Promise<Serving> {
  return serve({ cores: 1, args: ["--plan", "a"], env: { SRS_DOLPHIN_CARRY_SESSIONS: "off" } }, "edge-1");
}

/** One stand-alone server process, without an origin behind it. */
export function serveSingle(): Promise<Serving> {
  return serve({ cores: 1, args: ["--plan", "single"] }, "server");
}

export async function serveNginx(program: NginxProgram): Promise<Serving> {
  const nginx = await startNginx(program, { rtmpPort: await freePort() });
  return { rtmpPort: nginx.rtmpPort, httpPort: 0, pid: nginx.pid, stop: () => nginx.stop() };
}

async function serve(options: DolphinOptions, name: string): Promise<Serving> {
  const cleanups = new Cleanups();
  const dolphin = await Dolphin.start(cleanups, options);
  const pid = dolphin.pids[name];
  if (pid === undefined) throw new Error(`there is no process ${name}, but ${Object.keys(dolphin.pids).join(", ")}`);
  return { rtmpPort: dolphin.rtmpPort, httpPort: dolphin.httpPort, pid, stop: () => cleanups.stopAll() };
}
