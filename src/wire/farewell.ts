// The end of a connection from our side: one way for all, and one where everything that was sent matters.
import type { Socket } from "node:net";

/** How long the last words to a peer may take. */
const farewellMs = 1_000;

/** Ends a connection: what was said last still goes out, unless the peer does not take it within a second. Again does nothing. */
export function endSoon(socket: Socket): void {
  if (socket.destroyed) return;
  socket.destroySoon();
  setTimeout(() => socket.destroy(), farewellMs).unref();
}

/** How long a peer may take to end a connection that we have ended. */
export const deliveryMs = 5_000;

/**
 * Ends a connection once the peer has all that was sent and ends it, too, or does not in time. What comes meanwhile must be read: the
 * system takes back what is under way where a socket is closed over bytes that came for it. Again does nothing.
 */
export function endDelivered(socket: Socket): void {
  if (socket.destroyed || socket.writableEnded) return;
  socket.end();
  setTimeout(() => socket.destroy(), deliveryMs).unref();
}
