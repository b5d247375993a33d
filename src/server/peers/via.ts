// How a stream that comes back to where it was is known. Whoever passes a stream on to another server, or asks one for it, tells in
// `connect` through which places it has come: each adds itself, as a number that nobody else could have made. Who finds its own
// number among them would feed the stream with itself. Servers that are not ours leave the numbers out, and then nothing is known.
import { createHash } from "node:crypto";
import { DolphinError } from "../../base/errors.js";
import type { AmfObject } from "../../codec/rtmp/amf0.js";
import type { StreamRequest } from "../../codec/rtmp/url.js";

/** A stream that has come through more places than this is not followed any further. */
const maxPlaces = 32;
const placeChars = 12;

/** The number of a stream of this box, whose secret is `boxKey`; null: the box has none. */
export function placeOf(boxKey: string, vhost: string, { app, stream }: StreamRequest): string | null {
  if (boxKey === "") return null;
  return createHash("sha256").update(`${boxKey}/${vhost}/${app}/${stream}`).digest("base64url").slice(0, placeChars);
}

/** The places that the second object of `connect` names. */
export function viaOf(members: AmfObject | null): readonly string[] {
  const text = members?.["dolphin_via"];
  if (typeof text !== "string") return [];
  return text.split(" ", maxPlaces).filter((place) => /^[\w-]+$/.test(place) && place.length === placeChars);
}

/** The same as a member of that object. */
export function viaArgs(via: readonly string[]): AmfObject {
  return via.length === 0 ? {} : { dolphin_via: via.join(" ") };
}

/** How often the boxes of a site have passed on what whoever connects asks for; what is no such number counts as never. */
export function hopsOf(members: AmfObject | null): number {
  const hops = members?.["dolphin_hops"];
  return typeof hops === "number" && Number.isInteger(hops) && hops > 0 ? Math.min(hops, maxPlaces) : 0;
}

/** The same as a member of that object. */
export function hopsArgs(hops: number): AmfObject {
  return hops === 0 ? {} : { dolphin_hops: hops };
}

/** Throws RELAY_LOOP when a request has come through the place that it asks for. */
export function checkVia({ via = [] }: StreamRequest, place: string | null): void {
  if (place !== null && via.includes(place)) {
    throw new DolphinError("RELAY_LOOP", "it leads back here: this stream is what whoever asks has it from, or gives it to");
  }
}
