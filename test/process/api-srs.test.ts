// The API over unmodified srs behind plan b's proxies: the APIs of four of them are one. The srs are the stand-in of test/fixtures, all of
// which count their ids from the same number.
import assert from "node:assert/strict";
import { test } from "node:test";
import { askApi, clientsOf, shapeOf, type ApiClient } from "../helpers/api.js";
import { Dolphin } from "../helpers/dolphin.js";
import { fakeSrs, ownerOf } from "../helpers/planb.js";
import { freePort } from "../helpers/ports.js";
import { player, publisher } from "../helpers/rtmp-client.js";
import { eventually } from "../helpers/wait.js";

const names = ["a", "b", "c", "d", "e", "f"];

const conf =
  (exporter: number) =>
  (_rtmp: number, http: number, api: number): string =>
    `listen 1935; http_server { enabled on; listen ${http}; }
http_api { enabled on; listen 127.0.0.1:${api}; } exporter { enabled on; listen 127.0.0.1:${exporter}; } vhost __defaultVhost__ { http_remux { enabled on; mount [vhost]/[app]/[stream].flv; } }
dolphin { server ${fakeSrs}; servers 4; balance round_robin; console_on_http on; }`;

/** A client as SRS 7.0.18 tells it. */
const clientShape = shapeOf({
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
  alive: 1,
  send_bytes: 1,
  recv_bytes: 1,
  kbps: { recv_30s: 0, send_30s: 0 },
});

void test("four srs answer as one: lists, pages, ids, sums and who is sent away", async (t) => {
  const dolphin = await Dolphin.start(t, { api: false, cores: 1, conf: conf(await freePort()) });
  for (const name of names) {
    const source = await publisher(dolphin.rtmpUrl(name));
    t.after(() => source.close());
  }
  const viewers = await Promise.all(names.map((name) => player(dolphin.rtmpUrl(name))));
  for (const viewer of viewers) t.after(() => viewer.close());
  const all = await eventually(
    async () => {
      const found = await clientsOf(dolphin);
      return found.length === 12 ? found : null;
    },
    { what: "six publishers and six viewers" },
  );

  const atHttp = async (path: string, headers = {}): Promise<number> =>
    (await fetch(`http://127.0.0.1:${dolphin.httpPort}${path}`, { headers })).status;
  for (const path of ["/console/", "/console/data/clients", "/api/v1/clients/"]) assert.equal(await atHttp(path), 200, path);
  assert.equal(await atHttp("/console/data/clients", { "X-Forwarded-For": "203.0.113.7" }), 403, "a viewer asks");

  const servers = ["server-1", "server-2", "server-3", "server-4"];
  assert.deepEqual([...new Set(all.map(({ dolphin: { process } }) => process))].toSorted(), servers);
  assert.equal(new Set(all.map(({ id }) => id)).size, 12);
  assert.ok(new Set(all.map(({ id }) => id.split(".")[1])).size < 12, "the servers' own ids are the same ones");
  for (const { dolphin: ours, ...row } of all) {
    assert.deepEqual(shapeOf(row), clientShape);
    const { client } = await askApi(dolphin, `/clients/${row.id}`);
    assert.deepEqual([(client as ApiClient).name, (client as ApiClient).dolphin], [row.name, ours]);
    assert.equal(ours.process, await ownerOf(dolphin, row.name));
  }

  // Pages of any size meet without a gap, over the seams between servers too.
  for (const count of [1, 5, 12]) {
    const paged: string[] = [];
    for (let start = 0; start < 14; start += count) {
      const page = await askApi(dolphin, `/clients/?start=${start}&count=${count}`);
      assert.equal(page.total, 12);
      paged.push(...(page.clients ?? []).map(({ id }) => id));
    }
    assert.deepEqual(
      paged,
      all.map(({ id }) => id),
    );
  }
  for (const [asked, got] of [
    ["count=99999999999999999999", 12],
    ["start=99999999999999999999", 0],
    ["count=0&start=-1", 10],
    ["count=all", 10],
  ] as const)
    assert.equal((await askApi(dolphin, `/clients/?${asked}`)).clients?.length, got, asked);
  assert.equal((await clientsOf(dolphin, "&stream=c&type=rtmp-play")).length, 1);

  const { streams = [], total } = await askApi(dolphin, "/streams/");
  assert.deepEqual([streams.map(({ name }) => name), total], [names, 6]);
  for (const { id, name, clients, publish } of streams) {
    assert.equal(clients, 2);
    assert.deepEqual(((await askApi(dolphin, `/streams/${id}`))["stream"] as { name: string }).name, name);
    const here = all.filter(({ stream }) => stream === id);
    assert.deepEqual([here.map((one) => one.name), here.find(({ type }) => type === "fmle-publish")?.id], [[name, name], publish.cid]);
  }
  const { vhosts = [] } = await askApi(dolphin, "/vhosts/");
  assert.deepEqual(
    vhosts.map(({ name, clients, streams: count, ...more }) => [name, clients, count, (more as { hls?: unknown }).hls]),
    [["__defaultVhost__", 12, 6, { enabled: true, fragment: 2 }]],
  );

  assert.equal((await askApi(dolphin, "/versions")).data?.["version"], "7.0.18");
  assert.equal((await askApi(dolphin, "/features")).data?.["options"], "--fake");
  const { data = {} } = await askApi(dolphin, "/summaries");
  const { self, system, dolphin: beside } = data as Record<string, Record<string, unknown>>;
  assert.equal(self?.["version"], "7.0.18");
  const each = beside?.["servers"] as { name: string; conn_srs: number; pid: number }[];
  assert.deepEqual(
    each.map(({ name, pid }) => [name, pid]),
    servers.map((name) => [name, dolphin.pids[name]]),
  );
  assert.equal(
    system?.["conn_srs"],
    each.reduce((sum, { conn_srs }) => sum + conn_srs, 0),
  );
  assert.ok(system["conn_srs"] >= 12);

  // A scrape does not wait for lists that take long: it tells what the ones before had.
  const hasSums = async (): Promise<boolean> => {
    const metrics = await (await fetch(dolphin.apiUrl("/metrics"))).text();
    return ["srs_streams 6", "srs_clients 12"].every((row) => new RegExp(`^${row}$`, "m").test(metrics));
  };
  await eventually(hasSums, { what: "the sums in a scrape" });

  // The same id is at other servers too: only the one that is meant leaves.
  const meant = all.find(({ name, type }) => name === "d" && type === "rtmp-play");
  assert.equal((await askApi(dolphin, `/clients/${meant?.id}`, { method: "DELETE" })).code, 0);
  await viewers[3]?.ended;
  const left = await clientsOf(dolphin);
  assert.deepEqual(
    left.map(({ id }) => id),
    all.filter((one) => one !== meant).map(({ id }) => id),
  );
  for (const id of [meant?.id, "server-9.1", "server-1.nobody", "nobody"]) {
    assert.equal((await askApi(dolphin, `/clients/${id}`, { method: "DELETE" })).code, 2049);
  }
  await dolphin.stop();
});

