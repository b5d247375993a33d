// POSIX locks over whole files (fcntl F_SETLK), through koffi, because Node has none. They belong to the process: a child has
// no part in them, the kernel ends them with the process however it dies, and so does closing ANY descriptor of the file, so
// whoever holds one must not read that file by its name. Linux only; elsewhere `loadFileLocks` gives null.
import { DolphinError } from "../../base/errors.js";
import { withLibc } from "../../base/libc.js";

export interface FileLocks {
  /** Takes the write lock on a descriptor that is open for writing; null when it is taken, else who holds it. Never waits. */
  take(fd: number): LockHolder | null;
  /** Who else holds a lock on the file of a descriptor; null: nobody. */
  look(fd: number): LockHolder | null;
}

export interface LockHolder {
  /** Null where the system does not tell: a process of another container. */
  readonly pid: number | null;
}

// From the Linux headers asm-generic/fcntl.h; the same on x64 and arm64.
const F_GETLK = 5;
const F_SETLK = 6;
const F_WRLCK = 1;
const F_UNLCK = 2;
/** `struct flock` {short l_type, short l_whence, 4 of padding, long l_start, long l_len, int l_pid, 4 of padding}. */
const flockBytes = 32;
const pidOffset = 24;

type Fcntl = (fd: number, command: number, type: "void *", argument: Buffer) => number;

/** Loads the system call, or tells that it is not to be had here. */
export function loadFileLocks(): Promise<FileLocks | null> {
  return withLibc((libc, native) => {
    const fcntl = libc.func<Fcntl>("int fcntl(int, int, ...)");
    const look = (fd: number): LockHolder | null => {
      const lock = wholeFile();
      if (fcntl(fd, F_GETLK, "void *", lock) < 0) throw new DolphinError("CHILD_START", `cannot ask for a lock: errno ${native.errno()}`);
      if (lock.readInt16LE(0) === F_UNLCK) return null;
      const pid = lock.readInt32LE(pidOffset);
      return { pid: pid > 0 ? pid : null };
    };
    return { look, take: (fd) => (fcntl(fd, F_SETLK, "void *", wholeFile()) >= 0 ? null : (look(fd) ?? { pid: null })) };
  });
}

/** A write lock from the start (l_whence and l_start are 0) to the end of the file, wherever that will be (l_len is 0). */
function wholeFile(): Buffer {
  const lock = Buffer.alloc(flockBytes);
  lock.writeInt16LE(F_WRLCK, 0);
  return lock;
}
