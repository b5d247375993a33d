// Which paths are hidden: those that no HTTP server of the box answers with, so that nothing is written there to be served either.

/** Whether a part of a path begins with a dot; `.well-known` is for all to see (RFC 8615). */
export function isHidden(path: string): boolean {
  return path.split("/").some((part) => part.startsWith(".") && part !== ".well-known");
}
