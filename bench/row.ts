// What a row of the table is, and what it finds: the words between the rows and whoever prints them.
import type { NginxProgram } from "../test/helpers/nginx.js";

/** What a figure must reach and what it should. */
export interface Limit {
  readonly bar: number;
  readonly aim: number;
  readonly isMoreBetter?: boolean;
}

/** One line of the table. `value` is what the limit is about; null when it was not to be had. */
export interface Result {
  readonly name: string;
  readonly dolphin: string;
  readonly peer: string;
  readonly value: number | null;
  readonly digits: number;
  /** Null for a figure that is only told. */
  readonly limit: Limit | null;
  readonly remarks: readonly string[];
}

export interface Context {
  /** The peer, or why there is none. */
  readonly nginx: NginxProgram | string;
  readonly runs: number;
  readonly say: (progress: string) => void;
}

export interface Row {
  readonly name: string;
  run(context: Context): Promise<Result[]>;
}
