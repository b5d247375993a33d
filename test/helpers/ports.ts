// Free ports of the loopback address, from below the range that the system gives to outgoing connections, so that none of
// those takes the port between our look and the server's bind.
import { connect, createServer } from "node:net";
import { eventually } from "./wait.js";

const lowest = 12_000;
/** Test files run beside each other, and what they start takes ports above those that it was given: each file has so many of its own. */
const sliceSize = 500;
/** The last ones of a slice are only for what is started. */
const spare = 50;
const slices = 40;
const given = new Set<number>();
let claimed: Promise<number> | null = null;

/** A port of 127.0.0.1 that nobody listens on; never the same twice in one process. */
export async function freePort(): Promise<number> {
  claimed ??= claimSlice();
  const first = await claimed;
  for (let tries = 0; tries < 200; tries++) {
    const port = first + 1 + Math.floor(Math.random() * (sliceSize - 1 - spare));
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    return port;
  }
  throw new Error("found no free port in 200 tries");
}

/** The first port of a slice, which this process listens on as long as it lives: that makes the slice its own. */
async function claimSlice(): Promise<number> {
  const start = Math.floor(Math.random() * slices);
  for (let turn = 0; turn < slices; turn++) {
    const port = lowest + ((start + turn) % slices) * sliceSize;
    const server = createServer().unref();
    const isMine = new Promise<boolean>((resolve) => {
      server.once("error", () => resolve(false));
      server.listen({ host: "127.0.0.1", port, exclusive: true }, () => resolve(true));
    });
    if (await isMine) return port;
  }
  throw new Error("every slice of ports is somebody's");
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ host: "127.0.0.1", port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** Waits until nobody listens on this port of 127.0.0.1 any more; who was about to be accepted until then is reset. */
export async function refuses(port: number): Promise<void> {
  const look = (): Promise<boolean> =>
    new Promise((resolve) => {
      const socket = connect(port, "127.0.0.1");
      socket.once("error", (error) => resolve("code" in error && error.code === "ECONNREFUSED"));
      socket.once("connect", () => {
        socket.destroy();
        resolve(false);
      });
    });
  await eventually(look, { everyMs: 10, what: `port ${port} to refuse` });
}
