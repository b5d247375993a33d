// The small files beside segments: what describes the tracks of fMP4, and keys. Which they are and what is in them; nothing is written here.
import { createHash, randomBytes } from "node:crypto";
import { dirname, posix } from "node:path";
import { initSegment } from "../../codec/mp4/moov.js";
import type { TsTracks } from "../../codec/ts/tables.js";
import type { HlsBlock, HlsKeys } from "../../conf/meaning/recording.js";
import { fillStream, pathBelow, type StreamName } from "../media/names.js";
import type { InitFile, KeyFile } from "./list.js";

/** Where files of a stream are. */
export interface Where {
  readonly name: StreamName;
  /** The folder that all names are below. */
  readonly folder: string;
  readonly listPath: string;
}

const keyBytes = 16;

/** Where the list of a stream is. Throws PACK_NAME where it may be nowhere. */
export function listPathOf(name: StreamName, { path, listFile }: Pick<HlsBlock, "path" | "listFile">): string {
  return pathBelow(path, fillStream(listFile, name));
}

/** What describes these tracks: under another name than before whenever they are others, for players keep what they have by its name. */
export function describe(tracks: TsTracks, template: string, before: InitFile | null, { name, folder, listPath }: Where) {
  const bytes = initSegment(tracks);
  const hash = createHash("sha256").update(bytes).digest("hex").slice(0, 12);
  const file = before === null ? template : template.replace(/(\.[^./]*)?$/, `-${hash}$1`);
  const path = pathBelow(folder, fillStream(file, name));
  const init: InitFile = { path, uri: posix.relative(dirname(listPath), path), hash };
  return { init, bytes };
}

/** A new key, for the segments from this one on. */
export function makeKey(keys: HlsKeys, sequence: number, { name, listPath }: Where): { readonly key: KeyFile; readonly bytes: Buffer } {
  const file = fillStream(keys.file, name).replaceAll("[seq]", String(sequence));
  const path = pathBelow(keys.path, file);
  const uri = keys.url === null ? posix.relative(dirname(listPath), path) : `${keys.url}${file}`;
  return { key: { path, uri, iv: randomBytes(keyBytes).toString("hex") }, bytes: randomBytes(keyBytes) };
}
