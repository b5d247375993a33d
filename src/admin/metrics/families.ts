// What is told under dolphin's own names: base units, one unit a name, and no label whose values have no bound. Rows are by the place
// that processes fill, `edge-1` with its heirs; what they counted is the master's sum over them, which no death lowers. Pure.
import type { BoxFacts, ProcessCounts } from "../../ipc/box.js";
import { latencyBoundsMs } from "../../ipc/dues.js";
import { firstMediaBoundsMs, lagBoundsMs, type Behind, type Present, type Relays } from "../../ipc/tally.js";
import { ownProcess } from "../box/own.js";
import type { Family, Labels } from "./exposition.js";

type Row = BoxFacts["processes"][number];

const gauge = (name: string, help: string, samples: readonly [Labels, number][]): Family => ({
  name,
  help,
  type: "gauge",
  samples: named(samples),
});
const counter = (name: string, help: string, samples: readonly [Labels, number][]): Family => ({
  name,
  help,
  type: "counter",
  samples: named(samples),
});
const named = (samples: readonly [Labels, number][]): { labels: Labels; value: number }[] =>
  samples.map(([labels, value]) => ({ labels, value }));
const seconds = (boundsMs: readonly number[]): number[] => boundsMs.map((bound) => bound / 1000);

/** All families of the box and of its processes. */
export function boxFamilies(facts: BoxFacts, memory: ReadonlyMap<number, number>, nowMs: number): Family[] {
  const { counts, version, plan, serverId, serviceId, upSeconds } = facts;
  const places = placesOf(facts.processes);
  const each = (of: (rows: readonly Row[]) => number | null): [Labels, number][] =>
    [...places].flatMap(([process, rows]): [Labels, number][] => {
      const value = of(rows);
      return value === null ? [] : [[{ process }, value]];
    });
  const sum = (field: "connections" | "publishers"): [Labels, number][] =>
    each((rows) => rows.reduce((total, row) => total + row[field], 0));
  const counted = (of: (row: ProcessCounts) => number): [Labels, number][] => counts.map((row) => [{ process: row.name }, of(row)]);
  return [
    {
      name: "dolphin_build_info",
      help: "What runs here; always 1.",
      type: "info",
      samples: [{ labels: { version, plan, server: serverId, service: serviceId }, value: 1 }],
    },
    gauge("dolphin_start_time_seconds", "When the master began, since 1970.", [[{}, Math.round(nowMs / 1000) - upSeconds]]),
    gauge(
      "dolphin_process_up",
      "1: a process of this place serves.",
      each((rows) => (rows.some(({ state }) => state === "up" || state === "draining") ? 1 : 0)),
    ),
    gauge(
      "dolphin_process_report_age_seconds",
      "How long a process has told nothing; it reports once a second.",
      counts.flatMap(({ name, reportAgeSeconds }): [Labels, number][] =>
        reportAgeSeconds === null ? [] : [[{ process: name }, reportAgeSeconds]],
      ),
    ),
    counter(
      "dolphin_process_cpu_seconds_total",
      "CPU time, user and system; foreign servers do not tell it.",
      counted(({ cpuSeconds }) => cpuSeconds),
    ),
    gauge(
      "dolphin_process_resident_memory_bytes",
      "Resident memory.",
      each((rows) => residentOf(rows, memory)),
    ),
    {
      name: "dolphin_process_event_loop_lag_seconds",
      help: "How late the latest turn of the event loop was in each second.",
      type: "histogram",
      bounds: seconds(lagBoundsMs),
      samples: counts.map(({ name, lag }) => ({ labels: { process: name }, counts: lag.counts, sum: lag.sumMs / 1000 })),
    },
    counter(
      "dolphin_process_restarts_total",
      "Times that another process took the place, after a death or as asked.",
      counted(({ restarts }) => restarts),
    ),
    counter(
      "dolphin_process_deaths_total",
      "Processes that ended without having been asked to.",
      counts.flatMap(({ name, deaths }) =>
        Object.entries(deaths).map(([cause, count]): [Labels, number] => [{ process: name, cause }, count]),
      ),
    ),
    gauge("dolphin_connections", "Open connections.", sum("connections")),
    counter(
      "dolphin_connections_accepted_total",
      "Connections that were accepted; one that is carried is not accepted again.",
      counted(({ tally }) => tally.accepted),
    ),
    counter(
      "dolphin_connections_ended_total",
      "Connections that ended, by the code of docs/errors.md; none: ordinary life.",
      counts.flatMap(({ name, tally }) =>
        Object.entries(tally.ends).map(([code, count]): [Labels, number] => [{ process: name, code }, count]),
      ),
    ),
    ...carriedFamilies(facts),
    ...registryFamilies(facts),
    gauge("dolphin_players", "Viewers.", playersOf(places, counts)),
    gauge(
      "dolphin_players_behind",
      "Of these, those that do not keep up and are left out until they do.",
      counts.flatMap(behindOf("players")),
    ),
    gauge("dolphin_players_behind_bytes", "What waits for those that do not keep up.", counts.flatMap(behindOf("bytes"))),
    gauge("dolphin_publishers", "Publishers.", sum("publishers")),
    counter(
      "dolphin_plays_total",
      "Plays that began.",
      counted(({ tally }) => tally.plays),
    ),
    counter(
      "dolphin_publishes_total",
      "Publishes that began.",
      counted(({ tally }) => tally.publishes),
    ),
    gauge("dolphin_streams", "Streams that are live.", [[{}, streamsOf(facts)]]),
    gauge(
      "dolphin_relays",
      "Connections to other servers, the box's own origin among them; down: the server was lost or cannot be reached.",
      counts.flatMap(relaysOf),
    ),
    counter(
      "dolphin_upstream_failures_total",
      "Connections to other servers that were lost or could not be made, by the code of docs/errors.md.",
      counts.flatMap(({ name, tally }) =>
        Object.entries(tally.upstreamFailures).map(([key, count]): [Labels, number] => {
          const [server = "", code = ""] = key.split(" ");
          return [{ process: name, upstream: ownProcess(facts, server)?.name ?? server, code }, count];
        }),
      ),
    ),
    counter(
      "dolphin_received_bytes_total",
      "Bytes that came in; box: from other processes of it.",
      counts.flatMap(({ name, bytesIn, innerBytesIn }) => peers(name, bytesIn, innerBytesIn)),
    ),
    counter(
      "dolphin_sent_bytes_total",
      "Bytes that went out; box: to other processes of it.",
      counts.flatMap(({ name, bytesOut, innerBytesOut }) => peers(name, bytesOut, innerBytesOut)),
    ),
    {
      name: "dolphin_first_media_seconds",
      help: "From a viewer's connection, over HTTP from its request, to its first media; waiting for a publisher is part of it.",
      type: "histogram",
      bounds: seconds(firstMediaBoundsMs),
      samples: counts.map(({ name, tally: { firstMedia } }) => ({
        labels: { process: name },
        counts: firstMedia.counts,
        sum: firstMedia.sumMs / 1000,
      })),
    },
    ...hookFamilies(facts),
  ];
}

