import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { render } from "../../../../src/admin/metrics/exposition.js";
import { boxFamilies } from "../../../../src/admin/metrics/families.js";
import { srsFamilies } from "../../../../src/admin/metrics/srs.js";
import type { BoxFacts } from "../../../../src/ipc/box.js";
import { noTally, type Present } from "../../../../src/ipc/tally.js";
import { noStats, type ServerStats } from "../../../../src/ipc/messages.js";
import { Sums } from "../../../../src/master/control/sums.js";

const present = (streams: number): Present => {
  const none = { up: 0, down: 0 };
  return {
    streams,
    pulls: { up: 1, down: 2 },
    pushes: none,
    forwards: none,
    lost: [],
    flvPlayers: 1,
    wsPlayers: 1,
    behind: { players: 1, bytes: 500 },
  };
};
const statsOf = (streams: number): ServerStats => ({
  ...noStats,
  present: present(streams),
  tally: { ...noTally(), plays: 4, ends: { none: 7, RTMP_SLOW: 2 }, upstreamFailures: { "192.0.2.1:1935 RELAY_CONNECT": 3 } },
});
const row = (name: string, duty: string, players: number): BoxFacts["processes"][number] => ({
  name,
  role: "server",
  duty,
  pid: 10,
  state: "up",
  restarts: 0,
  lastDeath: null,
  upSeconds: 1,
  lagMs: 0,
  connections: 5,
  players,
  publishers: 1,
  mbpsIn: 0,
  mbpsOut: 0,
});

function factsOf(): BoxFacts {
  const sums = new Sums();
  sums.heard("master", statsOf(3), 0);
  sums.heard("edge-1", statsOf(3), 0);
  sums.heard("edge-1.2", statsOf(2), 0);
  return {
    version: "1.2.3",
    pid: 1,
    ppid: 0,
    argv: "",
    script: "",
    cwd: "/",
    plan: "a",
    serverId: 'vid-"x"',
    serviceId: "s",
    upSeconds: 10,
    processes: [row("master", "origin", 0), row("edge-1", "edge", 5), row("edge-1.2", "edge", 2)],
    bytesIn: 11,
    bytesOut: 12,
    carried: { kept: 3, carried: 2, cut: 1 },
    hooks: [{ action: "on_play", url: "http://a/b", calls: 2, failures: 1, refusals: 0, dropped: 0, latencies: [2], latencySumMs: 500 }],
    counts: sums.counts(1000),
  };
}

describe("metrics of a box", () => {
  const text = render(boxFamilies(factsOf(), new Map([[10, 4096]]), 100_000), "text");
  const valueOf = (series: string): string | undefined =>
    text
      .split("\n")
      .find((line) => line.startsWith(`${series} `))
      ?.slice(series.length + 1);

  it("have one row for a process and the one that takes its place", () => {
    assert.equal(valueOf('dolphin_players{process="edge-1",protocol="rtmp"}'), "3");
    assert.equal(valueOf('dolphin_players{process="edge-1",protocol="ws-flv"}'), "2");
    assert.equal(valueOf('dolphin_plays_total{process="edge-1"}'), "8");
    assert.equal(valueOf('dolphin_relays{process="edge-1",kind="pull",state="down"}'), "4");
    assert.doesNotMatch(text, /edge-1\.2/);
  });

  it("tell who does not keep up and what waits for them, and which upstream fails", () => {
    assert.equal(valueOf('dolphin_players_behind{process="edge-1"}'), "2");
    assert.equal(valueOf('dolphin_players_behind_bytes{process="edge-1"}'), "1000");
    assert.equal(valueOf('dolphin_upstream_failures_total{process="edge-1",upstream="192.0.2.1:1935",code="RELAY_CONNECT"}'), "6");
  });

  it("count a stream once, which every edge has too", () => {
    assert.equal(valueOf("dolphin_streams"), "3");
  });

  it("tell ends by their code, what was carried, hooks and the age of reports", () => {
    assert.equal(valueOf('dolphin_connections_ended_total{process="master",code="RTMP_SLOW"}'), "2");
    assert.equal(valueOf('dolphin_carried_connections_total{outcome="cut"}'), "1");
    assert.equal(valueOf('dolphin_hook_duration_seconds_sum{hook="on_play",url="http://a/b"}'), "0.5");
    assert.equal(valueOf('dolphin_process_report_age_seconds{process="master"}'), "1");
    assert.equal(valueOf("dolphin_start_time_seconds"), "90");
  });

  it("have each series once and each family in one piece", () => {
    const series = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    const names = series.map((line) => line.slice(0, line.lastIndexOf(" ")));
    assert.equal(new Set(names).size, names.length);
    const types = text.match(/^# TYPE \S+/gm) ?? [];
    assert.equal(new Set(types).size, types.length);
  });
});

describe("metrics of SRS's names", () => {
  it("are the ten, each once, with its units", () => {
    const text = render(srsFamilies(factsOf(), { listen: [], label: "cn", tag: 'a"b' }, { cpu: 0.5, memoryBytes: 2048 }), "text");
    const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    assert.deepEqual(
      lines.map((line) => /^\w+/.exec(line)?.[0]),
      "srs_node_uname_info srs_build_info srs_cpu_percent srs_memory srs_send_bytes_total srs_receive_bytes_total srs_streams srs_clients srs_clients_total srs_clients_errs_total".split(
        " ",
      ),
    );
    assert.match(text, /^srs_build_info\{.*label="cn",tag="a\\"b"\} 1$/m);
    assert.match(text, /^srs_cpu_percent 50$/m);
    assert.match(text, /^srs_memory 2$/m);
    assert.match(text, /^srs_clients 10$/m);
    assert.match(text, /^srs_clients_total 12$/m);
    assert.match(text, /^srs_clients_errs_total 6$/m);
  });
});
