// A live stream in a <video>: mpegts.js, and hls.js for lists of segments; loaded when somebody presses play and not before.
import type Hls from "hls.js";
import type Mpegts from "mpegts.js";

export interface Preview {
  stop(): void;
}

/** Plays an HTTP-FLV or WebSocket address, or a list of segments. `failed` is told once, in a sentence, when it cannot or no longer. */
export async function preview(video: HTMLVideoElement, url: string, failed: (why: string) => void): Promise<Preview> {
  return isList(url) ? previewList(video, url, failed) : previewFlv(video, url, true, failed);
}

async function previewFlv(video: HTMLVideoElement, url: string, isLive: boolean, failed: (why: string) => void): Promise<Preview> {
  const { default: mpegts } = (await import("mpegts.js")) as { readonly default: typeof Mpegts };
  mpegts.LoggingControl.enableAll = false;
  if (!mpegts.isSupported()) throw new Error("this browser has no Media Source Extensions");
  const player = mpegts.createPlayer(
    { type: "flv", isLive, url: new URL(url, window.location.href).href, cors: true },
    { enableWorker: false, liveBufferLatencyChasing: isLive, lazyLoad: !isLive, autoCleanupSourceBuffer: true },
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
    if (isOver || !isLive) return;
    stop();
    failed("the stream has ended");
  });
  player.attachMediaElement(video);
  player.load();
  await begun(player.play());
  return { stop };
}

/** Plays a file that is finished, whose name tells what it is: FLV by mpegts.js, anything else as the browser can. Both ask for ranges. */
export async function playFile(video: HTMLVideoElement, url: string, name: string, failed: (why: string) => void): Promise<Preview> {
  if (/\.flv$/i.test(name)) return previewFlv(video, url, false, failed);
  video.addEventListener("error", () => failed(video.error?.message ?? ""));
  video.src = url;
  await begun(video.play());
  return { stop: () => video.removeAttribute("src") };
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
  await begun(video.play());
  return { stop };
}

async function begun(playing: Promise<void> | void): Promise<void> {
  try {
    await playing;
  } catch (thrown) {
    if (thrown instanceof DOMException && thrown.name === "AbortError") return; // it was stopped before it began
    throw thrown;
  }
}
