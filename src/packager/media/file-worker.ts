// The thread of file-thread.ts.
import { parentPort } from "node:worker_threads";
import { errnoOf, messageOf } from "../../base/errors.js";
import { withLibc } from "../../base/libc.js";
import { perform, type FileWork, type Swap } from "./file-work.js";

/** What a work has thrown; null: nothing. */
export type Failure = { readonly message: string; readonly code: string | undefined } | null;

/** `AT_FDCWD`, `RENAME_EXCHANGE` of linux/fcntl.h and linux/fs.h. */
const [here, exchange] = [-100, 2];

const swap = await withLibc((libc): Swap => {
  const call = libc.func<(...values: unknown[]) => number>("int renameat2(int, const char *, int, const char *, unsigned int)");
  return (one, other) => call(here, one, here, other, exchange) === 0;
});

const port = parentPort!;
port.on("message", (works: readonly FileWork[]) => {
  const failures = works.map((work) => failureOf(work));
  port.postMessage(failures, []);
});

function failureOf(work: FileWork): Failure {
  try {
    perform(work, swap);
    return null;
  } catch (thrown) {
    return { message: messageOf(thrown), code: errnoOf(thrown) };
  }
}
