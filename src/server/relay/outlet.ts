// Gathers messages for an upstream and writes them at the end of the event loop's turn: what one read of a publisher
// brought leaves in one write, without a delay of its own.
import type { Message } from "../../codec/rtmp/message.js";
import type { Traffic } from "../peers/traffic.js";

/** Bytes that may wait for an upstream: before it has accepted, or while its socket is full. */
export const maxOutletBytes = 4 << 20;

/** What a waiting message takes beside its payload, so that many small ones count. */
export const messageOverhead = 128;

/** Where messages go: an upstream's connection, or what stands before it. */
export interface Sink {
  /** Bytes that it has taken and not passed on. */
  readonly backlogBytes: number;
  write(messages: readonly Message[]): void;
}

/** The queue before one upstream. `close` ends it. */
export class Outlet {
  private readonly traffic: Traffic;
  private sink: Sink | null = null;
  private pending: Message[] = [];
  private pendingBytes = 0;
  private immediate: NodeJS.Immediate | null = null;

  constructor(traffic: Traffic) {
    this.traffic = traffic;
  }

  /** Bytes that wait here and in the socket. */
  get backlogBytes(): number {
    return this.pendingBytes + (this.sink?.backlogBytes ?? 0);
  }

  push(message: Message): void {
    this.pending.push(message);
    this.pendingBytes += message.payload.length + messageOverhead;
    if (this.sink !== null) this.immediate ??= setImmediate(this.flush);
  }

  /** Gives it the connection to write to, or takes it away; what waits is kept. */
  connect(sink: Sink | null): void {
    this.sink = sink;
    if (sink !== null && this.pending.length > 0) this.immediate ??= setImmediate(this.flush);
  }

  /** Writes what waits to the connection, if there is one, and forgets the rest. */
  close(): void {
    if (this.immediate !== null) clearImmediate(this.immediate);
    this.flush();
    this.sink = null;
    this.immediate = null;
    this.pending = [];
    this.pendingBytes = 0;
  }

  private readonly flush = (): void => {
    this.immediate = null;
    if (this.sink === null || this.pending.length === 0) return;
    const messages = this.pending;
    this.pending = [];
    this.pendingBytes = 0;
    for (const { payload } of messages) this.traffic.bytesOut += payload.length;
    this.sink.write(messages);
  };
}
