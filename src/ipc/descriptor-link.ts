// Open descriptors on their way between the master and a child, with notes that say what they are: a Unix socket pair
// beside the channel, because what Node sends with a message takes 0.4 ms a socket and this some microseconds. What one process
// has sent is the other's even if the sender is killed at once.
//
//   send ─▶ waiting ─▶ sendmsg, up to 100 descriptors and their notes a message ─▶ kernel ─▶ recvmsg ─▶ receive
//
//   a message    [[how many descriptors, note, bytes of text], …] as JSON │ newline │ the texts, as they are
//
// Nobody is told when something comes: whoever sends says so over the channel. Linux only, through koffi.
import { closeSync } from "node:fs";
import { constants } from "node:os";
import { DolphinError } from "../base/errors.js";
import { withLibc } from "../base/libc.js";

/** Descriptors and what they are together. The sender keeps its own copies; the receiver closes those that it gets. */
export interface Parcel {
  readonly fds: readonly number[];
  readonly note: unknown;
  /** What goes along unread, each character one byte; empty: nothing. */
  readonly text: string;
}

/** One to be sent: its descriptors, 100 at most, are asked for when it goes, and null takes it back. */
export interface Outgoing {
  readonly descriptors: () => readonly number[] | null;
  readonly note: unknown;
  /** As in `Parcel`; absent: nothing. */
  readonly text?: string;
  /** Called once when it is with the other side. */
  readonly gone?: () => void;
}

/** One that waits to go. */
interface Waiting {
  readonly parcel: Outgoing;
  /** As JSON. */
  readonly note: string;
  readonly text: string;
  readonly sent: () => void;
}

/** Those that go now. */
interface Batch {
  readonly fds: readonly number[];
  /** What stands in the message of each: how many descriptors are its own, the note and how long its text is. */
  readonly heads: readonly string[];
  readonly parts: readonly Waiting[];
  /** How many no longer wait when it has gone: they, and those before them that were taken back. */
  readonly end: number;
}

interface Calls {
  socketpair(family: number, type: number, protocol: number, ends: Int32Array): number;
  sendmsg(fd: number, message: Buffer, flags: number): number;
  recvmsg(fd: number, message: Buffer, flags: number): number;
  /** Where a buffer lies. */
  addressOf(buffer: Buffer): bigint;
  errno(): number;
}

// bits/socket.h and asm-generic; the same on x64 and arm64.
const AF_UNIX = 1;
const SOCK_SEQPACKET_CLOEXEC = 5 | 0x80000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x40000000;
const { EAGAIN, EINTR, ENOBUFS, ENOMEM, EPIPE, ECONNRESET, ENOTCONN } = constants.errno;
/** Too many descriptors of this user are on their way: asm-generic/errno.h, which Node does not name. */
const ETOOMANYREFS = 109;
/** What goes over by itself, and what never does. */
const retried: ReadonlySet<number> = new Set([EAGAIN, EINTR, ENOBUFS, ENOMEM, ETOOMANYREFS]);
const gone: ReadonlySet<number> = new Set([EPIPE, ECONNRESET, ENOTCONN]);

/** The kernel takes 253 in one message. */
const maxDescriptors = 100;
/** A message must fit into a socket's buffer, which is 208 KiB unless the system says otherwise. */
const maxMessageBytes = 96 << 10;
/** Of one note and its text, beside which the message says how many descriptors are its own and how long the text is. */
const maxParcelBytes = maxMessageBytes - 24;
const newline = 0x0a;
/** When the other side has not read for a moment. */
const retryMs = 5;

// One piece of memory that never moves, laid out as `struct iovec`, `struct msghdr`, control data, data.
const iovecAt = 0;
const headerAt = 16;
const controlAt = 128;
const controlHeaderBytes = 16;
const dataAt = 1024;

