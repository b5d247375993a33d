// Many streams with many viewers, of whom only it is asked that they are there.
import type { Cleanup, Dolphin } from "./dolphin.js";
import { watchFlv } from "./flv-reader.js";
import { headers, step } from "./media.js";
import type { Viewer } from "./audience.js";
import { player, publisher, type RtmpPublisher } from "./rtmp-client.js";

export interface Filled {
  ids: ReadonlySet<string> | undefined;
  /** Connections that have ended by themselves. */
  closed: number;
  /** Does something at a moment when everybody has all that was sent: no write is under way then. */
  inLull(strike: () => unknown): Promise<void>;
  close(): void;
}

/** Publishes streams of these names, each with so many viewers, every third of them over HTTP-FLV. */
export async function fill(t: Cleanup, dolphin: Dolphin, names: readonly string[], viewersEach: number): Promise<Filled> {
  const closers: (() => void)[] = [];
  let isClosing = false;
  const shows: { readonly source: RtmpPublisher; readonly viewers: readonly Viewer[] }[] = [];
  const filled: Filled = {
    ids: undefined,
    closed: 0,
    async inLull(strike) {
      for (const { source } of shows) source.isHeld = true;
      try {
        for (const { source, viewers } of shows) {
          const hasAll = (viewer: Viewer) => (): boolean =>
            viewer.media.at(-1)?.payload.equals(source.last?.payload ?? Buffer.alloc(0)) === true;
          await Promise.all(viewers.map((viewer) => viewer.waitUntil("the last that was sent", hasAll(viewer))));
        }
        await dolphin.status();
        await strike();
      } finally {
        for (const { source } of shows) source.isHeld = false;
      }
    },
    close() {
      isClosing = true;
      for (const close of closers.splice(0)) close();
    },
  };
  const keep = (one: { close(): void; readonly ended: Promise<unknown> }): void => {
    closers.push(() => one.close());
    void one.ended.then(() => (filled.closed += isClosing ? 0 : 1));
  };
  t.after(() => filled.close());
  const open = async (name: string): Promise<void> => {
    const source = await publisher(dolphin.rtmpUrl(name));
    closers.push(source.sendEvery((at) => (at === 0 ? headers("avc", "aac") : step("avc", "aac", at - 1)), 400));
    keep({ close: () => source.close(), ended: source.connection.ended });
    const viewers = Array.from({ length: viewersEach }, (_, at) =>
      at % 3 === 2 ? watchFlv(dolphin.flvUrl(name)) : player(dolphin.rtmpUrl(name)),
    );
    const seated = await Promise.all<Viewer>(viewers);
    for (const viewer of seated) keep(viewer);
    shows.push({ source, viewers: seated });
  };
  // Some at a time: that they come at once is another test's business.
  for (let at = 0; at < names.length; at += 12) await Promise.all(names.slice(at, at + 12).map(open));
  return filled;
}
