// Waits for something that nobody tells, by looking. For rare moments only: what is told is listened to.

const everyMs = 10;

/** Resolves when the condition holds, to true, or to false after `withinMs`. */
export async function until(holds: () => boolean, withinMs: number): Promise<boolean> {
  const untilMs = performance.now() + withinMs;
  while (!holds()) {
    if (performance.now() >= untilMs) return false;
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
  return true;
}

/** Resolves when all of these are settled, or after so long. Rejects with the first that does. */
export async function settledWithin(promises: readonly Promise<unknown>[], ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)));
  await Promise.race([Promise.all(promises), late]).finally(() => clearTimeout(timer));
}
