// A live stream in a <video>: mpegts.js, and hls.js for lists of segments; loaded when somebody presses play and not before.
import type Hls from "hls.js";
import type Mpegts from "mpegts.js";

export interface Preview {
  stop(): void;
}

/** Plays an HTTP-FLV or WebSocket address, or a list of segments. `failed` is told once, in a sentence, when it cannot or no longer. */
export async function preview(video: HTMLVideoElement, url: string, failed: (why: string) => void): Promise<Preview> {
  if (isList(url)) return previewList(video, url, failed);
  const { default: mpegts } = (await import("mpegts.js")) as { readonly default: typeof Mpegts };
  mpegts.LoggingControl.enableAll = false;
  if (!mpegts.isSupported()) throw new Error("this browser has no Media Source Extensions");
  const player = mpegts.createPlayer(
    { type: "flv", isLive: true, url, cors: true },
    { enableWorker: false, liveBufferLatencyChasing: true, lazyLoad: false, autoCleanupSourceBuffer: true },
  );
  let isOver = false;
  const stop = (): void => {
    if (isOver) return;
    isOver = true;
    player.destroy();
  };
  player.on(mpegts.Events.ERROR, (kind: string, detail: string) => {
    if (isOver) return;
    stop();
    failed(`${kind}: ${detail}`);
  });
  player.on(mpegts.Events.LOADING_COMPLETE, () => {
    if (isOver) return;
    stop();
    failed("the stream has ended");
  });
  player.attachMediaElement(video);
  player.load();
  await Promise.resolve(player.play()).catch((thrown: unknown) => {
    if (thrown instanceof DOMException && thrown.name === "AbortError") return; // it was stopped before it began
    throw thrown;
  });
  return { stop };
}

/** Whether an address is one of HLS. */
export function isList(url: string): boolean {
  return /\.m3u8(?:\?|$)/.test(url);
}

async function previewList(video: HTMLVideoElement, url: string, failed: (why: string) => void): Promise<Preview> {
  const { default: hls } = (await import("hls.js/light")) as { readonly default: typeof Hls };
  if (!hls.isSupported()) throw new Error("this browser has no Media Source Extensions");
  const player = new hls({ enableWorker: false, maxLiveSyncPlaybackRate: 1.2 });
  let isOver = false;
  const stop = (): void => {
    if (isOver) return;
    isOver = true;
    player.destroy();
  };
  player.on(hls.Events.ERROR, (_event, { fatal, type, details }) => {
    if (isOver || !fatal) return;
    stop();
    failed(`${type}: ${details}`);
  });
  player.loadSource(url);
  player.attachMedia(video);
  await video.play().catch((thrown: unknown) => {
    if (thrown instanceof DOMException && thrown.name === "AbortError") return; // it was stopped before it began
    throw thrown;
  });
  return { stop };
}
