// What a site's backend is told of what is written: on_hls and on_hls_notify for a segment, on_dvr for a recording, in SRS's words. Told
// before a list names the segment, in the order of a stream; nobody waits for an answer.
import { dirname, posix } from "node:path";
import type { WatchedStream } from "../codec/rtmp/watch.js";
import type { Vhost } from "../conf/meaning/config.js";
import type { Visitor } from "../hooks/bodies.js";
import type { Hooks } from "../hooks/hooks.js";
import type { Identity } from "../ipc/identity.js";
import type { FinishedRecording } from "./dvr/dvr-state.js";
import type { FinishedSegment } from "./hls/hls-output.js";

/** How long a URL of on_hls_notify may take. */
const notifyTimeoutMs = 10_000;

/** Tells of one stream. */
export class Teller {
  private readonly hooks: Hooks;
  private readonly identity: Identity;
  private readonly vhost: Vhost;
  private readonly visitor: Visitor;

  constructor(hooks: Hooks, identity: Identity, vhost: Vhost, [vhostName, app, stream, id, ip, params, tcUrl]: WatchedStream) {
    this.hooks = hooks;
    this.identity = identity;
    this.vhost = vhost;
    const conn = id === "" ? `${vhostName}/${app}/${stream}` : id;
    this.visitor = { conn, id, ip, vhost: vhostName, app, stream, params, tcUrl, pageUrl: "" };
  }

  segment({ path, listPath, durationMs, sequence, uri }: FinishedSegment): void {
    const { hooks, hls } = this.vhost;
    const root = hls?.path ?? "";
    const url = posix.relative(root, path);
    if (hooks.on_hls.length > 0) {
      const files = { cwd: process.cwd(), file: path, url, m3u8: listPath, m3u8_url: posix.relative(root, listPath) };
      this.hooks.notify("on_hls", hooks.on_hls, this.visitor, { duration: durationMs / 1000, ...files, seq_no: sequence });
    }
    const told = `${hls?.entryPrefix ?? ""}${uri}`;
    const segmentUrl = /^https?:\/\//.test(told) ? told : posix.join(dirname(url), posix.basename(uri));
    const urls = hooks.on_hls_notify.map((template) => (segmentUrl === told ? told : this.fill(template, segmentUrl)));
    const limits = { readsBytes: hls?.notifyBytes ?? 0, timeoutMs: notifyTimeoutMs };
    if (urls.length > 0) this.hooks.visit(this.visitor.conn, urls, limits);
  }

  recording({ path, durationMs, sizeBytes, startedAtMs }: FinishedRecording): void {
    const { on_dvr: urls } = this.vhost.hooks;
    if (urls.length === 0) return;
    const more = { duration: durationMs / 1000, size: sizeBytes, start_time: startedAtMs / 1000 };
    this.hooks.notify("on_dvr", urls, this.visitor, { cwd: process.cwd(), file: path, ...more });
  }

  private fill(template: string, segmentUrl: string): string {
    const { app, stream, params } = this.visitor;
    const values: Readonly<Record<string, string>> = {
      "[server_id]": this.identity.serverId,
      "[service_id]": this.identity.serviceId,
      "[app]": app,
      "[stream]": stream,
      "[ts_url]": segmentUrl,
      "[param]": params,
    };
    return template.replaceAll(/\[(?:server_id|service_id|app|stream|ts_url|param)\]/g, (place) => values[place] ?? place);
  }
}
