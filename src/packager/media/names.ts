// The names of what is written, by the templates of the configuration. Names of streams come from strangers: whatever stands in them, a
// path leads nowhere but below the folder that it is for. Pure.
import { resolve, sep } from "node:path";
import { DolphinError } from "../../base/errors.js";

/** The stream that something is written of. */
export interface StreamName {
  readonly vhost: string;
  readonly app: string;
  readonly stream: string;
}

/** Fills `[vhost]`, `[app]` and `[stream]` in. */
export function fillStream(template: string, { vhost, app, stream }: StreamName): string {
  const values: Readonly<Record<string, string>> = { "[vhost]": vhost, "[app]": app, "[stream]": stream };
  return template.replaceAll(/\[(?:vhost|app|stream)\]/g, (place) => values[place] ?? place);
}

/** Fills the variables of time in: local time, as SRS takes it, or UTC. */
export function fillTime(template: string, atMs: number, isUtc = false): string {
  const at = new Date(atMs);
  const shown = isUtc ? at : new Date(atMs - at.getTimezoneOffset() * 60_000);
  const [year = "", month = "", day = "", hour = "", minute = "", second = "", thousandth = ""] = shown.toISOString().split(/[-T:.Z]/);
  return template
    .replaceAll("[2006]", year)
    .replaceAll("[01]", month)
    .replaceAll("[02]", day)
    .replaceAll("[15]", hour)
    .replaceAll("[04]", minute)
    .replaceAll("[05]", second)
    .replaceAll("[999]", thousandth)
    .replaceAll("[timestamp]", String(atMs));
}

/** A path below a folder, as it is told to others. Throws PACK_NAME for one that leads out of it. */
export function pathBelow(folder: string, name: string): string {
  const path = `${folder.replace(/\/+$/, "")}/${name.replace(/^\/+/, "")}`;
  const root = resolve(folder);
  const full = resolve(path);
  const isInside = full.startsWith(root === sep ? sep : root + sep);
  if (isInside && !name.includes("\0") && !name.split("/").includes("..")) return path;
  throw new DolphinError("PACK_NAME", `${name} leads out of ${folder}, so nothing is written of it`);
}
