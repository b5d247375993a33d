// The player page, with the query parameters of SRS's: app, stream, server, port, vhost, schema, autostart. Its address says all of it, so
// it can be sent to somebody.
//
//   ?app=live&stream=livestream.flv&server=192.0.2.1&port=8080&vhost=192.0.2.1&schema=http&autostart=true
import "../style.css";
import { html } from "htm/preact";
import { render } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { VNode } from "preact";
import { Copyable } from "../lib/parts.js";
import { isList, preview, type Preview } from "../lib/preview.js";
import type { Word } from "../lib/english.js";
import { showTurning } from "../lib/plain-text.js";
import { t } from "../lib/words.js";

function Player(): VNode {
  const query = new URLSearchParams(window.location.search);
  const video = useRef<HTMLVideoElement>(null);
  const running = useRef<Preview | null>(null);
  const [url, setUrl] = useState(urlIn(query));
  const [state, setState] = useState<Word>("stopped");
  const [why, setWhy] = useState("");
  const stop = (): void => {
    running.current?.stop();
    running.current = null;
    if (video.current !== null && video.current.src !== "") video.current.removeAttribute("src");
    setState("stopped");
  };
  const start = async (): Promise<void> => {
    const { current } = video;
    if (current === null) return;
    stop();
    setWhy("");
    setState("connecting");
    try {
      if (/\.flv(?:\?|$)/.test(url) || url.startsWith("ws") || isList(url)) {
        running.current = await preview(current, url, (reason) => {
          setWhy(t("previewFailed", reason));
          setState("stopped");
        });
      } else {
        current.src = url; // what browsers play themselves: MP3, AAC and files
        await current.play();
      }
      setState("playing");
    } catch (thrown) {
      setWhy(t("previewFailed", thrown instanceof Error ? thrown.message : String(thrown)));
      setState("stopped");
    }
  };
  useEffect(() => {
    if (query.get("autostart") === "true") void start();
    return stop;
  }, []);
  const isOn = state !== "stopped";
  return html`<header>
      <h1>dolphin <small>${t("player")}</small></h1>
    </header>
    <main class="player">
      <video ref=${video} muted playsinline controls aria-label=${t("player")}></video>
      <form
        class="row"
        onSubmit=${(event: Event) => {
          event.preventDefault();
          if (isOn) stop();
          else void start();
        }}
      >
        <label class="grow"
          >${t("source")}<input
            type="url"
            required
            value=${url}
            onInput=${(event: Event) => setUrl((event.target as HTMLInputElement).value)}
        /></label>
        <button type="submit" class="primary">${isOn ? t("stop") : t("play")}</button>
      </form>
      <p role="status" class=${why === "" ? "quiet-text" : "bad-text"}>${why === "" ? t(state) : why}</p>
      <${Copyable} label=${t("link")} text=${linkTo(url)} />
    </main>`;
}

/** What SRS's page would play. */
function urlIn(query: URLSearchParams): string {
  const word = (name: string, otherwise: string): string => query.get(name) ?? otherwise;
  const schema = word("schema", window.location.protocol.slice(0, -1));
  const server = word("server", window.location.hostname);
  const port = word("port", "8080");
  const stream = word("stream", "livestream.flv");
  const vhost = word("vhost", "");
  const file = /\.[a-z0-9]{2,4}$/.test(stream) ? stream : `${stream}.flv`;
  const path = `${word("app", "live")}/${file}`.split("/").map(encodeURIComponent).join("/");
  const isNamed = vhost !== "" && vhost !== server && vhost !== "__defaultVhost__";
  return `${schema}://${server}:${port}/${path}${isNamed ? `?vhost=${encodeURIComponent(vhost)}` : ""}`;
}

/** This page for an address, by the same parameters. */
function linkTo(text: string): string {
  const here = new URL(window.location.pathname, window.location.href);
  try {
    const url = new URL(text);
    const path = url.pathname
      .split("/")
      .filter((part) => part !== "")
      .map(decodeURIComponent);
    const port = url.port === "" ? (url.protocol === "https:" || url.protocol === "wss:" ? "443" : "80") : url.port;
    const words = {
      app: path.slice(0, -1).join("/"),
      stream: path.at(-1) ?? "",
      server: url.hostname,
      port,
      vhost: url.searchParams.get("vhost") ?? url.hostname,
    };
    here.search = String(new URLSearchParams({ ...words, schema: url.protocol.slice(0, -1), autostart: "true" }));
  } catch {
    // not an address yet: the page alone
  }
  return here.href;
}

showTurning();
render(html`<${Player} />`, document.querySelector<HTMLElement>("#app")!);
