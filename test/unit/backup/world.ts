// Two nodes with a server each and a link between them, as time goes by in steps: for tests of what they decide, without sockets or disks.
// What each node shows its viewers is held to the rules of a list at every step.
import assert from "node:assert/strict";
import type { Link } from "../../../src/backup/election.js";
import type { Segment } from "../../../src/backup/roll.js";
import { Stream, type StreamState } from "../../../src/backup/stream.js";

const stepMs = 250;
export const leaseMs = 3000;
const windowMs = 20_000;

interface Shown {
  readonly id: string;
  /** The discontinuities up to it. */
  readonly discontinuity: number;
}

/** One node, and the server beside it. */
export class Node {
  readonly name: string;
  /** How far its clock is off. */
  readonly skewMs: number;
  isUp = true;
  isServerUp = true;
  /** Whether it gets no bytes of its peer. */
  isDeaf = false;
  publish = 1;
  link: Link = "joining";
  stream: Stream;
  saved: StreamState | null = null;
  readonly bytes = new Set<string>();
  /** What its viewers have been shown of each number, and whether nobody else was there then. */
  readonly shown = new Map<number, Shown & { readonly isAlone: boolean }>();
  first = 0;
  heardMs = -Infinity;
  isComplete = false;
  bornMs = 0;
  sequence = 0;
  wanted: Segment[] = [];
  switches = 0;
  /** When its server writes the next segment. */
  dueMs: number;

  constructor(name: string, skewMs: number, phaseMs: number) {
    this.name = name;
    this.skewMs = skewMs;
    this.dueMs = phaseMs;
    this.stream = this.open(0);
  }

  open(nowMs: number): Stream {
    this.bornMs = nowMs;
    this.heardMs = -Infinity;
    this.isComplete = false;
    this.link = "joining";
    const options = {
      path: "live/s.m3u8",
      me: this.name,
      windowMs,
      leaseMs,
      hasBytes: (id: string): boolean => this.bytes.has(id),
      fetch: (segment: Segment): void => void this.wanted.push(segment),
      onChange: (): void => void (this.saved = structuredClone(this.stream.saved)),
      onSwitch: (): void => void (this.switches += 1),
    };
    return new Stream(options, structuredClone(this.saved), this.at(nowMs));
  }

  /** The time by its own clock. */
  at(nowMs: number): number {
    return nowMs + this.skewMs;
  }
}

/** Both, and what is between them. */
export class World {
  nowMs = Date.UTC(2026, 0, 1);
  isCut = false;
  readonly a: Node;
  readonly b: Node;
  readonly segmentMs: number;

  constructor({ skewMs = 0, phaseMs = 0, segmentMs = 2000 } = {}) {
    this.segmentMs = segmentMs;
    this.a = new Node("a", 0, this.nowMs);
    this.b = new Node("b", skewMs, this.nowMs + phaseMs);
    for (const node of this.nodes) node.stream = node.open(this.nowMs);
  }

  get nodes(): readonly Node[] {
    return [this.a, this.b];
  }

  /** Kills a node; what it has written down stays. */
  kill(node: Node): void {
    node.isUp = false;
  }

  start(node: Node): void {
    node.isUp = true;
    node.stream = node.open(this.nowMs);
  }

  run(ms: number): void {
    for (const untilMs = this.nowMs + ms; this.nowMs < untilMs;) this.step();
  }

  step(): void {
    this.nowMs += stepMs;
    for (const node of this.nodes) this.serve(node);
    for (const [from, to] of [
      [this.a, this.b],
      [this.b, this.a],
    ] as const) {
      if (this.isCut || !from.isUp || !to.isUp) continue;
      to.stream.hear(structuredClone(from.stream.report(from.at(this.nowMs))), to.at(this.nowMs));
      to.heardMs = this.nowMs;
      to.isComplete = true;
      for (const { id } of to.wanted.splice(0)) if (from.bytes.has(id) && !to.isDeaf) to.bytes.add(id);
    }
    for (const node of this.nodes) {
      node.wanted = [];
      if (node.isUp) this.look(node);
    }
  }

  private serve(node: Node): void {
    if (this.nowMs < node.dueMs) return;
    node.dueMs += this.segmentMs;
    if (!node.isServerUp) return;
    node.sequence += 1;
    const sha256 = `${node.name === "a" ? "a" : "b"}${String(node.sequence).padStart(63, "0")}`;
    const id = `${node.name}_1_${node.sequence}_${sha256.slice(0, 15)}${node.sequence % 10}`;
    if (!node.isUp) return; // the hook finds nobody
    node.bytes.add(id);
    const last = node.stream.lastOwn;
    const isContinuation = last?.publish === String(node.publish) && last.sequence + 1 === node.sequence;
    const rest = {
      sizeBytes: 188,
      durationMs: this.segmentMs,
      publish: String(node.publish),
      sequence: node.sequence,
      startTicks: null,
      make: "",
    };
    node.stream.add({ id, sha256, endMs: node.at(this.nowMs), isContinuation, ...rest });
  }

  private look(node: Node): void {
    const isThere = this.nowMs - node.heardMs < leaseMs;
    if (!isThere && node.isComplete) {
      node.isComplete = false;
      node.stream.forgetPeer();
    }
    node.link = isThere && node.isComplete ? "linked" : this.nowMs - node.bornMs < leaseMs ? "joining" : "alone";
    node.stream.look(node.link, node.at(this.nowMs));
    this.show(node);
  }

  /** Whatever happens, for its viewers numbers only grow, and a number is always the same segment behind the same discontinuities. */
  private show(node: Node): void {
    const roll = node.stream.shown;
    if (roll.entries.length === 0) return; // the list before is shown still
    assert.ok(roll.first >= node.first, `${node.name}: the list went back from ${node.first} to ${roll.first}`);
    node.first = roll.first;
    let discontinuity = roll.discontinuitySequence;
    for (const [index, { id, isDiscontinuous }] of roll.entries.entries()) {
      const number = roll.first + index;
      if (isDiscontinuous) discontinuity += 1;
      const before = node.shown.get(number);
      if (before === undefined) node.shown.set(number, { id, discontinuity, isAlone: node.link === "alone" });
      else assert.deepEqual([before.id, before.discontinuity], [id, discontinuity], `${node.name}: number ${number} has changed`);
      assert.ok(node.bytes.has(id), `${node.name}: ${id} is told and not here`);
    }
  }

  /** Both have shown the same under each number, but for what each showed while it was alone. */
  assertAgree(): void {
    for (const [number, { id, isAlone }] of this.a.shown) {
      const other = this.b.shown.get(number);
      if (other === undefined || other.id === id || (isAlone && other.isAlone)) continue;
      assert.fail(`number ${number} is ${id} at a (alone: ${isAlone}) and ${other.id} at b (alone: ${other.isAlone})`);
    }
  }

  /** Both show the same list, once what is on its way has come. */
  assertSame(): void {
    const listsNow = (): (string | null)[] => this.nodes.map(({ stream }) => stream.list((id) => id));
    for (let steps = 0; steps < 8 && new Set(listsNow()).size > 1; steps++) this.step();
    const [one, other] = listsNow();
    assert.notEqual(one, null);
    assert.equal(one, other);
  }
}
