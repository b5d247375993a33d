// The API of a box as a client of SRS's sees it.
import type { Dolphin } from "./dolphin.js";

/** An answer, as far as tests look at it. */
export interface ApiAnswer {
  readonly code: number;
  readonly server?: string;
  readonly service?: string;
  readonly pid?: string;
  readonly error?: string;
  readonly total?: number;
  readonly data?: Readonly<Record<string, unknown>>;
  readonly streams?: readonly ApiStream[];
  readonly clients?: readonly ApiClient[];
  readonly vhosts?: readonly { readonly id: string; readonly name: string; readonly clients: number; readonly streams: number }[];
  readonly [member: string]: unknown;
}

interface ApiStream {
  readonly id: string;
  readonly name: string;
  readonly clients: number;
  readonly publish: { readonly active: boolean; readonly cid?: string };
  readonly dolphin: { readonly key: string; readonly players: number };
  readonly [member: string]: unknown;
}

export interface ApiClient {
  readonly id: string;
  readonly stream: string;
  readonly type: string;
  readonly name: string;
  readonly dolphin: { readonly process: string };
  readonly [member: string]: unknown;
}

/** Asks below /api/v1, or elsewhere by a path from the root on. */
export async function askApi(dolphin: Dolphin, path: string, options: RequestInit = {}): Promise<ApiAnswer> {
  const response = await fetch(dolphin.apiUrl(path.startsWith("/api") ? path : `/api/v1${path}`), options);
  return (await response.json()) as ApiAnswer;
}

export async function clientsOf(dolphin: Dolphin, query = ""): Promise<readonly ApiClient[]> {
  return (await askApi(dolphin, `/clients/?count=10000${query}`)).clients ?? [];
}

/** The names and types of all members, so that an answer can be compared with SRS's. */
export function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shapeOf);
  if (typeof value !== "object" || value === null) return value === null ? "null" : typeof value;
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([one], [other]) => one.localeCompare(other))
      .map(([name, member]) => [name, shapeOf(member)]),
  );
}
