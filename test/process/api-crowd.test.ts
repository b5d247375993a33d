// Every list of a box with many streams and viewers says the same, and counts once whoever is carried to another process.
import assert from "node:assert/strict";
import { test } from "node:test";
import { askApi, clientsOf } from "../helpers/api.js";
import { fill } from "../helpers/crowd.js";
import { Dolphin } from "../helpers/dolphin.js";
import { eventually } from "../helpers/wait.js";

void test("sixty streams and three hundred viewers are counted alike by every list, and once when their edge is killed", async (t) => {
  const dolphin = await Dolphin.start(t, { api: true });
  const names = Array.from({ length: 60 }, (_, at) => `s${at}`);
  const crowd = await fill(t, dolphin, names, 5);
  const count = async (): Promise<void> => {
    const ids = new Set((await clientsOf(dolphin)).map(({ id }) => id));
    assert.equal(ids.size, 360, "everybody once");
    const { streams = [], total } = await askApi(dolphin, "/streams/?count=1000");
    const { vhosts: [vhost] = [] } = await askApi(dolphin, "/vhosts/");
    assert.deepEqual([total, streams.length, vhost?.streams, vhost?.clients], [60, 60, 60, 360]);
    assert.ok(
      streams.every(({ clients, dolphin: { players } }) => clients === 6 && players === 5),
      "each with its publisher and its viewers",
    );
    const listed = JSON.parse(await dolphin.ask("clients", "--json")) as readonly { readonly id: string }[];
    assert.deepEqual(new Set(listed.map(({ id }) => id)), ids, "the command line has the same");
    assert.equal((JSON.parse(await dolphin.ask("streams", "--json")) as readonly unknown[]).length, 60);
    crowd.ids ??= ids;
    assert.deepEqual(ids, crowd.ids, "the same ids as before");
  };
  const isComplete = async (): Promise<boolean> => (await clientsOf(dolphin)).length === 360;
  await eventually(isComplete, { what: "360 clients" });
  await count();
  await crowd.inLull(() => process.kill(dolphin.pidOf("edge-1"), "SIGKILL"));
  await dolphin.waitFor("connections.carried");
  await eventually(isComplete, { what: "360 clients again" });
  await count();
  assert.equal(crowd.closed, 0);
  crowd.close();
  await dolphin.stop({ allow: ({ event }) => event === "child.exited" });
});
