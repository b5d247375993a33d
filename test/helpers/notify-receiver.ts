// The other end of sd_notify: a Unix datagram socket as a service manager has it, made by system calls because Node has none.
import { mkdtempSync, rmSync } from "node:fs";
import { closeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { withLibc } from "../../src/base/libc.js";
import { eventually } from "./wait.js";

const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 2 | 0x80000;
const MSG_DONTWAIT = 0x40;

interface Calls {
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: Uint8Array, bytes: number): number;
  recv(fd: number, into: Uint8Array, bytes: number, flags: number): number;
}

const calls = await withLibc<Calls>((libc) => ({
  socket: libc.func("int socket(int, int, int)"),
  bind: libc.func("int bind(int, const void *, uint32_t)"),
  recv: libc.func("intptr_t recv(int, _Out_ void *, size_t, int)"),
}));

/** Everything that was sent to it, in order, once it has been looked at. */
export class NotifyReceiver {
  /** For NOTIFY_SOCKET. */
  readonly name: string;
  private readonly calls: Calls;
  private readonly fd: number;
  private readonly folder: string;
  private readonly seen: string[] = [];
  private readonly buffer = Buffer.alloc(65_536);

  constructor(kind: "path" | "abstract" = "path") {
    this.folder = mkdtempSync(join(tmpdir(), "dolphin-notify-"));
    const path = join(this.folder, "notify");
    this.name = kind === "path" ? path : `@${path}`;
    const address = Buffer.from(kind === "path" ? `__${path}\0` : `__\0${path}`);
    address.writeUInt16LE(AF_UNIX, 0);
    if (calls === null) throw new Error("a notify socket takes koffi and Linux");
    this.calls = calls;
    this.fd = calls.socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0);
    if (calls.bind(this.fd, address, address.length) !== 0) throw new Error(`cannot bind ${this.name}`);
  }

  /** The datagrams so far, each as its lines. */
  messages(): string[][] {
    for (;;) {
      const size = this.calls.recv(this.fd, this.buffer, this.buffer.length, MSG_DONTWAIT);
      if (size < 0) return this.seen.map((text) => text.split("\n"));
      this.seen.push(this.buffer.toString("utf8", 0, size));
    }
  }

  /** The first datagram from number `from` on that has a line which begins like this, and its number. */
  waitFor(start: string, from = 0): Promise<{ readonly at: number; readonly lines: readonly string[] }> {
    const look = (): { at: number; lines: string[] } | null => {
      const at = this.messages().findIndex((lines, index) => index >= from && lines.some((line) => line.startsWith(start)));
      return at < 0 ? null : { at, lines: this.messages()[at] ?? [] };
    };
    return eventually(look, { what: `${start} at the notify socket`, everyMs: 20 });
  }

  close(): void {
    closeSync(this.fd);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
