// What tests of a whole server share: servers in this process on free loopback ports, told by configurations as they are written.
import assert from "node:assert/strict";
import type { Config } from "../../../src/conf/meaning/config.js";
import { loadConfig } from "../../../src/conf/load.js";
import { formatProblem } from "../../../src/conf/grammar/problem.js";
import type { Carrier } from "../../../src/ipc/carried.js";
import { nobody } from "../../../src/ipc/identity.js";
import type { Locator } from "../../../src/ipc/locating.js";
import type { StreamReport } from "../../../src/ipc/messages.js";
import { Server } from "../../../src/server/server.js";
import type { Cleanup, LogLine } from "../../helpers/dolphin.js";
import { headers, videoFrame } from "../../helpers/media.js";
import { player, publisher, type RtmpPlayer, type RtmpPublisher } from "../../helpers/rtmp-client.js";
import { memoryLog } from "../proxy/rtmp/rig.js";

/** A server of a test, and how to reach it. */
export interface Rig {
  readonly server: Server;
  readonly lines: LogLine[];
  /** `host:port` of RTMP. */
  readonly address: string;
  /** `s`, or `s?vhost=a` in another vhost than the default one. */
  rtmpUrl(stream: string): string;
  flvUrl(stream: string): string;
  /** Goes by these vhosts from now on. */
  reconfigure(vhosts: string, maxConnections?: number): void;
  stream(name: string): StreamReport | null;
}

/** A configuration with these vhosts. */
export function configOf(vhosts: string, listen = "1935"): Config {
  const text = `listen ${listen}; http_server { enabled on; listen 8080; } ${vhosts}`;
  const { config, problems } = loadConfig({ file: "test.conf", text });
  assert.ok(config, problems.map(formatProblem).join("\n"));
  return config;
}

export interface RigOptions {
  readonly isEdge?: boolean;
  readonly edgeKey?: string;
  /** `host:port` of RTMP; a free one by default. */
  readonly address?: string;
  readonly locator?: Locator;
  readonly carrier?: Carrier;
}

/** A server with these vhosts until the end of the test. */
export async function startServer(t: Cleanup, vhosts: string, options: RigOptions = {}): Promise<Rig> {
  const { log, lines } = memoryLog();
  const { address = "127.0.0.1:0", locator, carrier, ...rest } = options;
  const rtmpPort = Number(address.split(":")[1]);
  const listeners = (
    [
      ["rtmp", rtmpPort],
      ["http", 0],
    ] as const
  ).map(([protocol, at]) => ({
    protocol,
    endpoint: { host: "127.0.0.1", port: at },
    fd: null,
  }));
  const setup = {
    name: "server",
    config: configOf(vhosts),
    listeners,
    isEdge: false,
    edgeKey: "",
    maxConnections: null,
    publishersMove: false,
    identity: nobody,
    ...rest,
  };
  const server = await Server.start(setup, log, { locator: locator ?? null, carrier: carrier ?? null });
  t.after(() => server.close("the test is over"));
  const [rtmp, http] = server.endpoints.map(({ endpoint: { host, port } }) => `${host}:${port}`);
  return {
    server,
    lines,
    address: rtmp ?? "",
    rtmpUrl: (stream) => `rtmp://${rtmp}/live/${stream}`,
    flvUrl: (stream) => `http://${http}/live/${stream.replace(/(?=\?|$)/, ".flv")}`,
    reconfigure: (changed, maxConnections) => server.reconfigure({ config: configOf(changed), maxConnections: maxConnections ?? null }),
    stream: (name) => server.streams().find(({ stream }) => stream === name) ?? null,
  };
}

/** A publisher of numbered pictures, which it sends when it is told to. */
export class Encoder {
  readonly source: RtmpPublisher;
  private next = 0;

  private constructor(source: RtmpPublisher) {
    this.source = source;
  }

  static async open(t: Cleanup, url: string): Promise<Encoder> {
    const source = await publisher(url);
    t.after(() => source.close());
    for (const header of headers("avc", "none")) source.send(header);
    return new Encoder(source);
  }

  /** Sends so many pictures, of which every 25th is a key frame. */
  send(count: number): void {
    for (let i = 0; i < count; i++, this.next++) this.source.send(videoFrame("avc", this.next, this.next * 40));
  }

  /** Sends a picture every 40 ms until the test ends. */
  sendSteadily(t: Cleanup): void {
    const timer = setInterval(() => this.send(1), 40);
    t.after(() => clearInterval(timer));
  }
}

/** A player until the end of the test. */
export async function watch(t: Cleanup, url: string): Promise<RtmpPlayer> {
  const viewer = await player(url);
  t.after(() => viewer.close());
  return viewer;
}
