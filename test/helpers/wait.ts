// Bounded waiting for tests: for a condition that can only be polled, and for a promise that may never settle.

/** A pause; only for pacing, never to hope that something has happened meanwhile. */
function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export interface EventuallyOptions {
  readonly timeoutMs?: number;
  readonly everyMs?: number;
  /** What is waited for, for the message of the failure. */
  readonly what?: string;
}

/** Calls `look` until it returns something other than false, null or undefined, and returns that. What it throws counts as "not yet". */
export async function eventually<T>(look: () => T | Promise<T>, options: EventuallyOptions = {}): Promise<NonNullable<T>> {
  const { timeoutMs = 10_000, everyMs = 50, what = "the condition" } = options;
  const deadline = Date.now() + timeoutMs;
  let last = "it was never true";
  for (;;) {
    try {
      const found = await look();
      if (found !== false && found !== null && found !== undefined) return found;
    } catch (thrown) {
      last = thrown instanceof Error ? thrown.message : String(thrown);
    }
    if (Date.now() >= deadline) throw new Error(`waited ${timeoutMs} ms for ${what}: ${last}`);
    await sleep(everyMs);
  }
}

/** The promise's value, or an error that says what took longer than `timeoutMs`. */
export async function within<T>(promise: Promise<T>, timeoutMs: number, what: string | (() => string)): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${timeoutMs} ms for ${typeof what === "string" ? what : what()}`)), timeoutMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
