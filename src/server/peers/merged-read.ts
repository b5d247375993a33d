// Reads publishers in step: after a read, a publisher's socket is left alone until the next tick, so that one read brings
// all that came meanwhile. A publisher sends 50 to 75 small pieces a second, and what a read costs hardly depends on how much
// it brings; the delay is a fraction of what players' batches take anyway. Measured: docs/decisions/0004-reading.md.
import type { Socket } from "node:net";
import { Deadline } from "../../base/deadline.js";

/** How long a publisher's socket may be left alone: a quarter of what players' batches take. */
export const mergeMs = 80;

/** The sockets that wait for the next tick. `close` stops it. */
export class MergedReads {
  private readonly waiting = new Set<Socket>();
  private readonly next = new Deadline();

  /** Reads the socket again at the next tick. Its reading must have stopped. */
  add(socket: Socket): void {
    this.waiting.add(socket);
    this.next.ensure(mergeMs, this.tick);
  }

  /** Leaves a socket to whoever stops or resumes it otherwise. */
  remove(socket: Socket): void {
    this.waiting.delete(socket);
  }

  close(): void {
    this.next.clear();
    this.waiting.clear();
  }

  private readonly tick = (): void => {
    const sockets = [...this.waiting];
    this.waiting.clear();
    for (const socket of sockets) socket.resume();
  };
}
