// SRS's HTTP API over a box of several processes: what a client of SRS's finds, it finds here. Samples are those of an SRS 7.0.18, with what
// later versions added.
import assert from "node:assert/strict";
import { test } from "node:test";
import { askApi, clientsOf, shapeOf } from "../helpers/api.js";
import { playerAt, steadyPublisherAt } from "../helpers/edges.js";
import { flvAt } from "../helpers/audience.js";
import { Dolphin } from "../helpers/dolphin.js";
import { promptConf } from "../helpers/bystanders.js";
import { eventually } from "../helpers/wait.js";
import { player } from "../helpers/rtmp-client.js";

const kbps = { recv_30s: 0, send_30s: 0 };
const envelope = { code: 0, server: "vid-test001", service: "x3if1888", pid: "18122" };

/** What SRS answers; numbers stand for numbers and words for words. Members that it does not know are left out of the comparison. */
const samples: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  "/versions": { ...envelope, data: { major: 7, minor: 0, revision: 18, version: "7.0.18" } },
  "/summaries": {
    ...envelope,
    data: {
      ok: true,
      now_ms: 1,
      self: { version: "", pid: 1, ppid: 1, argv: "", cwd: "", mem_kbyte: 1, mem_percent: 0, cpu_percent: 0.01, srs_uptime: 14 },
      system: {
        cpu_percent: 0.11,
        disk_read_KBps: 1,
        disk_write_KBps: 1,
        disk_busy_percent: 0,
        mem_ram_kbyte: 1,
        mem_ram_percent: 0.03,
        mem_swap_kbyte: 0,
        mem_swap_percent: 0,
        cpus: 2,
        cpus_online: 2,
        uptime: 1428.89,
        ilde_time: 2402.4,
        load_1m: 0.62,
        load_5m: 0.8,
        load_15m: 0.46,
        net_sample_time: 1,
        net_recv_bytes: 0,
        net_send_bytes: 0,
        net_recvi_bytes: 1,
        net_sendi_bytes: 1,
        srs_sample_time: 1,
        srs_recv_bytes: 1,
        srs_send_bytes: 1,
        conn_sys: 1,
        conn_sys_et: 1,
        conn_sys_tw: 0,
        conn_sys_udp: 0,
        conn_srs: 3,
      },
    },
  },
  "/rusages": {
    ...envelope,
    data: Object.fromEntries([
      ["ok", true],
      ...(
        "sample_time ru_utime ru_stime ru_maxrss ru_ixrss ru_idrss ru_isrss ru_minflt ru_majflt ru_nswap ru_inblock ru_oublock " +
        "ru_msgsnd ru_msgrcv ru_nsignals ru_nvcsw ru_nivcsw"
      )
        .split(" ")
        .map((name) => [name, 0] as const),
    ]),
  },
  "/self_proc_stats": {
    ...envelope,
    data: Object.fromEntries([
      ["ok", true],
      ["comm", "(srs)"],
      ["state", "R"],
      ...(
        "sample_time percent pid ppid pgrp session tty_nr tpgid flags minflt cminflt majflt cmajflt utime stime cutime cstime priority nice " +
        "num_threads itrealvalue starttime vsize rss rsslim startcode endcode startstack kstkesp kstkeip signal blocked sigignore sigcatch " +
        "wchan nswap cnswap exit_signal processor rt_priority policy delayacct_blkio_ticks guest_time cguest_time"
      )
        .split(" ")
        .map((name) => [name, 0] as const),
    ]),
  },
  "/system_proc_stats": {
    ...envelope,
    data: { ok: true, sample_time: 1, percent: 0.11, user: 1, nice: 0, sys: 1, idle: 1, iowait: 1, irq: 0, softirq: 1, steal: 1, guest: 0 },
  },
  "/meminfos": {
    ...envelope,
    data: {
      ok: true,
      sample_time: 1,
      percent_ram: 0.03,
      percent_swap: 0,
      MemActive: 1,
      RealInUse: 1,
      NotInUse: 1,
      MemTotal: 1,
      MemFree: 1,
      Buffers: 1,
      Cached: 1,
      SwapTotal: 0,
      SwapFree: 0,
    },
  },
  "/features": {
    ...envelope,
    data: {
      options: "",
      options2: "",
      build: "2026-11-21 08:37:33",
      build2: "1795250253",
      features: Object.fromEntries(
        "ssl hls hds callback api httpd dvr transcode ingest stat caster complex_send tcp_nodelay so_sendbuf mr"
          .split(" ")
          .map((name) => [name, true] as const),
      ),
    },
  },
  "/requests": { ...envelope, data: { uri: "", path: "", METHOD: "GET", drop_privileges: false, headers: {}, server: {} } },
  "/": { ...envelope, urls: { versions: "", summaries: "", vhosts: "", streams: "", clients: "", clusters: "" } },
  "/authors": { ...envelope, data: { license: "MIT", contributors: "" } },
  "/vhosts/": {
    ...envelope,
    vhosts: [{ id: "", name: "", enabled: true, clients: 3, streams: 1, send_bytes: 1, recv_bytes: 1, kbps, hls: { enabled: false } }],
  },
  "/streams/": {
    ...envelope,
    streams: [
      {
        id: "",
        name: "",
        vhost: "",
        app: "",
        tcUrl: "",
        url: "",
        live_ms: 1,
        clients: 3,
        frames: 0,
        send_bytes: 1,
        recv_bytes: 1,
        kbps,
        publish: { active: true, cid: "" },
        video: { codec: "H264", profile: "High", level: "3.2", width: 768, height: 320 },
        audio: { codec: "AAC", sample_rate: 44_100, channel: 2, profile: "LC" },
      },
    ],
  },
  "/clients/": {
    ...envelope,
    clients: Array.from({ length: 3 }, () => ({
      id: "",
      vhost: "",
      stream: "",
      ip: "",
      pageUrl: "",
      swfUrl: "",
      tcUrl: "",
      url: "",
      name: "",
      type: "",
      publish: true,
      alive: 12.82,
      send_bytes: 1,
      recv_bytes: 1,
      kbps,
    })),
  },
};

