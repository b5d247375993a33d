import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TakenEvent } from "../../../../src/ipc/events.js";
import { EventBook, keptEvents } from "../../../../src/master/control/event-book.js";

describe("the book of events", () => {
  it("keeps the last of them, numbered upwards though many come at once", () => {
    const book = new EventBook(() => 5000);
    for (let count = 0; count < keptEvents + 3; count++) book.take({ event: "e", msg: String(count) });
    const kept = book.after(0);
    assert.equal(kept.length, keptEvents);
    assert.deepEqual([kept[0]?.msg, kept[0]?.id, kept.at(-1)?.id], ["3", 5003, 5000 + keptEvents + 2]);
    assert.deepEqual(
      book.after(5000 + keptEvents + 1).map(({ msg }) => msg),
      [String(keptEvents + 2)],
    );
  });

  it("tells those who follow until they stop", () => {
    const book = new EventBook();
    const told: TakenEvent[] = [];
    const stop = book.follow((event) => told.push(event));
    book.take({ event: "a", msg: "" });
    stop();
    book.take({ event: "b", msg: "" });
    assert.deepEqual(
      told.map(({ event }) => event),
      ["a"],
    );
  });

  it("keeps no text that is too long, wherever it comes from", () => {
    const book = new EventBook();
    book.take({ event: "e", msg: "x".repeat(10_000), stream: "y".repeat(10_000), count: 7 });
    const [event] = book.after(0);
    assert.deepEqual([event?.msg.length, event?.stream?.length, event?.count], [500, 500, 7]);
  });
});
