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
