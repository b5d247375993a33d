// One packager at a time writes what a folder of state files tells of, while another takes its place or its whole box is replaced. Its
// turn is a name that the kernel gives to one process and takes back however that ends. Elsewhere than on Linux there is no such name,
// and no box that is replaced while it runs.
import { createHash } from "node:crypto";
import { createServer, type Server } from "node:net";
import { resolve } from "node:path";

const askAgainMs = 50;

export interface Turn {
  release(): void;
}

/** Waits for its turn; null: `isOver` said that it is not wanted any more, or there are no turns here. */
export async function takeTurn(folder: string, isOver: () => boolean): Promise<Turn | null> {
  if (process.platform !== "linux") return null;
  const name = `\0dolphin-packager-${createHash("sha256").update(resolve(folder)).digest("hex").slice(0, 40)}`;
  while (!isOver()) {
    const server = await listen(name);
    if (server !== null) return { release: () => server.close() };
    await new Promise((done) => setTimeout(done, askAgainMs));
  }
  return null;
}

function listen(name: string): Promise<Server | null> {
  return new Promise((done) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", () => done(null));
    server.listen(name, () => done(server.unref()));
  });
}
