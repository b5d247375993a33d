// The thread of file-thread.ts.
import { parentPort } from "node:worker_threads";
import { errnoOf, messageOf } from "../../base/errors.js";
import { withLibc } from "../../base/libc.js";
import { perform, type FileCalls, type FileWork } from "./file-work.js";

/** Whether the folder of what was done was there, or what was thrown. */
export type Done = boolean | { readonly message: string; readonly code: string | undefined };

/** `AT_FDCWD`, `RENAME_EXCHANGE`, `SYNC_FILE_RANGE_WRITE` of linux/fcntl.h and linux/fs.h. */
const [here, exchange, onlyBegin] = [-100, 2, 2];
/** `FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE` of linux/falloc.h. */
const hole = 3;
/** Of the largest page that there is. */
const pageBytes = 64 << 10;
/** `F_SETSIG`, `F_SETLEASE`, `F_GETLEASE`, `F_WRLCK`, `F_UNLCK` of fcntl.h, and `SIGURG`, which does nothing to whoever does not ask for it. */
const [setSignal, setLease, getLease, toWrite, none, harmless] = [10, 1024, 1025, 1, 2, 23];

const calls = await withLibc((libc): FileCalls => {
  const rename = libc.func<(...values: unknown[]) => number>("int renameat2(int, const char *, int, const char *, unsigned int)");
  const sync = libc.func<(...values: number[]) => number>("int sync_file_range(int, int64_t, int64_t, unsigned int)");
  const allocate = libc.func<(...values: number[]) => number>("int fallocate(int, int, int64_t, int64_t)");
  const control = libc.func<(...values: number[]) => number>("int fcntl(int, int, int)");
  return {
    // A lease to write is given to nobody while another one has the file open, and asked back, by a signal, when somebody opens it.
    isAlone(fd) {
      if (control(fd, setSignal, harmless) < 0 || control(fd, setLease, toWrite) < 0) return false;
      const isStill = control(fd, getLease, 0) === toWrite;
      return control(fd, setLease, none) === 0 && isStill;
    },
    // In whole pages: of one that is cut the rest is written over with zeros where it is.
    empty: (fd, bytes) => bytes === 0 || allocate(fd, hole, 0, pageBytes * Math.ceil(bytes / pageBytes)) === 0,
    swap: (one, other) => rename(here, one, here, other, exchange) === 0,
    sendToDisk: (fd) => void sync(fd, 0, 0, onlyBegin),
  };
});

const port = parentPort!;
port.on("message", (works: readonly FileWork[]) => {
  const done = works.map((work) => tried(work));
  port.postMessage(done, []);
});

function tried(work: FileWork): Done {
  try {
    return perform(work, calls);
  } catch (thrown) {
    return { message: messageOf(thrown), code: errnoOf(thrown) };
  }
}
