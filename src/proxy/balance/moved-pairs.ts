// Pairs whose bytes another proxy has moved until it was killed, hung or replaced: from two descriptors and what was saved of
// them to the pump, and to one closed line. Nothing is read of what they say: they were raw when they came to be carried.
import { closeSync } from "node:fs";
import { Socket, type SocketConstructorOpts } from "node:net";
import { Crowd } from "../../base/crowd.js";
import type { Log } from "../../base/log.js";
import type { AdoptNote, CarriedSession, SavedPair } from "../../ipc/carried.js";
import type { Backends } from "./backends.js";
import { pumpCodes, type Joined, type Pump } from "../pump/pump.js";
import type { RtmpPlaces } from "./places.js";
import type { Roll } from "./roll.js";

export interface MovedPairsParts {
  readonly backends: Backends;
  readonly places: Pick<RtmpPlaces, "hold">;
  readonly pump: Pump;
  readonly roll: Roll;
  readonly log: Log;
  /** As the pump's. */
  readonly idleMs: number | null;
}

const kib = 1024;

/** What makes a pair one that can be carried; `token` names it in the whole box. */
export function sessionOf(saved: SavedPair, token: string): CarriedSession {
  return { token, kind: "pair", saved };
}

/** The pairs that one proxy goes on with. `close` ends those that it has. */
export class MovedPairs {
  private readonly parts: MovedPairsParts;
  private readonly pairs = new Crowd<Joined>();

  constructor(parts: MovedPairsParts) {
    this.parts = parts;
  }

  get connections(): number {
    return this.pairs.size;
  }

  /** Goes on with a pair. Its descriptors are the pump's from now on, and closed when this throws. */
  adopt(fds: readonly number[], { session, from }: AdoptNote): void {
    if (session.kind !== "pair") {
      for (const fd of fds) closeSync(fd);
      throw new Error(`a proxy cannot go on with a connection of the kind ${session.kind}`);
    }
    const [client, server] = socketsOf(fds);
    const { backends, places, pump, roll, log, idleMs } = this.parts;
    const { saved, token } = session;
    const { backend, startedAtMs, line } = saved;
    const bytesBefore = { in: saved.bytesIn + kib * (from?.timestamp ?? 0), out: saved.bytesOut + kib * (from?.packet ?? 0) };
    const held = saved.lease === null ? null : places.hold(saved.lease.key, backend);
    const lease = saved.lease === null || held === null ? null : { id: held.id, key: saved.lease.key };
    backends.opened(backend);
    const joined = pump.join(client, server, {
      idleMs,
      totalMs: null,
      session: sessionOf({ ...saved, lease, bytesIn: bytesBefore.in, bytesOut: bytesBefore.out }, token),
      onEnd: ({ endedBy, reason, bytesIn, bytesOut }) => {
        this.pairs.delete(joined);
        leaveRoll();
        backends.closed(backend, bytesIn, bytesOut, joined);
        if (reason !== "moved") held?.release();
        const code = pumpCodes[reason];
        log[code === null ? "info" : "warn"]({
          event: reason === "moved" ? "proxy.moved" : "proxy.closed",
          ...line,
          backend,
          reason,
          ...(code === null ? {} : { code }),
          endedBy,
          durMs: Math.max(0, Math.round(Date.now() - startedAtMs)),
          bytesIn: bytesBefore.in + bytesIn,
          bytesOut: bytesBefore.out + bytesOut,
        });
      },
    });
    this.pairs.add(joined);
    const leaveRoll = roll.add({
      id: token,
      describe: () => ({
        asks: saved.asks ?? null,
        protocol: "rtmp",
        peer: typeof line["peer"] === "string" ? line["peer"] : "",
        sinceMs: Math.round(startedAtMs),
        bytesIn: bytesBefore.in + joined.bytesIn,
        bytesOut: bytesBefore.out + joined.bytesOut,
      }),
      dismiss: () => joined.close(),
    });
    backends.follow(backend, joined);
    log.info({ event: "proxy.resumed", ...line, backend });
  }

  /** Resolves when it has no pair. */
  drain(): Promise<void> {
    return this.pairs.gone();
  }

  close(): void {
    for (const pair of this.pairs) pair.close();
  }
}

/** Node's sockets of two descriptors, paused; both are closed where there cannot be two. */
function socketsOf(fds: readonly number[]): [client: Socket, server: Socket] {
  const made: Socket[] = [];
  try {
    for (const fd of fds)
      made.push(new Socket({ fd, readable: true, writable: true, allowHalfOpen: true, pauseOnCreate: true } as SocketConstructorOpts));
    const [client, server] = made;
    if (client === undefined || server === undefined) throw new Error(`a pair of ${made.length} connections`);
    return [client, server];
  } catch (thrown) {
    for (const socket of made) socket.destroy();
    for (const fd of fds.slice(made.length)) closeSync(fd);
    throw thrown;
  }
}
