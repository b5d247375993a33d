// `dolphin hls-backup` beside two of our own boxes, which one encoder publishes to: ffmpeg plays from each of the nodes while the four
// processes are killed one after the other.
import assert from "node:assert/strict";
import { test } from "node:test";
import { BackupProcess, StrictReader } from "../helpers/backup-pair.js";
import { besideConf, HlsPlayer } from "../helpers/backup-boxes.js";
import { clip } from "../helpers/clips.js";
import { Dolphin } from "../helpers/dolphin.js";
import { repeated, sendClip } from "../helpers/packages.js";
import { publisher } from "../helpers/rtmp-client.js";
import { eventually } from "../helpers/wait.js";

const path = "live/s.m3u8";

test("hls-backup: ffmpeg plays on from both nodes while a box, then its node are killed, and come back", async (t) => {
  let players: readonly HlsPlayer[] = [];
  t.after(async () => void (await Promise.all(players.map((player) => player.close()))));
  const nodes = await BackupProcess.pair(t);
  const [a, b] = nodes;
  await Promise.all([a.start(), b.start()]);
  const boxes = await Promise.all(nodes.map((node) => Dolphin.start(t, { conf: besideConf(node), cores: 1 })));
  const media = repeated(await clip({ seconds: 2, bFrames: 2 }), 60, 2000);
  const publishTo = async (box: Dolphin): Promise<void> => {
    const source = await publisher(box.rtmpUrl("s"));
    t.after(() => source.close());
    void sendClip(source, media, 1).catch(() => undefined); // until its box is killed
  };
  await Promise.all(boxes.map(publishTo));
  const reader = new StrictReader(t, nodes, path);
  await Promise.all([reader.more(a, 3), reader.more(b, 3)]);
  players = nodes.map((node) => new HlsPlayer(node.url(path)));
  await Promise.all(players.map((player) => player.more(10)));

  const first = (await a.statusOf(path))!.lead === "a" ? 0 : 1;
  const [lead, other] = first === 0 ? [a, b] : [b, a];
  for (const pid of [boxes[first]!.pid, ...Object.values(boxes[first]!.pids)]) process.kill(pid, "SIGKILL");
  await eventually(async () => (await other.statusOf(path))!.lead === other.name, { what: "the other one to lead" });
  await Promise.all(players.map((player) => player.more(10)));
  await lead.stop("SIGKILL");
  await reader.more(other, 2);
  await players[1 - first]!.more(10);
  await lead.start();
  await Promise.all([reader.more(a, 2), reader.more(b, 2)]);
  const { entries, text } = (await other.list(path))!;
  // A server that is starved is taken for dead as well: there is a break wherever the list goes over to the other one, and no other.
  const author = ({ uri }: (typeof entries)[number]): string | undefined => /^s-([ab])_/.exec(uri)?.[1];
  assert.deepEqual(
    entries.slice(1).map(({ isDiscontinuous }) => isDiscontinuous),
    entries.slice(1).map((entry, at) => author(entry) !== author(entries[at]!)),
    text,
  );
  await reader.close();
  await boxes[1 - first]!.stop();
});
