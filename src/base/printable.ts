// Text from outside on its way to a terminal or into a line of text. Names of streams and the words of peers can hold
// anything, so whatever is shown to people goes through here.

/** Escapes every character that a terminal could take as a command, that ends a line, or that turns the reading direction. */
export function printable(text: string): string {
  // Cc: controls, Cf: invisible format marks, Cs: lone surrogates, Zl and Zp: line separators.
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (found) => `\\u{${(found.codePointAt(0) ?? 0).toString(16)}}`);
}

/** A word as a shell takes it back. */
export function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
