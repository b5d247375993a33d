// The console over a box that is made up: as many streams and clients as a test likes, and names that nobody should have.
import { createServer, type Server } from "node:http";
import type { AdminContext } from "../../src/admin/box/context.js";
import { Site } from "../../src/admin/site/site.js";
import { loadConfig } from "../../src/conf/load.js";
import type { BoxFacts } from "../../src/ipc/box.js";
import type { BoxClient, ProgramReport, RecordingReport } from "../../src/ipc/lists.js";
import type { StreamStatus } from "../../src/ipc/streams.js";
import type { Cleanup } from "./dolphin.js";

export const hostileName = '<img src=x onerror="document.title=1">"\'&amp;\u202e';

/** Serves the console below a prefix, which the pages must not know; resolves to its address. */
export async function serveConsole(t: Cleanup, clients: number, prefix = ""): Promise<string> {
  const { config } = loadConfig({
    file: "f",
    text: "listen 1935; max_connections 12000; http_server { enabled on; listen 8080; } vhost a.example.com { cluster { mode remote; origin b.example.com; } } vhost __defaultVhost__ { cluster { origin_cluster on; coworkers 10.0.0.2:1985; } http_remux { enabled on; mount [vhost]/[app]/[stream].flv; } hls { enabled on; } dvr { enabled on; } transcode { enabled on; ffmpeg ./ffmpeg; engine sd { enabled on; output rtmp://127.0.0.1/[app]/[stream]_sd; } } }",
  });
  const list = Array.from({ length: clients }, (_, i) => clientOf(i));
  const view = {
    facts: () => Promise.resolve(facts(clients)),
    streams: () => Promise.resolve([streamOf("livestream", clients), streamOf(hostileName, 0)]),
    clients: () => Promise.resolve(list),
    recordings: () => Promise.resolve([recordingOf("livestream", "recording"), recordingOf(hostileName, "finished")]),
    programs: () => Promise.resolve([programOf("livestream", 77), programOf(hostileName, null)]),
    rates: () => ({ recv: 640, send: 640 }),
  };
  const explained = {
    why: `published at master, not ${hostileName}`,
    processes: [{ name: "edge-1", how: "pulls it from the origin", players: 1 }],
  };
  const control = { ask: () => Promise.resolve({ status: 200, body: explained }) };
  const site = new Site({ view, control, config: () => config } as unknown as AdminContext, null);
  const server: Server = createServer((request, response) => {
    const url = new URL((request.url ?? "/").slice(prefix.length) || "/", "http://host");
    request.url = url.pathname + url.search;
    const exchange = {
      request,
      response,
      address: "127.0.0.1",
      isAmongViewers: false,
      query: url.searchParams,
      isOpen: false,
      callback: null,
    };
    const [, asked] = /^\/api\/v1\/dolphin\/(cluster.*)$/.exec(url.pathname) ?? [];
    if (asked !== undefined)
      response.end(JSON.stringify({ code: 0, data: asked === "cluster" ? boxes : asked === "cluster/streams" ? siteStreams : told }));
    else if (!(request.url.startsWith("/") && url.pathname.startsWith("/console/data/"))) {
      if (!site.answer(exchange, url.pathname)) response.writeHead(404).end();
    } else void site.answerData(exchange, url.pathname);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    site.close();
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as { port: number }).port}${prefix}`;
}

function facts(players: number): BoxFacts {
  const process = {
    role: "server",
    restarts: 0,
    lastDeath: null,
    upSeconds: 4000,
    lagMs: 3,
    connections: players,
    players,
    publishers: 1,
    mbpsIn: 1,
    mbpsOut: 90,
  };
  return {
    counts: [],
    version: "0.1.0",
    pid: 1,
    ppid: 0,
    argv: "",
    script: "",
    cwd: "/",
    plan: "a",
    serverId: "vid-1",
    serviceId: "s",
    upSeconds: 4000,
    bytesIn: 0,
    bytesOut: 0,
    hooks: [
      {
        action: "on_play",
        url: "http://127.0.0.1:8085/play",
        calls: 10,
        failures: 1,
        refusals: 2,
        dropped: 0,
        latencies: [],
        latencySumMs: 200,
      },
    ],
    carried: { kept: players, carried: 3, cut: 0 },
    coworkers: [{ server: "10.0.0.2:1985", state: "down" }],
    registry: {
      address: "redis://redis.example:6379",
      node: "10.0.0.1:1935",
      isStrict: true,
      isConnected: false,
      heardMs: 70_000,
      nodes: 3,
      held: 1,
      unconfirmed: 1,
      standby: 0,
      claims: 4,
      conflicts: 1,
      lookups: 9,
    },
    processes: [
      { ...process, name: "master", duty: "origin", pid: null, state: "up", players: 0 },
      { ...process, name: "edge-1", duty: "edge", pid: null, state: "up" },
      {
        ...process,
        name: "edge-2",
        duty: "edge",
        pid: null,
        state: "waiting",
        players: 0,
        connections: 0,
        lastDeath: { cause: "SIGKILL", secondsAgo: 5 },
      },
    ],
  };
}

/** What the API tells of the site: see src/ipc. */
const head = { zone: "east", age_ms: 900, problem: null };
const box = {
  epoch: "e",
  zone: "east",
  version: "0.1.0",
  state: "ready",
  load: 0.3,
  clients: 1200,
  streams: 2,
  replicas: 1,
  standby: 0,
  heardMs: 800,
};
const boxes = {
  ...head,
  total: 3,
  nodes: [
    { ...box, id: "10.0.0.1:1935", isThis: true },
    { ...box, id: "10.0.0.2:1935", isThis: false, state: "draining", load: 0.95, zone: "west" },
    { ...box, id: "10.0.0.3:1935", isThis: false, state: "lost", load: null, heardMs: 95_000 },
  ],
};
const siteStream = {
  key: "__defaultVhost__/live/livestream",
  owner: "10.0.0.1:1935",
  fence: 7,
  sinceMs: Date.now() - 60_000,
  lostWith: null,
};
const siteStreams = {
  ...head,
  total: 2,
  streams: [
    { ...siteStream, replicas: [{ node: "10.0.0.2:1935", from: "10.0.0.1:1935" }], standby: [] },
    {
      ...siteStream,
      key: `__defaultVhost__/live/${hostileName}`,
      owner: null,
      sinceMs: null,
      lostWith: "10.0.0.3:1935",
      replicas: [],
      standby: ["10.0.0.2:1935"],
    },
  ],
};
const told = { sentences: [`${hostileName} came in at 10.0.0.1:1935 in east 60 s ago, with the fence 7`] };

function recordingOf(stream: string, state: RecordingReport["state"]): RecordingReport {
  const name = { vhost: "__defaultVhost__", app: "live", stream };
  return {
    ...name,
    path: `./objs/nginx/html/live/${stream}.mp4`,
    state,
    startedAtMs: Date.now() - 60_000,
    durationMs: 60_000,
    sizeBytes: 9 << 20,
  };
}

function programOf(stream: string, pid: number | null): ProgramReport {
  return {
    vhost: "__defaultVhost__",
    app: "live",
    stream,
    kind: "transcode",
    name: "sd",
    input: `rtmp://127.0.0.1:1935/live/${stream}`,
    output: `rtmp://127.0.0.1:1935/live/${stream}_sd`,
    argv: ["/usr/bin/ffmpeg", "-i", `rtmp://127.0.0.1:1935/live/${stream}`, "-y", "rtmp://…@far.example/live2/…"],
    pid,
    sinceMs: pid === null ? null : Date.now() - 60_000,
    restarts: pid === null ? 4 : 0,
    lastEnd: pid === null ? "exit 1" : "",
    lastLine: pid === null ? `rtmp://far.example/live2/… Broken pipe ${hostileName}` : "frame= 1500 fps=25",
  };
}

