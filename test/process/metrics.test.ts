// Metrics as a real Prometheus takes them: two edges, names that want to break a line, and a process that is killed between scrapes.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { promptConf } from "../helpers/bystanders.js";
import { projectRoot } from "../helpers/child.js";
import { Dolphin, type Cleanup } from "../helpers/dolphin.js";
import { watchFlv } from "../helpers/flv-reader.js";
import { HookBackend } from "../helpers/hook-backend.js";
import { headers, step } from "../helpers/media.js";
import { freePort } from "../helpers/ports.js";
import { lintMetrics, startPrometheus } from "../helpers/prometheus.js";
import { parseRtmpUrl, RtmpConnection } from "../helpers/rtmp-connection.js";
import { RtmpPublisher } from "../helpers/rtmp-client.js";
import { show } from "../helpers/show.js";
import { eventually } from "../helpers/wait.js";

/** Control characters are refused when somebody publishes. */
const hostile = ['a"b\\c{d="e"} 1', "# HELP x", "\\", "\u2028ÿ"];

async function publishAs(t: Cleanup, dolphin: Dolphin, name: string): Promise<void> {
  const connection = await RtmpConnection.open(parseRtmpUrl(dolphin.rtmpUrl("any")));
  t.after(() => connection.close());
  const source = new RtmpPublisher(connection, name);
  await source.publish("fmle");
  t.after(source.sendEvery((i) => (i === 0 ? headers("avc", "aac") : step("avc", "aac", i - 1)), 100));
}

interface Dashboard {
  readonly panels: readonly { readonly title: string; readonly targets: readonly { readonly expr: string }[] }[];
}

/** The expressions of the dashboard, as Grafana asks them. */
function expressions(): string[] {
  const { panels } = JSON.parse(readFileSync(join(projectRoot, "conf/grafana-dashboard.json"), "utf8")) as Dashboard;
  const all = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
  return all.map((expr) => expr.replaceAll("$__rate_interval", "1m").replaceAll("$instance", ".*"));
}

