/** Bytes as a specification prints them: `02 00 04`, with anything between quotes as ASCII: `02 "connect"`. */
export function hex(text: string): Buffer {
  const parts = text.match(/"[^"]*"|[0-9a-f]{2}/gi) ?? [];
  return Buffer.concat(parts.map((part) => (part.startsWith('"') ? Buffer.from(part.slice(1, -1), "latin1") : Buffer.from(part, "hex"))));
}

/** Runs what must either work or throw the project's own error with one of these codes; anything else fails the test. */
export function throwsOnly(codes: readonly string[], run: () => void): void {
  try {
    run();
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    if (!codes.includes(code)) throw error;
  }
}
