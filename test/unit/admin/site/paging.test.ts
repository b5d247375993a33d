import assert from "node:assert/strict";
import { test } from "node:test";
import { pageOf, type Columns } from "../../../../src/admin/site/paging.js";

interface Item {
  readonly name: string;
  readonly size: number;
}

const columns: Columns<Item> = {
  sort: { name: ({ name }) => name, size: ({ size }) => size },
  search: ({ name, size }) => [name, `size ${size}`],
};
const items = Array.from({ length: 1000 }, (_, size) => ({ name: `item-${String((size * 7) % 1000).padStart(3, "0")}`, size }));
const ask = (query: string): { readonly names: readonly string[]; readonly total: number; readonly start: number } => {
  const { rows, total, start } = pageOf(items, columns, new URLSearchParams(query), ({ name }) => name);
  return { names: rows, total, start };
};

test("paging: a page has fifty rows unless it is said otherwise, and never more than two hundred", () => {
  assert.deepEqual([ask("").names.length, ask("").total], [50, 1000]);
  assert.equal(ask("count=10").names.length, 10);
  assert.equal(ask("count=100000").names.length, 200);
  for (const bad of ["count=x", "count=-5", "count=0", "start=-1", "start=1e9", "sort=constructor", "sort=__proto__", "q=%00"]) ask(bad);
});

test("paging: a list is sorted by a column, either way, and cut behind that", () => {
  assert.deepEqual(ask("sort=name&count=2").names, ["item-000", "item-001"]);
  assert.deepEqual(ask("sort=-name&count=2").names, ["item-999", "item-998"]);
  assert.deepEqual(ask("sort=-size&count=1").names, [items[999]?.name]);
  assert.deepEqual(ask("sort=name&start=998").names, ["item-998", "item-999"]);
});

test("paging: all words must be found, in capitals or not, and a start behind the end is the last", () => {
  assert.deepEqual(ask("q=ITEM-07&sort=name").total, 10);
  assert.deepEqual(ask("q=item-077+size").names, ["item-077"]);
  assert.deepEqual(ask("q=nobody"), { names: [], total: 0, start: 0 });
  assert.deepEqual(ask("q=item-077&start=500"), { names: ["item-077"], total: 1, start: 0 });
});
