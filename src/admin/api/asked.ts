// One question to the API on its way through its handlers, and the words in which SRS answers.
import type { BoxFacts } from "../../ipc/box.js";
import type { AdminContext } from "../box/context.js";
import { reply, type Exchange } from "../http/reply.js";

/** SRS's numbers for what cannot be answered. */
export const codes = {
  ok: 0,
  test: 100,
  rawUnknown: 1060,
  rawDisabled: 1061,
  rawNotAllowed: 1062,
  noVhost: 2014,
  noStream: 2048,
  noClient: 2049,
  /** Not SRS's: somebody may not do what he asks for, or the box does not answer. */
  forbidden: 403,
  unavailable: 503,
} as const;

/** A question. */
export interface Asked extends AdminContext {
  readonly exchange: Exchange;
  readonly facts: BoxFacts;
  readonly method: string;
  /** What stands behind the list's name: `vid-0t2m967`; empty: nothing. */
  readonly id: string;
}

/** Answers a question. */
export type Handler = (asked: Asked) => Promise<void> | void;

/** Answers with what SRS puts around everything. */
export function replyWith({ exchange, facts }: Asked, members: Readonly<Record<string, unknown>>): void {
  reply(exchange, { code: codes.ok, ...envelope(facts), ...members });
}

/** SRS tells nothing but the number; the sentence is ours. */
export function replyCode({ exchange }: Pick<Asked, "exchange">, code: number, error?: string, status = 200): void {
  reply(exchange, error === undefined ? { code } : { code, error }, status);
}

export function envelope({ serverId, serviceId, pid }: BoxFacts): {
  readonly server: string;
  readonly service: string;
  readonly pid: string;
} {
  return { server: serverId, service: serviceId, pid: String(pid) };
}
