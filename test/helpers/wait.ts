// Bounded waiting for tests: for a condition that can only be polled, and for a promise that may never settle.

/**
 * Bounds are given for a machine that has nothing else to do; where test files share two cores everything takes longer. They only end
 * what would never come: raising them costs nothing while tests pass, and what something may take is no business of a test.
 */
const patience = 3;

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
  const boundMs = patience * timeoutMs;
  const deadline = Date.now() + boundMs;
  let last = "it was never true";
  for (;;) {
    try {
      const found = await look();
      if (found !== false && found !== null && found !== undefined) return found;
    } catch (thrown) {
      last = thrown instanceof Error ? thrown.message : String(thrown);
    }
    if (Date.now() >= deadline) throw new Error(`waited ${boundMs} ms for ${what}: ${last}`);
    await sleep(everyMs);
  }
}

/** The promise's value, or an error that says what took longer than `timeoutMs`, times our patience. */
export async function within<T>(promise: Promise<T>, timeoutMs: number, what: string | (() => string)): Promise<T> {
  const boundMs = patience * timeoutMs;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${boundMs} ms for ${typeof what === "string" ? what : what()}`)), boundMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
