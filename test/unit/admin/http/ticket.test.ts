import assert from "node:assert/strict";
import { test } from "node:test";
import { isTicket, ticketFor, ticketLastsMs } from "../../../../src/admin/http/ticket.js";

const nowMs = 1_000_000;
const open = { auth: null, token: null };
const words = { auth: null, token: "s3cret" };

test("ticket: it opens its own file, with every admin that has the same token, for as long as it lasts", () => {
  const ticket = ticketFor("./a.mp4", words, nowMs) ?? "";
  assert.equal(isTicket(ticket, "./a.mp4", { ...words }, nowMs + ticketLastsMs), true);
  assert.equal(isTicket(ticket, "./a.mp4", words, nowMs + ticketLastsMs + 1), false, "too late");
  assert.equal(isTicket(ticket, "./b.mp4", words, nowMs), false, "another file");
  assert.equal(isTicket(ticket, "./a.mp4", { ...words, token: "other" }, nowMs), false, "another token");
  assert.doesNotMatch(ticket, /s3cret/);
});

test("ticket: one that was changed, or made up, opens nothing", () => {
  const ticket = ticketFor("a", words, nowMs) ?? "";
  const later = ticket.replace(/^\d+/, String(nowMs + 1));
  for (const wrong of [
    "",
    ".",
    later,
    `${ticket}x`,
    ticket.replace(/.$/, (last) => (last === "A" ? "B" : "A")),
    `${Number.MAX_SAFE_INTEGER}.${"A".repeat(43)}`,
  ])
    assert.equal(isTicket(wrong, "a", words, nowMs), false, wrong);
});

test("ticket: where nobody has a secret there is none, and none is taken", () => {
  assert.equal(ticketFor("a", open, nowMs), null);
  assert.equal(ticketFor("a", { ...open, auth: { type: "bearer", token: "" } }, nowMs), null);
  assert.equal(ticketFor("a", { ...open, auth: { type: "basic", username: "u", password: "" } }, nowMs), null);
  assert.equal(isTicket(`${nowMs + 1}.${"A".repeat(43)}`, "a", open, nowMs), false);
});
