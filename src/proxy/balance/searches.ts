// Streams that players of a proxy wait for, looked for on the site by whoever knows it, which is in the master: one search a stream,
// however many wait. One that is at this box is told of by its lease.
import { Deadline } from "../../base/deadline.js";
import { nowhere, type Locator, type StreamName } from "../../ipc/locating.js";

/** Between two questions; doubled up to the longest. */
const firstPauseMs = 500;
const longestPauseMs = 3_000;

interface Search {
  readonly asking: AbortController;
  readonly pause: Deadline;
}

/** The searches of one proxy. `close` ends them. */
export class Searches {
  private readonly locator: Pick<Locator, "locate"> | null;
  private readonly isLocated: (name: StreamName) => boolean;
  private readonly found: (key: string) => void;
  private readonly all = new Map<string, Search>();

  /** `locator` null: nobody knows other boxes. `found` is told of streams that another box has. */
  constructor(locator: Pick<Locator, "locate"> | null, isLocated: (name: StreamName) => boolean, found: (key: string) => void) {
    this.locator = locator;
    this.isLocated = isLocated;
    this.found = found;
  }

  /** Somebody waits for a stream: it is asked about at once, and again until `end`. */
  begin(key: string): void {
    const name = nameOf(key);
    if (this.locator === null || this.all.has(key) || !this.isLocated(name)) return;
    const search: Search = { asking: new AbortController(), pause: new Deadline() };
    this.all.set(key, search);
    void this.ask(this.locator, key, search, firstPauseMs);
  }

  /** Nobody does any more. */
  end(key: string): void {
    const search = this.all.get(key);
    this.all.delete(key);
    search?.pause.clear();
    search?.asking.abort();
  }

  close(): void {
    for (const key of this.all.keys()) this.end(key);
  }

  private async ask(locator: Pick<Locator, "locate">, key: string, search: Search, pauseMs: number): Promise<void> {
    const { servers } = await locator.locate(nameOf(key), search.asking.signal).catch(() => nowhere); // nobody could be asked
    if (this.all.get(key) !== search) return;
    search.pause.set(pauseMs, () => void this.ask(locator, key, search, Math.min(2 * pauseMs, longestPauseMs)));
    if (servers.length > 0) this.found(key);
  }
}

/** The name in a `streamKey`; an app may have slashes. */
function nameOf(key: string): StreamName {
  const [vhost = "", ...rest] = key.split("/");
  return { vhost, app: rest.slice(0, -1).join("/"), stream: rest.at(-1) ?? "" };
}
