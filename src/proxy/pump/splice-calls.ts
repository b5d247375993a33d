// The system calls of the splice pump, through koffi: about 0.2 µs each beyond the kernel's own work. Linux on x64 and
// arm64 only. Results are as the kernel gives them: -1 and `errno()` for a failure, nothing is thrown.
import { constants } from "node:os";
import { withLibc } from "../../base/libc.js";

/** What the pump's two threads call. */
export interface SpliceCalls {
  /** Moves up to `bytes` from one descriptor to the other, one of which is a pipe; both offsets are 0 for "none". */
  splice(from: number, offsetFrom: 0, to: number, offsetTo: 0, bytes: number, flags: number): number;
  epoll_create1(flags: number): number;
  epoll_ctl(epoll: number, operation: number, fd: number, event: Uint32Array): number;
  epoll_wait(epoll: number, events: Uint32Array, count: number, timeoutMs: number): number;
  eventfd(initial: number, flags: number): number;
  pipe2(ends: Int32Array, flags: number): number;
  read(fd: number, into: Uint8Array, bytes: number): number;
  write(fd: number, from: Uint8Array, bytes: number): number;
  socket(family: number, type: number, protocol: number): number;
  connect(fd: number, address: Uint8Array, bytes: number): number;
  shutdown(fd: number, how: number): number;
  setsockopt(fd: number, level: number, name: number, value: Int32Array, bytes: number): number;
  fcntl(fd: number, command: number, type: "int", argument: number): number;
  close(fd: number): number;
  errno(): number;
}

// asm-generic/fcntl.h, sys/epoll.h, linux/splice.h, asm-generic/socket.h; the same on x64 and arm64.
export const NONBLOCK_CLOEXEC = 0x800 | 0x80000;
export const CLOEXEC = 0x80000;
export const F_DUPFD_CLOEXEC = 1030;
export const EPOLL_CTL_ADD = 1;
export const EPOLL_CTL_DEL = 2;
export const EPOLL_CTL_MOD = 3;
export const EPOLLIN = 0x1;
export const EPOLLOUT = 0x4;
export const EPOLLERR = 0x8;
export const EPOLLHUP = 0x10;
/** SPLICE_F_MOVE and SPLICE_F_NONBLOCK. */
export const SPLICE_FLAGS = 1 | 2;
export const SHUT_WR = 1;
export const SOL_SOCKET = 1;
export const SO_LINGER = 13;
export const { EAGAIN, EINTR } = constants.errno;

/** `struct epoll_event` in 32-bit words: packed on x64 {events, data, data}, aligned elsewhere {events, -, data, data}. */
export const eventWords = process.arch === "x64" ? 3 : 4;
/** Where the data begins in an event. */
export const dataWord = eventWords - 2;

/** Loads the calls, or tells that they are not to be had here. */
export function loadSpliceCalls(): Promise<SpliceCalls | null> {
  return withLibc((libc, native) => ({
    splice: libc.func("intptr_t splice(int, intptr_t, int, intptr_t, size_t, unsigned int)"),
    epoll_create1: libc.func("int epoll_create1(int)"),
    epoll_ctl: libc.func("int epoll_ctl(int, int, int, const void *)"),
    epoll_wait: libc.func("int epoll_wait(int, void *, int, int)"),
    eventfd: libc.func("int eventfd(unsigned int, int)"),
    pipe2: libc.func("int pipe2(void *, int)"),
    read: libc.func("intptr_t read(int, void *, size_t)"),
    write: libc.func("intptr_t write(int, const void *, size_t)"),
    socket: libc.func("int socket(int, int, int)"),
    connect: libc.func("int connect(int, const void *, uint32_t)"),
    shutdown: libc.func("int shutdown(int, int)"),
    setsockopt: libc.func("int setsockopt(int, int, int, const void *, uint32_t)"),
    fcntl: libc.func("int fcntl(int, int, ...)"),
    close: libc.func("int close(int)"),
    errno: () => native.errno(),
  }));
}
