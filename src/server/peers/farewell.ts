// The end of a connection from our side, one way for all.
import type { Socket } from "node:net";

/** How long the last words to a peer may take. */
const farewellMs = 1_000;

/** Ends a connection: what was said last still goes out, unless the peer does not take it within a second. Again does nothing. */
export function endSoon(socket: Socket): void {
  if (socket.destroyed) return;
  socket.destroySoon();
  setTimeout(() => socket.destroy(), farewellMs).unref();
}
