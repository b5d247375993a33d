// A thread for files whose disk takes nothing: a pipe that is full stands for it.
import { closeSync, constants, openSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import { FileThread } from "../../../src/packager/media/file-thread.js";
import { run } from "../../helpers/child.js";
import type { Cleanup } from "../../helpers/dolphin.js";

export interface StuckThread {
  readonly files: FileThread;
  /** It hangs in this until it is let go. */
  readonly hanging: Promise<boolean>;
  readonly letGo: () => void;
}

export async function stuckThread(t: Cleanup, folder: string): Promise<StuckThread> {
  const path = join(folder, "full");
  await run("mkfifo", [path], 5000);
  const pipe = openSync(path, constants.O_RDWR);
  const filling = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  const some = Buffer.alloc(4096);
  try {
    for (;;) writeSync(filling, some);
  } catch {
    closeSync(filling); // it is full
  }
  const files = new FileThread();
  const hanging = files.do({ do: "add", fd: pipe, line: "x" });
  let isHanging = true;
  const letGo = (): void => {
    if (isHanging) readSync(pipe, Buffer.alloc(1 << 16));
    isHanging = false;
  };
  t.after(async () => {
    letGo();
    await hanging;
    closeSync(pipe);
  });
  return { files, hanging, letGo };
}
