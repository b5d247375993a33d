// A source of a test, with what its owner was told and what its viewers got.
import type { Seat } from "../../../src/stream/fanout.js";
import { Source } from "../../../src/stream/source.js";
import type { SourceOptions, Tap } from "../../../src/stream/source-settings.js";
import { chunkSize, FakeConsumer, nameOf, payloadOf, typeOf, type Kind } from "./fakes.js";

export const defaults: SourceOptions = {
  key: "v/live/s",
  timeline: "full",
  chunkSize,
  delayMs: 350,
  queueLengthMs: 1000,
  reduceSequenceHeader: false,
  gopCache: true,
  gopCacheMaxFrames: 0,
  keepMs: 0,
};

/** A source with what its owner was told written down. */
export class Owned {
  readonly told: string[] = [];
  readonly source: Source;
  readonly publisher = {};

  constructor(options: Partial<SourceOptions> = {}) {
    this.source = new Source(
      { ...defaults, ...options },
      {
        onWanted: () => void this.told.push("wanted"),
        onUnwanted: () => void this.told.push("unwanted"),
        onIdle: () => void this.told.push("idle"),
        onLive: () => undefined,
      },
    );
  }

  push(kind: Kind, timestamp = 0, name: number | string = timestamp): void {
    this.source.push(typeOf(kind), timestamp, payloadOf(kind, name));
  }

  join(tap: Tap = "rtmp"): { consumer: FakeConsumer; seat: Seat } {
    const consumer = new FakeConsumer();
    const seat = this.source.add(tap, consumer);
    consumer.onDrop = () => this.source.remove(tap, seat);
    return { consumer, seat };
  }
}

export function timed(consumer: FakeConsumer): string[] {
  return consumer.messages().map(({ timestamp, payload }) => `${nameOf(payload)} at ${timestamp}`);
}
