// The foreign RTMP server: nginx with its rtmp module, as origin and as edge of ours, and as the peer of the benches.
// Taken from NGINX_PATH, else from the system, else unpacked from Debian's two packages into .cache/peers without
// installing anything. Where it cannot be had, the tests that need it are skipped with the reason.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run, start, type Child } from "./child.js";
import { peersFolder, unpackDebianPackages } from "./debian.js";
import { handshakeAnswered } from "./rtmp-connection.js";
import { eventually } from "./wait.js";

export interface NginxProgram {
  readonly path: string;
  /** The module to load, or null when it is compiled in. */
  readonly module: string | null;
  readonly version: string;
}

export interface NginxOptions {
  readonly rtmpPort: number;
  /** Directives of the application `live`, for example `pull rtmp://127.0.0.1:1935/live;`. */
  readonly live?: string;
  /** Where its page of statistics is asked for as `/stat`; without it there is none. */
  readonly statPort?: number;
  /** Files that it serves over HTTP. */
  readonly files?: { readonly port: number; readonly folder: string };
}

export interface Nginx {
  readonly pid: number;
  readonly rtmpPort: number;
  readonly logFile: string;
  url(stream: string): string;
  log(): string;
  stop(): Promise<void>;
}

const modulePath = "usr/lib/nginx/modules/ngx_rtmp_module.so";

/** The program, or a sentence that says why there is none. */
export async function findNginx(): Promise<NginxProgram | string> {
  const named = process.env["NGINX_PATH"];
  if (named !== undefined && named !== "") return usable(named, process.env["NGINX_RTMP_MODULE"] ?? null);
  const installed = ["/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx"].find((path) => existsSync(path));
  const installedModule = existsSync(`/${modulePath}`) ? `/${modulePath}` : null;
  if (installed !== undefined) {
    const found = await usable(installed, installedModule);
    if (typeof found !== "string") return found;
  }
  try {
    const isThere = [join(peersFolder, "usr/sbin/nginx"), join(peersFolder, modulePath)].every((path) => existsSync(path));
    if (!isThere) await unpackDebianPackages(["nginx", "libnginx-mod-rtmp"]);
  } catch (thrown) {
    return `nginx with its rtmp module is not to be had: ${thrown instanceof Error ? thrown.message.split("\n")[0] : String(thrown)}`;
  }
  return usable(join(peersFolder, "usr/sbin/nginx"), join(peersFolder, modulePath));
}

/** Starts nginx in the foreground with one process and waits until it answers an RTMP handshake. */
export async function startNginx(program: NginxProgram, options: NginxOptions): Promise<Nginx> {
  const { rtmpPort, live = "", statPort, files } = options;
  const folder = mkdtempSync(join(tmpdir(), "dolphin-nginx-"));
  const logFile = join(folder, "error.log");
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${join(folder, name)};`);
  const statistics = statPort === undefined ? "" : `server { listen 127.0.0.1:${statPort}; location = /stat { rtmp_stat all; } }`;
  const fileServer =
    files === undefined
      ? ""
      : `sendfile on; tcp_nopush on; keepalive_requests 1000000; server { listen 127.0.0.1:${files.port}; root ${files.folder}; }`;
  const text = [
    program.module === null ? "" : `load_module ${program.module};`,
    `daemon off; master_process off; worker_rlimit_nofile 20000; pid ${join(folder, "nginx.pid")}; error_log ${logFile} info;`,
    "events { worker_connections 20000; }",
    `http { access_log off; ${temporary.join(" ")} ${statistics} ${fileServer} }`,
    `rtmp { access_log off; server { listen 127.0.0.1:${rtmpPort}; application live { live on; ${live} } } }`,
  ];
  const configFile = join(folder, "nginx.conf");
  writeFileSync(configFile, `${text.join("\n")}\n`);
  const child = start(program.path, ["-p", folder, "-c", configFile, "-e", logFile]);
  const log = (): string => `${child.output()}\n${existsSync(logFile) ? readFileSync(logFile, "utf8") : ""}`;
  const stop = async (): Promise<void> => {
    await child.stop("SIGTERM", 2000); // TERM closes at once; QUIT would wait for its players
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await eventually(() => serving(child, rtmpPort), { timeoutMs: 5000, what: "nginx to answer a handshake" });
  } catch (thrown) {
    const said = log().trim();
    await stop();
    throw new Error(`nginx does not start: ${said}`, { cause: thrown });
  }
  return { pid: child.pid, rtmpPort, logFile, url: (stream) => `rtmp://127.0.0.1:${rtmpPort}/live/${stream}`, log, stop };
}

async function serving(child: Child, port: number): Promise<boolean> {
  return child.ending === null && (await handshakeAnswered("127.0.0.1", port));
}

/** Checks that it runs with the module at all: a missing shared library shows here. */
async function usable(path: string, module: string | null): Promise<NginxProgram | string> {
  const folder = mkdtempSync(join(tmpdir(), "dolphin-nginx-"));
  const configFile = join(folder, "nginx.conf");
  const load = module === null ? "" : `load_module ${module};`;
  writeFileSync(configFile, `${load} pid ${folder}/pid; error_log ${folder}/log; events {} rtmp { access_log off; }\n`);
  try {
    await run(path, ["-t", "-q", "-p", folder, "-c", configFile, "-e", join(folder, "log")], 5000);
    const version = start(path, ["-v"]);
    await version.ended;
    return { path, module, version: /nginx\/(\S+)/.exec(version.output())?.[1] ?? "unknown" };
  } catch (thrown) {
    return `${path} does not run with an rtmp module: ${thrown instanceof Error ? thrown.message.slice(0, 300) : String(thrown)}`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
