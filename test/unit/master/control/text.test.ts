import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { BackendState } from "../../../../src/ipc/balance.js";
import type { BoxStatus, ProcessStatus } from "../../../../src/master/control/status.js";
import { explanationText, reloadedText, publishUrl, statusText, welcome } from "../../../../src/master/control/text.js";

const edge: ProcessStatus = {
  name: "edge-1",
  role: "server",
  duty: "edge",
  pid: 4242,
  state: "up",
  restarts: 2,
  lastDeath: { cause: "killed by SIGKILL", secondsAgo: 75 },
  upSeconds: 3700,
  cpuPercent: 12.34,
  memoryBytes: 50 * 2 ** 20,
  lagMs: 1.2,
  connections: 12,
  players: 10,
  publishers: 1,
  mbpsIn: 1.5,
  mbpsOut: 20,
  isStale: false,
};

const box: BoxStatus = {
  version: "0.1.0",
  pid: 4241,
  serverId: "vid-0000000",
  plan: "a",
  workers: 1,
  upSeconds: 90_000,
  controlSocket: "/run/x.sock",
  configFile: null,
  logFile: null,
  carried: { kept: 0, carried: 0, cut: 0, abandoned: 0, refused: 0 },
  uncarried: null,
  programs: [],
  endpoints: [
    { protocol: "rtmp", endpoint: { host: "127.0.0.1", port: 1935 } },
    { protocol: "http", endpoint: { host: "::1", port: 8080 } },
  ],
  processes: [edge, { ...edge, name: "edge-2", pid: null, state: "failed", upSeconds: null, cpuPercent: null, memoryBytes: null }],
  streams: [
    {
      vhost: "__defaultVhost__",
      app: "live",
      stream: "a\u001b[2Jb\u202ec\n",
      state: "publish",
      source: { process: "edge-1", peer: "192.0.2.7:61000" },
      players: 10,
      playersOf: { "edge-1": 10 },
      edges: 1,
      pulledBy: ["edge-1"],
      video: "h264",
      audio: "aac",
      bytesIn: 1,
      bytesOut: 0,
      publisherId: "",
      tcUrl: "",
      sinceMs: null,
      videoFrames: 0,
      audioFrames: 0,
      keyFrameMs: null,
      videoDetails: null,
      audioDetails: null,
    },
  ],
};

const how = { command: "/opt/dolphin/bin/dolphin.js", stop: "Ctrl-C, or kill 4241" };

