// Players that come while the site's backend is asked about each: how soon all are let in, and how late the edges' event loops are.
//
//   player ─▶ edge ─▶ backend, which takes its time ─▶ edge ─▶ Play.Start        nobody publishes: what serving takes is another row's
import { createServer, type AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { fetchStatus } from "../../src/master/control/client.js";
import { Cleanups } from "../../test/helpers/cleanups.js";
import { serveBox } from "../boxes/servers.js";
import type { Box, Shape } from "../boxes/box.js";
import type { Build } from "../boxes/build.js";
import { startPlayers } from "../load.js";
import { openWindow } from "../meter/window.js";
import type { Sample } from "../row.js";
import { youthOf } from "./pace.js";

export interface Admissions {
  readonly players: number;
  readonly rampS: number;
  /** How long the backend thinks about each; null: nobody is asked. */
  readonly answerMs: number | null;
}

/** Behind the ramp, until everybody must be let in. */
const graceS = 6;
const lookEveryMs = 1000;
const yes = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n0";

/** What a backend has been asked so far. */
interface Asked {
  count: number;
  firstAtMs: number;
  lastAnswerAtMs: number;
}

/** Starts a box of this build whose players are asked about, measures, and stops it. */
export async function measureAdmissions(build: Build, shape: Shape, { players, rampS, answerMs }: Admissions): Promise<Sample> {
  const cleanups = new Cleanups();
  try {
    const { url, asked } = await startBackend(cleanups, answerMs ?? 0);
    const hooks = {
      SRS_VHOST_HTTP_HOOKS_ENABLED: answerMs === null ? "off" : "on",
      SRS_VHOST_HTTP_HOOKS_ON_PLAY: url,
      SRS_VHOST_HTTP_HOOKS_ON_STOP: url,
    };
    const serving = await serveBox(build, { ...shape, env: { ...shape.env, ...hooks } });
    cleanups.after(() => serving.stop());
    const { rtmpPort, box, tree } = serving;
    await pause(youthOf(serving));
    const close = openWindow(tree, [process.pid]);
    const lag = watchLag(box!);
    const crowd = await startPlayers({ port: rtmpPort, stream: "bench", protocol: "rtmp" }, players, rampS, graceS + 1);
    cleanups.after(() => crowd.stop());
    await pause((rampS + graceS) * 1000);
    const longestLagMs = await lag();
    const { spent, beside } = close();
    const { count, firstAtMs, lastAnswerAtMs } = asked;
    const { closed } = await crowd.report;
    const admittedS = (lastAnswerAtMs - firstAtMs) / 1000;
    const isShort = closed > 0 || (answerMs !== null && count < players);
    return {
      figures: {
        ...(answerMs === null ? {} : { admittedS, admissionsPerS: count / admittedS }),
        longestLagMs,
        cpuPerJoinMs: spent.cpuMs / players,
        ...beside,
      },
      problem: isShort ? `of ${players} players ${count} were let in, and ${closed} closed` : null,
    };
  } finally {
    await cleanups.stopAll();
  }
}

/** A backend that says yes to everything after a while. It has the cores of what is measured, so it does no more than it must. */
async function startBackend(cleanups: Cleanups, answerMs: number): Promise<{ readonly url: string; readonly asked: Asked }> {
  const asked: Asked = { count: 0, firstAtMs: 0, lastAnswerAtMs: 0 };
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on("error", () => undefined);
    socket.on("data", (bytes) => {
      const request = bytes.toString("latin1"); // it comes in one piece
      const isPlay = request.includes("on_play");
      if (isPlay) asked.firstAtMs ||= Date.now();
      setTimeout(() => {
        if (request.includes("Connection: close")) socket.end(yes);
        else socket.write(yes);
        if (!isPlay) return;
        asked.count += 1;
        asked.lastAnswerAtMs = Date.now();
      }, answerMs);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", 1024, resolve));
  cleanups.after(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`, asked };
}

/** Looks each second, as often as the edges tell, how late they have been; the returned function stops and tells the most. */
function watchLag(box: Box): () => Promise<number> {
  const socket = String(box.logLines().findLast(({ event }) => event === "dolphin.ready")?.["controlSocket"]);
  let longestMs = 0;
  const look = async (): Promise<void> => {
    const { processes } = await fetchStatus(socket);
    const lags = processes.filter(({ duty }) => duty === "edge").map(({ lagMs }) => lagMs);
    longestMs = Math.max(longestMs, ...lags);
  };
  const timer = setInterval(() => void look(), lookEveryMs);
  return async () => {
    clearInterval(timer);
    await look();
    return longestMs;
  };
}