function clientOf(i: number): BoxClient {
  const ip = `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`;
  const more = {
    vhost: "__defaultVhost__",
    app: "live",
    stream: i === 7 ? hostileName : "livestream",
    tcUrl: "",
    swfUrl: "",
    name: "livestream",
  };
  return {
    ...more,
    id: `client-${i}`,
    type: "flv-play",
    ip,
    pageUrl: i === 7 ? "javascript:alert(1)" : "",
    sinceMs: Date.now() - 1000 * i,
    bytesIn: 0,
    bytesOut: 1000 * i,
    process: "edge-1",
  };
}

function streamOf(stream: string, players: number): StreamStatus {
  return {
    vhost: "__defaultVhost__",
    app: "live",
    stream,
    state: "publish",
    source: { process: "master", peer: "192.0.2.7:50000" },
    players,
    playersOf: players > 0 ? { "edge-1": players } : {},
    edges: 1,
    pulledBy: ["edge-1"],
    video: "H.264",
    audio: "AAC",
    bytesIn: 1000,
    bytesOut: 1000,
    publisherId: "pub",
    tcUrl: "",
    sinceMs: Date.now() - 60_000,
    videoFrames: 1500,
    audioFrames: 2000,
    keyFrameMs: 2000,
    videoDetails: { profile: "High", level: "4", width: 1280, height: 720 },
    audioDetails: { profile: "LC", sampleRate: 44_100, channels: 2 },
  };
}
