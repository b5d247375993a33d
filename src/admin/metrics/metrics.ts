// What Prometheus scrapes, at the exporter's port and at /metrics of the API's. Where there is no exporter, SRS's number for that. A scrape
// waits for no process that serves: what the master has heard of them is told, with how long ago that was.
//
//   /box: what the master keeps ─┬─▶ families.ts: dolphin_… ─┐
//   /proc: CPU and memory ───────┴─▶ srs.ts: srs_… ──────────┼─▶ exposition.ts ─▶ text
//   streams, where asked for ──────▶ stream-families.ts ─────┘
import type { StreamStatus } from "../../ipc/streams.js";
import type { AdminContext } from "../box/context.js";
import { CpuMeter, readStat, residentKb } from "../box/proc.js";
import { keyOf } from "../box/view.js";
import { reply, safeHeaders, type Exchange } from "../http/reply.js";
import { contentTypes, formFor, render, type Family } from "./exposition.js";
import { boxFamilies } from "./families.js";
import { srsFamilies } from "./srs.js";
import { streamFamilies } from "./stream-families.js";

/** SRS: the exporter is disabled. */
const exporterDisabled = 1090;
/** How long a scrape waits for a newer list of streams than the one it has. */
const newerListMs = 250;

const meter = new CpuMeter();
let lastStreams: readonly StreamStatus[] = [];
let lastSeen = { streams: 0, clients: 0 };

/** Answers one scrape. */
export async function answerMetrics(context: AdminContext, exchange: Exchange): Promise<void> {
  const { exporter, dolphin } = context.config();
  if (exporter.listen.length === 0) {
    reply(exchange, { code: exporterDisabled });
    return;
  }
  const facts = await context.view.facts();
  const found = await Promise.all(facts.processes.map(({ pid }) => (pid === null ? Promise.resolve(null) : readStat(pid))));
  const stats = found.filter((stat) => stat !== null);
  const shares = await meter.measure(stats);
  const memory = new Map(stats.map((stat) => [stat.pid, residentKb(stat) * 1024]));
  const sum = (numbers: Iterable<number>): number => [...numbers].reduce((total, one) => total + one, 0);
  const seen = facts.servers === undefined ? {} : { seen: await seenSoon(context) };
  const families: Family[] = [
    ...srsFamilies(facts, exporter, { cpu: sum(shares), memoryBytes: sum(memory.values()), ...seen }),
    ...boxFamilies(facts, memory, Date.now()),
  ];
  if (dolphin.metricsStreams > 0) {
    const { view } = context;
    const ratesOf = (stream: StreamStatus): ReturnType<typeof view.rates> =>
      view.rates("stream", keyOf(stream), { recv: stream.bytesIn, send: stream.bytesOut }, stream.sinceMs);
    families.push(...streamFamilies(await streamsSoon(context), dolphin.metricsStreams, ratesOf));
  }
  const form = formFor(exchange.request.headers.accept);
  const text = render(families, form);
  const headers = { ...safeHeaders, "Content-Type": contentTypes[form], "Content-Length": Buffer.byteLength(text) };
  exchange.response.writeHead(200, headers).end(exchange.request.method === "HEAD" ? undefined : text);
}

/** The streams as they are, or where a process lets the master wait for its list, as they were. */
async function streamsSoon({ view }: AdminContext): Promise<readonly StreamStatus[]> {
  return soon(
    view.streams().then((streams) => (lastStreams = streams)),
    () => lastStreams,
  );
}

/** How many streams and clients foreign servers have, in the same way. */
async function seenSoon({ view }: AdminContext): Promise<typeof lastSeen> {
  const newer = Promise.all([view.streams(), view.clients()]).then(([streams, clients]) => {
    return (lastSeen = { streams: streams.filter(({ state }) => state !== "wait").length, clients: clients.length });
  });
  return soon(newer, () => lastSeen);
}

async function soon<T>(newer: Promise<T>, last: () => T): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<T>((resolve) => {
    timer = setTimeout(() => resolve(last()), newerListMs);
  });
  try {
    return await Promise.race([newer.catch(last), patience]);
  } finally {
    clearTimeout(timer);
  }
}
