// What of a value is not as usual: a copy of every connection is kept as text, and most of what one could say of it says nothing.

/** Those members of `value` that are not as in `usual`, whose `{ ...usual, ...differing }` is the value again. Empty lists are the same. */
export function differing<T extends object>(value: T, usual: T): Partial<T> {
  const rest: Partial<T> = {};
  for (const key of Object.keys(value) as (keyof T)[]) if (!isSame(value[key], usual[key])) rest[key] = value[key];
  return rest;
}

function isSame(one: unknown, other: unknown): boolean {
  return one === other || (Array.isArray(one) && Array.isArray(other) && one.length === 0 && other.length === 0);
}