/** Streams that are live in the box: edges have theirs from its origin, and proxies have none. */
export function streamsOf({ processes, counts }: BoxFacts): number {
  const streams = (name: string): number =>
    (counts.find((row) => row.name === name)?.presents ?? []).reduce((sum, one) => sum + one.streams, 0);
  const sources = [...placesOf(processes.filter(({ duty }) => duty === "origin" || duty === "server")).keys()];
  return sources.reduce((sum, name) => sum + streams(name), 0);
}

/** Rows by the name of their place, in the order of the first. */
function placesOf(processes: readonly Row[]): Map<string, Row[]> {
  const places = new Map<string, Row[]>();
  for (const row of processes) {
    const name = row.name.replace(/\.\d+$/, "");
    places.set(name, [...(places.get(name) ?? []), row]);
  }
  return places;
}

function residentOf(rows: readonly Row[], memory: ReadonlyMap<number, number>): number | null {
  const known = rows.flatMap(({ pid }) => (pid === null ? [] : (memory.get(pid) ?? [])));
  return known.length === 0 ? null : known.reduce((sum, bytes) => sum + bytes, 0);
}

function playersOf(places: ReadonlyMap<string, readonly Row[]>, counts: readonly ProcessCounts[]): [Labels, number][] {
  return [...places].flatMap(([process, rows]): [Labels, number][] => {
    const presents = counts.find(({ name }) => name === process)?.presents ?? [];
    if (presents.length === 0) return [];
    const over = (field: "flvPlayers" | "wsPlayers"): number => presents.reduce((sum, one) => sum + one[field], 0);
    const all = rows.reduce((sum, { players }) => sum + players, 0);
    const [flv, ws] = [over("flvPlayers"), over("wsPlayers")];
    return [
      [{ process, protocol: "rtmp" }, Math.max(0, all - flv - ws)],
      [{ process, protocol: "http-flv" }, flv],
      [{ process, protocol: "ws-flv" }, ws],
    ];
  });
}

