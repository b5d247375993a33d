// One stream, under an address that can be shared: what it is, where it is and why, who watches where, its addresses, and its picture.
import { html } from "htm/preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { ComponentChildren, VNode } from "preact";
import type { Explained, Ports, StreamDetail, StreamRow } from "../../../src/admin/site/shapes.js";
import { ask } from "../lib/api.js";
import { count, rate, time } from "../lib/format.js";
import { ActButton, Badge, Copyable, Lost, Waiting } from "../lib/parts.js";
import { usePolled } from "../lib/poll.js";
import { preview, type Preview } from "../lib/preview.js";
import { t } from "../lib/words.js";
import { recordAct } from "./recordings.js";
import { ageOf, shortKey, StateBadge, videoOf } from "./streams.js";

interface StreamProps {
  readonly streamKey: string;
}

export function StreamPage({ streamKey }: StreamProps): VNode {
  const { data, error, again } = usePolled(`stream ${streamKey}`, 2000, async (signal) => ({
    row: await ask<StreamDetail | null>("stream", { key: streamKey }, signal),
  }));
  const ports = usePolled("ports", 60_000, (signal) => ask<{ readonly ports: Ports }>("overview", {}, signal));
  const back = html`<p><a href="#/streams">‹ ${t("back")}</a></p>`;
  if (data === null) return html`${back}<${Waiting} error=${error} />`;
  const { row } = data;
  if (row === null)
    return html`${back}
      <h2>${shortKey(streamKey)}</h2>
      <p>${t("gone")}</p>`;
  const urls = urlsOf(row, ports.data?.ports ?? { rtmp: null, http: null });
  return html`${back}
    <${Lost} error=${error} />
    <div class="row">
      <h2>
        ${shortKey(row.key)}
        <${StateBadge} state=${row.state} />${row.isRecorded === true ? html` <${Badge} kind="live">${t("recording.recording")}<//>` : ""}
      </h2>
      <div class="row">
        ${row.isRecorded !== null && html`<${ActButton} isQuiet act=${recordAct(row.key, !row.isRecorded)} onDone=${again} />`}
        ${row.publisherId !== "" && html`<${ActButton} act=${{ verb: "kick", name: row.publisherId, question: t("ask.kick", row.from ?? row.publisherId), label: t("kickPublisher") }} onDone=${again} />`}
        <${ActButton}
          act=${{ verb: "kick-stream", name: row.key, question: t("ask.kickAll", shortKey(row.key)), label: t("kickAll") }}
          onDone=${again}
        />
      </div>
    </div>
    <div class="halves">
      <section>
        <h3 class="hidden">${t("preview")}</h3>
        <${PreviewBox} key=${row.key} sources=${urls.watch.filter(({ isPlayed }) => isPlayed)} />
      </section>
      <section>
        <dl class="facts">
          <${Fact} label=${t("video")}>${videoOf(row)} ${row.profile}<//>
          <${Fact} label=${t("fps")}>${row.fps ?? "–"}<//>
          <${Fact} label=${t("keyFrames")}>${row.keyFrameMs === null ? "–" : `${(row.keyFrameMs / 1000).toFixed(1)} s`}<//>
          <${Fact} label=${t("audio")}
            >${[row.audio, row.sampleRate > 0 ? `${row.sampleRate} Hz` : "", row.channels > 0 ? `${row.channels} ch` : ""].filter((part) => part !== "").join(", ")}<//
          >
          <${Fact} label=${t("bitrate")}>${rate(row.kbpsIn)}<//>
          <${Fact} label=${t("sent")}>${rate(row.kbpsOut)}<//>
          <${Fact} label=${t("since")}>${row.sinceMs === null ? "–" : `${time(row.sinceMs)} (${ageOf(row)})`}<//>
          <${Fact} label=${t("viewers")}
            >${count(row.players)} <a href=${`#/clients?q=${encodeURIComponent(row.key)}`}>${t("showClients")}</a><//
          >
          ${row.isRecorded !== null && html`<${Fact} label=${t("recordings")}><a href=${`#/recordings?q=${encodeURIComponent(row.key)}`}>${t("showRecordings")}</a><//>`}
        </dl>
        <h3>${t("whereAndWhy")}</h3>
        <${Whereabouts} row=${row} />
        <${Why} streamKey=${row.key} />
      </section>
    </div>
    <section>
      <h3>${t("addresses")}</h3>
      <h4>${t("publishAt")}</h4>
      <${Copyable} label="RTMP" text=${urls.server} />
      <${Copyable} label=${t("stream")} text=${urls.key} />
      <h4>${t("watchAt")}</h4>
      <${Copyable} label="RTMP" text=${urls.rtmp} />
      ${urls.watch.map(({ label, url }) => html`<${Copyable} label=${label} text=${url} />`)}
      ${urls.player !== null && html`<${Copyable} label=${t("player")} text=${urls.player} />`}
    </section>`;
}

function Fact({ label, children }: { readonly label: string; readonly children?: ComponentChildren }): VNode {
  return html`<div>
    <dt>${label}</dt>
    <dd>${children}</dd>
  </div>`;
}

function Whereabouts({ row }: { readonly row: StreamRow }): VNode {
  const { state, process, from, pulledBy, playersOf } = row;
  const most = Math.max(1, ...Object.values(playersOf));
  const source =
    process === null ? t("noSource") : state === "pull" ? t("pulledFrom", process, from ?? "") : t("comesIn", process, from ?? "");
  const viewed = Object.entries(playersOf);
  return html`<ul class="steps">
      <li>${source}</li>
      ${pulledBy.length > 0 && html`<li>${t("pulledBy", pulledBy.join(", "))}</li>`}
    </ul>
    ${
      viewed.length > 0 &&
      html`<h4>${t("viewersOf")}</h4>
        <ul class="bars">
          ${viewed.map(([name, players]) => html`<li><span>${name}</span><progress max=${most} value=${players} aria-label=${name}></progress><span class="number">${count(players)}</span></li>`)}
        </ul>`
    }`;
}

/** In the words of `dolphin explain`, which are English. */
function Why({ streamKey }: StreamProps): VNode | null {
  const { data } = usePolled(`explain ${streamKey}`, 5000, (signal) => ask<Explained>("explain", { key: streamKey }, signal));
  if (data === null) return null;
  return html`<details open class="why" lang="en">
    <summary>${t("why")}</summary>
    <p>${data.why}</p>
    <ul class="steps">
      ${data.processes.map(({ name, how }) => html`<li><strong>${name}</strong> ${how}</li>`)}
    </ul>
  </details>`;
}

/** The picture, when somebody asks for it, and in the form that he chooses. */
function PreviewBox({ sources }: { readonly sources: readonly WatchUrl[] }): VNode {
  const video = useRef<HTMLVideoElement>(null);
  const running = useRef<Preview | null>(null);
  const [chosen, choose] = useState("");
  const [isOn, setOn] = useState(false);
  const [why, setWhy] = useState("");
  const source = sources.find(({ label }) => label === chosen) ?? sources[0];
  const stop = (): void => {
    running.current?.stop();
    running.current = null;
    setOn(false);
  };
  useEffect(() => stop, []);
  const start = async (): Promise<void> => {
    if (video.current === null || source === undefined) return;
    setWhy("");
    setOn(true);
    const failed = (reason: string): void => {
      setWhy(t("previewFailed", reason));
      setOn(false);
    };
    try {
      running.current = await preview(video.current, source.url, failed);
    } catch (thrown) {
      failed(thrown instanceof Error ? thrown.message : String(thrown));
    }
  };
  return html`<div class="preview">
    <video ref=${video} muted playsinline controls=${isOn} aria-label=${t("preview")}></video>
    <div class="row start">
      <button type="button" class="primary" disabled=${source === undefined} onClick=${() => (isOn ? stop() : void start())}>
        ${isOn ? t("stop") : t("play")}
      </button>
      ${
        sources.length > 1 &&
        html`<fieldset class="choice">
          <legend class="hidden">${t("playAs")}</legend>
          ${sources.map(
            ({ label }) =>
              html`<label
                ><input
                  type="radio"
                  name="form"
                  checked=${label === source?.label}
                  onChange=${() => (stop(), choose(label))}
                />${label}</label
              >`,
          )}
        </fieldset>`
      }
      <small class=${why === "" ? "quiet-text" : "bad-text"} role="status"
        >${why !== "" ? why : source === undefined ? t("previewNone") : t("previewHint")}</small
      >
    </div>
  </div>`;
}

interface WatchUrl {
  readonly label: string;
  readonly url: string;
  /** This page can. */
  readonly isPlayed: boolean;
}

interface Urls {
  readonly server: string;
  readonly key: string;
  readonly rtmp: string;
  readonly watch: readonly WatchUrl[];
  readonly player: string | null;
}

/** On the host that this page is on, for that one is reached from here. */
function urlsOf({ vhost, app, stream, paths }: StreamRow, { rtmp, http }: Ports): Urls {
  const { hostname, protocol } = window.location;
  const isNamed = vhost !== "__defaultVhost__";
  const query = isNamed ? `?vhost=${encodeURIComponent(vhost)}` : "";
  const server = `rtmp://${hostname}${rtmp === null || rtmp === 1935 ? "" : `:${rtmp}`}/${app}`;
  const at = (path: string): string => `${protocol}//${hostname}${http === 80 ? "" : `:${http}`}${path}`;
  const { flv, hls } = http === null ? { flv: null, hls: null } : paths;
  const watch: WatchUrl[] = [];
  if (flv !== null) watch.push({ label: "HTTP-FLV", url: at(flv), isPlayed: true });
  if (flv !== null) watch.push({ label: "WebSocket", url: at(flv).replace(/^http/, "ws"), isPlayed: false });
  if (hls !== null) watch.push({ label: "HLS", url: at(hls), isPlayed: true });
  // The player's parameters are the parts of the path, as in SRS.
  const [path = "", name = ""] =
    /^\/(.+)\/([^/?]+)/
      .exec(flv ?? hls ?? "")
      ?.slice(1)
      .map(decodeURIComponent) ?? [];
  const words = new URLSearchParams({
    app: path,
    stream: name,
    server: hostname,
    port: String(http ?? 8080),
    vhost: isNamed ? vhost : hostname,
    autostart: "true",
  });
  return {
    server,
    key: `${stream}${query}`,
    rtmp: `${server}/${stream}${query}`,
    watch,
    player: name === "" ? null : new URL(`../players/srs_player.html?${words}`, window.location.href).href,
  };
}
