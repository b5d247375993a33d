// What the box has to know of the file that an unmodified srs reads, or of any file that names ports: which ports are spoken for, and
// whether the API is served, and where. Pure.
import type { Endpoint } from "../../conf/meaning/config.js";
import { directiveRows } from "../../conf/directives/table.js";
import type { Directive } from "../../conf/grammar/parser.js";
import { formatDirectives } from "../../conf/grammar/write.js";
import { blockIn, rootBlock, valueOf } from "../../conf/meaning/tree.js";

/**
 * The numbers in a text that may be ports: a private port that the file names for something else, be it the API, another server or an
 * origin to come, would be in its way. One that is none costs nothing but another port.
 */
export function portsIn(text: string): number[] {
  const words = text.matchAll(/(?<![\w.-])(\d{4,5})(?![\w.-])/g);
  return Array.from(words, ([, digits]) => Number(digits)).filter((port) => port >= 1024 && port <= 65_535);
}

/** The ports that a configuration names, and those that SRS takes where it names none. */
export function portsOf(directives: readonly Directive[]): number[] {
  const defaults = directiveRows.flatMap((row) => (row.type.kind === "listen" && row.default !== null ? [Number(row.default)] : []));
  return [...portsIn(formatDirectives(directives)), ...defaults];
}

/** Whether the API is served, and whether the file puts it on a port that is a public one of HTTP, as SRS can: `here`, or `apart`. */
export function apiIn(directives: readonly Directive[], publicHttp: readonly Endpoint[]): "here" | "apart" | null {
  const api = blockIn(rootBlock(directives), "http_api");
  if (!valueOf(api, "enabled")) return null;
  return valueOf(api, "listen").some(({ port }) => publicHttp.some((one) => one.port === port)) ? "here" : "apart";
}