/** Loads what links are made of, or tells that it is not to be had here. */
export function loadDescriptorLinks(): Promise<DescriptorLinks | null> {
  return withLibc(
    (libc, native) =>
      new DescriptorLinks({
        socketpair: libc.func("int socketpair(int, int, int, void *)"),
        sendmsg: libc.func("intptr_t sendmsg(int, const void *, int)"),
        recvmsg: libc.func("intptr_t recvmsg(int, void *, int)"),
        addressOf: (buffer) => native.address(buffer),
        errno: () => native.errno(),
      }),
  );
}

/** Makes links. */
export class DescriptorLinks {
  private readonly calls: Calls;

  constructor(calls: Calls) {
    this.calls = calls;
  }

  /** A link and the descriptor of its other end, which the caller gives to a child and then closes. Throws CHILD_START. */
  pair(): { readonly link: DescriptorLink; readonly otherFd: number } {
    const ends = new Int32Array(2);
    if (this.calls.socketpair(AF_UNIX, SOCK_SEQPACKET_CLOEXEC, 0, ends) !== 0) {
      throw new DolphinError("CHILD_START", `cannot make a socket pair: errno ${this.calls.errno()}`);
    }
    return { link: this.open(ends[0]!), otherFd: ends[1]! };
  }

  /** The end that a process was given as this descriptor. */
  open(fd: number): DescriptorLink {
    return new DescriptorLink(fd, this.calls);
  }
}

/** One end of a link. Close it once; what has not been received by then is closed by the kernel. */
export class DescriptorLink {
  private readonly fd: number;
  private readonly calls: Calls;
  private readonly memory = Buffer.alloc(dataAt + maxMessageBytes + (64 << 10));
  private waiting: Waiting[] = [];
  private timer: NodeJS.Timeout | undefined;
  private isClosed = false;

  constructor(fd: number, calls: Calls) {
    this.fd = fd;
    this.calls = calls;
    this.memory.writeBigUInt64LE(calls.addressOf(this.memory) + BigInt(dataAt), iovecAt);
  }

  /**
   * Sends parcels in their order, as many at once as the kernel takes. `sent` is called whenever some of them have gone: the other
   * side must be told then, for the rest waits until it has read. One that cannot go at all counts as gone.
   */
  send(parcels: readonly Outgoing[], sent: () => void = () => undefined): void {
    for (const parcel of parcels) {
      const note = JSON.stringify(parcel.note);
      const { text = "" } = parcel;
      if (Buffer.byteLength(note) + text.length <= maxParcelBytes) this.waiting.push({ parcel, note, text, sent });
      else sent();
    }
    this.flush();
  }

  /** Everything that has come. The descriptors are the caller's. */
  receive(): Parcel[] {
    const all: Parcel[] = [];
    for (let some = this.receiveSome(); some !== null; some = this.receiveSome()) all.push(...some);
    return all;
  }