/** Only the members that the sample has, all the way down. */
function as(sample: unknown, value: unknown): unknown {
  if (Array.isArray(sample) && Array.isArray(value)) return value.map((one, at) => as(sample[at] ?? sample[0], one));
  if (typeof sample !== "object" || sample === null || typeof value !== "object" || value === null) return value;
  const members = value as Readonly<Record<string, unknown>>;
  return Object.fromEntries(Object.entries(sample).map(([name, one]) => [name, as(one, members[name])]));
}

void test("every answer has the fields and types of SRS's, and lists and acts are of the whole box", async (t) => {
  const dolphin = await Dolphin.start(t, { api: true, conf: promptConf });
  const source = await steadyPublisherAt(t, dolphin, "edge-1", "show");
  const viewer = await playerAt(t, dolphin, "show", dolphin.pidOf("edge-2"));
  const flv = await flvAt(t, dolphin, "edge-1");
  await Promise.all([viewer.waitForMedia(20), flv.waitForMedia(20)]);
  await eventually(async () => (await clientsOf(dolphin)).length === 3, { what: "all three in the list" });

  for (const [path, sample] of Object.entries(samples)) {
    const answer = await askApi(dolphin, path);
    assert.deepEqual(shapeOf(as(sample, answer)), shapeOf(sample), path);
    assert.equal(answer.code, 0);
    assert.equal(answer.pid, String(dolphin.pid));
    assert.equal(answer.server, (await dolphin.status()).serverId);
  }

  const { streams: [stream] = [] } = await askApi(dolphin, "/streams/");
  const { clients = [] } = await askApi(dolphin, "/clients/");
  assert.deepEqual(
    [stream?.name, stream?.["url"], stream?.clients, stream?.["video"], stream?.["audio"]],
    [
      "show",
      "/live/show",
      3,
      { codec: "H264", profile: "Baseline(Constrained)", level: "1.2", width: 320, height: 180 },
      { codec: "AAC", sample_rate: 44_100, channel: 2, profile: "LC" },
    ],
  );
  assert.equal(Number(stream?.["frames"]), Number(stream?.["video_frames"]) + Number(stream?.["audio_frames"]));
  assert.deepEqual(clients.map(({ type, name }) => `${type} ${name}`).toSorted(), [
    "flv-play show.flv",
    "fmle-publish show",
    "rtmp-play show",
  ]);
  assert.equal(clients.find(({ type }) => type === "fmle-publish")?.id, stream?.publish.cid);
  const lines = dolphin.logLines(({ event }) => event === "play.started" || event === "publish.started");
  const conns = new Set(lines.map(({ conn }) => conn));
  for (const { id, stream: of } of clients) {
    assert.ok(conns.has(id), "an id is the conn of its lines in the log");
    assert.equal(of, stream?.id);
    assert.equal((await askApi(dolphin, `/clients/${id}`))["client"] !== undefined, true);
  }
  assert.deepEqual((await askApi(dolphin, `/streams/${stream?.id ?? ""}`))["stream"] !== undefined, true);

  for (const [path, code] of [
    ["/vhosts/vid-0000000", 2014],
    ["/streams/vid-0000000", 2048],
    ["/clients/nobody", 2049],
    ["/raw?rpc=reload", 1061],
    ["/tests/errors", 100],
  ] as const) {
    assert.deepEqual(await askApi(dolphin, path), { code }, path);
  }
  const slash = await fetch(dolphin.apiUrl("/api/v1/streams?count=5"), { redirect: "manual" });
  assert.deepEqual([slash.status, slash.headers.get("location")], [302, "/api/v1/streams/?count=5"]);
  assert.equal((await fetch(dolphin.apiUrl("/api/v1/clients/"), { method: "POST" })).status, 405);
  assert.ok(
    "urls" in (await askApi(dolphin, "/perf")) && "urls" in (await askApi(dolphin, "/api/nowhere")),
    "a wrong path shows what there is",
  );

  const asked = { ip: "h", vhost: "__defaultVhost__", app: "live", stream: "show" };
  const cluster = await askApi(dolphin, `/clusters?${new URLSearchParams({ ...asked, coworker: "o.example:9090" }).toString()}`, {
    method: "POST",
  });
  assert.deepEqual(cluster.data, {
    query: asked,
    origin: { ip: "o.example", port: dolphin.rtmpPort, vhost: "__defaultVhost__", api: "o.example:9090", routers: ["o.example:9090"] },
  });
  assert.equal((await askApi(dolphin, "/clusters?app=live&stream=other")).data?.["origin"], null);

  // Whoever is sent away is at another process than who answers.
  const at2 = clients.find(({ type }) => type === "rtmp-play");
  assert.equal(at2?.dolphin.process, "edge-2");
  assert.deepEqual(await askApi(dolphin, `/clients/${at2?.id ?? ""}`, { method: "DELETE" }), {
    ...envelope,
    ...(({ server, service, pid }) => ({ server, service, pid }))(await askApi(dolphin, "/versions")),
  });
  await viewer.ended;
  assert.deepEqual(await askApi(dolphin, `/clients/${at2?.id ?? ""}`, { method: "DELETE" }), { code: 2049 });
  assert.equal((await askApi(dolphin, `/clients/${stream?.publish.cid ?? ""}`, { method: "DELETE" })).code, 0);
  await source.connection.ended;
  const { events = [] } = (await askApi(dolphin, "/dolphin/events")) as {
    readonly events?: readonly { readonly event: string; readonly stream?: string }[];
  };
  const told = events.filter(({ event }) => /^publish|^client/.test(event)).map(({ event }) => event);
  assert.deepEqual(told, ["publish.started", "client.kicked", "publish.ended", "client.kicked"]);
  await dolphin.stop({ allow: ({ code }) => code === "RTMP_KICKED" });
});

