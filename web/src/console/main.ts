// The console: which page the address asks for, the frame around it, the colours, and the keys. The address is behind the # alone, so
// the server need not know it, and each page can be shared.
import "uplot/dist/uPlot.min.css";
import "../style.css";
import { html } from "htm/preact";
import { render } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { VNode } from "preact";
import type { Relays } from "../../../src/admin/site/shapes.js";
import { ask } from "../lib/api.js";
import type { Word } from "../lib/english.js";
import { ActHost } from "../lib/parts.js";
import { showTurning } from "../lib/plain-text.js";
import { currentLanguage, setLanguage, t } from "../lib/words.js";
import { ClientsPage } from "./clients.js";
import { ClusterPage } from "./cluster.js";
import { ConfigPage } from "./config.js";
import { EventsPage } from "./events.js";
import { OverviewPage } from "./overview.js";
import { ProgramsPage } from "./programs.js";
import { RecordingsPage } from "./recordings.js";
import { RelaysPage } from "./relays.js";
import { StreamPage } from "./stream.js";
import { StreamsPage } from "./streams.js";

const tabs = ["overview", "streams", "clients", "recordings", "programs", "events", "servers", "cluster", "configuration"] as const;
type Tab = (typeof tabs)[number];
/** Behind `g`. */
const letters: Readonly<Record<string, Tab>> = {
  o: "overview",
  s: "streams",
  c: "clients",
  d: "recordings",
  p: "programs",
  e: "events",
  r: "servers",
  u: "cluster",
  f: "configuration",
};

interface Route {
  readonly tab: Tab;
  /** What stands behind the tab, decoded. */
  readonly name: string;
  readonly search: string;
}

function App(): VNode {
  const [route, setRoute] = useState(routeOf(window.location.hash));
  const [theme, setTheme] = useState(themeNow());
  const [language, setWords] = useState(currentLanguage());
  const [isHelping, setHelping] = useState(false);
  const [isOfSite, setOfSite] = useState(false);
  const main = useRef<HTMLElement>(null);
  useEffect(() => {
    const moved = (): void => {
      setRoute(routeOf(window.location.hash));
      main.current?.focus();
    };
    window.addEventListener("hashchange", moved);
    return () => window.removeEventListener("hashchange", moved);
  }, []);
  useEffect(() => keys(() => setHelping(true)), []);
  useEffect(() => {
    ask<Relays>("relays").then(
      ({ registry }) => setOfSite(registry !== null),
      () => undefined, // the pages tell that nobody answers
    );
  }, []);
  // On a phone not all tabs are in sight. By hand, for to scroll to something is to go on from there with the keyboard.
  useEffect(() => {
    const tab = document.querySelector<HTMLElement>("nav [aria-current]");
    const nav = tab?.parentElement;
    if (nav !== null && nav !== undefined && tab !== null)
      nav.scrollLeft = tab.offsetLeft - (nav.offsetLeft + nav.clientWidth / 2 - tab.offsetWidth / 2);
  }, [route.tab, isOfSite, language]);
  useEffect(() => {
    document.title = `${route.name === "" ? t(route.tab) : route.name} · dolphin`;
  }, [route, language]);
  const turn = (): void => {
    const next = theme === "dark" ? "light" : "dark";
    localStorage.setItem("dolphin.theme", next);
    document.documentElement.dataset["theme"] = next;
    setTheme(next);
  };
  const translate = (): void => {
    setLanguage(language === "zh" ? "en" : "zh");
    setWords(currentLanguage());
  };
  return html`<a class="skip" href="#main" onClick=${(event: Event) => (event.preventDefault(), main.current?.focus())}>${t("skip")}</a>
    <header>
      <h1><a href="#/overview">dolphin</a></h1>
      <nav aria-label="dolphin">
        ${tabs.filter((tab) => tab !== "cluster" || isOfSite || route.tab === tab).map((tab) => html`<a href=${`#/${tab}`} aria-current=${tab === route.tab ? "page" : undefined}>${t(tab)}</a>`)}
      </nav>
      <div class="tools">
        <button type="button" class="quiet" onClick=${translate} title=${t("languageLong")} lang=${language === "zh" ? "en" : "zh-CN"}>
          ${t("language")}
        </button>
        <button type="button" class="quiet" onClick=${turn} aria-label=${t("theme")} title=${t("theme")}>◐</button>
        <button type="button" class="quiet" onClick=${() => setHelping(true)} aria-label=${t("help")} title=${t("help")}>?</button>
      </div>
    </header>
    <main id="main" tabindex="-1" ref=${main} key=${language}>${pageOf(route, theme)}</main>
    <footer><a href="licenses.txt">${t("licenses")}</a></footer>
    <${ActHost} />
    ${isHelping && html`<${Help} onClose=${() => setHelping(false)} />`}`;
}

