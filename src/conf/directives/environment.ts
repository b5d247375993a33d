// Environment variables over a file, by SRS's rule: SRS_VHOST_PLAY_GOP_CACHE is play.gop_cache of every vhost. A variable that
// is set and not empty takes the place of what the file says, so that all checks see one tree; the names are in the table.
// Pure: the environment is a parameter.
import { directiveRows, placeInside, variablesOf } from "./table.js";
import type { DirectiveRow } from "./row.js";
import type { Directive, Parsed } from "../grammar/parser.js";
import { type Place, type Problem, warningAt } from "../grammar/problem.js";
import { nearest } from "./suggest.js";

export type Environment = Readonly<Record<string, string | undefined>>;

/** What `-e` starts from, in SRS's words, but for `listen`: SRS serves no RTMP unless SRS_LISTEN is set. */
export const emptyConf = `listen 1935; daemon off; srs_log_tank console; vhost __defaultVhost__ { }`;

/** The tree in which variables win, and a warning for each variable that was probably meant to. The tree passed in is not changed. */
export function applyEnvironment(directives: readonly Directive[], env: Environment): Parsed {
  let tree = [...directives];
  for (const row of directiveRows) {
    const variable = row.variables.find((name) => isSet(env, name));
    if (variable === undefined) continue;
    const blocks = row.place === "root" ? [] : row.place.split(".");
    tree = replaceIn(tree, blocks, { name: row.name, args: wordsOf(row, env[variable] ?? ""), children: null, ...placeOf(variable) });
  }
  return { directives: tree, problems: checkNames(env) };
}

/** Where a variable stands: in no file. */
function placeOf(variable: string): Place {
  return { file: `$${variable}`, line: 0, column: 0 };
}

function isSet(env: Environment, name: string): boolean {
  return (env[name] ?? "") !== "";
}

/** A variable of a list holds several words. */
function wordsOf({ type: { kind } }: DirectiveRow, value: string): string[] {
  const isList = kind === "texts" || kind === "listen" || kind === "servers";
  return isList ? value.split(/\s+/).filter((word) => word !== "") : [value];
}

/** The one directive of its name in the first block of each name, or in every vhost; a block that is missing is made. */
function replaceIn(tree: readonly Directive[], [block, ...below]: readonly string[], made: Directive): Directive[] {
  if (block === undefined) {
    const at = tree.findIndex(({ name }) => name === made.name);
    const others = tree.filter(({ name }) => name !== made.name);
    return at < 0 ? [...tree, made] : [...others.slice(0, at), made, ...others.slice(at)];
  }
  const filled = (directive: Directive): Directive => ({ ...directive, children: replaceIn(directive.children ?? [], below, made) });
  if (block === "vhost") return tree.map((directive) => (directive.name === block ? filled(directive) : directive));
  const at = tree.findIndex(({ name }) => name === block);
  if (at < 0) return [...tree, filled({ ...made, name: block, args: [] })];
  return tree.map((directive, index) => (index === at ? filled(directive) : directive));
}

/** Variables that are no directives. */
const notDirectives = ["SRS_CONFIG_FILE", "SRS_ENV_ONLY"];
const known = [...directiveRows.flatMap(({ variables }) => variables), ...notDirectives];
const rowsOutOfReach = directiveRows.filter(({ variables, type }) => variables.length === 0 && type.kind !== "block");
/** Names that are not known here may stand in these, and then there are variables of them. */
const openPrefixes = directiveRows
  .filter(({ type }) => type.kind === "block" && type.isOpen)
  .flatMap(({ place, name }) => variablesOf(place, name).map((variable) => `${variable}_`));

/** Only what is near to a known name is told: others set variables too, such as the SRS_SERVICE_HOST of Kubernetes. */
function checkNames(env: Environment): Problem[] {
  const names = Object.keys(env).filter((name) => name.startsWith("SRS_") && isSet(env, name) && !known.includes(name));
  return names.flatMap((name) => {
    const row = rowsOutOfReach.find((one) => variablesOf(one.place, one.name).includes(name));
    if (row !== undefined) {
      const path = placeInside(row.place, row.name);
      return [warningAt(placeOf(name), "CONF_UNKNOWN", `no variable overrides ${path}, as in SRS; write it in a file`)];
    }
    const meant = openPrefixes.some((prefix) => name.startsWith(prefix))
      ? null
      : nearest(
          name.slice(4),
          known.map((one) => one.slice(4)),
        );
    return meant === null ? [] : [warningAt(placeOf(name), "CONF_UNKNOWN", `there is no such variable: is SRS_${meant} meant?`)];
  });
}
