// The Prefer header of a request (RFC 7240) as far as it is understood here: `wait`, by which a client tells how long it is willing
// to wait for an answer. A proxy that has waited for a stream itself tells its server so how much is left. Pure.

/** The least number of seconds that a Prefer header names, in milliseconds; null: none is named. */
export function preferredWaitMs(header: string | readonly string[] | undefined): number | null {
  const seconds = Array.from(String(header ?? "").matchAll(/(?:^|[,;\s])wait\s*=\s*"?(\d{1,6})\b/gi), ([, text]) => Number(text));
  return seconds.length === 0 ? null : Math.min(...seconds) * 1000;
}

/** The preference for a wait of so many milliseconds, which are rounded up to seconds. */
export function preferWait(ms: number): string {
  return `wait=${Math.ceil(ms / 1000)}`;
}
