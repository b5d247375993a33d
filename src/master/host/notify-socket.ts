// The way to a service manager: datagrams to the Unix socket that it named (sd_notify(3)). Node has no such sockets, so they
// are sent by system calls through koffi; where that is missing, by the program systemd-notify.
import { spawn } from "node:child_process";
import { close } from "node:fs";
import { withLibc } from "../../base/libc.js";

/** Sends to a service manager; close it once. */
export interface NotifySocket {
  /** False when it cannot be sent right now and is worth another try. A manager that is gone hears nothing, and that is fine. */
  send(text: string): boolean;
  close(): void;
}

// From the Linux headers bits/socket.h, asm-generic/errno-base.h and sys/un.h; the same on x64 and arm64.
const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 2 | 0x80000;
const MSG_DONTWAIT_NOSIGNAL = 0x40 | 0x4000;
const EAGAIN = 11;

interface Calls {
  socket(family: number, type: number, protocol: number): number;
  sendto(fd: number, bytes: Buffer, size: number, flags: number, address: Buffer, addressSize: number): number;
  errno(): number;
}

/** A sender to `$NOTIFY_SOCKET`: a path, or `@` and a name in the abstract namespace. */
export async function openNotifySocket(name: string): Promise<NotifySocket> {
  const calls = await loadCalls();
  const fd = calls === null ? -1 : calls.socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0);
  const address = socketAddress(name);
  if (calls === null || fd < 0 || address === null) return notifyProgram(name);
  return {
    send(text) {
      const bytes = Buffer.from(text);
      // A manager that reads slowly must not hold up the streams.
      const sent = calls.sendto(fd, bytes, bytes.length, MSG_DONTWAIT_NOSIGNAL, address, address.length);
      return sent >= 0 || calls.errno() !== EAGAIN;
    },
    close: () => close(fd),
  };
}

/** `struct sockaddr_un` {family, path}; null for what is no Unix socket. */
function socketAddress(name: string): Buffer | null {
  if (!/^[/@]./.test(name)) return null;
  const family = Buffer.alloc(2);
  family.writeUInt16LE(AF_UNIX);
  const isAbstract = name.startsWith("@");
  // An abstract name begins with a zero byte, a path ends with one.
  return Buffer.concat([family, Buffer.from(isAbstract ? `\0${name.slice(1)}` : `${name}\0`)]);
}

function loadCalls(): Promise<Calls | null> {
  return withLibc((libc, native) => ({
    socket: libc.func("int socket(int, int, int)"),
    sendto: libc.func("intptr_t sendto(int, const void *, size_t, int, const void *, uint32_t)"),
    errno: () => native.errno(),
  }));
}

/** One run of the program for each datagram, one after the other. A unit must then say NotifyAccess=all. */
function notifyProgram(name: string): NotifySocket {
  let isBusy = false;
  return {
    send(text) {
      if (isBusy) return false;
      isBusy = true;
      const child = spawn("systemd-notify", text.split("\n"), { env: { ...process.env, NOTIFY_SOCKET: name }, stdio: "ignore" });
      child.unref();
      for (const event of ["error", "exit"] as const) child.once(event, () => (isBusy = false));
      return true;
    },
    close: () => undefined,
  };
}
