// One read buffer for all RTMP connections of the process. Node gives every read a buffer of 64 KiB of its own, which at
// thousands of reads a second is most of what an ingesting process does; the protocol engine copies what it keeps, so all
// reads can land in the same memory. Measured: docs/decisions/0004-reading.md.
import { Socket, type OnReadOpts, type SocketConstructorOpts } from "node:net";

/** The most that one read brings: a read of this size means that there is more. */
export const readBufferBytes = 64 << 10;
const readBuffer = Buffer.allocUnsafe(readBufferBytes);

/** Takes what a read brought, valid until it returns, and tells whether to go on reading; `resume` does so later. */
export type Take = (bytes: Buffer) => boolean;

/** The `onread` option of a socket whose reads go to `take`. */
export function sharedRead(take: Take): OnReadOpts {
  return { buffer: readBuffer, callback: (count) => take(readBuffer.subarray(0, count)) };
}

/**
 * Gives an accepted, paused socket shared reads: node has the option for outgoing sockets only, so the connection's handle
 * moves to a socket made with it, and the accepted one ends without it. Call `resume` on the result to begin.
 */
export function withSharedRead(accepted: Socket, take: Take): Socket {
  const holder = accepted as unknown as { _handle: object | null };
  const handle = holder._handle;
  holder._handle = null;
  accepted.destroy(); // without a handle nothing is closed, and the listener stops counting it
  return new Socket({ handle, onread: sharedRead(take) } as SocketConstructorOpts);
}
