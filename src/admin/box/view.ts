// What the admin knows of the box: asked of the master when somebody wants to know, at most once a second however many do, and lists
// longer apart where they take long to make. Those who ask at once share one answer. Of unmodified srs behind plan b's proxies it knows what
// they tell over their own APIs; of other foreign servers what the proxies know.
import { DolphinError } from "../../base/errors.js";
import type { BoxFacts } from "../../ipc/box.js";
import {
  allClients,
  allRecordings,
  type ClientReport,
  type Listed,
  type ProcessList,
  type ProgramReport,
  type RecordingReport,
} from "../../ipc/lists.js";
import type { StreamReport } from "../../ipc/messages.js";
import { siteOf, type SiteReading, type SiteView, type StreamReading } from "../../ipc/site.js";
import { mergeStreams, type StreamStatus } from "../../ipc/streams.js";
import type { ControlClient } from "./control-client.js";
import { KeptTexts } from "./kept-texts.js";
import { partsOfId, seenClients, seenStreams, type SeenClient, type SeenStream, type ServerRow, type SrsRow } from "./srs-rows.js";
import type { SrsServer, SrsServers, SrsSums } from "./srs-servers.js";
import { maskedProgram } from "./masked.js";

const freshMs = 1000;
/** Of the time of the processes that serve, lists may take this part: one that took 100 ms is not asked for again before 2 s. */
const restPerWork = 20;
/** And no longer, for a machine that is busy, or a process that hangs, is when operators look. */
const longestRestMs = 10_000;

/** Bytes per second of the last half minute, where somebody has looked meanwhile; else since it began. */
export interface Rates {
  /** In kbps, as SRS has them. */
  readonly recv: number;
  readonly send: number;
}

const rateMs = 30_000;

interface Answer<T> {
  readonly value: Promise<T>;
  /** Until when nobody asks again; Infinity while it is on its way. */
  freshUntilMs: number;
}

interface Sample {
  readonly atMs: number;
  readonly recv: number;
  readonly send: number;
}

/** The view of one admin. */
export class BoxView {
  private readonly control: ControlClient;
  private readonly answers = new Map<string, Answer<unknown>>();
  private answered = new KeptTexts();
  private readonly srs: SrsServers | null;
  private samples = new Map<string, Sample[]>();

  /** `srs`: by whom servers with an API of SRS are asked; null: nobody, there are none. */
  constructor(control: ControlClient, srs: SrsServers | null = null) {
    this.control = control;
    this.srs = srs;
  }

  facts(): Promise<BoxFacts> {
    return this.shared("box", async (worked) => {
      worked(0); // the master has them at hand: an answer that takes long has waited
      return (await this.control.ask("/box")).body as BoxFacts;
    });
  }

  /** Everybody who plays or publishes, each once. */
  clients(): Promise<readonly SeenClient[]> {
    return this.shared("clients", async (worked) => {
      const servers = await this.srsServers();
      const clients =
        servers.length === 0
          ? allClients(await this.lists<ClientReport>("clients"))
          : seenClients(await this.srsRows(servers, "clients", worked), Date.now());
      this.note(
        "client",
        clients.map(({ id, bytesIn, bytesOut }) => ({ id, recv: bytesIn, send: bytesOut })),
      );
      return clients;
    });
  }

  streams(): Promise<readonly SeenStream[]> {
    return this.shared("streams", async (worked) => {
      const servers = await this.srsServers();
      const streams = servers.length === 0 ? await this.ownStreams() : await this.srsStreams(servers, worked);
      this.note(
        "stream",
        streams.map((one) => ({ id: keyOf(one), recv: one.bytesIn, send: one.bytesOut })),
      );
      return streams;
    });
  }

  /** What runs for vhosts and streams, ffmpeg and others, without what nobody may see. */
  programs(): Promise<readonly ProgramReport[]> {
    return this.shared("programs", async () =>
      (await this.lists<ProgramReport>("programs")).flatMap(({ rows }) => rows.map(maskedProgram)),
    );
  }

  recordings(): Promise<readonly RecordingReport[]> {
    return this.shared("recordings", async () => allRecordings(await this.lists<RecordingReport>("recordings")));
  }

  /** The site that the box is one of, as it was read, and put together. */
  site(): Promise<{ readonly reading: SiteReading; readonly site: SiteView }> {
    return this.shared("site", async () => {
      const reading = (await this.control.ask("/site")).body as SiteReading;
      return { reading, site: siteOf(reading) };
    });
  }

  /** One stream of it; the box asks its registry once a second at most. */
  async siteStream(key: string): Promise<StreamReading> {
    return (await this.control.ask(`/site-stream/${encodeURIComponent(key)}`)).body as StreamReading;
  }

  /** What srs tell of their vhosts; null: the box's servers are no srs, and vhosts are those of the configuration. */
  vhosts(): Promise<readonly ServerRow[] | null> {
    return this.shared("vhosts", async (worked) => {
      const servers = await this.srsServers();
      return servers.length === 0 ? null : this.srsRows(servers, "vhosts", worked);
    });
  }

  /** What srs tell of themselves, added up; null: there are none, or none answers. */
  sums(): Promise<SrsSums | null> {
    return this.shared("sums", async () => {
      const servers = await this.srsServers();
      return servers.length === 0 ? null : (this.srs?.sums(servers) ?? null);
    });
  }

