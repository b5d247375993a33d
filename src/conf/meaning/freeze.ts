// Configuration is shared by everything in a process and must not change below anyone's feet.

/** Freezes plain data all the way down, and gives it back. */
export function deepFreeze<Data extends object>(data: Data): Data {
  for (const value of Object.values(data)) {
    if (typeof value === "object" && value !== null) deepFreeze(value);
  }
  return Object.freeze(data);
}
