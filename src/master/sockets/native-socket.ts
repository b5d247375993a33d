// Listening sockets with SO_REUSEPORT, made by system calls through koffi, because Node 20 cannot: several of them share
// one address and the kernel spreads connections over them. Linux only; where koffi or Linux is missing,
// `loadNativeSockets` gives null and the cluster module spreads connections instead.
import { closeSync, fstatSync } from "node:fs";
import { isIPv6 } from "node:net";
import { constants } from "node:os";
import { DolphinError } from "../../base/errors.js";
import { withLibc } from "../../base/libc.js";
import type { Endpoint } from "../../conf/meaning/config.js";
import { formatEndpoint } from "../../conf/meaning/endpoint.js";

/** Makes and copies sockets that are plain descriptors of this process; the caller closes them. */
export interface NativeSockets {
  /** A listening socket on a numeric address and a port that is not 0. Throws CHILD_LISTEN with the system's error as cause. */
  listen(endpoint: Endpoint, backlog: number): number;
  /** The address of a listening TCP socket with its numeric host; null for anything else. */
  address(fd: number): Endpoint | null;
  /** Sets how many connections may wait to be accepted; a paused socket takes them again. */
  setBacklog(fd: number, backlog: number): void;
  /** Stops the kernel from giving connections to a socket that stays bound, in all its descriptors. Those in its queue are reset. */
  pause(fd: number): void;
  /** Another descriptor of the same socket. */
  duplicate(fd: number): number;
  /** What tells one socket from another, whatever descriptor it has; null for a descriptor that is not open. */
  identity(fd: number): bigint | null;
  close(fd: number): void;
}

// From the Linux headers bits/socket.h, asm-generic/socket.h, netinet/in.h and fcntl.h; the same on x64 and arm64.
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM_CLOEXEC = 1 | 0x80000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_TYPE = 3;
const SO_REUSEPORT = 15;
const SO_ACCEPTCONN = 30;
const SOCK_STREAM = 1;
const SHUT_RD = 0;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const F_DUPFD_CLOEXEC = 1030;

interface Calls {
  socket(family: number, type: number, protocol: number): number;
  setsockopt(fd: number, level: number, name: number, value: Buffer, size: number): number;
  getsockopt(fd: number, level: number, name: number, value: Buffer, size: Buffer): number;
  getsockname(fd: number, address: Buffer, size: Buffer): number;
  shutdown(fd: number, how: number): number;
  bind(fd: number, address: Buffer, size: number): number;
  listen(fd: number, backlog: number): number;
  fcntl(fd: number, command: number, type: "int", argument: number): number;
  inet_pton(family: number, text: string, address: Buffer): number;
  inet_ntop(family: number, address: Buffer, text: Buffer, size: number): string | null;
  errno(): number;
}

/** Loads the system calls, or tells that they are not to be had here. */
export function loadNativeSockets(): Promise<NativeSockets | null> {
  return withLibc((libc, native) => {
    const calls = {
      socket: libc.func("int socket(int, int, int)"),
      setsockopt: libc.func("int setsockopt(int, int, int, const void *, uint32_t)"),
      getsockopt: libc.func("int getsockopt(int, int, int, _Out_ void *, _Inout_ void *)"),
      getsockname: libc.func("int getsockname(int, _Out_ void *, _Inout_ void *)"),
      shutdown: libc.func("int shutdown(int, int)"),
      bind: libc.func("int bind(int, const void *, uint32_t)"),
      listen: libc.func("int listen(int, int)"),
      fcntl: libc.func("int fcntl(int, int, ...)"),
      inet_pton: libc.func("int inet_pton(int, const char *, void *)"),
      inet_ntop: libc.func("const char *inet_ntop(int, const void *, _Out_ void *, uint32_t)"),
      errno: () => native.errno(),
    } as unknown as Calls;
    return nativeSockets(calls);
  });
}

function nativeSockets(calls: Calls): NativeSockets {
  return {
    listen: (endpoint, backlog) => listen(calls, endpoint, backlog),
    address: (fd) => addressOf(calls, fd),
    pause: (fd) => void calls.shutdown(fd, SHUT_RD),
    setBacklog: (fd, backlog) => void calls.listen(fd, backlog),
    duplicate(fd) {
      const copy = calls.fcntl(fd, F_DUPFD_CLOEXEC, "int", 0);
      if (copy < 0) throw systemError(calls.errno(), "copy a listening socket");
      return copy;
    },
    identity(fd) {
      try {
        return fstatSync(fd, { bigint: true }).ino;
      } catch {
        return null; // EBADF is the answer that is asked for
      }
    },
    close: (fd) => closeSync(fd),
  };
}

function listen(calls: Calls, endpoint: Endpoint, backlog: number): number {
  const doing = `listen on ${formatEndpoint(endpoint)}`;
  const family = isIPv6(endpoint.host) ? AF_INET6 : AF_INET;
  const fd = calls.socket(family, SOCK_STREAM_CLOEXEC, 0);
  if (fd < 0) throw systemError(calls.errno(), doing);
  const check = (result: number): void => {
    if (result >= 0) return;
    const error = systemError(calls.errno(), doing);
    closeSync(fd);
    throw error;
  };
  check(calls.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, int(1), 4));
  check(calls.setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, int(1), 4));
  // What the system does where nothing is said is a setting (net.ipv6.bindv6only).
  if (family === AF_INET6) check(calls.setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, int(endpoint.isV6Only === true ? 1 : 0), 4));
  const address = socketAddress(calls, family, endpoint);
  check(calls.bind(fd, address, address.length));
  check(calls.listen(fd, backlog));
  return fd;
}

function addressOf(calls: Calls, fd: number): Endpoint | null {
  if (option(calls, fd, SO_TYPE) !== SOCK_STREAM || option(calls, fd, SO_ACCEPTCONN) !== 1) return null;
  const address = Buffer.alloc(28);
  if (calls.getsockname(fd, address, int(address.length)) < 0) return null;
  const family = address.readUInt16LE(0);
  if (family !== AF_INET && family !== AF_INET6) return null;
  const host = calls.inet_ntop(family, address.subarray(family === AF_INET6 ? 8 : 4), Buffer.alloc(64), 64);
  return host === null ? null : { host, port: address.readUInt16BE(2) };
}

function option(calls: Calls, fd: number, name: number): number | null {
  const value = int(0);
  return calls.getsockopt(fd, SOL_SOCKET, name, value, int(4)) < 0 ? null : value.readInt32LE();
}

/** `struct sockaddr_in` {family, port, addr, 8 zeros} or `struct sockaddr_in6` {family, port, flowinfo, addr, scope}. */
function socketAddress(calls: Calls, family: number, { host, port }: Endpoint): Buffer {
  const address = Buffer.alloc(family === AF_INET6 ? 28 : 16);
  address.writeUInt16LE(family, 0);
  address.writeUInt16BE(port, 2);
  const target = address.subarray(family === AF_INET6 ? 8 : 4);
  if (calls.inet_pton(family, host, target) !== 1) throw new DolphinError("CHILD_LISTEN", `cannot listen on ${host}: not an IP address`);
  return address;
}

function int(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeInt32LE(value);
  return buffer;
}

function systemError(errno: number, doing: string): DolphinError {
  const code = Object.entries(constants.errno).find(([, number]) => number === errno)?.[0] ?? `errno ${errno}`;
  return new DolphinError("CHILD_LISTEN", `cannot ${doing}: ${code}`, { cause: Object.assign(new Error(code), { code }) });
}
