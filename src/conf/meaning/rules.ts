// What SRS refuses, or what cannot work, though every directive alone is right: the rules about several directives
// together. One function a rule, listed first; each gives the problems that it finds.
import { canonicalHost } from "../../base/host-name.js";
import { parseAccessRule, parseCoworker, parseNetwork, parseResolver, parseWeight } from "./balance-values.js";
import { builtin, hookNames, type Endpoint } from "./config.js";
import { advertisedOf, advertiseRemedy, isZone, parseAdvertised, parseRegistry } from "./registry.js";
import { shorten } from "../grammar/lexer.js";
import type { Directive } from "../grammar/parser.js";
import { errorAt, type Place, type Problem, warningAt } from "../grammar/problem.js";
import { type Block, blockIn, find, findAll, inside, isEnabled, isGiven, valueOf, vhostsIn } from "./tree.js";

type RootRule = (root: Block<"root">, file: Place, listen: readonly Endpoint[]) => Problem[];
type ListeningPlace = "http_api" | "http_server" | "http_api.https" | "http_server.https";
type VhostRule = (vhost: Block<"vhost">, at: Directive) => Problem[];

const rootRules: readonly RootRule[] = [
  listenIsGiven,
  isNotTheFullExample,
  daemonHasNoParent,
  sharedPortSharesTls,
  consoleHasItsPort,
  authLetsSomebodyIn,
  heartbeatPauses,
  vhostsDiffer,
  balanceIsReadable,
  registryIsReadable,
  registryIsThereForEdges,
];
const vhostRules: readonly VhostRule[] = [
  edgeHasOrigin,
  coworkersAreReadable,
  forwardKeepsPublisher,
  hlsAndTsDoNotMeet,
  partsAreNotEncrypted,
  edgesRunNothing,
  ingestsDiffer,
  programsAreWhole,
  securityIsReadable,
  hooksAreUrls,
];

/** Every rule on a file; `file` names it for what is missing as a whole, `flagged` are the addresses of the command line. */
export function checkRules(root: Block<"root">, file: string, flagged: readonly Endpoint[]): Problem[] {
  const start: Place = { file, line: 1, column: 1 };
  const listen = flagged.length > 0 ? flagged : valueOf(root, "listen");
  const found = rootRules.flatMap((rule) => rule(root, start, listen));
  return [...found, ...vhostsIn(root).flatMap(({ vhost, at }) => vhostRules.flatMap((rule) => rule(vhost, at)))];
}

/** A remote vhost that names no server can serve nobody; build.ts switches it off. */
export function isEdgeWithoutOrigin(vhost: Block<"vhost">): boolean {
  const cluster = blockIn(vhost, "cluster");
  return valueOf(cluster, "mode") === "remote" && valueOf(cluster, "origin").length === 0;
}

/** Whether an edge asks the site's registry for its origins: `origin registry;`. */
export function findsOrigin(cluster: Block<"vhost.cluster">): boolean {
  const at = find(cluster, "origin");
  return valueOf(cluster, "mode") === "remote" && at?.args.length === 1 && at.args[0] === "registry";
}

function registryIsThereForEdges(root: Block<"root">): Problem[] {
  if (valueOf(blockIn(root, "dolphin"), "registry") !== null) return [];
  const edges = vhostsIn(root).filter(({ vhost }) => findsOrigin(blockIn(vhost, "cluster")));
  return edges.map(({ vhost, at }) => {
    const place = find(blockIn(vhost, "cluster"), "origin") ?? at;
    return errorAt(
      place,
      "CONF_VALUE",
      "origin registry: there is no registry to ask: write dolphin { registry redis://…; }, or registry:1935 for a host of that name",
    );
  });
}

function listenIsGiven(root: Block<"root">, file: Place): Problem[] {
  if (isGiven(root, "listen")) return [];
  return [errorAt(find(root, "listen") ?? file, "CONF_ARGUMENTS", "listen is missing: write for example listen 1935;")];
}

function isNotTheFullExample(root: Block<"root">): Problem[] {
  const mark = find(root, "is_full");
  if (mark === undefined || !valueOf(root, "is_full")) return [];
  return [errorAt(mark, "CONF_VALUE", "this file shows every directive and must not be run: copy what is needed to a file of its own")];
}

function daemonHasNoParent(root: Block<"root">): Problem[] {
  const asProcess = find(root, "asprocess");
  if (asProcess === undefined || !valueOf(root, "asprocess") || !valueOf(root, "daemon")) return [];
  return [errorAt(asProcess, "CONF_VALUE", "asprocess on needs daemon off, for a daemon has no parent to follow")];
}

