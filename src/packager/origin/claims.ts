// Which of several packagers has what: a stream, an ingest. A claim is a name that the kernel gives to one process and takes back however
// that ends, so nobody has to be asked, and nothing is left behind. Who does not get it is connected to who has it, and tries again when
// that connection ends: while a packager is replaced, or its whole box, or after its death, the next one goes on at once. Whoever waits
// says what it carries, so that who carries more may let go of something. Elsewhere than on Linux there are no such names, no second
// packager, and no box that is replaced while it runs.
//
//   take ─▶ in turn, the later the more is carried ─▶ listening on the name: it is ours ─▶ release
//                     ▲                          └─▶ it is another's: connected to it ─(closed)─┐
//                     └─────────────────────────────────────────────────────────────────────────┘
import { createHash } from "node:crypto";
import { connect, createServer, type Server, type Socket } from "node:net";
import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** After a holder has gone, or is about to. */
const askAgainMs = 20;
/** The longest that a claim is put off for what is carried already. */
const longestDelayMs = 250;
/** So much later for each byte a second that is carried: 0.5 ms for a Mbit/s. */
const delayMsPerCost = 0.5 / 125_000;
/** What is said by who waits has so many bytes at most. */
const maxSayingBytes = 200;

export interface Claim {
  release(): void;
}

export interface ClaimsOptions {
  /** What is claimed belongs to the box of this folder. */
  readonly folder: string;
  /** Those of one key know each other, and let go of things for each other; others wait for the end. */
  readonly group: string;
  readonly name: string;
  /** What is carried, in bytes a second. Null: there is nobody to share with. */
  readonly cost: () => number | null;
  /** Somebody waits for what is ours, and carries so much. */
  readonly onAsked: (key: string, by: string, cost: number) => void;
}

/** The claims of one process. `close` ends the waiting; those that were given are released one by one. */
export class Claims {
  private readonly options: ClaimsOptions;
  private readonly group: string;
  private readonly waits = new Set<Socket>();
  private queue: Promise<unknown> = Promise.resolve();
  private isClosed = false;

  constructor(options: ClaimsOptions) {
    this.options = options;
    this.group = digest(options.group);
  }

  /** Waits until something is ours; null: the waiting was ended. */
  async take(key: string): Promise<Claim | null> {
    if (process.platform !== "linux") return { release: () => undefined };
    const name = `\0dolphin-packager-${digest(`${resolve(this.options.folder)}\n${key}`)}`;
    while (!this.isClosed) {
      const claim = await this.inTurn(() => this.listen(name, key));
      if (claim !== null && this.isClosed) claim.release();
      else if (claim !== null) return claim;
      if (!this.isClosed) await this.awaitEnd(name);
    }
    return null;
  }

  close(): void {
    this.isClosed = true;
    for (const socket of this.waits) socket.destroy();
  }

  /** One at a time, and later where more is carried: of those who would take something the one does who carries least. */
  private inTurn(attempt: () => Promise<Claim | null>): Promise<Claim | null> {
    const turn = this.queue.then(async () => {
      const cost = this.options.cost();
      if (cost !== null && cost > 0) await sleep(Math.min(longestDelayMs, cost * delayMsPerCost));
      return this.isClosed ? null : attempt();
    });
    this.queue = turn;
    return turn;
  }

  private listen(name: string, key: string): Promise<Claim | null> {
    return new Promise((done) => {
      const waiting = new Set<Socket>();
      const server: Server = createServer((socket) => {
        waiting.add(socket);
        socket.on("error", () => undefined);
        socket.once("close", () => waiting.delete(socket));
        socket.once("data", (bytes) => this.heard(key, bytes));
        socket.unref();
      });
      server.once("error", () => done(null));
      const release = (): void => {
        server.close();
        for (const socket of waiting) socket.destroy();
      };
      // A worker of node:cluster would otherwise listen through the master, with all others of the name.
      server.listen({ path: name, exclusive: true }, () => {
        server.unref();
        done({ release });
      });
    });
  }

  private heard(key: string, bytes: Buffer): void {
    const [group = "", by = "", cost = ""] = bytes.subarray(0, maxSayingBytes).toString().trim().split(" ");
    if (group === this.group && by !== "") this.options.onAsked(key, by, Number(cost));
  }

  /** Resolves when whoever has the name has let go of it, or is gone. */
  private async awaitEnd(name: string): Promise<void> {
    await new Promise<void>((done) => {
      const socket = connect(name);
      this.waits.add(socket);
      socket.on("error", () => undefined);
      socket.once("connect", () => socket.write(`${this.group} ${this.options.name} ${Math.round(this.options.cost() ?? 0)}\n`));
      socket.resume();
      socket.once("close", () => {
        this.waits.delete(socket);
        done();
      });
    });
    await sleep(askAgainMs);
  }
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 40);
}
