// HOT PATH: what viewers are sent, a batch at a time, goes to the system by one call of our own where a socket has nothing waiting. Node's
// write makes a request and three callbacks of it first, which cost more than all else that we do for a viewer. Whatever the system does
// not take at once, an error among it, goes through Node as ever. Measured: docs/decisions/0028-memory-of-batches.md.
import { withLibc } from "../base/libc.js";
import type { Socket } from "node:net";
import { descriptorOf } from "./shared-read.js";

/** Flags of send(2): nobody waits, and nobody is killed. */
const flags = 0x40 | 0x4000;

type Send = (fd: number, bytes: Buffer, count: number, flags: number) => number;

let send: Send | null = null;

/** What a socket was given past Node, which does not count it. */
const direct = Symbol("bytes written directly");
interface Counted {
  [direct]?: number;
}

/** From now on this process writes directly, where it can. */
export async function useDirectWrites(): Promise<void> {
  send = await withLibc((libc) => libc.func("intptr_t send(int, const void *, size_t, int)"));
}

/** Writes to a plain TCP socket, in order with what Node writes there. The bytes are read until `writableLength` no longer counts them. */
export function writeTo(socket: Socket, bytes: Buffer): void {
  const fd = send === null || socket.writableLength > 0 || !socket.writable ? null : descriptorOf(socket);
  const taken = fd === null ? 0 : send!(fd, bytes, bytes.length, flags);
  if (taken > 0) (socket as Counted)[direct] = ((socket as Counted)[direct] ?? 0) + taken;
  if (taken < bytes.length) socket.write(taken > 0 ? bytes.subarray(taken) : bytes);
}

/** What a socket was given, either way. */
export function bytesWrittenTo(socket: Socket): number {
  return socket.bytesWritten + ((socket as Counted)[direct] ?? 0);
}
