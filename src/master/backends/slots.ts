// Ports and folders of the servers behind the proxies. A slot is the place of one server, whoever fills it: its ports are
// chosen once, when the box starts, and stay the same over every restart of the server.
//
//   listen 1935, three servers   →   RTMP 1936 1937 1938, then HTTP and API ports, all of them of the loopback address
//
// A port is free when a plain listen gets it: no SO_REUSEPORT, which servers such as srs always set, so that two of them would
// share a port without a word. Before every later start the system's own table of sockets is asked.
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { resolve as fromRoot } from "node:path";
import { DolphinError } from "../../base/errors.js";
import { loopback } from "../../conf/meaning/endpoint.js";
import { portSentence } from "../sockets/port-sentence.js";

export interface ServerSlot {
  /** From 1. */
  readonly number: number;
  /** `server-1`. */
  readonly name: string;
  /** A scratch folder of its own, from the root on; it may not exist yet. */
  readonly folder: string;
  readonly rtmpPort: number;
  readonly httpPort: number;
  readonly apiPort: number;
}

export interface SlotWishes {
  readonly count: number;
  /** Chosen ports are the next free ones above this. */
  readonly above: number;
  /** Ports that are not to be chosen: the public ones, and those that somebody's file names. */
  readonly taken: readonly number[];
  /** Ports that somebody asked for, in the order of the servers. */
  readonly wanted: { readonly rtmp: readonly number[]; readonly http: readonly number[] } | null;
  /** The folder that holds those of the slots. */
  readonly folder: string;
}

const highestPort = 65_535;
/** Chosen ports are above the privileged ones. */
const lowestPort = 1024;

/** Chooses the slots. Throws CHILD_LISTEN when a wanted port is in use, or there are not enough free ones. */
export async function chooseSlots(wishes: SlotWishes, isFree: (port: number) => Promise<boolean> = isFreePort): Promise<ServerSlot[]> {
  const { count, wanted } = wishes;
  const used = new Set([...wishes.taken, ...(wanted?.rtmp ?? []), ...(wanted?.http ?? [])]);
  let last = Math.max(wishes.above, lowestPort);
  const next = async (): Promise<number> => {
    for (let tries = 0; tries < highestPort - lowestPort; tries++) {
      last = last >= highestPort ? lowestPort + 1 : last + 1;
      if (!used.has(last) && (await isFree(last))) return last;
    }
    throw new DolphinError("CHILD_LISTEN", `there are not enough free ports for ${count} servers on ${loopback}`);
  };
  const take = async (list: readonly number[]): Promise<number[]> => {
    const ports: number[] = [];
    for (let index = 0; index < count; index++) {
      const port = list[index];
      if (port !== undefined && !(await isFree(port))) throw inUse(port);
      const chosen = port ?? (await next());
      used.add(chosen);
      ports.push(chosen);
    }
    return ports;
  };
  const rtmp = await take(wanted?.rtmp ?? []);
  const http = await take(wanted?.http ?? []);
  const api = await take([]);
  return rtmp.map((rtmpPort, index) => {
    const name = `server-${index + 1}`;
    const folder = fromRoot(wishes.folder, name);
    return { number: index + 1, name, folder, rtmpPort, httpPort: http[index] ?? 0, apiPort: api[index] ?? 0 };
  });
}

/** What is thrown when somebody else listens where a server shall. */
export function inUse(port: number): DolphinError {
  const cause = Object.assign(new Error("EADDRINUSE"), { code: "EADDRINUSE" });
  return new DolphinError("CHILD_LISTEN", portSentence({ host: loopback, port }, cause), { cause });
}

/** Whether a plain listen gets the port, on the loopback address and on all addresses. */
async function isFreePort(port: number): Promise<boolean> {
  return (await canListen("0.0.0.0", port)) && canListen(loopback, port);
}

function canListen(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** The ports that anybody listens on now, as the system tells without being disturbed; null where it does not tell. */
export function readListeningPorts(): ReadonlySet<number> | null {
  try {
    const ports = parseListeningPorts(readFileSync("/proc/net/tcp", "utf8"));
    for (const port of parseListeningPorts(readSix())) ports.add(port);
    return ports;
  } catch {
    return null; // no Linux
  }
}

function readSix(): string {
  try {
    return readFileSync("/proc/net/tcp6", "utf8");
  } catch {
    return ""; // a machine without IPv6
  }
}

/** The listening ports in the text of `/proc/net/tcp` or `tcp6`: `sl local_address rem_address st …`, state 0A is listen. */
export function parseListeningPorts(text: string): Set<number> {
  const found = text.matchAll(/^\s*\d+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} 0A /gm);
  return new Set(Array.from(found, ([, port = "0"]) => Number.parseInt(port, 16)));
}
