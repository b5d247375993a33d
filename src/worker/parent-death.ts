// Ties a child to its parent's life. A child leaves by itself when its channel closes; one that is stopped or caught in a
// loop cannot, so the kernel is asked to end it (prctl PR_SET_PDEATHSIG, through koffi where that is to be had).
import { withLibc } from "../base/libc.js";

const PR_SET_PDEATHSIG = 1; // linux/prctl.h
const SIGKILL = 9;

/** From now on this process dies with the thread that started it. Does nothing where the system cannot do it. */
export async function dieWithParent(): Promise<void> {
  const parent = process.ppid;
  const prctl = await withLibc((libc) => libc.func<(...args: number[]) => number>("int prctl(int, ulong, ulong, ulong, ulong)"));
  prctl?.(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); // without it the closing channel has to do
  if (process.ppid !== parent) process.exit(0); // it died in between
}
