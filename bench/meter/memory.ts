// What a process tree takes of memory, every page counted once: anonymous and shared memory by Pss, in which a page that several
// processes have counts in parts, and of the pages of files (the program, libraries) what the process has that has most of them. A
// plain sum of Rss would count the program once for each process; a plain sum of Pss would count less of it the more other
// processes of the machine run the same program. What the kernel holds for sockets is in none of them.
import { processesOf, readProc, type Tree } from "./process-tree.js";

/** Bytes of all processes of a tree. The kernel walks their page tables for it: not within a window in which CPU is measured. */
export function memoryOf(tree: Tree): number {
  const each = processesOf(tree).map(pagesOf);
  return each.reduce((sum, { own }) => sum + own, 0) + Math.max(0, ...each.map(({ ofFiles }) => ofFiles));
}

/** Bytes of one process, without the pages of files; 0 when it has ended. */
export function memoryOfProcess(pid: number): number {
  return pagesOf(pid).own;
}

function pagesOf(pid: number): { readonly own: number; readonly ofFiles: number } {
  const text = readProc(`${pid}/smaps_rollup`) ?? "";
  const bytes = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? 0) * 1024;
  const ofFiles = Number(/^RssFile:\s+(\d+) kB/m.exec(readProc(`${pid}/status`) ?? "")?.[1] ?? 0) * 1024;
  return { own: bytes("Pss_Anon") + bytes("Pss_Shmem"), ofFiles };
}
