// A certificate and its key in their files, read at the start and again when they have changed: whoever renews certificates need not
// tell anybody.
import { readFileSync, statSync } from "node:fs";
import { createSecureContext } from "node:tls";
import { DolphinError, messageOf } from "../../base/errors.js";
import type { Certificate } from "./server.js";

const lookEveryMs = 60_000;

/** The two files. `close` ends the looks at them. */
export class CertificateFiles {
  private readonly paths: { readonly key: string; readonly cert: string };
  private timer: NodeJS.Timeout | null = null;
  private seen = "";

  constructor(paths: { readonly key: string; readonly cert: string }) {
    this.paths = paths;
  }

  /** Throws CHILD_LISTEN for files that cannot be read, or do not belong together. */
  read(): Certificate {
    const { key, cert } = this.paths;
    try {
      const read = { key: readFileSync(key), cert: readFileSync(cert) };
      createSecureContext(read);
      this.seen = this.stamp();
      return read;
    } catch (cause) {
      throw new DolphinError("CHILD_LISTEN", `https of http_api: ${messageOf(cause)}; its key is ${key}, its cert ${cert}`, { cause });
    }
  }

  /** Tells of each change: what stands there now, or why it cannot be used. */
  watch(changed: (found: Certificate | Error) => void, everyMs = lookEveryMs): void {
    this.timer = setInterval(() => {
      const stamp = this.stamp();
      if (stamp === this.seen) return;
      try {
        changed(this.read());
      } catch (thrown) {
        this.seen = stamp; // told once
        changed(new Error(messageOf(thrown)));
      }
    }, everyMs);
    this.timer.unref();
  }

  close(): void {
    if (this.timer !== null) clearInterval(this.timer);
  }

  private stamp(): string {
    return [this.paths.key, this.paths.cert].map((path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0).join(" ");
  }
}