const behindOf =
  (field: keyof Behind) =>
  ({ name, presents }: ProcessCounts): [Labels, number][] =>
    presents.length === 0 ? [] : [[{ process: name }, presents.reduce((sum, { behind }) => sum + behind[field], 0)]];

function relaysOf({ name, presents }: ProcessCounts): [Labels, number][] {
  if (presents.length === 0) return [];
  const sum = (of: (one: Present) => Relays, state: "up" | "down"): number => presents.reduce((total, one) => total + of(one)[state], 0);
  return (["pulls", "pushes", "forwards"] as const).flatMap((kind) =>
    (["up", "down"] as const).map((state): [Labels, number] => [
      { process: name, kind: kinds[kind], state },
      sum((one) => one[kind], state),
    ]),
  );
}

const kinds = { pulls: "pull", pushes: "push", forwards: "forward" } as const;

function peers(process: string, all: number, inner: number): [Labels, number][] {
  return [
    [{ process, peer: "outside" }, all - inner],
    [{ process, peer: "box" }, inner],
  ];
}

function carriedFamilies({ carried }: BoxFacts): Family[] {
  if (carried === null) return [];
  const { kept = 0, ...outcomes } = carried;
  return [
    gauge("dolphin_carried_kept", "Connections of which a copy is kept, so that they outlive their process.", [[{}, kept]]),
    counter(
      "dolphin_carried_connections_total",
      "What became of connections whose process was gone: carried to another, cut, abandoned for want of one, refused for want of room.",
      Object.entries(outcomes).map(([outcome, count]) => [{ outcome }, count]),
    ),
  ];
}

function registryFamilies({ registry }: BoxFacts): Family[] {
  if (registry === undefined) return [];
  const { isConnected, heardMs, nodes, held, unconfirmed, standby, claims, conflicts, lookups } = registry;
  const states = Object.entries({ held, unconfirmed, standby });
  return [
    gauge("dolphin_registry_connected", "Whether there is a connection to the registry.", [[{}, isConnected ? 1 : 0]]),
    gauge("dolphin_registry_answer_age_seconds", "Since its last answer.", heardMs === null ? [] : [[{}, heardMs / 1000]]),
    gauge("dolphin_registry_nodes", "Boxes of the site that were heard of lately.", [[{}, nodes]]),
    gauge(
      "dolphin_registry_streams",
      "Streams that are published to this box: held, unconfirmed while the registry is away, standing by.",
      states.map(([state, count]) => [{ state }, count]),
    ),
    counter("dolphin_registry_claims_total", "Publishers who asked for their stream.", [[{}, claims]]),
    counter("dolphin_registry_conflicts_total", "Streams that another box had, or got.", [[{}, conflicts]]),
    counter("dolphin_registry_lookups_total", "Questions to the registry where a stream is.", [[{}, lookups]]),
  ];
}

function hookFamilies({ hooks }: BoxFacts): Family[] {
  const rows = (of: (row: BoxFacts["hooks"][number]) => number): [Labels, number][] =>
    hooks.map((row) => [{ hook: row.action, url: row.url }, of(row)]);
  return [
    counter(
      "dolphin_hook_calls_total",
      "Calls of hooks.",
      rows(({ calls }) => calls),
    ),
    counter(
      "dolphin_hook_failures_total",
      "Of those, the ones without an answer, or with one that says that the backend failed.",
      rows(({ failures }) => failures),
    ),
    counter(
      "dolphin_hook_refusals_total",
      "Of those, the ones that were answered by no.",
      rows(({ refusals }) => refusals),
    ),
    counter(
      "dolphin_hook_dropped_total",
      "Notifications that were given up.",
      rows(({ dropped }) => dropped),
    ),
    {
      name: "dolphin_hook_duration_seconds",
      help: "How long answers of hooks took.",
      type: "histogram",
      bounds: seconds(latencyBoundsMs),
      samples: hooks.map(({ action, url, latencies, latencySumMs }) => ({
        labels: { hook: action, url },
        counts: latencies,
        sum: latencySumMs / 1000,
      })),
    },
  ];
}
