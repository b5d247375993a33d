// What people read on a terminal: which address serves what, and the tables of `dolphin status`. Names come from the network,
// so nothing but printable characters leaves here.
import { networkInterfaces } from "node:os";
import { printable } from "../../base/printable.js";
import type { Endpoint } from "../../conf/meaning/config.js";
import { formatEndpoint } from "../../conf/meaning/endpoint.js";
import type { BackendState, Lease } from "../../ipc/balance.js";
import type { BalanceStatus, BoxStatus, Explanation, ProcessStatus, Reloaded } from "./status.js";
import type { TakenEvent } from "../../ipc/events.js";
import type { BoxClient, ProgramReport, RecordingReport } from "../../ipc/lists.js";
import type { RegistryReport } from "../../ipc/box.js";
import type { StreamStatus } from "../../ipc/streams.js";
import type { ReadyBox } from "../host/daemon.js";
import type { Whereabouts } from "./whereabouts.js";

/** What a started box tells: where to publish, where to watch, how to look at it by `command`, and `stop`: how to stop it. */
export function welcome(box: ReadyBox, { command, stop }: { readonly command: string; readonly stop: string }): string {
  const lines = [
    `dolphin ${box.version} is live: ${workersText(box)}, pid ${box.pid}`,
    "",
    `  publish  ffmpeg -re -i FILE -c copy -f flv ${urlsOf(box, "rtmp")[0] ?? ""}`,
    `           ${command} publish --demo`,
    ...watchLines(box),
    `  look     ${command} status`,
    `  stop     ${stop}; once more to stop at once`,
  ];
  return `${lines.join("\n")}\n`;
}

/** Where a stream called live/livestream is watched. */
export function watchLines(box: Pick<ReadyBox, "endpoints">): string[] {
  const urls = [...urlsOf(box, "rtmp"), ...urlsOf(box, "http").map((url) => `${url}.flv`)];
  return urls.map((url, index) => `  ${index === 0 ? "watch    " : "         "}${url}`);
}

/** Where this machine publishes that stream; null: to a box of which nothing is known. */
export function publishUrl(box: Pick<ReadyBox, "endpoints"> | null): string {
  const [url] = box === null ? [] : urlsOf(box, "rtmp", "127.0.0.1");
  return url ?? "rtmp://127.0.0.1/live/livestream";
}

/** `everywhere` stands for the wildcard of addresses. */
function urlsOf({ endpoints }: Pick<ReadyBox, "endpoints">, protocol: "rtmp" | "http", everywhere = outerAddress()): string[] {
  const listed = endpoints.filter((one) => one.protocol === protocol);
  return listed.map(({ endpoint }) => `${protocol}://${authority(endpoint, protocol === "rtmp" ? 1935 : 80, everywhere)}/live/livestream`);
}

function workersText({ plan, workers }: Pick<BoxStatus, "plan" | "workers">): string {
  if (plan === "single") return "one server process";
  if (plan === "b") return `${workers} ${workers === 1 ? "proxy" : "proxies"} before the servers`;
  return `${workers} ${workers === 1 ? "edge" : "edges"} around one origin`;
}

/** The tables of `dolphin status`. */
export function statusText(box: BoxStatus): string {
  const where = box.endpoints.map(({ protocol, endpoint }) => `${protocol} ${formatEndpoint(endpoint)}`).join(", ");
  const head = `dolphin ${box.version}, pid ${box.pid}, plan ${box.plan}, up ${duration(box.upSeconds)}, serving ${where}`;
  const { processes, streams, balance } = box;
  const parts = [printable(head), table(processColumns(isForeign(balance)), processes)];
  if (streams.length > 0) parts.push(table(streamColumns, streams));
  else if (!isForeign(balance)) parts.push("no streams");
  if (box.programs.length > 0) parts.push(table(programColumns(Date.now()), box.programs));
  const carried = carriedText(box);
  if (carried !== "") parts.push(carried);
  if (box.registry !== undefined) parts.push(printable(registryText(box.registry)));
  if (balance !== undefined) parts.push(balanceText(balance), ...publishedText(balance, Date.now()));
  return `${parts.join("\n\n")}\n`;
}

