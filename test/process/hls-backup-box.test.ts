// `dolphin hls-backup` beside two of our own boxes, which one encoder publishes to: ffmpeg plays from each of the nodes while the four
// processes are killed one after the other.
import assert from "node:assert/strict";
import { test } from "node:test";
import { BackupProcess, StrictReader } from "../helpers/backup-pair.js";
import { start } from "../helpers/child.js";
import { clip } from "../helpers/clips.js";
import { Dolphin } from "../helpers/dolphin.js";
import { findFfmpeg } from "../helpers/ffmpeg.js";
import { repeated, sendClip } from "../helpers/packages.js";
import { publisher } from "../helpers/rtmp-client.js";
import { eventually } from "../helpers/wait.js";

const path = "live/s.m3u8";

/** How many pictures a player has decoded of what a node shows, and what it complained of. */
class Player {
  pictures = 0;
  private readonly child;

  constructor(url: string) {
    const args = ["-nostdin", "-hide_banner", "-nostats", "-v", "error", "-i", url, "-map", "0:v", "-vsync", "0", "-f", "framecrc", "-"];
    this.child = start(findFfmpeg(), args, {
      onLine: (line, from) => void (from === "stdout" && line.startsWith("0,") && (this.pictures += 1)),
    });
  }

  /** Waits for so many more. */
  async more(pictures: number): Promise<void> {
    const from = this.pictures;
    const isThere = (): boolean => {
      assert.equal(this.child.ending, null, this.child.output().slice(-2000));
      return this.pictures >= from + pictures;
    };
    await eventually(isThere, { timeoutMs: 30_000, what: `${pictures} more pictures` });
  }

  async close(): Promise<void> {
    await this.child.stop("SIGKILL");
  }
}

test("hls-backup: ffmpeg plays on from both nodes while a box, then its node are killed, and come back", async (t) => {
  let players: readonly Player[] = [];
  t.after(async () => void (await Promise.all(players.map((player) => player.close()))));
  const nodes = await BackupProcess.pair(t);
  const [a, b] = nodes;
  await Promise.all([a.start(), b.start()]);
  const conf = ({ root, ports: { hooks } }: BackupProcess): string =>
    `listen 1935; http_server { enabled on; listen 8080; } vhost __defaultVhost__ { min_latency on;
       hls { enabled on; hls_fragment 0.5; hls_window 10; hls_path ${root}; }
       http_hooks { enabled on; on_hls http://127.0.0.1:${hooks}/; on_unpublish http://127.0.0.1:${hooks}/; } }`;
  const boxes = await Promise.all(nodes.map((node) => Dolphin.start(t, { conf: conf(node), cores: 1 })));
  const media = repeated(await clip({ seconds: 2, bFrames: 2 }), 60, 2000);
  const publishTo = async (box: Dolphin): Promise<void> => {
    const source = await publisher(box.rtmpUrl("s"));
    t.after(() => source.close());
    void sendClip(source, media, 1).catch(() => undefined); // until its box is killed
  };
  await Promise.all(boxes.map(publishTo));
  const reader = new StrictReader(t, nodes, path);
  await Promise.all([reader.more(a, 3), reader.more(b, 3)]);
  players = nodes.map((node) => new Player(node.url(path)));
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