/** The API and the HTTP server may share a port, but then TLS is shared too or is off in both. */
function sharedPortSharesTls(root: Block<"root">): Problem[] {
  const api = blockIn(root, "http_api");
  const server = blockIn(root, "http_server");
  if (!valueOf(api, "enabled") || !valueOf(server, "enabled") || !haveSameListen(api, server)) return [];
  const apiTls = blockIn(api, "https");
  const serverTls = blockIn(server, "https");
  const isEqual = valueOf(apiTls, "enabled") === valueOf(serverTls, "enabled");
  const isSamePort = !valueOf(apiTls, "enabled") || !isGiven(apiTls, "listen") || haveSameListen(apiTls, serverTls);
  const at = find(root, "http_api");
  if (at === undefined || (isEqual && isSamePort)) return [];
  return [errorAt(at, "CONF_VALUE", "http_api and http_server share a port, so their https must be off in both or have one port too")];
}

/** The console is the admin's, and comes by those who stream over HTTP. */
function consoleHasItsPort(root: Block<"root">): Problem[] {
  const dolphin = blockIn(root, "dolphin");
  const at = find(dolphin, "console_on_http");
  if (at === undefined || !valueOf(dolphin, "console_on_http")) return [];
  const lacking = (["http_api", "http_server"] as const).filter((name) => !valueOf(blockIn(root, name), "enabled"));
  if (lacking.length === 0) return passesUnread(root) ? [warningAt(at, "CONF_VALUE", unreadConsole)] : [];
  return [
    warningAt(at, "CONF_VALUE", `console_on_http has no effect without ${lacking.map((name) => `${name} { enabled on; }`).join(" and ")}`),
  ];
}

const unreadConsole =
  "console_on_http has no effect before servers of plan b that are not ours with routing connection: nobody reads there what is asked; write routing stream";

/** Whether plan b would pass HTTP on to servers of another program unread. */
function passesUnread(root: Block<"root">): boolean {
  const dolphin = blockIn(root, "dolphin");
  const routing = valueOf(dolphin, "routing");
  const served = vhostsIn(root).filter(({ vhost }) => valueOf(vhost, "enabled"));
  const isAllRemote = served.length > 0 && served.every(({ vhost }) => valueOf(blockIn(vhost, "cluster"), "mode") === "remote");
  return valueOf(dolphin, "server")[0] !== builtin && (routing === "connection" || (routing === "auto" && isAllRemote));
}

/** An API that asks for words which nobody has told lets nobody in; words that stand in manuals let everybody in. */
function authLetsSomebodyIn(root: Block<"root">): Problem[] {
  const auth = blockIn(blockIn(root, "http_api"), "auth");
  const at = find(blockIn(root, "http_api"), "auth");
  if (at === undefined || !valueOf(auth, "enabled")) return [];
  const isBasic = valueOf(auth, "type") === "basic";
  const [username, password, token] = [valueOf(auth, "username"), valueOf(auth, "password"), valueOf(auth, "token")];
  const missing = isBasic ? (username === null ? "username" : password === null ? "password" : null) : token === null ? "token" : null;
  if (missing !== null) return [warningAt(at, "CONF_VALUE", `auth has no ${missing}: nobody may use the API; write one`)];
  if (!isBasic || username !== "admin" || password !== "admin") return [];
  return [warningAt(at, "CONF_VALUE", "auth has the username and password of SRS's manual, which everybody knows: choose others")];
}

function haveSameListen(one: Block<ListeningPlace>, other: Block<ListeningPlace>): boolean {
  return JSON.stringify(valueOf(one, "listen")) === JSON.stringify(valueOf(other, "listen"));
}

/** SRS refuses it where it is off, too; where it is on the value itself is an error. */
function heartbeatPauses(root: Block<"root">): Problem[] {
  const heartbeat = blockIn(root, "heartbeat");
  const at = find(heartbeat, "interval");
  if (at === undefined || valueOf(heartbeat, "enabled") || Number.parseFloat(at.args[0] ?? "1") > 0) return [];
  return [errorAt(at, "CONF_VALUE", "interval of heartbeat must be more than 0: SRS refuses it also where heartbeat is off")];
}

function vhostsDiffer(root: Block<"root">, file: Place): Problem[] {
  const vhosts = findAll(root, "vhost");
  if (vhosts.length === 0)
    return [warningAt(file, "CONF_VALUE", "there is no vhost, so every client is refused: write vhost __defaultVhost__ { }")];
  return sameNames(vhosts, canonicalHost).map(([again, first]) =>
    warningAt(again, "CONF_DUPLICATE", `vhost ${again.args[0] ?? ""} is given again; the first counts, in line ${first.line}`),
  );
}