void test("a srs whose API hangs is left out and told of, and is there again when it answers", async (t) => {
  const dolphin = await Dolphin.start(t, { api: false, cores: 1, conf: conf(await freePort()) });
  for (const name of names) {
    const source = await publisher(dolphin.rtmpUrl(name));
    t.after(() => source.close());
  }
  const lists = async (): Promise<readonly [clients: readonly ApiClient[], silent: unknown]> => {
    const { clients = [], dolphin: beside } = await askApi(dolphin, "/clients/?count=100");
    return [clients, (beside as { silent: unknown } | undefined)?.silent];
  };
  const untilThereAre = (count: number): Promise<unknown> =>
    eventually(
      async () => {
        const found = await lists();
        return found[0].length === count ? (found[1] ?? "none") : null;
      },
      { what: `${count} clients` },
    );
  assert.equal(await untilThereAre(6), "none");
  const hanging = await ownerOf(dolphin, "a");
  const [before] = await lists();
  const lost = before.filter(({ dolphin: { process } }) => process === hanging);
  const pid = dolphin.pidOf(hanging);
  process.kill(pid, "SIGUSR2");
  assert.deepEqual(await untilThereAre(6 - lost.length), [hanging]);
  assert.equal((await askApi(dolphin, `/clients/${lost[0]?.id}`, { method: "DELETE" })).code, 503);
  process.kill(pid, "SIGUSR2");
  assert.equal(await untilThereAre(6), "none");
  assert.equal(dolphin.logLines(({ event }) => event === "server.api-silent").length, 1);
  await dolphin.stop({ allow: ({ event }) => event === "server.api-silent" });
});