  /** What the first srs answers there; null: there is none, or none answers. */
  ofFirst(path: string): Promise<SrsRow | null> {
    return this.shared(path, async () => (await this.srs?.first(await this.srsServers(), path)) ?? null);
  }

  /** Servers that are left out because they did not answer. */
  get silent(): readonly string[] {
    return this.srs?.silent ?? [];
  }

  /** Sends a client away. Whether he was there. Throws CHILD_START where his server does not answer. */
  async kick(id: string): Promise<boolean> {
    const parts = partsOfId(id);
    const server = parts === null ? undefined : (await this.srsServers()).find(({ name }) => name === parts.server);
    let isThere: boolean | null | undefined;
    if (server === undefined) isThere = (await this.control.ask(`/kick/${encodeURIComponent(id)}`, { method: "POST" })).status === 200;
    else isThere = await this.srs?.kick(server, parts?.own ?? "");
    this.forget();
    if (isThere === null) throw new DolphinError("CHILD_START", `${server?.name ?? ""} does not answer over its API`);
    return isThere ?? false;
  }

  /** Since `sinceMs` (since 1970) at the earliest. */
  rates(kind: "client" | "stream", id: string, { recv, send }: Omit<Sample, "atMs">, sinceMs: number | null): Rates {
    const nowMs = Date.now();
    const [first = { atMs: sinceMs ?? nowMs, recv: 0, send: 0 }] =
      this.samples.get(`${kind} ${id}`)?.filter(({ atMs }) => atMs < nowMs - freshMs) ?? [];
    const overMs = Math.max(1, nowMs - first.atMs);
    const kbps = (bytes: number): number => Math.max(0, Math.round((bytes * 8) / overMs));
    return { recv: kbps(recv - first.recv), send: kbps(send - first.send) };
  }

  /** What was answered since somebody has acted. */
  get texts(): KeptTexts {
    return this.answered;
  }

  /** What was known is not to be believed any more: somebody has acted. */
  forget(): void {
    this.answers.clear();
    this.answered = new KeptTexts();
  }

  /** Those that have an API to ask; none where servers are ours, or another program. */
  private async srsServers(): Promise<readonly SrsServer[]> {
    if (this.srs === null) return [];
    const { servers = [] } = await this.facts();
    return servers.flatMap(({ name, api }) => (api === null ? [] : [{ name, api }]));
  }

  private async srsRows(
    servers: readonly SrsServer[],
    name: "vhosts" | "streams" | "clients",
    worked: (ms: number) => void,
  ): Promise<readonly ServerRow[]> {
    const { answers = [], workMs = 0 } = (await this.srs?.rows(servers, name)) ?? {};
    worked(workMs);
    return answers;
  }

  private async srsStreams(servers: readonly SrsServer[], worked: (ms: number) => void): Promise<readonly SeenStream[]> {
    const [rows, clients] = await Promise.all([this.srsRows(servers, "streams", worked), this.clients()]);
    return seenStreams(rows, clients);
  }

  private async ownStreams(): Promise<readonly SeenStream[]> {
    const lists = await this.lists<StreamReport>("streams");
    return mergeStreams(lists.map(({ name, duty, rows }) => ({ name, duty, streams: rows })));
  }

  private async lists<Row>(what: Listed): Promise<readonly ProcessList<Row>[]> {
    return ((await this.control.ask(`/list/${what}`)).body as { readonly lists: readonly ProcessList<Row>[] }).lists;
  }

  /** `worked` is told how long those worked who were asked, where that is not how long it took: who hangs does not work. */
  private shared<T>(name: string, ask: (worked: (ms: number) => void) => Promise<T>): Promise<T> {
    const known = this.answers.get(name) as Answer<T> | undefined;
    if (known !== undefined && performance.now() < known.freshUntilMs) return known.value;
    const fromMs = performance.now();
    let workMs: number | null = null;
    const answer: Answer<T> = { value: ask((ms) => (workMs = ms)), freshUntilMs: Infinity };
    this.answers.set(name, answer);
    answer.value.then(
      () => {
        const nowMs = performance.now();
        const restMs = Math.min(longestRestMs, (workMs ?? nowMs - fromMs) * restPerWork);
        answer.freshUntilMs = Math.max(fromMs + freshMs, nowMs + restMs);
      },
      () => (answer.freshUntilMs = 0),
    );
    return answer.value;
  }

  /** Keeps a sample of each, and those of half a minute before; who is gone is forgotten. */
  private note(kind: "client" | "stream", rows: readonly { readonly id: string; readonly recv: number; readonly send: number }[]): void {
    const atMs = Date.now();
    const others = [...this.samples].filter(([id]) => !id.startsWith(`${kind} `));
    const kept = rows.map(({ id, recv, send }): [string, Sample[]] => {
      const before = (this.samples.get(`${kind} ${id}`) ?? []).filter((sample) => atMs - sample.atMs <= rateMs);
      const last = before.at(-1);
      // One in five seconds is enough for half a minute.
      return [`${kind} ${id}`, last !== undefined && atMs - last.atMs < rateMs / 6 ? before : [...before, { atMs, recv, send }]];
    });
    this.samples = new Map([...others, ...kept]);
  }
}

/** `vhost/app/stream`. */
export function keyOf({ vhost, app, stream }: Pick<StreamStatus, "vhost" | "app" | "stream">): string {
  return `${vhost}/${app}/${stream}`;
}
