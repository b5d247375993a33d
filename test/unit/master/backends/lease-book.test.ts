import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { LeaseBook } from "../../../../src/master/backends/lease-book.js";

const key = "v/live/s";
let book: LeaseBook;
beforeEach(() => {
  book = new LeaseBook();
});
const keysOf = (leases: readonly { key: string }[]): string[] => leases.map((lease) => lease.key);

describe("the book of leases", () => {
  it("gives a free stream to whoever asks, where he asks", () => {
    const { backend, begun } = book.take("proxy-1", 1, key, "server-2", 5);
    assert.equal(backend, "server-2");
    assert.deepEqual(begun, { key, backend: "server-2", proxy: "proxy-1", sinceMs: 5 });
    assert.deepEqual(book.list(), [begun]);
  });

  it("sends a second publisher to the server of the first, and no news to anybody", () => {
    book.take("proxy-1", 1, key, "server-2", 5);
    assert.deepEqual(book.take("proxy-2", 1, key, "server-1", 6), { backend: "server-2", begun: null });
  });

  it("ends with its last holder", () => {
    book.take("proxy-1", 1, key, "server-2", 5);
    book.take("proxy-2", 1, key, "server-1", 6);
    assert.deepEqual(book.release("proxy-1", 1), []);
    assert.deepEqual(keysOf(book.release("proxy-2", 1)), [key]);
    assert.deepEqual(book.list(), []);
  });

  it("takes a release twice, or of nobody, as nothing", () => {
    book.take("proxy-1", 1, key, "server-2", 5);
    assert.deepEqual(book.release("proxy-1", 2), []);
    assert.deepEqual(keysOf(book.release("proxy-1", 1)), [key]);
    assert.deepEqual(book.release("proxy-1", 1), []);
  });

  it("ends with its proxy, unless others hold it", () => {
    book.take("proxy-1", 1, key, "server-2", 5);
    book.take("proxy-1", 2, "v/live/t", "server-1", 5);
    book.take("proxy-10", 1, key, "server-2", 5);
    assert.deepEqual(keysOf(book.proxyGone("proxy-1")), ["v/live/t"]);
    assert.deepEqual(keysOf(book.proxyGone("proxy-10")), [key]);
  });

  it("ends with its server at once, and the next publisher may go elsewhere", () => {
    book.take("proxy-1", 1, key, "server-2", 5);
    assert.deepEqual(keysOf(book.backendGone("server-2")), [key]);
    assert.equal(book.take("proxy-1", 2, key, "server-1", 6).backend, "server-1");
    // The publisher of the dead server leaves late, and does not end what another holds now.
    assert.deepEqual(book.release("proxy-1", 1), []);
    assert.equal(book.list()[0]?.backend, "server-1");
  });

  it("moves a number that is used again", () => {
    book.take("proxy-1", 1, key, "server-2", 5);
    book.take("proxy-1", 1, "v/live/t", "server-1", 6);
    assert.deepEqual(keysOf(book.list()), ["v/live/t"]);
  });

  it("stays with a publisher whose connection outlives its proxy", () => {
    book.take("proxy-1", 7, key, "server-2", 5);
    book.leave("proxy-1", 7, "token");
    assert.deepEqual(book.proxyGone("proxy-1"), []);
    book.take("proxy-1", 7, "v/live/t", "server-1", 6); // a later process of the name counts anew
    assert.deepEqual(book.take("proxy-2", 3, key, "server-2", 6), { backend: "server-2", begun: null });
    const { begun, ended } = book.settle("token", "proxy-2");
    assert.deepEqual([begun, ended], [[{ key, backend: "server-2", proxy: "proxy-2", sinceMs: 5 }], []]);
    assert.deepEqual(keysOf(book.release("proxy-2", 3)), [key]);
  });

  it("ends when such a connection is lost, unless others hold it", () => {
    book.take("proxy-1", 1, key, "server-2", 5);
    book.take("proxy-1", 2, key, "server-2", 5);
    book.leave("proxy-1", 1, "one");
    book.leave("proxy-1", 2, "two");
    assert.deepEqual(book.settle("one", null), { begun: [], ended: [] });
    assert.deepEqual(keysOf(book.settle("two", null).ended), [key]);
    assert.deepEqual(book.settle("two", null), { begun: [], ended: [] });
  });

  it("is nothing to a connection that holds none, or whose server died while it waited", () => {
    book.leave("proxy-1", 1, "viewer");
    assert.deepEqual(book.settle("viewer", "proxy-2"), { begun: [], ended: [] });
    book.take("proxy-1", 1, key, "server-2", 5);
    book.leave("proxy-1", 1, "token");
    assert.deepEqual(keysOf(book.backendGone("server-2")), [key]);
    assert.deepEqual(book.settle("token", "proxy-2"), { begun: [], ended: [] });
  });
});
