// A box with a show that viewers of both protocols watch.
import type { Cleanup, Dolphin } from "./dolphin.js";
import { watchFlv, type FlvPlayer } from "./flv-reader.js";
import type { RtmpPlayer, RtmpPublisher } from "./rtmp-client.js";
import { show } from "./show.js";

type Viewers = readonly (RtmpPlayer | FlvPlayer)[];

/** A show that is watched over HTTP-FLV, too; returns the viewers once all of them have media. */
export async function watched(t: Cleanup, dolphin: Dolphin): Promise<Viewers> {
  return (await showAt(t, dolphin)).viewers;
}

export async function showAt(t: Cleanup, dolphin: Dolphin): Promise<{ readonly source: RtmpPublisher; readonly viewers: Viewers }> {
  const { source, viewers } = await show(t, dolphin, "show");
  const flv = await watchFlv(dolphin.flvUrl("show"));
  t.after(() => flv.close());
  await flv.waitForMedia(10);
  return { source, viewers: [...viewers, flv] };
}
