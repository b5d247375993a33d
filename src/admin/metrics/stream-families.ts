// Series of single streams, for those who ask for them with `metrics_streams N`: what each has now, the N with most viewers by name and the
// rest as one. A stream that is over has none. There are no counters here, for what a stream has sent is known by processes that die.
import type { StreamStatus } from "../../ipc/streams.js";
import type { Rates } from "../box/view.js";
import { labelText, type Family, type Labels } from "./exposition.js";

/** What the streams beyond the cap are called together. */
export const others = "__other__";

/** Characters of a stream's name that are told. */
const maxNameChars = 256;

interface Row {
  readonly labels: Labels;
  readonly players: number;
  readonly rates: Rates;
  readonly sinceMs: number | null;
  readonly keyFrameMs: number | null;
}

export function streamFamilies(streams: readonly StreamStatus[], most: number, ratesOf: (stream: StreamStatus) => Rates): Family[] {
  const live = streams.filter(({ state }) => state !== "wait").toSorted((one, other) => other.players - one.players);
  const rowOf = (stream: StreamStatus): Row => ({
    labels: { vhost: shown(stream.vhost), app: shown(stream.app), stream: shown(stream.stream) },
    players: stream.players,
    rates: ratesOf(stream),
    sinceMs: stream.sinceMs,
    keyFrameMs: stream.keyFrameMs,
  });
  const rows = new Map<string, Row>();
  const rest: Row[] = [];
  for (const stream of live) {
    const row = rowOf(stream);
    // Names that look alike as labels would be one series twice, for which Prometheus drops what it scraped.
    const key = Object.values(row.labels).map(labelText).join("\n");
    if (rows.size < most && !rows.has(key)) rows.set(key, row);
    else rest.push(row);
  }
  if (rest.length > 0) rows.set(others, together(rest));
  const all = [...rows.values()];
  const gauge = (name: string, help: string, of: (row: Row) => number | null): Family => ({
    name,
    help,
    type: "gauge",
    samples: all.flatMap((row) => {
      const value = of(row);
      return value === null ? [] : [{ labels: row.labels, value }];
    }),
  });
  // kbps → bytes per second
  return [
    gauge("dolphin_stream_players", "Viewers of a stream.", ({ players }) => players),
    gauge(
      "dolphin_stream_receive_bytes_per_second",
      "What comes in of a stream, over the last half minute.",
      ({ rates }) => rates.recv * 125,
    ),
    gauge("dolphin_stream_send_bytes_per_second", "What its viewers are sent, over the last half minute.", ({ rates }) => rates.send * 125),
    gauge("dolphin_stream_start_time_seconds", "Since when it comes in, since 1970.", ({ sinceMs }) =>
      sinceMs === null ? null : sinceMs / 1000,
    ),
    gauge("dolphin_stream_key_frame_interval_seconds", "Between its last two key frames.", ({ keyFrameMs }) =>
      keyFrameMs === null ? null : keyFrameMs / 1000,
    ),
  ];
}

function together(rows: readonly Row[]): Row {
  const sum = (of: (row: Row) => number): number => rows.reduce((total, row) => total + of(row), 0);
  return {
    labels: { vhost: others, app: others, stream: others },
    players: sum(({ players }) => players),
    rates: { recv: sum(({ rates }) => rates.recv), send: sum(({ rates }) => rates.send) },
    sinceMs: null,
    keyFrameMs: null,
  };
}

function shown(name: string): string {
  return name.slice(0, maxNameChars);
}
