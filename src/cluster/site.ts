// The box among the other servers of its site: where a stream is that is not published here, for all processes of the box. The origin
// in the master asks directly, children by a message; whether another process of the box has the stream comes first for those.
//
//   the origin ─────────────────────────────────────▶ site.ts ─▶ coworkers.ts ─▶ located
//   an edge, a server ─ locate ─▶ has the box it? ─▶
import { messageOf } from "../base/errors.js";
import type { Log } from "../base/log.js";
import type { Config } from "../conf/meaning/config.js";
import type { Located, Locator, StreamName } from "../ipc/locating.js";
import type { FromChild, ToChild } from "../ipc/messages.js";
import { Coworkers } from "./coworkers.js";

export interface SiteParts {
  readonly log: Log;
  config(): Config;
  /** Whether another process of the box than this one has a publisher of the stream of this key. */
  has(key: string, asker: string): Promise<boolean>;
  send(name: string, message: ToChild): boolean;
}

/** One box's. Close it once. */
export class Site implements Locator {
  private readonly parts: SiteParts;
  private readonly coworkers: Coworkers;

  constructor(parts: SiteParts) {
    this.parts = parts;
    this.coworkers = new Coworkers(() => parts.config(), parts.log);
  }

  /** For the origin in the master, which has not got it. */
  locate(name: StreamName): Promise<Located> {
    return this.coworkers.locate(name);
  }

  heard(child: string, message: FromChild): void {
    if (message.type === "locate") void this.answer(child, message.id, message.name);
  }

  close(): void {
    this.coworkers.close();
  }

  private async answer(child: string, id: number, name: StreamName): Promise<void> {
    let located: Located | null = null;
    try {
      const isHere = await this.parts.has(`${name.vhost}/${name.app}/${name.stream}`, child);
      located = isHere ? { isHere, servers: [] } : await this.locate(name);
    } catch (thrown) {
      this.parts.log.debug({ event: "locate.failed", child, err: messageOf(thrown) });
    }
    this.parts.send(child, { type: "located", id, located });
  }
}