/** Scrapes again and again until it is told to end. How many scrapes were answered; throws what one was answered that is none. */
function scrapeOn(t: Cleanup, url: string): () => Promise<number> {
  const over = new AbortController();
  t.after(() => over.abort());
  const line = /^(?:# (?:HELP|TYPE) [a-z_]+ .+|[a-z_]+(?:\{.*\})? (?:[-+.\de]+|\+Inf|NaN))$/;
  const scrape = async (): Promise<number> => {
    let answered = 0;
    for (; !over.signal.aborted; answered++, await pause(50)) {
      const answer = await fetch(url);
      const lines = (await answer.text()).split("\n");
      assert.equal(answer.status, 200);
      assert.equal(lines.pop(), "", "the last line is whole");
      assert.deepEqual(
        lines.filter((one) => !line.test(one)),
        [],
      );
      assert.ok(lines.includes('dolphin_process_up{process="edge-2"} 1'), "all of it is there");
    }
    return answered;
  };
  const done = scrape();
  done.catch(() => undefined); // whoever ends it hears of it
  return () => {
    over.abort();
    return done;
  };
}

void test("Prometheus takes what a box with hostile stream names tells, and no counter falls when an edge is killed", async (t) => {
  const port = await freePort();
  const backend = await HookBackend.start(t);
  const conf = `${promptConf.replace("vhost __defaultVhost__ {", `vhost __defaultVhost__ { ${backend.block("on_play", "on_publish")}`)}
    exporter { enabled on; listen 127.0.0.1:${port}; label cn; tag edge; } dolphin { metrics_streams 4; }`;
  const dolphin = await Dolphin.start(t, { api: true, conf });
  const running = await show(t, dolphin, "s");
  const flv = await watchFlv(dolphin.flvUrl("s"));
  t.after(() => flv.close());
  for (const name of hostile) await publishAs(t, dolphin, name);
  const prometheus = await startPrometheus(t, port);
  const valueOf = async (expression: string): Promise<number | undefined> => (await prometheus.query(expression))[0]?.value;
  // A scrape that comes too late for Prometheus, on a busy machine, is one without values: the next one has them.
  const until = (what: string, expression: string, is: (value: number) => boolean): Promise<boolean> =>
    eventually(async () => is((await valueOf(expression)) ?? Number.NaN), { what, timeoutMs: 30_000 });
  await until("three scrapes", "sum(count_over_time(dolphin_streams[1m]))", (count) => count >= 3);
  await until("all streams", "dolphin_streams", (count) => count === 1 + hostile.length);
  await until("four of five, and the rest", "count(dolphin_stream_players)", (count) => count === 5);

  const ended = scrapeOn(t, `http://127.0.0.1:${port}/metrics`);
  process.kill(dolphin.pidOf("edge-1"), "SIGKILL");
  await until("the heir in a scrape", 'dolphin_process_restarts_total{process="edge-1"}', (count) => count === 1);
  const before = (await valueOf("sum(max_over_time(dolphin_sent_bytes_total[1m]))")) ?? 0;
  await running.goesOn();
  await until("what it costs", 'dolphin_process_cpu_seconds_total{process="edge-1"}', (seconds) => seconds > 0);
  await until("more of it", "sum(dolphin_sent_bytes_total)", (bytes) => bytes > before);
  assert.ok((await ended()) > 0, "none was refused, or had half of it");

  await until("a scrape that Prometheus took", "up", (value) => value === 1);
  await until("the death", 'dolphin_process_deaths_total{process="edge-1",cause="SIGKILL"}', (count) => count === 1);
  const counters = (await prometheus.valuesOf("__name__")).filter((name) => /^(dolphin|srs)_.*_(total|sum|count|bucket)$/.test(name));
  assert.ok(counters.length > 20, counters.join(" "));
  const fell = await Promise.all(
    counters.map(async (name) =>
      (await prometheus.query(`resets(${name}[5m]) > 0`)).map(({ metric }) => `${name} ${JSON.stringify(metric)}`),
    ),
  );
  assert.deepEqual(fell.flat(), []);
  assert.ok(
    (await prometheus.valuesOf("stream")).some((name) => hostile.includes(name)),
    "a name comes through as it is",
  );

  for (const expression of expressions()) {
    const has = async (): Promise<boolean> => (await prometheus.query(expression)).length > 0;
    await eventually(has, { what: `a value of the dashboard's ${expression}`, timeoutMs: 30_000 });
  }

  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  const problems = await lintMetrics(text);
  assert.deepEqual(problems?.filter((line) => !line.startsWith("srs_")) ?? [], [], "SRS's names are as they are; ours are good ones");
  running.close();
  await dolphin.stop({ allow: ({ event, child }) => event === "child.exited" && child === "edge-1" });
});

void test("a scrape waits for no process that hangs, and tells how long it has been silent", async (t) => {
  const port = await freePort();
  const conf = `${promptConf} exporter { enabled on; listen 127.0.0.1:${port}; } dolphin { metrics_streams 10; heartbeat_timeout 60; }`;
  const dolphin = await Dolphin.start(t, { api: true, conf });
  const edge = dolphin.pidOf("edge-1");
  const scrape = async (): Promise<string> => (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  const age = async (): Promise<number> =>
    Number(/^dolphin_process_report_age_seconds\{process="edge-1"\} (\S+)$/m.exec(await scrape())?.[1]);
  await eventually(async () => (await age()) >= 0, { what: "its first report", timeoutMs: 30_000 });
  process.kill(edge, "SIGSTOP");
  try {
    await eventually(async () => (await age()) > 3, { what: "the age of its last report", timeoutMs: 30_000 });
    assert.match(await scrape(), /^dolphin_process_up\{process="edge-2"\} 1$/m);
  } finally {
    process.kill(edge, "SIGCONT");
  }
  await dolphin.stop();
});
