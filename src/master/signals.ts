// Where signals become events: one handler for all of them, installed before anything else happens, so that no signal ends
// the process by itself and SIGUSR1 never opens Node's inspector. What comes before somebody listens is kept for him.

/** What a signal asks of the master. `stop` twice means at once. */
export type SignalEvent = { readonly type: "stop" | "kill" | "ignored"; readonly signal: NodeJS.Signals };

const stopSignals = ["SIGTERM", "SIGINT", "SIGQUIT"] as const;
const otherSignals = ["SIGHUP", "SIGUSR1", "SIGUSR2"] as const;

/** The signals of this process, from its construction until `close`. */
export class Signals {
  private readonly kept: SignalEvent[] = [];
  private readonly handle = (signal: NodeJS.Signals): void => this.came(signal);
  private listener: ((event: SignalEvent) => void) | null = null;
  private hasStopped = false;

  constructor() {
    for (const signal of [...stopSignals, ...otherSignals]) process.on(signal, this.handle);
  }

  /** Hands over what came until now, in order, and from now on whatever comes. */
  listen(listener: (event: SignalEvent) => void): void {
    this.listener = listener;
    for (const event of this.kept.splice(0)) listener(event);
  }

  /** Signals are still taken, so that a late one does not cut the end short, but nobody is told. */
  close(): void {
    this.listener = () => undefined;
  }

  private came(signal: NodeJS.Signals): void {
    const event = this.eventOf(signal);
    if (this.listener === null) this.kept.push(event);
    else this.listener(event);
  }

  private eventOf(signal: NodeJS.Signals): SignalEvent {
    if (!(stopSignals as readonly string[]).includes(signal)) return { type: "ignored", signal };
    const type = this.hasStopped ? "kill" : "stop";
    this.hasStopped = true;
    return { type, signal };
  }
}
