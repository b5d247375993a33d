// Text → tokens of the configuration language, the first step of load.ts. The language is SRS's (which is nginx's
// with two additions): a directive ends on the line that it starts on, with its quotes, and those know no escapes. A byte order
// mark, with which editors on Windows begin a file, is passed over; SRS takes it for a part of the first name.
//
//   directive = name { arg } ( ";" | "{" { directive } "}" )
//
// Whether a `}` or a newline means anything depends on being inside a directive, so the lexer counts words since the
// last end. What a directive may contain is the parser's business. Pure; several problems in one text are all found.
import { errorAt, type Place, type Problem } from "./problem.js";

export interface Token extends Place {
  readonly kind: "word" | "end" | "open" | "close";
  /** A word without its quotes; for the other kinds the character itself. */
  readonly text: string;
}

export interface Lexed {
  readonly tokens: readonly Token[];
  readonly problems: readonly Problem[];
}

/** Splits a text into tokens. Never throws; after a problem it goes on where the next directive probably starts. */
export function lex(text: string, file: string): Lexed {
  const tokens: Token[] = [];
  const problems: Problem[] = [];
  let index = text.startsWith("\uFEFF") ? 1 : 0;
  let line = 1;
  let lineStart = index;
  let lastWord: Token | null = null;

  const here = (): Place => ({ file, line, column: index - lineStart + 1 });
  const push = (kind: Token["kind"], word: string): Token => {
    const token: Token = { kind, text: word, ...here() };
    tokens.push(token);
    lastWord = kind === "word" ? token : null;
    return token;
  };
  const newline = (at: number): void => {
    line += 1;
    lineStart = at + 1;
  };

  while (index < text.length) {
    const char = text.charAt(index);
    if (char === "\n") {
      if (lastWord !== null) {
        problems.push(errorAt(lastWord, "CONF_SYNTAX", unfinished(lastWord)));
        if (!/^\s*[;{]/.test(text.slice(index, index + 200))) push("end", ";");
      }
      newline(index);
      index += 1;
    } else if (isSeparator(char)) {
      index += 1;
    } else if (char === "#") {
      const end = text.indexOf("\n", index);
      index = end < 0 ? text.length : end;
    } else if (char === ";") {
      push("end", char);
      index += 1;
    } else if (char === "{") {
      push("open", char);
      index += 1;
    } else if (char === "}" && lastWord === null) {
      push("close", char);
      index += 1;
    } else if (char === '"' || char === "'") {
      const lineEnd = text.indexOf("\n", index) < 0 ? text.length : text.indexOf("\n", index);
      const close = text.slice(0, lineEnd).indexOf(char, index + 1);
      if (close < 0) {
        problems.push(errorAt(here(), "CONF_SYNTAX", `the ${char} that opens here is not closed on its line`));
        if (lastWord !== null) push("end", ";");
        index = lineEnd;
        continue;
      }
      const word = text.slice(index + 1, close);
      if (word !== "") push("word", word);
      index = close + 1;
      if (index < text.length && !endsWord(text.charAt(index))) {
        problems.push(errorAt(here(), "CONF_SYNTAX", `a space, ";" or "{" must follow the closing ${char}`));
      }
    } else {
      let end = index + 1;
      while (end < text.length && !endsWord(text.charAt(end))) end += 1;
      push("word", text.slice(index, end));
      index = end;
    }
  }
  if (lastWord !== null) problems.push(errorAt(lastWord, "CONF_SYNTAX", unfinished(lastWord)));
  return { tokens, problems };
}

function isSeparator(char: string): boolean {
  return char === " " || char === "\t" || char === "\r" || char === "\n";
}

function endsWord(char: string): boolean {
  return isSeparator(char) || char === ";" || char === "{";
}

function unfinished(word: Token): string {
  return `";" or "{" is missing after ${shorten(word.text)}: a directive must end on the line that it starts on`;
}

/** A word as it is quoted in a message; long ones are cut so that a binary file gives readable lines. */
export function shorten(text: string): string {
  const printable = text.replace(/[^\x20-\x7E\u00A0-\uFFFF]/g, "?");
  return printable.length > 60 ? `"${printable.slice(0, 57)}…"` : `"${printable}"`;
}