/** Weights and networks are lists, which no type of the table holds to a form. */
function balanceIsReadable(root: Block<"root">): Problem[] {
  const block = blockIn(root, "dolphin");
  const unreadable = (name: "server_weight" | "trusted_proxies", form: string, parse: (text: string) => unknown): Problem[] => {
    const at = find(block, name);
    const bad = at === undefined ? [] : valueOf(block, name).filter((text) => parse(text) === null);
    return at === undefined ? [] : bad.map((text) => errorAt(at, "CONF_VALUE", `${name}: ${shorten(text)} is not ${form}`));
  };
  return [
    ...unreadable("server_weight", "a weight above 0 and up to 1000", parseWeight),
    ...resolverIsReadable(block),
    ...unreadable("trusted_proxies", "a network such as 10.0.0.0/8 or 2001:db8::/32", parseNetwork),
  ];
}

/** The address may hold a password, so it is not shown. */
function registryIsReadable(root: Block<"root">, _file: Place, listen: readonly Endpoint[]): Problem[] {
  const block = blockIn(root, "dolphin");
  const at = find(block, "registry");
  const address = valueOf(block, "registry");
  if (at === undefined || address === null) return [];
  const read = parseRegistry(address);
  if (typeof read === "string") return [errorAt(at, "CONF_VALUE", `registry: what is written ${read}`)];
  const text = valueOf(block, "registry_advertise");
  const advertise = text === null ? null : parseAdvertised(text);
  if (text !== null && advertise === null)
    return [
      errorAt(
        find(block, "registry_advertise") ?? at,
        "CONF_VALUE",
        `registry_advertise: ${shorten(text)} is not a server: write host or host:1935`,
      ),
    ];
  const zone = valueOf(block, "registry_zone");
  if (zone !== null && !isZone(zone))
    return [
      errorAt(
        find(block, "registry_zone") ?? at,
        "CONF_VALUE",
        `registry_zone: ${shorten(zone)} is not the name of a zone: write letters, digits, _ . and -, 64 of them at most`,
      ),
    ];
  return advertisedOf({ advertise }, listen) === null ? [errorAt(at, "CONF_VALUE", `registry: ${advertiseRemedy}`)] : [];
}

function resolverIsReadable(block: Block<"dolphin">): Problem[] {
  const at = find(block, "resolver");
  const text = valueOf(block, "resolver");
  if (at === undefined || text === null || parseResolver(text) !== null) return [];
  return [errorAt(at, "CONF_VALUE", `resolver: ${shorten(text)} is not the address of a DNS server: write 10.0.0.2 or 10.0.0.2:53`)];
}

function edgeHasOrigin(vhost: Block<"vhost">, at: Directive): Problem[] {
  if (!isEdgeWithoutOrigin(vhost)) return [];
  const name = at.args[0] ?? "";
  return [
    warningAt(find(vhost, "cluster") ?? at, "CONF_ARGUMENTS", `vhost ${name} is remote but has no origin to ask; it is switched off`),
  ];
}

function coworkersAreReadable(vhost: Block<"vhost">): Problem[] {
  const cluster = blockIn(vhost, "cluster");
  const at = find(cluster, "coworkers");
  if (at === undefined || !valueOf(cluster, "origin_cluster")) return [];
  const bad = valueOf(cluster, "coworkers").filter((text) => parseCoworker(text) === null);
  return bad.map((text) => errorAt(at, "CONF_VALUE", `coworkers: ${shorten(text)} is not the API of a server: write host or host:1985`));
}

function forwardKeepsPublisher(vhost: Block<"vhost">): Problem[] {
  const forward = find(vhost, "forward");
  const isForwarding = valueOf(blockIn(vhost, "forward"), "enabled");
  if (forward === undefined || !isForwarding || valueOf(blockIn(vhost, "publish"), "kickoff_for_idle") === 0) return [];
  return [
    errorAt(forward, "CONF_VALUE", "forward and publish.kickoff_for_idle exclude each other: a forwarded stream has no players here"),
  ];
}

function hlsAndTsDoNotMeet(vhost: Block<"vhost">): Problem[] {
  const remux = blockIn(vhost, "http_remux");
  const at = find(vhost, "http_remux");
  if (at === undefined || !valueOf(remux, "enabled") || !valueOf(blockIn(vhost, "hls"), "enabled")) return [];
  if (!valueOf(remux, "mount").some((mount) => mount.endsWith(".ts"))) return [];
  return [errorAt(at, "CONF_VALUE", "hls and an http_remux that is mounted on .ts exclude each other")];
}

function partsAreNotEncrypted(vhost: Block<"vhost">): Problem[] {
  const hls = blockIn(vhost, "hls");
  const at = find(hls, "hls_keys");
  if (at === undefined || !valueOf(hls, "enabled") || !valueOf(hls, "hls_keys") || !valueOf(hls, "hls_low_latency")) return [];
  return [errorAt(at, "CONF_VALUE", "hls_keys and hls_low_latency exclude each other: parts are not encrypted")];
}

