// The names by which the API and hooks know vhosts and streams: made of what they are called, so that they are the same in every process,
// after every restart and for whoever keeps them. SRS makes them up anew at each start, in this form.
import { createHash } from "node:crypto";

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
