// New viewers who come all the time: a connection every few milliseconds, each of which must get an answer to its handshake.
import { handshakeAnswered } from "./rtmp-connection.js";

const everyMs = 8;
const crowd = 60;
/** Who comes to an edge that is being replaced waits for the replacement. */
const patienceMs = 10_000;

/** Knocks from its construction until `close`, `pause` aside. */
export class Knocker {
  answered = 0;
  refused = 0;
  private readonly port: number;
  private readonly timer: NodeJS.Timeout;
  private readonly waiting = new Set<Promise<void>>();
  private isPaused = false;

  constructor(port: number) {
    this.port = port;
    this.timer = setInterval(() => {
      if (!this.isPaused) this.knock();
    }, everyMs);
  }

  /** Does something at a moment when no connection is half-way through its handshake, and sends a crowd right behind it. */
  async between(run: () => void): Promise<void> {
    this.isPaused = true;
    await Promise.all(this.waiting);
    run();
    for (let i = 0; i < crowd; i++) this.knock();
    this.isPaused = false;
  }

  /** Ends it once everybody has an answer or has given up. */
  async close(): Promise<void> {
    clearInterval(this.timer);
    await Promise.all(this.waiting);
  }

  private knock(): void {
    const one = handshakeAnswered("127.0.0.1", this.port, patienceMs).then((isAnswered) => {
      this.waiting.delete(one);
      if (isAnswered) this.answered += 1;
      else this.refused += 1;
    });
    this.waiting.add(one);
  }
}