/** The box's place in its site, in a line. */
export function registryText(report: RegistryReport): string {
  const { address, node, nodes, isConnected, heardMs, held, unconfirmed, standby, conflicts } = report;
  const age = heardMs === null ? "not heard of yet" : `heard ${duration(Math.round(heardMs / 1000))} ago`;
  const state = isConnected ? `${nodes} ${nodes === 1 ? "box" : "boxes"}, ${age}` : `away, ${age}: what is on the air stays there`;
  const streams = `${held} published here${unconfirmed === 0 ? "" : `, ${unconfirmed} of which it is to be told`}${standby === 0 ? "" : `, ${standby} standing by`}`;
  return `registry ${address}: ${state}; this is ${node}, ${streams}${conflicts === 0 ? "" : `, ${conflicts} conflicts so far`}`;
}

/** Whether the servers of plan b are programs that tell nothing of their streams. */
function isForeign(balance: BalanceStatus | undefined): boolean {
  return balance !== undefined && balance.software !== "builtin";
}

/** What became of connections whose process was gone; nothing where none was. */
function carriedText({ carried: counts, uncarried, plan }: BoxStatus): string {
  const whose = plan === "b" ? "connections end with their proxy" : "viewers end with the process that serves them";
  if (counts === null) return `${whose}: ${uncarried ?? ""}`;
  const { carried, cut, abandoned, refused } = counts;
  const parts = [
    carried === 0 ? "" : `${carried} carried over to another process`,
    cut === 0 ? "" : `${cut} lost with theirs in the middle of a write`,
    abandoned === 0 ? "" : `${abandoned} for want of another process`,
    refused === 0 ? "" : `${refused} not kept, for too many files were open`,
  ].filter((part) => part !== "");
  return parts.length === 0 ? "" : `${plan === "b" ? "connections" : "viewers"}: ${parts.join(", ")}`;
}

function balanceText({ policy, routing, software, servers }: BalanceStatus): string {
  const count = servers.length === 1 ? "1 server" : `${servers.length} servers`;
  return `${printable(`${count} (${software}), ${policy}, routing by ${routing}`)}\n${table(backendColumns, servers)}`;
}

/** What the proxies know of publishers: of all where they route by stream, of none where they do not look into connections. */
function publishedText(balance: BalanceStatus, nowMs: number): string[] {
  const { routing, leases } = balance;
  if (routing === "stream") return [leases.length === 0 ? "no publishers" : table(leaseColumns(nowMs), leases)];
  return isForeign(balance) ? ["the servers alone know their streams: the proxies do not look into connections"] : [];
}

/** What `dolphin reload`, `restart` and `upgrade` print. */
export function reloadedText({ outcome, changes, problems, notes }: Reloaded, whenRefused = "refused: everything is as it was"): string {
  const heads = {
    applied: appliedText(changes),
    unchanged: "nothing to do: the configuration says what is in force already",
    refused: whenRefused,
  };
  const lines = changes.map(({ path, from, to, reload }) => {
    const isWaiting = outcome === "applied" && reload === "restart";
    return `  ${path}: ${from ?? "(none)"} → ${to ?? "(none)"}${isWaiting ? "   (takes a restart of dolphin)" : ""}`;
  });
  return [heads[outcome], ...lines, ...[...notes, ...problems].map((sentence) => `  ${sentence}`), ""].map(printable).join("\n");
}

function appliedText(changes: Reloaded["changes"]): string {
  if (changes.length === 0) return "done";
  return changes.every(({ reload }) => reload === "restart") ? "nothing is in force yet: all of it takes a restart" : "applied";
}

