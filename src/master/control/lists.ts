// A list of the whole box on its way to whoever asked: the processes are asked for a page each in turn, and what they answer is passed on
// as it is. The next page is asked for when the one before has been taken: nothing gathers here, and no turn of the event loop is long.
import type { ServerResponse } from "node:http";
import { once } from "node:events";
import type { Listed, ListPage } from "../../ipc/lists.js";

/** A process that can be asked. */
export interface Lister {
  readonly name: string;
  readonly duty: string;
  /** Null: it did not answer in time, or is gone. */
  page(what: Listed, after: number): Promise<ListPage | null>;
}

/** Writes `{"lists":[{"name":…,"duty":…,"rows":[…],"isStale":…},…]}` and ends the response. */
export async function writeLists(response: ServerResponse, what: Listed, listers: readonly Lister[]): Promise<void> {
  response.writeHead(200, { "content-type": "application/json" });
  response.write('{"lists":[');
  for (const [at, lister] of listers.entries()) {
    const { name, duty } = lister;
    response.write(`${at === 0 ? "" : ","}{"name":${JSON.stringify(name)},"duty":${JSON.stringify(duty)},"rows":[`);
    const isStale = await writeRows(response, what, lister);
    response.write(`],"isStale":${isStale}}`);
    if (response.destroyed) return; // whoever asked has left
  }
  response.end("]}\n");
}

async function writeRows(response: ServerResponse, what: Listed, lister: Lister): Promise<boolean> {
  let isFirst = true;
  for (let after: number | null = 0; after !== null;) {
    const page = await lister.page(what, after);
    if (page === null) return true;
    const isFull = page.rows !== "" && !response.write(`${isFirst ? "" : ","}${page.rows}`);
    if (page.rows !== "") isFirst = false;
    if (isFull && !response.destroyed) await Promise.race([once(response, "drain"), once(response, "close")]);
    if (response.destroyed) return true;
    after = page.next;
  }
  return false;
}
