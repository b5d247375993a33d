// Takes publishers from one server of a test to another, as between two processes.
import { withLibc } from "../../../src/base/libc.js";
import type { Mover, SavedPublisher } from "../../../src/server/peers/saved-publisher.js";
import type { Rig } from "./rig.js";

const dupOf = await withLibc((libc) => libc.func<(fd: number) => number>("int dup(int)"));

/** Another descriptor of the same connection. */
export function dup(fd: number): number {
  if (dupOf === null) throw new Error("to move a connection takes koffi and Linux");
  return dupOf(fd);
}

/** Takes publishers to a server as another process would get them: as JSON and a descriptor of its own. */
export function moverTo(rig: Rig): Mover & { readonly saved: SavedPublisher[] } {
  const saved: SavedPublisher[] = [];
  const mover = (one: SavedPublisher, fd: number): Promise<void> => {
    saved.push(one);
    rig.server.adoptPublisher(JSON.parse(JSON.stringify(one)) as SavedPublisher, dup(fd));
    return Promise.resolve();
  };
  return Object.assign(mover, { saved });
}