/** What `dolphin explain` prints. */
export function explanationText(explanation: Explanation): string {
  const { key, decision, why, candidates, servers, policy, routing } = explanation;
  const named = (state: BackendState): BackendState & { readonly choice: string } => {
    const isCandidate = candidates.includes(state.name);
    return { ...state, choice: state.name === decision ? "*" : isCandidate ? "candidate" : "-" };
  };
  const choice: Column<BackendState & { readonly choice: string }> = { title: "CHOICE", side: "left", text: (row) => row.choice };
  const rows = table([choice, ...backendColumns], servers.map(named));
  return `${printable(`${key} → ${decision ?? "nowhere"}: ${why} (${policy}, routing by ${routing})`)}\n\n${rows}\n`;
}

/** What `dolphin explain` prints on plans a and single. */
export function whereaboutsText({ key, why, processes, site }: Whereabouts): string {
  const onSite = site === undefined ? "" : `; ${site.why}`;
  return `${printable(`${key}: ${why}${onSite}`)}\n\n${table(whereaboutsColumns, processes)}\n`;
}

const whereaboutsColumns: readonly Column<Whereabouts["processes"][number]>[] = [
  { title: "PROCESS", side: "left", text: ({ name }) => name },
  { title: "STREAM", side: "left", text: ({ how }) => how },
  { title: "PLAYERS", side: "right", text: ({ players }) => String(players) },
];

/** What `dolphin clients` prints. */
export function clientsText(clients: readonly BoxClient[], nowMs: number): string {
  return clients.length === 0 ? "nobody plays or publishes\n" : `${table(clientColumns(nowMs), clients)}\n`;
}

/** What `dolphin streams` prints. */
export function streamsText(streams: readonly StreamStatus[], nowMs: number): string {
  return streams.length === 0 ? "no streams\n" : `${table([...streamColumns, ...detailColumns(nowMs)], streams)}\n`;
}

/** What `dolphin recordings` prints. */
export function recordingsText(recordings: readonly RecordingReport[]): string {
  return recordings.length === 0 ? "no recordings\n" : `${table(recordingColumns, recordings)}\n`;
}

/** What `dolphin programs` prints. */
export function programsText(programs: readonly ProgramReport[], nowMs: number): string {
  return programs.length === 0 ? "no programs\n" : `${table(programColumns(nowMs), programs)}\n`;
}

/** A line of `dolphin events`. */
export function eventText({ time, level = "info", process, event, msg }: TakenEvent): string {
  const words = [time.replace("T", " ").replace(/\.\d+Z$/, "Z"), level.padEnd(5), (process ?? "-").padEnd(8), event.padEnd(18), msg];
  return `${words.map(printable).join("  ")}\n`;
}

function clientColumns(nowMs: number): readonly Column<BoxClient>[] {
  const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(1);
  return [
    { title: "ID", side: "left", text: ({ id }) => id },
    { title: "TYPE", side: "left", text: ({ type }) => type },
    { title: "STREAM", side: "left", text: ({ vhost, app, stream }) => (stream === "" ? "-" : `${vhost}/${app}/${stream}`) },
    { title: "IP", side: "left", text: ({ ip }) => ip },
    { title: "PROCESS", side: "left", text: ({ process }) => process },
    { title: "SINCE", side: "right", text: ({ sinceMs }) => since(sinceMs, nowMs) },
    { title: "MIB IN", side: "right", text: ({ bytesIn }) => mib(bytesIn) },
    { title: "MIB OUT", side: "right", text: ({ bytesOut }) => mib(bytesOut) },
  ];
}

function detailColumns(nowMs: number): readonly Column<StreamStatus>[] {
  return [
    {
      title: "SIZE",
      side: "left",
      text: ({ videoDetails: size }) => (size === null || size.width === 0 ? "-" : `${size.width}x${size.height}`),
    },
    { title: "KEY FRAMES", side: "right", text: ({ keyFrameMs }) => (keyFrameMs === null ? "-" : `${(keyFrameMs / 1000).toFixed(1)}s`) },
    { title: "SINCE", side: "right", text: ({ sinceMs }) => (sinceMs === null ? "-" : since(sinceMs, nowMs)) },
    { title: "PUBLISHER", side: "left", text: ({ publisherId }) => (publisherId === "" ? "-" : publisherId) },
  ];
}

