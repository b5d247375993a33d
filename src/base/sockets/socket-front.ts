// Reads what stands at the front of a connection before whoever serves it gets the socket, and gives back the rest. Where a
// proxy in front may tell who the client is, both the proxies and our own HTTP server begin with this.
import type { Socket } from "node:net";
import { DolphinError } from "../errors.js";

export interface FrontOptions<T> {
  /** Looks at all bytes so far, and may throw; null: more are needed. It bounds how many it asks for. */
  readonly read: (bytes: Buffer) => T | null;
  readonly timeoutMs: number;
}

/**
 * Resolves with what `read` found, with the socket paused and all bytes behind `sizeBytes` in it, or with null when the peer left
 * before. Throws what `read` throws, and PROXY_HEADER when the bytes did not come in time. The caller has to listen for errors.
 */
export function takeFront<T extends { readonly sizeBytes: number }>(
  socket: Socket,
  { read, timeoutMs }: FrontOptions<T>,
): Promise<T | null> {
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0);
    const settle = (finish: () => void): void => {
      clearTimeout(timer);
      socket.off("readable", look).off("end", left).off("close", left);
      finish();
    };
    const fail = (error: unknown): void => settle(() => reject(error));
    const left = (): void => settle(() => resolve(null));
    const look = (): void => {
      for (let bytes = socket.read() as Buffer | null; bytes !== null; bytes = socket.read() as Buffer | null) {
        received = Buffer.concat([received, bytes]);
      }
      try {
        const found = read(received);
        if (found === null) return;
        settle(() => {
          const rest = received.subarray(found.sizeBytes);
          socket.pause();
          if (rest.length > 0) socket.unshift(rest);
          resolve(found);
        });
      } catch (thrown) {
        fail(thrown);
      }
    };
    const timer = setTimeout(() => fail(new DolphinError("PROXY_HEADER", "the first bytes did not come in time")), timeoutMs);
    socket.on("readable", look).on("end", left).on("close", left);
  });
}
