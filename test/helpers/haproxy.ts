// HAProxy, the peer of PlanB's benches. Taken from HAPROXY_PATH, else from the system, else unpacked from Debian's package
// and the two libraries that it needs into .cache/peers without installing anything; nginx's stream module comes the same way.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { start } from "./child.js";
import { peersFolder, unpackDebianPackages } from "./debian.js";

export interface HaproxyProgram {
  readonly path: string;
  /** Where its libraries were unpacked; null when they are installed. */
  readonly libraries: string | null;
  readonly version: string;
}

const streamModule = "usr/lib/nginx/modules/ngx_stream_module.so";

/** The program, or a sentence that says why there is none. */
export async function findHaproxy(): Promise<HaproxyProgram | string> {
  const named = process.env["HAPROXY_PATH"];
  if (named !== undefined && named !== "") return usable(named, null);
  const installed = ["/usr/sbin/haproxy", "/usr/local/sbin/haproxy"].find((path) => existsSync(path));
  if (installed !== undefined) return usable(installed, null);
  const path = join(peersFolder, "usr/sbin/haproxy");
  try {
    if (!existsSync(path)) await unpackDebianPackages(["haproxy", "liblua5.3-0", "libopentracing-c-wrapper0", "libopentracing1"]);
  } catch (thrown) {
    return `haproxy is not to be had: ${thrown instanceof Error ? thrown.message.split("\n")[0] : String(thrown)}`;
  }
  const folder = join(peersFolder, "usr/lib");
  return usable(path, readdirSync(folder).find((name) => name.endsWith("-linux-gnu")) ?? null);
}

/** The file of nginx's stream module: null when nginx has it compiled in or nobody has it. */
export async function findNginxStreamModule(): Promise<string | null> {
  const paths = [`/${streamModule}`, join(peersFolder, streamModule)];
  try {
    if (!paths.some((path) => existsSync(path))) await unpackDebianPackages(["libnginx-mod-stream"]);
  } catch {
    return null; // nginx says it itself when it cannot proxy streams
  }
  return paths.find((path) => existsSync(path)) ?? null;
}

async function usable(path: string, librariesName: string | null): Promise<HaproxyProgram | string> {
  const libraries = librariesName === null ? null : join(peersFolder, "usr/lib", librariesName);
  const child = start(path, ["-v"], libraries === null ? {} : { env: { LD_LIBRARY_PATH: libraries } });
  const { code } = await child.ended;
  if (code !== 0) return `${path} does not run: ${child.output().slice(0, 300)}`;
  return { path, libraries, version: /version (\d+\.\d+\.\d+)/i.exec(child.output())?.[1] ?? "unknown" };
}