function pageOf({ tab, name, search }: Route, theme: string): VNode {
  switch (tab) {
    case "overview":
      return html`<${OverviewPage} theme=${theme} />`;
    case "streams":
      return name === "" ? html`<${StreamsPage} />` : html`<${StreamPage} streamKey=${name} key=${name} />`;
    case "clients":
      return html`<${ClientsPage} search=${search} />`;
    case "recordings":
      return html`<${RecordingsPage} search=${search} />`;
    case "programs":
      return html`<${ProgramsPage} search=${search} />`;
    case "events":
      return html`<${EventsPage} />`;
    case "servers":
      return html`<${RelaysPage} />`;
    case "cluster":
      return html`<${ClusterPage} node=${search} />`;
    case "configuration":
      break;
  }
  return html`<${ConfigPage} />`;
}

function routeOf(hash: string): Route {
  const [, tab = "", name = "", query = ""] = /^#\/([a-z]*)(?:\/([^?]*))?(?:\?(.*))?$/.exec(hash) ?? [];
  const known = tabs.find((one) => one === tab) ?? "overview";
  return { tab: known, name: decoded(name), search: new URLSearchParams(query).get("q") ?? "" };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function themeNow(): string {
  const kept = localStorage.getItem("dolphin.theme");
  const theme = kept === "dark" || kept === "light" ? kept : window.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  document.documentElement.dataset["theme"] = theme;
  return theme;
}

/** `/` searches, `g` and a letter go, `?` helps; never while somebody writes. */
function keys(help: () => void): () => void {
  let isGoing = false;
  const pressed = (event: KeyboardEvent): void => {
    const { target, key } = event;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (target instanceof HTMLElement && (target.matches("input, textarea, select") || target.closest("dialog") !== null)) return;
    const tab = isGoing ? letters[key] : undefined;
    isGoing = key === "g";
    if (tab !== undefined) window.location.hash = `#/${tab}`;
    else if (key === "?") help();
    else if (key === "/") document.querySelector<HTMLInputElement>(".search")?.focus();
    else return;
    event.preventDefault();
  };
  document.addEventListener("keydown", pressed);
  return () => document.removeEventListener("keydown", pressed);
}

function Help({ onClose }: { readonly onClose: () => void }): VNode {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  const rows: readonly [string, Word][] = [
    ["/", "key.search"],
    ["g + o s c d p e r u f", "key.go"],
    ["?", "key.help"],
    ["Esc", "key.close"],
  ];
  return html`<dialog ref=${dialog} onClose=${onClose} aria-label=${t("help")}>
    <h2>${t("help")}</h2>
    <dl class="facts">
      ${rows.map(
        ([key, word]) =>
          html`<div>
            <dt><kbd>${key}</kbd></dt>
            <dd>${t(word)}</dd>
          </div>`,
      )}
    </dl>
    <div class="row end"><button type="button" onClick=${() => dialog.current?.close()}>OK</button></div>
  </dialog>`;
}

showTurning();
render(html`<${App} />`, document.querySelector<HTMLElement>("#app")!);
