// What the tests of plan b share: configurations, a stream that runs, where it is published, and what a fault leaves in the log.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "./child.js";
import { Dolphin, type Cleanup, type DolphinOptions, type LogLine } from "./dolphin.js";
import { temporaryFolder } from "./launch.js";
import type { NginxProgram } from "./nginx.js";
import { player, type RtmpPlayer, type RtmpPublisher } from "./rtmp-client.js";
import { steadyPublisher } from "./show.js";

/** What a server or a proxy leaves in the log when it is killed: its own end, and those of its connections. */
export function provoked(line: LogLine): boolean {
  return ["child.exited", "child.hung", "server.silent"].includes(line.event ?? "") || line.code?.startsWith("PROXY_") === true;
}

/** A publisher that sends until it is closed, and one player of it. */
export async function publishAndPlay(t: Cleanup, dolphin: Dolphin, name: string): Promise<{ source: RtmpPublisher; viewer: RtmpPlayer }> {
  const source = await steadyPublisher(t, dolphin, name);
  const viewer = await player(dolphin.rtmpUrl(name));
  t.after(() => viewer.close());
  return { source, viewer };
}

/** The server that a stream is published to. */
export async function ownerOf(dolphin: Dolphin, name: string): Promise<string> {
  const { balance } = await dolphin.status();
  return balance?.leases.find(({ key }) => key.endsWith(`/${name}`))?.backend ?? "nowhere";
}

/** A configuration that an srs could have. */
export const srsConf = `listen 1935; daemon off; srs_log_tank console; pid ./objs/srs.pid;
http_server { enabled on; listen 8080; }
vhost __defaultVhost__ { http_remux { enabled on; mount [vhost]/[app]/[stream].flv; } }
`;

export const fakeSrs = join(projectRoot, "test/fixtures/fake-srs.js");
export const oddServer = join(projectRoot, "test/fixtures/odd-server.js");

/** A box of two cores with the configuration of an srs. */
export function startLikeSrs(t: Cleanup, options: DolphinOptions): Promise<Dolphin> {
  return Dolphin.start(t, { conf: srsConf, ...options });
}

/** conf/nginx.planb.conf and its template, for the nginx at hand. */
export function nginxConf(t: Cleanup, { path, module }: NginxProgram): string {
  const [conf = "", template = ""] = ["conf", "template"].map((end) => readFileSync(join(projectRoot, `conf/nginx.planb.${end}`), "utf8"));
  const file = join(temporaryFolder(t), "template");
  writeFileSync(file, template.replace(/^load_module .*$/m, module === null ? "" : `load_module ${module};`));
  return conf.replace("/usr/sbin/nginx", path).replace("conf/nginx.planb.template", file);
}

/** The ports of the servers, in the order of their slots. */
export async function portsOf(dolphin: Dolphin): Promise<number[]> {
  return (await dolphin.status()).balance?.servers.map(({ rtmp }) => rtmp.port) ?? [];
}