  /** What has come with the next message, 100 descriptors at most; null: nothing has come. */
  receiveSome(): Parcel[] | null {
    while (!this.isClosed) {
      const { memory } = this;
      this.layOut(memory.length - dataAt, controlHeaderBytes + 4 * maxDescriptors);
      const size = this.calls.recvmsg(this.fd, memory.subarray(headerAt), MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
      if (size < 0 && this.calls.errno() === EINTR) continue;
      if (size <= 0) return null;
      const parcels: Parcel[] = [];
      let textAt = memory.indexOf(newline, dataAt) + 1;
      const heads = JSON.parse(memory.toString("utf8", dataAt, textAt)) as (readonly [count: number, note: unknown, textBytes: number])[];
      // The control data may be padded; its own length is exact.
      const controlBytes = memory.readBigUInt64LE(headerAt + 40) === 0n ? 0 : Number(memory.readBigUInt64LE(controlAt));
      const count = Math.max(0, Math.floor((controlBytes - controlHeaderBytes) / 4));
      const fds = Array.from({ length: count }, (_, at) => memory.readInt32LE(controlAt + controlHeaderBytes + 4 * at));
      for (const [wanted, note, textBytes] of heads) {
        if (fds.length < wanted) break; // this process has too many open: the rest of them did not come
        parcels.push({ fds: fds.splice(0, wanted), note, text: memory.toString("latin1", textAt, textAt + textBytes) });
        textAt += textBytes;
      }
      for (const fd of fds) closeSync(fd);
      return parcels;
    }
    return null;
  }

  /** Whether something still waits to go. */
  get isWaiting(): boolean {
    return this.waiting.length > 0;
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    clearTimeout(this.timer);
    this.waiting = [];
    closeSync(this.fd);
  }

  private flush(): void {
    clearTimeout(this.timer);
    const told = new Set<() => void>();
    let [most, begin] = [Infinity, 0];
    while (!this.isClosed) {
      const batch = this.nextBatch(begin, most);
      if (batch.parts.length === 0) {
        begin = batch.end;
        break;
      }
      const errno = this.sendOne(batch);
      if (errno !== 0 && retried.has(errno)) {
        this.timer = setTimeout(() => this.flush(), retryMs);
        break;
      }
      if (errno !== 0 && gone.has(errno)) {
        begin = this.waiting.length; // the other side's own end tells what becomes of it
        break;
      }
      if (errno !== 0 && batch.parts.length > 1) {
        most = 1; // one of them is at fault
        continue;
      }
      begin = batch.end;
      for (const { parcel, sent } of batch.parts) {
        parcel.gone?.();
        told.add(sent);
      }
    }
    this.waiting = this.waiting.slice(begin);
    for (const sent of told) sent();
  }

  /** Sends the first of those that wait. The error's number, or 0. */
  private sendOne({ fds, heads, parts }: Batch): number {
    let size = this.memory.write(`[${heads.join(",")}]\n`, dataAt, "utf8");
    for (const { text } of parts) size += this.memory.write(text, dataAt + size, "latin1");
    const controlBytes = controlHeaderBytes + 4 * fds.length;
    this.memory.writeBigUInt64LE(BigInt(controlBytes), controlAt);
    this.memory.writeInt32LE(SOL_SOCKET, controlAt + 8);
    this.memory.writeInt32LE(SCM_RIGHTS, controlAt + 12);
    for (const [at, fd] of fds.entries()) this.memory.writeInt32LE(fd, controlAt + controlHeaderBytes + 4 * at);
    this.layOut(size, controlBytes);
    return this.calls.sendmsg(this.fd, this.memory.subarray(headerAt), MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? this.calls.errno() : 0;
  }

  /** The next ones that go together, without those that were taken back. */
  private nextBatch(begin: number, most: number): Batch {
    const parts: Waiting[] = [];
    const heads: string[] = [];
    const all: number[] = [];
    let [end, bytes] = [begin, 3];
    for (; end < this.waiting.length && parts.length < most; end++) {
      const one = this.waiting[end]!;
      const fds = one.parcel.descriptors();
      if (fds === null) continue;
      const head = `[${fds.length},${one.note},${one.text.length}]`;
      bytes += Buffer.byteLength(head) + 1 + one.text.length;
      if (parts.length > 0 && (all.length + fds.length > maxDescriptors || bytes > maxMessageBytes)) break;
      parts.push(one);
      heads.push(head);
      all.push(...fds);
    }
    return { fds: all, heads, parts, end };
  }

  /** `struct iovec {base, length}` and `struct msghdr {name, name length, iovec, count, control, control length, flags}`. */
  private layOut(dataBytes: number, controlBytes: number): void {
    const { memory } = this;
    const base = memory.readBigUInt64LE(iovecAt) - BigInt(dataAt);
    memory.writeBigUInt64LE(BigInt(dataBytes), iovecAt + 8);
    memory.writeBigUInt64LE(base + BigInt(iovecAt), headerAt + 16);
    memory.writeBigUInt64LE(1n, headerAt + 24);
    memory.writeBigUInt64LE(base + BigInt(controlAt), headerAt + 32);
    memory.writeBigUInt64LE(BigInt(controlBytes), headerAt + 40);
    memory.writeInt32LE(0, headerAt + 48);
  }
}
