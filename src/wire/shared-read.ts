// One read buffer for all connections of the process, RTMP's and HTTP's. Node gives every read a buffer of 64 KiB of its own, which at
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
  const { allowHalfOpen } = accepted;
  return new Socket({ handle: takeHandle(accepted), onread: sharedRead(take), allowHalfOpen } as SocketConstructorOpts);
}

/** A socket of a connection that another process has served, whose descriptor is the socket's from now on. It reads at once. */
export function adoptedSocket(fd: number, take: Take): Socket {
  return new Socket({ fd, readable: true, writable: true, onread: sharedRead(take) } as SocketConstructorOpts);
}

/** The descriptor of a socket, which stays the socket's; null when it is closed. */
export function descriptorOf(socket: Socket): number | null {
  const { _handle: handle } = socket as unknown as Holder;
  return handle === null || handle.fd < 0 ? null : handle.fd;
}

/** The same for a carrier. */
export function descriptorsOf(socket: Socket): readonly [number] | null {
  const fd = descriptorOf(socket);
  return fd === null ? null : [fd];
}

/**
 * Ends a socket and leaves its connection as it is: nothing is read from it any more, and nothing must be waiting to be written.
 * Returns how to close this process's descriptor, which ends the connection only if nobody else has one.
 */
export function abandon(socket: Socket): () => void {
  socket.pause(); // stops the reading at once
  const handle = takeHandle(socket);
  return () => handle?.close();
}

/** What is the connection to Node. */
interface Handle {
  readonly fd: number;
  close(): void;
}

interface Holder {
  _handle: Handle | null;
}

function takeHandle(socket: Socket): Handle | null {
  const holder = socket as unknown as Holder;
  const handle = holder._handle;
  holder._handle = null;
  socket.destroy(); // without a handle nothing is closed, and a listener stops counting it
  return handle;
}