void test("a list is cut as SRS cuts it, tells its whole length, and can be asked for a part", async (t) => {
  const dolphin = await Dolphin.start(t, { api: true, cores: 1 });
  const viewers = await Promise.all(Array.from({ length: 13 }, (_, at) => player(dolphin.rtmpUrl(at < 12 ? "a" : "b"))));
  t.after(() => viewers.forEach((viewer) => viewer.close()));
  await eventually(async () => (await askApi(dolphin, "/clients/")).total === 13, { what: "13 clients" });
  for (const [query, count] of [
    ["", 10],
    ["?start=10", 3],
    ["?start=100", 0],
    ["?count=0", 10],
    ["?count=1", 1],
    ["?count=5&start=11", 2],
    ["?count=99999999999999", 13],
    ["?count=x&start=-1", 10],
    ["?stream=b", 1],
    ["?stream=b&app=other", 0],
    ["?type=rtmp-play&ip=127.0.0.1&count=100", 13],
    ["?ip=192.0.2.1", 0],
    ["?vhost=__defaultVhost__&app=live&stream=a&count=100", 12],
  ] as const) {
    const { clients = [], total } = await askApi(dolphin, `/clients/${query}`);
    assert.equal(clients.length, count, query);
    assert.ok(total !== undefined && total >= count);
  }
  await dolphin.stop();
});
