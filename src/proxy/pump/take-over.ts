// The step between a caller's sockets and a pump: stops node's reading, sends what node has read already, and waits until
// what the caller wrote is with the kernel. Both pumps take over at that moment, so no byte is lost, doubled or reordered.
import type { Socket } from "node:net";
import { handleOf } from "./handle.js";

export interface TakeOver {
  /** Bytes that node had read: from the client, and from the server. They were written to the far side. */
  readonly earlyIn: number;
  readonly earlyOut: number;
  /** Forgets the sockets; `ready` and `broken` are not called any more. */
  cancel(): void;
}

export interface TakeOverEvents {
  /** Both sockets are quiet and still open. May be called from within `takeOver`. */
  readonly ready: () => void;
  /** One of them is gone. Never called from within `takeOver`. */
  readonly broken: (by: "client" | "server") => void;
}

const nothing = Buffer.alloc(0);

/** Quiets both sockets. All listeners of theirs are dropped. */
export function takeOver(client: Socket, server: Socket, events: TakeOverEvents): TakeOver {
  let isOver = false;
  const end = (tell: () => void): void => {
    if (isOver) return;
    isOver = true;
    tell();
  };
  const early = [client, server].map((socket) => {
    quiet(socket);
    const bytes = socket.read() as Buffer | null;
    stopReading(socket); // only now: an empty `read` starts it
    return bytes;
  });
  const sides = [
    { socket: client, by: "client", bytes: early[1] ?? nothing },
    { socket: server, by: "server", bytes: early[0] ?? nothing },
  ] as const;
  let writing = 0;
  for (const { socket, by, bytes } of sides) {
    const broken = (): void => end(() => events.broken(by));
    socket.once("error", broken).once("close", broken);
    if (socket.destroyed) setImmediate(broken);
    else if (bytes.length > 0 || socket.writableLength > 0) {
      writing++;
      // The callback comes behind all that was written before, or with the error that `error` tells of.
      socket.write(bytes, (error) => {
        if (--writing === 0 && (error === null || error === undefined)) end(events.ready);
      });
    }
  }
  if (writing === 0 && sides.every(({ socket }) => !socket.destroyed)) end(events.ready);
  return { earlyIn: early[0]?.length ?? 0, earlyOut: early[1]?.length ?? 0, cancel: () => void (isOver = true) };
}

function quiet(socket: Socket): void {
  for (const event of ["data", "readable", "end", "error", "close", "drain", "timeout", "finish"]) socket.removeAllListeners(event);
  socket.on("error", () => undefined); // it is told by `close` where that matters
  socket.setTimeout(0);
  socket.pause();
}

function stopReading(socket: Socket): void {
  const handle = handleOf(socket);
  if (handle === null) return;
  handle.readStop();
  handle.reading = false;
}
