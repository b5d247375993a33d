// A site as its operators see it, from the command line and over the API: boxes that live and that are lost, streams, one stream, and what
// is left of it all while Redis is away.
import assert from "node:assert/strict";
import { test } from "node:test";
import { askApi } from "../helpers/api.js";
import { boxOf, encoderAt, viewerAt } from "../helpers/boxes.js";
import { redisOfFile } from "../helpers/redis.js";
import { eventually } from "../helpers/wait.js";

const { skip, redis } = await redisOfFile();

interface SiteStream {
  readonly key: string;
  readonly owner: string | null;
  readonly fence: number;
  readonly replicas: readonly { readonly node: string; readonly from: string }[];
  readonly standby: readonly string[];
}

interface Answer {
  readonly age_ms: number | null;
  readonly problem: string | null;
  readonly nodes: readonly { readonly id: string; readonly zone: string; readonly state: string }[];
  readonly streams: readonly SiteStream[];
  readonly total: number;
  readonly sentences: readonly string[];
}

const key = "__defaultVhost__/live/show";

void test("every box shows the whole site: who has a stream, who stands by, who is lost, and that Redis is away", { skip }, async (t) => {
  const common = `registry ${redis.url}; registry_lease 2; registry_publisher backup;`;
  const [a, b, c] = await Promise.all([
    boxOf(t, `${common} registry_zone north;`),
    boxOf(t, `${common} registry_zone south;`, { api: true }),
    boxOf(t, common),
  ]);
  const [atA, atB, atC] = [a, b, c].map(({ rtmpPort }) => `127.0.0.1:${rtmpPort}`) as [string, string, string];
  await encoderAt(t, a.rtmpUrl("show"));
  await encoderAt(t, c.rtmpUrl("show"));
  await encoderAt(t, b.rtmpUrl("other"));
  await (await viewerAt(t, b)).waitForMedia(10);
  const ask = async (path = ""): Promise<Answer> => (await askApi(b, `/dolphin/cluster${path}`)).data as unknown as Answer;
  const show = async (): Promise<SiteStream | undefined> => (await ask("/streams")).streams.find((one) => one.key === key);
  const states = async (): Promise<Map<string, readonly string[]>> =>
    new Map((await ask()).nodes.map(({ id, zone, state }) => [id, [zone, state]]));

  const whole = await eventually(async () => {
    const found = await show();
    return found?.owner === atA && found.standby.includes(atC) && found.replicas.length === 1 ? found : null;
  });
  assert.deepEqual(whole.replicas, [{ node: atB, from: atA }]);
  assert.ok(whole.fence > 0);
  const all: [string, readonly string[]][] = [
    [atA, ["north", "ready"]],
    [atB, ["south", "ready"]],
    [atC, ["", "ready"]],
  ];
  assert.deepEqual(await states(), new Map(all));
  const page = await ask("/streams?start=0&count=1");
  assert.deepEqual([page.total, page.streams.map((one) => one.owner)], [2, [atB]]);
  assert.deepEqual(
    (await ask(`/streams/?node=${atC}`)).streams.map((one) => one.key),
    [key],
  );
  assert.ok((await ask(`/streams/${encodeURIComponent(key)}`)).sentences.some((text) => text.includes(`stands by at ${atC}`)));
  assert.equal((await askApi(b, "/dolphin/cluster/boxes")).code, 404);

  assert.match(await b.ask("cluster", "status"), new RegExp(`${atA} +north +ready`));
  const told = await b.ask("cluster", "explain", "live/show");
  assert.match(told, new RegExp(`came in at ${atA} in north`));
  assert.match(told, new RegExp(`also at ${atB} in south \\(from ${atA}\\)`));
  assert.match(told, new RegExp(`this box pulls it from ${atA}`));

  for (const pid of Object.values(a.pids)) process.kill(pid, "SIGKILL");
  await eventually(async () => (await states()).get(atA)?.[1] === "lost" && (await show())?.owner === atC, { timeoutMs: 10_000 });
  await redis.stop();
  const away = await eventually(async () => {
    const answer = await ask();
    return answer.problem === null ? null : answer;
  });
  assert.match(String(away.problem), /registry cannot be asked/);
  assert.ok(Number(away.age_ms) > 0);
  assert.equal(away.total, 3);
});
