// What reading a configuration finds wrong. Problems are gathered, never thrown, so that an operator sees all of
// them at once; load.ts sorts them and decides that one error makes the whole file unusable.
import type { ErrorCode } from "../../base/errors.js";

/** An `error` refuses the file; with a `warning` it is used, in the way that the message says. */
type Severity = "error" | "warning";

/** A position in a file; line and column count from 1, the column in UTF-16 units. A line 0: `file` is no file and has no lines. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export interface Problem extends Place {
  readonly severity: Severity;
  readonly code: ErrorCode;
  /** One sentence without its full stop. */
  readonly message: string;
}

/** An error at a place; extra fields of `at` are left out. */
export function errorAt(at: Place, code: ErrorCode, message: string): Problem {
  return { severity: "error", code, file: at.file, line: at.line, column: at.column, message };
}

/** A warning at a place; extra fields of `at` are left out. */
export function warningAt(at: Place, code: ErrorCode, message: string): Problem {
  return { severity: "warning", code, file: at.file, line: at.line, column: at.column, message };
}

/** The line that is printed for a problem: `file:line:column: CODE: sentence`, or `$VARIABLE: CODE: sentence`. */
export function formatProblem(problem: Problem): string {
  const { file, line, column, code, message } = problem;
  return `${line === 0 ? file : `${file}:${line}:${column}`}: ${code}: ${message}`;
}

/**
 * Orders problems as a reader meets them: by file in the order of first appearance, then by line and column. Each stands once,
 * though a variable can be wrong in every vhost.
 */
export function sortProblems(problems: readonly Problem[]): Problem[] {
  const files = [...new Set(problems.map((problem) => problem.file))];
  const once = new Map(problems.map((problem) => [formatProblem(problem), problem]));
  return [...once.values()].sort((a, b) => files.indexOf(a.file) - files.indexOf(b.file) || a.line - b.line || a.column - b.column);
}
