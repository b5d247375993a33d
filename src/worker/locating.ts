// A child's way to whoever knows the other servers of the site, which is in the master: a question with a number, and its answer.
import { DolphinError } from "../base/errors.js";
import type { Endpoint } from "../conf/meaning/config.js";
import type { Located, Locator, StreamName } from "../ipc/locating.js";
import type { FromChild } from "../ipc/messages.js";
import { ChildClaims } from "./claiming.js";

/** The master has asked everybody by then. */
const answerWithinMs = 3_000;

interface Waiting {
  readonly resolve: (located: Located) => void;
  readonly reject: (why: DolphinError) => void;
}

/** The questions of one child. */
export class ChildLocator implements Locator {
  readonly claims: ChildClaims;
  private readonly send: (message: FromChild) => void;
  private readonly waiting = new Map<number, Waiting>();
  private lastId = 0;

  constructor(send: (message: FromChild) => void) {
    this.send = send;
    this.claims = new ChildClaims(send);
  }

  locate(name: StreamName, signal: AbortSignal, isLost = false): Promise<Located> {
    return this.ask((id) => ({ type: "locate", id, name, isLost }), signal);
  }

  async origins(name: StreamName): Promise<readonly Endpoint[]> {
    return (await this.ask((id) => ({ type: "origins", id, name }), new AbortController().signal)).servers;
  }

  tellReplica(name: StreamName, from: string | null): void {
    this.send({ type: "replica", name, from });
  }

  /** `located`: null where nobody could be asked. */
  answered(id: number, located: Located | null): void {
    const waiting = this.waiting.get(id);
    this.waiting.delete(id);
    if (located === null) waiting?.reject(new DolphinError("RELAY_CONNECT", "no other server of the site could be asked"));
    else waiting?.resolve(located);
  }

  private ask(question: (id: number) => FromChild, signal: AbortSignal): Promise<Located> {
    const id = ++this.lastId;
    return new Promise((resolve, reject) => {
      const give = (why: string): void => {
        this.waiting.delete(id);
        reject(new DolphinError("RELAY_CONNECT", why));
      };
      const timer = setTimeout(() => give("the master did not answer"), answerWithinMs);
      signal.addEventListener("abort", () => give("nobody waits any more"), { once: true });
      const settled = <T>(settle: (value: T) => void): ((value: T) => void) => {
        return (value) => {
          clearTimeout(timer);
          settle(value);
        };
      };
      this.waiting.set(id, { resolve: settled(resolve), reject: settled(reject) });
      this.send(question(id));
    });
  }
}
