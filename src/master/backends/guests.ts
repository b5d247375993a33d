// Servers of other machines that have registered themselves, as origins of SRS do at an srs-proxy: who they are, and until when they are
// believed. A server that says nothing for three of its own intervals has left; one that was started anew is another one.
//
//   register ─▶ known? ─ no ─▶ came: probed before it gets anybody ─▶ in the pool
//                 └─ yes ─▶ its rhythm is learned; silent for three beats ─▶ left
import type { Endpoint } from "../../conf/meaning/config.js";
import { parseServer } from "../../conf/meaning/endpoint.js";
import type { Timers } from "../../base/timers.js";
import { DolphinError } from "../../base/errors.js";
import { isIP } from "node:net";

/** Servers that may be registered at once. */
export const maxGuests = 200;
/** Until two registrations have told the rhythm; SRS's own default is 10 s. */
const firstIntervalMs = 10_000;
const shortestIntervalMs = 1_000;
const longestIntervalMs = 300_000;
const beats = 3;

/** One that has registered. */
export interface Guest {
  /** `guest-SERVER-PID`, as far as that is a name. */
  readonly name: string;
  readonly rtmp: Endpoint;
  readonly http: Endpoint | null;
}

export interface GuestsOptions {
  readonly timers: Timers;
  came(guest: Guest): void;
  left(name: string): void;
}

interface Known {
  readonly guest: Guest;
  heardAtMs: number;
  intervalMs: number;
  forget: () => void;
}

/** Those of one box. `close` forgets them. */
export class Guests {
  private readonly options: GuestsOptions;
  private readonly known = new Map<string, Known>();

  constructor(options: GuestsOptions) {
    this.options = options;
  }

  /** Null, or why it is not taken. */
  register(body: unknown): string | null {
    let read: ReturnType<typeof readGuest>;
    try {
      read = readGuest(body);
    } catch (thrown) {
      if (thrown instanceof DolphinError) return thrown.message;
      throw thrown;
    }
    const { identity, guest } = read;
    const known = this.known.get(identity);
    const nowMs = this.options.timers.nowMs();
    if (known === undefined) {
      if (this.known.size >= maxGuests) return `${maxGuests} servers are registered already`;
      // One of the same place that was started anew takes it.
      for (const [other, { guest: before }] of this.known) if (isSamePlace(before, guest)) this.leave(other);
      const one: Known = { guest, heardAtMs: nowMs, intervalMs: firstIntervalMs, forget: () => undefined };
      this.known.set(identity, one);
      this.expect(identity, one);
      this.options.came(guest);
      return null;
    }
    known.intervalMs = Math.min(longestIntervalMs, Math.max(shortestIntervalMs, nowMs - known.heardAtMs));
    known.heardAtMs = nowMs;
    this.expect(identity, known);
    return null;
  }

  close(): void {
    for (const { forget } of this.known.values()) forget();
    this.known.clear();
  }

  private expect(identity: string, known: Known): void {
    known.forget();
    known.forget = this.options.timers.after(beats * known.intervalMs, () => this.leave(identity));
  }

  private leave(identity: string): void {
    const known = this.known.get(identity);
    known?.forget();
    this.known.delete(identity);
    if (known !== undefined) this.options.left(known.guest.name);
  }
}

/** Reads what SRS sends: `{ ip, server, service, pid, rtmp: ["1935"], http: ["8080"] }`. Throws CONF_VALUE. */
export function readGuest(body: unknown): { readonly identity: string; readonly guest: Guest } {
  const members = typeof body === "object" && body !== null ? (body as Readonly<Record<string, unknown>>) : {};
  const word = (name: string): string => {
    const value = members[name];
    const text = typeof value === "number" ? String(value) : value;
    if (typeof text === "string" && /^[\w.:-]{1,100}$/.test(text)) return text;
    throw new DolphinError("CONF_VALUE", `${name} is missing, or is no name`);
  };
  const ip = word("ip");
  if (isIP(ip) === 0) throw new DolphinError("CONF_VALUE", "ip is no address");
  const [server, service, pid] = [word("server"), word("service"), word("pid")];
  const rtmp = endpointIn(members["rtmp"], ip);
  if (rtmp === null) throw new DolphinError("CONF_VALUE", "rtmp names no port");
  const guest = { name: `guest-${server}-${pid}`.replaceAll(/[^\w.-]/g, "_"), rtmp, http: endpointIn(members["http"], ip) };
  return { identity: `${server} ${service} ${pid}`, guest };
}

/** Of `1935`, `tcp://:1935`, `tcp://0.0.0.0:1935` and `tcp://1.2.3.4:1935` the server that others can reach; null: there is none. */
function endpointIn(words: unknown, ip: string): Endpoint | null {
  const [first] = Array.isArray(words) ? (words as readonly unknown[]) : [];
  if (typeof first !== "string") return null;
  const [, host = "", port = ""] = /^(?:tcp:\/\/)?(?:(.*):)?(\d{1,5})$/.exec(first) ?? [];
  if (port === "") return null;
  const isOpen = host === "" || host === "0.0.0.0" || host === "[::]" || host.startsWith("127.");
  return parseServer(`${isOpen ? (ip.includes(":") ? `[${ip}]` : ip) : host}:${port}`);
}

function isSamePlace(one: Guest, other: Guest): boolean {
  return one.rtmp.host === other.rtmp.host && one.rtmp.port === other.rtmp.port;
}
