// The first import of a child's entry, with no import of its own: it takes the signals before anything else is loaded, so
// that none of them ends the process by itself, nor SIGUSR1 opens Node's inspector. What else the entry needs it therefore
// imports dynamically. SIGINT of a terminal goes to the master too, and the master decides.

let asked = (): void => process.exit(0);
for (const signal of ["SIGUSR1", "SIGUSR2", "SIGHUP", "SIGINT", "SIGQUIT"] as const) process.on(signal, () => undefined);
process.on("SIGTERM", () => asked());
// A terminal that was closed, or a reader of the log that is gone, ends no stream.
process.stdout.on("error", () => undefined);

/** Says what SIGTERM does from now on; until then it ends the process, which has nothing to finish. */
export function onTerminate(run: () => void): void {
  asked = run;
}