const recordingColumns: readonly Column<RecordingReport>[] = [
  { title: "FILE", side: "left", text: ({ path }) => path },
  { title: "STREAM", side: "left", text: ({ vhost, app, stream }) => `${vhost}/${app}/${stream}` },
  { title: "STATE", side: "left", text: ({ state }) => state },
  { title: "BEGUN", side: "left", text: ({ startedAtMs }) => new Date(startedAtMs).toISOString().replace(/\.\d+Z$/, "Z") },
  { title: "LENGTH", side: "right", text: ({ durationMs }) => duration(Math.round(durationMs / 1000)) },
  { title: "MIB", side: "right", text: ({ sizeBytes }) => (sizeBytes / 2 ** 20).toFixed(1) },
];

function programColumns(nowMs: number): readonly Column<ProgramReport>[] {
  return [
    { title: "PROGRAM", side: "left", text: ({ kind, name }) => `${kind} ${name}`.trim() },
    { title: "OF", side: "left", text: ({ vhost, app, stream }) => (stream === "" ? vhost : `${vhost}/${app}/${stream}`) },
    { title: "PID", side: "right", text: ({ pid }) => (pid === null ? "-" : String(pid)) },
    { title: "UP", side: "right", text: ({ sinceMs }) => (sinceMs === null ? "-" : since(sinceMs, nowMs)) },
    { title: "RESTARTS", side: "right", text: ({ restarts }) => String(restarts) },
    { title: "LAST END", side: "left", text: ({ lastEnd }) => (lastEnd === "" ? "-" : lastEnd) },
    { title: "OUTPUT", side: "left", text: ({ output, argv }) => (output === "" ? argv.join(" ") : output) },
  ];
}

/** How long ago that was. */
export function since(thenMs: number, nowMs: number): string {
  return duration(Math.max(0, Math.round((nowMs - thenMs) / 1000)));
}

/** One of a table. */
export interface Column<T> {
  readonly title: string;
  readonly side: "left" | "right";
  text(row: T): string;
}

/** A proxy and a master that only supervises have no players; how many a foreign server has is not known. */
function processColumns(areServersForeign: boolean): readonly Column<ProcessStatus>[] {
  const isUntold = ({ duty }: ProcessStatus): boolean => duty === "server" && areServersForeign;
  const counted = (row: ProcessStatus, count: number): string =>
    isUntold(row) || row.duty === "proxy" || row.duty === "admin" || row.duty === "packager" || row.duty === null ? "-" : String(count);
  return [
    {
      title: "PROCESS",
      side: "left",
      text: ({ name, duty }) => (name === duty || duty === null || name.startsWith(duty) ? name : `${name} (${duty})`),
    },
    { title: "ROLE", side: "left", text: ({ role }) => role },
    { title: "PID", side: "right", text: ({ pid }) => (pid === null ? "-" : String(pid)) },
    { title: "STATE", side: "left", text: ({ state, isStale }) => (isStale ? `${state}, silent` : state) },
    { title: "UP", side: "right", text: ({ upSeconds }) => (upSeconds === null ? "-" : duration(upSeconds)) },
    { title: "CPU%", side: "right", text: ({ cpuPercent }) => cpuPercent?.toFixed(1) ?? "-" },
    { title: "MEM", side: "right", text: ({ memoryBytes }) => (memoryBytes === null ? "-" : `${(memoryBytes / 2 ** 20).toFixed(0)}M`) },
    { title: "LAG", side: "right", text: (row) => (isUntold(row) ? "-" : `${row.lagMs.toFixed(0)}ms`) },
    { title: "PLAYERS", side: "right", text: (row) => counted(row, row.players) },
    { title: "PUBLISHERS", side: "right", text: (row) => counted(row, row.publishers) },
    { title: "MBPS IN", side: "right", text: ({ mbpsIn }) => mbpsIn.toFixed(2) },
    { title: "MBPS OUT", side: "right", text: ({ mbpsOut }) => mbpsOut.toFixed(2) },
    { title: "RESTARTS", side: "right", text: ({ restarts }) => String(restarts) },
    {
      title: "LAST DEATH",
      side: "left",
      text: ({ lastDeath }) => (lastDeath === null ? "-" : `${lastDeath.cause}, ${duration(lastDeath.secondsAgo)} ago`),
    },
  ];
}

