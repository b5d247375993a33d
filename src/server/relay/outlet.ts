// Gathers messages for an upstream and writes them at the end of the event loop's turn: what one read of a publisher
// brought leaves in one write, without a delay of its own.
import type { Message } from "../../codec/rtmp/message.js";
import type { RtmpClient } from "../rtmp/client.js";
import type { Traffic } from "../traffic.js";

/** Bytes that may wait for an upstream: before it has accepted, or while its socket is full. */
export const maxOutletBytes = 4 << 20;

/** What a waiting message takes beside its payload, so that many small ones count. */
const messageOverhead = 128;

/** The queue before one upstream. `close` ends it. */
export class Outlet {
  private readonly traffic: Traffic;
  private client: RtmpClient | null = null;
  private pending: Message[] = [];
  private pendingBytes = 0;
  private immediate: NodeJS.Immediate | null = null;

  constructor(traffic: Traffic) {
    this.traffic = traffic;
  }

  /** Bytes that wait here and in the socket. */
  get backlogBytes(): number {
    return this.pendingBytes + (this.client?.backlogBytes ?? 0);
  }

  push(message: Message): void {
    this.pending.push(message);
    this.pendingBytes += message.payload.length + messageOverhead;
    if (this.client !== null) this.immediate ??= setImmediate(this.flush);
  }

  /** Gives it the connection to write to, or takes it away; what waits is kept. */
  connect(client: RtmpClient | null): void {
    this.client = client;
    if (client !== null && this.pending.length > 0) this.immediate ??= setImmediate(this.flush);
  }

  /** Writes what waits to the connection, if there is one, and forgets the rest. */
  close(): void {
    if (this.immediate !== null) clearImmediate(this.immediate);
    this.flush();
    this.client = null;
    this.immediate = null;
    this.pending = [];
    this.pendingBytes = 0;
  }

  private readonly flush = (): void => {
    this.immediate = null;
    if (this.client === null || this.pending.length === 0) return;
    const messages = this.pending;
    this.pending = [];
    this.pendingBytes = 0;
    for (const { payload } of messages) this.traffic.bytesOut += payload.length;
    this.client.write(messages);
  };
}