/** Programs run for what is published here: one that reads a stream which is pulled would be a viewer that keeps it for ever. */
function edgesRunNothing(vhost: Block<"vhost">): Problem[] {
  if (valueOf(blockIn(vhost, "cluster"), "mode") !== "remote") return [];
  return (["transcode", "exec"] as const).flatMap((name) => {
    const at = findAll(vhost, name).find((one) => isEnabled(inside(vhost, one)));
    return at === undefined
      ? []
      : [warningAt(at, "CONF_VALUE", `${name} has no effect in a vhost of mode remote: write it into the file of its origin`)];
  });
}

function ingestsDiffer(vhost: Block<"vhost">): Problem[] {
  return sameNames(findAll(vhost, "ingest")).map(([again, first]) =>
    errorAt(again, "CONF_DUPLICATE", `ingest ${again.args[0] ?? ""} has the name of the one in line ${first.line}`),
  );
}

/** What ffmpeg cannot be run without. SRS passes such a block over without a word. */
function programsAreWhole(vhost: Block<"vhost">): Problem[] {
  const lacking = (at: Directive, kind: string, what: string): Problem =>
    warningAt(at, "CONF_ARGUMENTS", `${[kind, ...at.args].join(" ")} has no ${what}, so it does not run`);
  const found: Problem[] = [];
  const look = (at: Directive, kind: "ingest" | "transcode"): void => {
    const block: Block<"vhost.ingest" | "vhost.transcode"> = { place: `vhost.${kind}`, directives: at.children ?? [] };
    if (!isEnabled(block)) return;
    const engines = block.directives.filter((one) => one.name === "engine" && (kind === "ingest" || isEnabled(inside(block, one))));
    if (!isGiven(block, "ffmpeg")) found.push(lacking(at, kind, "ffmpeg"));
    if (engines.length === 0) found.push(lacking(at, kind, kind === "ingest" ? "engine { output; }" : "engine that is on"));
    for (const engine of engines) {
      const hasOutput = engine.children?.some(({ name, args }) => name === "output" && args.length > 0) === true;
      if (!hasOutput) found.push(lacking(engine, "engine", "output"));
    }
  };
  for (const at of findAll(vhost, "transcode")) look(at, "transcode");
  for (const at of findAll(vhost, "ingest")) {
    look(at, "ingest");
    const block: Block<"vhost.ingest"> = { place: "vhost.ingest", directives: at.children ?? [] };
    const input = blockIn(block, "input");
    if (isEnabled(block) && !(isGiven(input, "type") && isGiven(input, "url"))) found.push(lacking(at, "ingest", "input { type; url; }"));
  }
  return found;
}

/** A rule that cannot be read is none in SRS, which lets in whom it denies. */
function securityIsReadable(vhost: Block<"vhost">): Problem[] {
  const at = find(vhost, "security");
  const security = blockIn(vhost, "security");
  if (at === undefined || !valueOf(security, "enabled")) return [];
  const rules = [...findAll(security, "allow"), ...findAll(security, "deny")];
  if (rules.length === 0)
    return [warningAt(at, "CONF_VALUE", "security is on and has no rule, which lets nobody in: write allow play all;")];
  const bad = rules.filter(({ args }) => parseAccessRule(args) === null);
  return bad.map((rule) => {
    const form = "one of play and publish, then one of all, an address and a network such as 10.0.0.0/8";
    return errorAt(rule, "CONF_VALUE", `${rule.name}: ${shorten(rule.args.join(" "))} is not ${form}`);
  });
}

/** SRS finds out when it calls, and refuses every client then. */
function hooksAreUrls(vhost: Block<"vhost">): Problem[] {
  const hooks = blockIn(vhost, "http_hooks");
  const forward = blockIn(vhost, "forward");
  const given = [
    ...(valueOf(hooks, "enabled") ? hookNames.map((name) => find(hooks, name)) : []),
    ...(valueOf(forward, "enabled") ? [find(forward, "backend")] : []),
  ];
  return given.flatMap((at) => {
    const bad = at?.args.filter((url) => !/^https?:$/.test(URL.canParse(url) ? new URL(url).protocol : "")) ?? [];
    if (at === undefined) return [];
    return bad.map((url) =>
      warningAt(at, "CONF_VALUE", `${at.name}: ${shorten(url)} is no URL of http or https, so every call of it fails`),
    );
  });
}

/** Pairs of a directive and the first one that has its first argument, in the form in which these are compared. */
function sameNames(
  directives: readonly Directive[],
  formOf: (name: string) => string = (name) => name,
): [again: Directive, first: Directive][] {
  const firsts = new Map<string, Directive>();
  const pairs: [Directive, Directive][] = [];
  for (const directive of directives) {
    const name = formOf(directive.args[0] ?? "");
    const first = firsts.get(name);
    if (first === undefined) firsts.set(name, directive);
    else pairs.push([directive, first]);
  }
  return pairs;
}
