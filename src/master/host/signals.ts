// Where signals become events: one handler for all of them, installed before anything else happens, so that no signal ends
// the process by itself and SIGUSR1 never opens Node's inspector. What comes before somebody listens is kept for him.

/** The signals that the master takes. What each of them does is decided where they are listened to. */
const masterSignals = ["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2"] as const;
export type MasterSignal = (typeof masterSignals)[number];

/** The signals of this process, from its construction until `close`. */
export class Signals {
  private readonly kept: MasterSignal[] = [];
  private listener: ((signal: MasterSignal) => void) | null = null;

  constructor() {
    for (const signal of masterSignals) process.on(signal, () => this.came(signal));
  }

  /** Hands over what came until now, in order, and from now on whatever comes. */
  listen(listener: (signal: MasterSignal) => void): void {
    this.listener = listener;
    for (const signal of this.kept.splice(0)) listener(signal);
  }

  /** Signals are still taken, so that a late one does not cut the end short, but nobody is told. */
  close(): void {
    this.listener = () => undefined;
  }

  private came(signal: MasterSignal): void {
    if (this.listener === null) this.kept.push(signal);
    else this.listener(signal);
  }
}
