// What the admin knows of the box: asked of the master when somebody wants to know, at most once a second however many do, and longer
// apart where an answer takes long to make. Those who ask at once share one answer.
import type { BoxFacts } from "../../ipc/box.js";
import { allClients, type BoxClient, type ClientReport, type Listed, type ProcessList } from "../../ipc/lists.js";
import type { StreamReport } from "../../ipc/messages.js";
import { mergeStreams, type StreamStatus } from "../../ipc/streams.js";
import type { ControlClient } from "./control-client.js";

const freshMs = 1000;
/** Of the time of the processes that serve, lists may take this part: one that took 100 ms is not asked for again before 2 s. */
const restPerWork = 20;

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
  private samples = new Map<string, Sample[]>();

  constructor(control: ControlClient) {
    this.control = control;
  }

  facts(): Promise<BoxFacts> {
    return this.shared("box", async () => (await this.control.ask("/box")).body as BoxFacts);
  }

  /** Everybody who plays or publishes, each once. */
  clients(): Promise<readonly BoxClient[]> {
    return this.shared("clients", async () => {
      const clients = allClients(await this.lists<ClientReport>("clients"));
      this.note(
        "client",
        clients.map(({ id, bytesIn, bytesOut }) => ({ id, recv: bytesIn, send: bytesOut })),
      );
      return clients;
    });
  }

  streams(): Promise<readonly StreamStatus[]> {
    return this.shared("streams", async () => {
      const lists = await this.lists<StreamReport>("streams");
      const streams = mergeStreams(lists.map(({ name, duty, rows }) => ({ name, duty, streams: rows })));
      this.note(
        "stream",
        streams.map((one) => ({ id: keyOf(one), recv: one.bytesIn, send: one.bytesOut })),
      );
      return streams;
    });
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

  /** What was known is not to be believed any more: somebody has acted. */
  forget(): void {
    this.answers.clear();
  }

  private async lists<Row>(what: Listed): Promise<readonly ProcessList<Row>[]> {
    return ((await this.control.ask(`/list/${what}`)).body as { readonly lists: readonly ProcessList<Row>[] }).lists;
  }

  private shared<T>(name: string, ask: () => Promise<T>): Promise<T> {
    const known = this.answers.get(name) as Answer<T> | undefined;
    if (known !== undefined && performance.now() < known.freshUntilMs) return known.value;
    const fromMs = performance.now();
    const answer: Answer<T> = { value: ask(), freshUntilMs: Infinity };
    this.answers.set(name, answer);
    answer.value.then(
      () => (answer.freshUntilMs = Math.max(fromMs + freshMs, performance.now() + (performance.now() - fromMs) * restPerWork)),
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
