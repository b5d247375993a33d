// One page of a list: searched by words that all must be found, sorted by a column, and cut. Only the rows of the page are made. Pure.
import type { Page } from "./shapes.js";

/** The most that a page has. */
export const maxPageRows = 200;
const usualRows = 50;

/** Sort keys by their names, and the texts that are searched. */
export interface Columns<Item> {
  readonly sort: Readonly<Record<string, (item: Item) => string | number>>;
  readonly search: (item: Item) => readonly string[];
}

/** `?q=words&sort=column or -column&start=0&count=50`. */
export function pageOf<Item, Row>(
  items: readonly Item[],
  columns: Columns<Item>,
  query: URLSearchParams,
  rowOf: (item: Item) => Row,
): Page<Row> {
  const words = (query.get("q") ?? "")
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== "");
  const found = words.length === 0 ? [...items] : items.filter((item) => hasAll(columns.search(item), words));
  const [, falls = "", name = ""] = /^(-?)(\w*)$/.exec(query.get("sort") ?? "") ?? [];
  const key = Object.hasOwn(columns.sort, name) ? columns.sort[name] : undefined;
  if (key !== undefined) found.sort((a, b) => compare(key(a), key(b)) * (falls === "" ? 1 : -1));
  const count = Math.min(maxPageRows, wholeIn(query, "count") || usualRows);
  const start = Math.min(wholeIn(query, "start"), Math.max(0, found.length - 1));
  return { rows: found.slice(start, start + count).map(rowOf), total: found.length, start };
}

function hasAll(texts: readonly string[], words: readonly string[]): boolean {
  const text = texts.join("\n").toLowerCase();
  return words.every((word) => text.includes(word));
}

function compare(a: string | number, b: string | number): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function wholeIn(query: URLSearchParams, name: string): number {
  const text = query.get(name) ?? "";
  return /^\d{1,9}$/.test(text) ? Number(text) : 0;
}
