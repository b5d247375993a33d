// What is measured, each started for one measurement and stopped after it: boxes of dolphin in the shapes that the rows name, and
// nginx-rtmp with one worker.
import { startNginx, type NginxProgram } from "../../test/helpers/nginx.js";
import { freePort } from "../../test/helpers/ports.js";
import type { Tree } from "../meter/process-tree.js";
import { Box, type Shape } from "./box.js";
import type { Build } from "./build.js";

/** A server under load: where to publish and where to watch, and the processes that it is measured by. */
export interface Serving {
  readonly rtmpPort: number;
  /** 0 where there is no HTTP-FLV. */
  readonly httpPort: number;
  /** Where it is asked about itself over HTTP; 0 where that is nobody's concern. */
  readonly askPort: number;
  readonly tree: Tree;
  /** Null of a peer. */
  readonly box: Box | null;
  stop(): Promise<void>;
}

/** One stand-alone server process and its master. */
export const single: Shape = { args: ["--plan", "single", "--cores", "1"] };

/** A master with the origin in it, and edges; who publishes at an edge goes on at the origin. */
export function planA(edges: number): Shape {
  return { args: ["--plan", "a", "--cores", String(edges)] };
}

/** The same shape, but viewers end with the process that serves them. */
export function withoutCarrying({ args, env }: Shape): Shape {
  return { args, env: { ...env, SRS_DOLPHIN_CARRY_SESSIONS: "off" } };
}

/** A box of which everything counts. */
export async function serveBox(build: Build, shape: Shape): Promise<Serving> {
  const box = await Box.start(build, shape);
  const { rtmpPort, httpPort } = box;
  return { rtmpPort, httpPort, askPort: 0, box, tree: { roots: [box.pidOf("master")], except: [] }, stop: () => box.stop() };
}

/** The same, and its API on a port of this measurement's own. */
export async function serveAskedBox(build: Build, { args, env }: Shape): Promise<Serving> {
  const askPort = await freePort();
  const serving = await serveBox(build, { args: [...args, "--api", `127.0.0.1:${askPort}`], ...(env === undefined ? {} : { env }) });
  return { ...serving, askPort };
}

/** With its page of statistics at `askPort`; `live`: directives of its application. */
export async function serveNginx(program: NginxProgram, live = ""): Promise<Serving> {
  const [rtmpPort, statPort] = [await freePort(), await freePort()];
  const nginx = await startNginx(program, { rtmpPort, statPort, live });
  const tree = { roots: [nginx.pid], except: [] };
  return { rtmpPort, httpPort: 0, askPort: statPort, box: null, tree, stop: () => nginx.stop() };
}

/** A web server of files. */
export async function serveNginxFiles(program: NginxProgram, folder: string): Promise<Serving> {
  const [rtmpPort, httpPort] = [await freePort(), await freePort()];
  const nginx = await startNginx(program, { rtmpPort, files: { port: httpPort, folder } });
  const tree = { roots: [nginx.pid], except: [] };
  return { rtmpPort, httpPort, askPort: 0, box: null, tree, stop: () => nginx.stop() };
}
