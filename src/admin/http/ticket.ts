// A word that opens one file for a while. The console shows its token in a header, which a <video> cannot: whoever has shown it is given an
// address with a ticket in it, and the ticket is signed by that token, so that every admin of the box takes it. Pure.
import { createHmac, timingSafeEqual } from "node:crypto";
import type { ApiSettings } from "../../conf/meaning/config.js";

/** How long one holds: a recording is watched with pauses. */
export const ticketLastsMs = 12 * 3_600_000;

type Words = Pick<ApiSettings, "auth" | "token">;

/** A ticket for a file; null: nobody here has a secret, and who may act is told by where he is. */
export function ticketFor(path: string, words: Words, nowMs: number): string | null {
  const secret = secretOf(words);
  const untilMs = nowMs + ticketLastsMs;
  return secret === null ? null : `${untilMs}.${signed(path, untilMs, secret)}`;
}

/** Whether a ticket is one for this file, and still holds. */
export function isTicket(ticket: string, path: string, words: Words, nowMs: number): boolean {
  const secret = secretOf(words);
  const [, until = "", sign = ""] = /^(\d{1,15})\.([\w-]{43})$/.exec(ticket) ?? [];
  if (secret === null || until === "" || Number(until) < nowMs || Number(until) > nowMs + ticketLastsMs) return false;
  return timingSafeEqual(Buffer.from(sign), Buffer.from(signed(path, Number(until), secret)));
}

function secretOf({ auth, token }: Words): string | null {
  if (auth === null) return token;
  const words = auth.type === "bearer" ? [auth.token] : [auth.username, auth.password];
  return words.some((word) => word === "") ? null : JSON.stringify(words);
}

function signed(path: string, untilMs: number, secret: string): string {
  return createHmac("sha256", secret).update(`recording ${untilMs} ${path}`).digest("base64url");
}
