// What a service manager says to the process that it starts, by environment variables: where it listens for news (sd_notify(3)),
// how often it wants a sign of life (sd_watchdog_enabled(3)), and which sockets it has opened for us (sd_listen_fds(3)).
// It is meant for one process, so it is taken out of the environment before a child could inherit it.

/** A descriptor that was open when this process started. */
export interface InheritedSocket {
  readonly fd: number;
  /** What the manager calls it; empty where it says nothing. */
  readonly name: string;
}

export interface SystemdEnvironment {
  /** A path, or `@` and an abstract name; null: there is no manager that wants to know. */
  readonly notifySocket: string | null;
  readonly watchdogMs: number | null;
  readonly sockets: readonly InheritedSocket[];
}

const firstFd = 3;
const variables = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"];

/** Reads the variables and removes them. What is addressed to another process counts as absent. */
export function takeSystemdEnvironment(env: Record<string, string | undefined>, pid: number): SystemdEnvironment {
  const isFor = (variable: string): boolean => env[variable] === undefined || env[variable] === String(pid);
  const watchdogUs = isFor("WATCHDOG_PID") ? numberOf(env["WATCHDOG_USEC"]) : 0;
  const count = env["LISTEN_PID"] === String(pid) ? numberOf(env["LISTEN_FDS"]) : 0;
  const names = (env["LISTEN_FDNAMES"] ?? "").split(":");
  const found: SystemdEnvironment = {
    notifySocket: env["NOTIFY_SOCKET"] || null,
    watchdogMs: watchdogUs === 0 ? null : watchdogUs / 1000,
    sockets: Array.from({ length: count }, (_, index) => ({ fd: firstFd + index, name: names[index] ?? "" })),
  };
  for (const variable of variables) delete env[variable];
  return found;
}

/** A number that is not written as one counts as 0. */
function numberOf(text: string | undefined): number {
  return /^\d{1,12}$/.test(text ?? "") ? Number(text) : 0;
}
