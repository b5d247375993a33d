// Two of our own boxes and two nodes of `dolphin hls-backup`: for DOLPHIN_SOAK_S seconds, and each of them once at least, the four processes are
// killed with SIGKILL one after the other, while hls.js in a browser, ffmpeg and a strict reader play from both nodes.
import { test } from "node:test";
import { besideConf, BrowserPlayer, HlsPlayer } from "../helpers/backup-boxes.js";
import { BackupProcess, StrictReader } from "../helpers/backup-pair.js";
import { openBrowser } from "../helpers/chromium.js";
import { clip } from "../helpers/clips.js";
import { Dolphin } from "../helpers/dolphin.js";
import { repeated, sendClip } from "../helpers/packages.js";
import { publisher } from "../helpers/rtmp-client.js";
import { soakSeconds } from "../helpers/soak.js";

const path = "live/s.m3u8";

void test(`hls-backup: for ${soakSeconds} s boxes and nodes are killed while hls.js and ffmpeg play from both nodes`, async (t) => {
  const players: HlsPlayer[] = [];
  t.after(async () => void (await Promise.all(players.map((player) => player.close()))));
  const nodes = await BackupProcess.pair(t);
  const [a, b] = nodes;
  await Promise.all(nodes.map((node) => node.start()));
  const media = repeated(await clip({ seconds: 2, bFrames: 2 }), 300, 2000);
  const startBox = async (node: BackupProcess): Promise<Dolphin> => {
    const box = await Dolphin.start(t, { conf: besideConf(node), cores: 1 });
    const source = await publisher(box.rtmpUrl("s"));
    t.after(() => source.close());
    void sendClip(source, media, 1).catch(() => undefined); // until its box is killed
    return box;
  };
  const boxes = await Promise.all(nodes.map(startBox));
  const reader = new StrictReader(t, nodes, path);
  await Promise.all([reader.more(a, 6), reader.more(b, 6)]);
  players.push(...nodes.map((node) => new HlsPlayer(node.url(path))));
  const browser = await openBrowser(t);
  const pages = await Promise.all(nodes.map((node) => BrowserPlayer.open(browser, node, path)));
  const allGoOn = async (at: readonly number[]): Promise<void> => {
    await Promise.all(at.flatMap((one) => [reader.more(nodes[one]!, 4, 30_000), players[one]!.more(20), pages[one]!.more(2)]));
  };
  await allGoOn([0, 1]);
  let blows = 0;
  for (const untilMs = Date.now() + soakSeconds * 1000; blows < 4 || Date.now() < untilMs; blows++) {
    const at = blows % 2;
    if (blows % 4 < 2) {
      for (const pid of [boxes[at]!.pid, ...Object.values(boxes[at]!.pids)]) process.kill(pid, "SIGKILL");
      await allGoOn([0, 1]);
      boxes[at] = await startBox(nodes[at]!);
    } else {
      await nodes[at]!.stop("SIGKILL");
      await allGoOn([1 - at]);
      await nodes[at]!.start();
      await reader.more(nodes[at]!, 1, 30_000);
      await players[at]!.close(); // ffmpeg gives up a list that is refused; pages try again
      players[at] = new HlsPlayer(nodes[at]!.url(path));
    }
    await allGoOn([0, 1]);
  }
  await reader.close();
  t.diagnostic(`${blows} blows`);
});
