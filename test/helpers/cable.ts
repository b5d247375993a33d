// A way to a port that a test can cut without a word, as a network does: nothing comes through any more, and nobody is told.
import { connect, createServer, type Socket } from "node:net";
import type { Cleanup } from "./dolphin.js";
import { freePort } from "./ports.js";

export interface Cable {
  readonly port: number;
  /** Where it leads to, if that was not known before. */
  to: number;
  /** Holds back all that comes, of new connections too. */
  cut(): void;
  /** Lets it through, what was held back first. */
  mend(): void;
}

export async function cableTo(t: Cleanup, to = 0): Promise<Cable> {
  const sockets = new Set<Socket>();
  let isCut = false;
  const port = await freePort();
  const server = createServer({ pauseOnConnect: true }, (near) => {
    const far = connect(cable.to, "127.0.0.1");
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      one
        .on("error", () => undefined)
        .once("close", () => {
          sockets.delete(one);
          other.destroy();
        });
      // Not `pipe`, which goes on by itself.
      one.on("data", (bytes) => other.write(bytes)).on("end", () => other.end());
      if (isCut) one.pause();
      else one.resume();
    }
  });
  const cable: Cable = {
    port,
    to,
    cut() {
      isCut = true;
      for (const socket of sockets) socket.pause();
    },
    mend() {
      isCut = false;
      for (const socket of sockets) socket.resume();
    },
  };
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return cable;
}