describe("text for a terminal", () => {
  it("shows processes and streams in aligned columns", () => {
    const lines = statusText(box).split("\n");
    assert.equal(lines[0], "dolphin 0.1.0, pid 4241, plan a, up 1d1h, serving rtmp 127.0.0.1:1935, http [::1]:8080");
    const [head = "", first = "", second = ""] = lines.slice(2, 5);
    for (const title of ["ROLE", "STATE", "LAST DEATH"]) assert.notEqual(head.indexOf(title), -1);
    assert.equal(first.indexOf("up"), head.indexOf("STATE"));
    assert.equal(second.indexOf("failed"), head.indexOf("STATE"));
    assert.match(first, /^edge-1 .*4242 .*1h1m .*12\.3 .*50M .*20\.00 .*killed by SIGKILL, 1m15s ago$/);
  });

  it("lets no control character of a stream's name reach the terminal", () => {
    const text = statusText(box);
    assert.doesNotMatch(text.replaceAll("\n", ""), /[\p{Cc}\u202e]/u);
    assert.match(text, /live\/a\\u\{1b\}\[2Jb\\u\{202e\}c\\u\{a\}/);
  });

  it("says so when there are no streams", () => assert.match(statusText({ ...box, streams: [] }), /\nno streams\n$/));

  it("says so when connections end with their process, and why", () => {
    const text = statusText({ ...box, carried: null, uncarried: "carry_sessions is off" });
    assert.match(text, /\nviewers end with the process that serves them: carry_sessions is off\n$/);
  });

  it("marks a process that did not answer", () => {
    assert.match(statusText({ ...box, processes: [{ ...edge, isStale: true }] }), /up, silent/);
  });

  it("welcomes with commands that publish and watch, leaving out the default port", () => {
    const text = welcome(box, how);
    assert.match(text, /ffmpeg -re -i FILE -c copy -f flv rtmp:\/\/127\.0\.0\.1\/live\/livestream\n/);
    assert.match(text, /http:\/\/\[::1\]:8080\/live\/livestream\.flv\n/);
    assert.match(text, /1 edge around one origin/);
    assert.match(text, /^ {11}\/opt\/dolphin\/bin\/dolphin\.js publish --demo$/m);
    assert.match(
      text,
      /^ {2}look {5}\/opt\/dolphin\/bin\/dolphin\.js status\n {2}stop {5}Ctrl-C, or kill 4241; once more to stop at once$/m,
    );
  });

  it("tells where this machine publishes: at the loopback where a box listens on every address, and by SRS's port where none is known", () => {
    const listening = (host: string, port: number): BoxStatus => ({ ...box, endpoints: [{ protocol: "rtmp", endpoint: { host, port } }] });
    assert.equal(publishUrl(listening("0.0.0.0", 1936)), "rtmp://127.0.0.1:1936/live/livestream");
    assert.equal(publishUrl(listening("::", 1935)), "rtmp://127.0.0.1/live/livestream");
    assert.equal(publishUrl(listening("::1", 1935)), "rtmp://[::1]/live/livestream");
    assert.equal(publishUrl(null), "rtmp://127.0.0.1/live/livestream");
  });
});

const state: BackendState = {
  name: "server-1",
  rtmp: { host: "127.0.0.1", port: 1936 },
  http: null,
  api: { endpoint: { host: "127.0.0.1", port: 1988 }, isPublic: false },
  isUp: true,
  isDraining: false,
  upSinceMs: 0,
  weight: 1,
  maxConnections: null,
  connections: 3,
  bytesPerSecond: 125_000,
};

describe("text of plan b", () => {
  it("shows the servers, and which stream is published where", () => {
    const lease = { key: "v/live/s\u001b", backend: "server-1", proxy: "proxy-2", sinceMs: Date.now() - 65_000 };
    const second = { ...state, name: "server-2", isUp: false, isDraining: true, maxConnections: 100 };
    const text = statusText({
      ...box,
      balance: { policy: "least", routing: "stream", software: "srs 7.0.18", servers: [state, second], carried: [], leases: [lease] },
    });
    assert.match(text, /2 servers \(srs 7\.0\.18\), least, routing by stream/);
    assert.match(text, /server-1 +127\.0\.0\.1:1936 +- +127\.0\.0\.1:1988 +up +1 +3 +1\.00/);
    assert.match(text, /server-2 .* down, draining +1 +3\/100/);
    assert.match(text, /v\/live\/s\\u\{1b\} +server-1 +proxy-2 +1m5s/);
  });

  const balance = { policy: "fill", routing: "stream", software: "builtin", servers: [state], carried: [], leases: [] } as const;
  const lease = { key: "v/live/s", backend: "server-1", proxy: "proxy-2", sinceMs: Date.now() };
  const server = { ...edge, name: "server-1", duty: "server", players: 0, publishers: 0 } as const;

  it("says so when nobody publishes", () => {
    assert.match(statusText({ ...box, balance }), /^1 server \(builtin\), [^]*\nno publishers\n$/m);
  });

  it("claims nothing of the streams and viewers of servers that do not tell", () => {
    const foreign = { ...box, streams: [], processes: [server], balance: { ...balance, software: "srs 7.0.18", leases: [lease] } };
    assert.match(statusText(foreign), /\nserver-1 .* - +- +- +1\.50 +20\.00 /);
    assert.doesNotMatch(statusText(foreign), /no streams|no publishers/);
    const byConnection = { ...foreign, balance: { ...foreign.balance, routing: "connection", leases: [] } as const };
    assert.match(statusText(byConnection), /\nthe servers alone know their streams: the proxies do not look into connections\n$/);
    assert.doesNotMatch(statusText(byConnection), /no streams|no publishers/);
  });

  it("claims nothing of publishers where the proxies do not look, and our own servers tell", () => {
    const text = statusText({ ...box, processes: [server], balance: { ...balance, routing: "connection" } });
    assert.match(text, /\nserver-1 .* 1ms +0 +0 /);
    assert.doesNotMatch(text, /no publishers/);
  });

  it("counts no players at proxies", () => {
    const text = statusText({ ...box, processes: [{ ...edge, name: "proxy-1", role: "proxy", duty: "proxy" }], balance });
    assert.match(text, /\nproxy-1 .* 1ms +- +- +1\.50 /);
  });

  it("explains with the decision, its reason and every server", () => {
    const text = explanationText({
      key: "v/live/s",
      policy: "least",
      routing: "stream",
      lease: null,
      servers: [state, { ...state, name: "server-2" }, { ...state, name: "server-3", isUp: false }],
      candidates: ["server-1", "server-2"],
      decision: "server-2",
      why: "because",
    });
    assert.match(text, /^v\/live\/s → server-2: because \(least, routing by stream\)$/m);
    assert.match(text, /^candidate +server-1/m);
    assert.match(text, /^\* +server-2/m);
    assert.match(text, /^- +server-3/m);
  });

  it("welcomes with the proxies", () => {
    assert.match(welcome({ ...box, plan: "b", workers: 2 }, how), /is live: 2 proxies before the servers/);
  });
});

describe("what came of a reload", () => {
  it("is told with what goes on as it did, and with what is wrong", () => {
    const text = reloadedText({ outcome: "unchanged", changes: [], notes: ["a note"], problems: ["a.conf:1:1: CONF_RENAMED: a warning"] });
    assert.equal(text, "nothing to do: the configuration says what is in force already\n  a note\n  a.conf:1:1: CONF_RENAMED: a warning\n");
  });
});
