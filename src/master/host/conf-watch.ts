// Looks at the folder of the configuration file, as SRS does with `inotify_auto_reload`: editors replace a file by renaming a
// new one over it, and Kubernetes changes the link `..data` beside it, so the file alone would be lost from sight.
import { watch, type FSWatcher } from "node:fs";
import { basename, dirname } from "node:path";

/** A file is often written in several pieces: it is read when it has been quiet for so long. */
const quietMs = 500;

/** Tells of changes until `close`. Throws ENOENT or EMFILE when the folder cannot be watched. */
export class ConfWatch {
  private readonly watcher: FSWatcher;
  private timer: NodeJS.Timeout | undefined;

  constructor(file: string, changed: () => void) {
    const names = new Set([basename(file), "..data"]);
    this.watcher = watch(dirname(file), { persistent: false }, (_event, name) => {
      if (name === null || !names.has(name)) return;
      clearTimeout(this.timer);
      this.timer = setTimeout(changed, quietMs);
    });
    this.watcher.on("error", () => this.close()); // the folder is gone, and the file with it
  }

  close(): void {
    clearTimeout(this.timer);
    this.watcher.close();
  }
}
