// By which names the box is known to a site's backend and to whoever asks its API, and its vhosts and streams: those are made of what they are
// called, so that they are the same in every process, after every restart and for whoever keeps them; SRS makes them up anew at each start, in
// this form. Every process of a box tells the same.
import { createHash } from "node:crypto";

export interface Identity {
  /** The name of the server over its restarts. */
  readonly serverId: string;
  /** Of one life of the server, its upgrades included. */
  readonly serviceId: string;
}

/** A server that nobody has named, as tests and stand-ins are. */
export const nobody: Identity = { serverId: "vid-0000000", serviceId: "00000000" };

const base36 = 36;
const serviceIdChars = 8;

/** A new `serviceId`: 8 letters and digits, as SRS's. */
export function newServiceId(random: () => number = Math.random): string {
  return Array.from({ length: serviceIdChars }, () => Math.floor(random() * base36).toString(base36)).join("");
}

const idChars = 7;

/** Of a vhost: `vid-0t2m967`. */
export function vhostId(vhost: string): string {
  return idOf(`vhost ${vhost}`);
}

/** Of a stream (`vhost/app/stream`). */
export function streamId(key: string): string {
  return idOf(`stream ${key}`);
}

/** Those of lately: of a stream they are asked for with each of its viewers. */
const known = new Map<string, string>();
const maxKnown = 1000;

function idOf(text: string): string {
  const id = known.get(text) ?? makeId(text);
  if (known.size >= maxKnown) known.clear();
  known.set(text, id);
  return id;
}

function makeId(text: string): string {
  const number = createHash("sha256").update(text).digest().readBigUInt64BE();
  return `vid-${number.toString(36).padStart(idChars, "0").slice(-idChars)}`;
}