const streamColumns: readonly Column<StreamStatus>[] = [
  { title: "STREAM", side: "left", text: ({ vhost, app, stream }) => `${vhost}/${app}/${stream}` },
  { title: "STATE", side: "left", text: ({ state }) => state },
  { title: "FROM", side: "left", text: ({ source }) => (source === null ? "-" : `${source.peer} on ${source.process}`) },
  { title: "MEDIA", side: "left", text: ({ video, audio }) => [video, audio].filter((codec) => codec !== "").join(" ") || "-" },
  { title: "PLAYERS", side: "right", text: ({ players }) => String(players) },
  {
    title: "WHERE",
    side: "left",
    text: ({ playersOf }) =>
      Object.entries(playersOf)
        .map(([name, count]) => `${name}:${count}`)
        .join(" ") || "-",
  },
];

const backendColumns: readonly Column<BackendState>[] = [
  { title: "SERVER", side: "left", text: ({ name }) => name },
  { title: "RTMP", side: "left", text: ({ rtmp }) => formatEndpoint(rtmp) },
  { title: "HTTP", side: "left", text: ({ http }) => (http === null ? "-" : formatEndpoint(http)) },
  { title: "API", side: "left", text: ({ api }) => (api === null ? "-" : formatEndpoint(api.endpoint)) },
  { title: "STATE", side: "left", text: ({ isUp, isDraining }) => `${isUp ? "up" : "down"}${isDraining ? ", draining" : ""}` },
  { title: "WEIGHT", side: "right", text: ({ weight }) => String(weight) },
  {
    title: "CONNECTIONS",
    side: "right",
    text: ({ connections, maxConnections }) => (maxConnections === null ? String(connections) : `${connections}/${maxConnections}`),
  },
  { title: "MBPS", side: "right", text: ({ bytesPerSecond }) => ((bytesPerSecond * 8) / 1e6).toFixed(2) },
];

function leaseColumns(nowMs: number): readonly Column<Lease>[] {
  return [
    { title: "PUBLISHED", side: "left", text: ({ key }) => key },
    { title: "SERVER", side: "left", text: ({ backend }) => backend },
    { title: "PROXY", side: "left", text: ({ proxy }) => proxy },
    { title: "SINCE", side: "right", text: ({ sinceMs }) => since(sinceMs, nowMs) },
  ];
}

/** A table with its titles; nothing behind the last row. */
export function table<T>(columns: readonly Column<T>[], rows: readonly T[]): string {
  const cells = [columns.map(({ title }) => title), ...rows.map((row) => columns.map((column) => printable(column.text(row))))];
  const widths = columns.map((_, index) => Math.max(...cells.map((line) => line[index]?.length ?? 0)));
  const pad = (text: string, index: number): string => {
    const width = widths[index] ?? 0;
    return columns[index]?.side === "right" ? text.padStart(width) : text.padEnd(width);
  };
  return cells.map((line) => line.map(pad).join("  ").trimEnd()).join("\n");
}

/** Seconds in the two largest units. */
export function duration(seconds: number): string {
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m${seconds % 60}s`;
  const hours = Math.floor(seconds / 3600);
  return hours < 24 ? `${hours}h${Math.floor((seconds % 3600) / 60)}m` : `${Math.floor(hours / 24)}d${hours % 24}h`;
}

function authority({ host, port }: Endpoint, defaultPort: number, everywhere: string): string {
  const isEverywhere = host === "0.0.0.0" || host === "::";
  const text = formatEndpoint({ host: isEverywhere ? everywhere : host, port });
  return port === defaultPort ? text.slice(0, text.lastIndexOf(":")) : text;
}

/** This machine's first address that others can reach. */
function outerAddress(): string {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return addresses.find(({ family, internal }) => family === "IPv4" && !internal)?.address ?? "127.0.0.1";
}
