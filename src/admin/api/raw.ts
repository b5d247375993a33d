// SRS's raw API, of which a reload is left, and the few other questions that it answers on the side.
import type { Endpoint } from "../../conf/meaning/config.js";
import { formatEndpoint } from "../../conf/meaning/endpoint.js";
import { defaultVhost } from "../../base/host-name.js";
import { codes, replyCode, replyWith, type Asked, type Handler } from "./asked.js";
import { reply } from "../http/reply.js";

/** Of a registration, in characters: more is cut, and is no JSON then. A question over the control socket has 16 KiB at most. */
const longestRegistration = 8_000;

/** What the last reload came to: SRS tells it when it is asked again. */
let fetched = { err: 0, msg: "Success", state: 0, rid: "" };

/** Whether a question to the raw API changes something, though it is a GET. */
export function isReload(query: URLSearchParams): boolean {
  return query.get("rpc") === "reload";
}

/** Answers `/api/v1/raw?rpc=raw|reload|reload-fetch`. */
export const raw: Handler = async (asked) => {
  const { exchange, control, view, log } = asked;
  const { api } = asked.config();
  const rpc = exchange.query.get("rpc");
  if (rpc === "raw") {
    const flags = { enabled: api.raw.isEnabled, allow_reload: api.raw.allowsReload, allow_query: false, allow_update: false };
    const listen = api.listen.map(formatEndpoint).join(" ");
    return reply(exchange, { code: codes.ok, http_api: { enabled: true, listen, crossdomain: api.crossdomain, raw_api: flags } });
  }
  if (!api.raw.isEnabled) return replyCode(asked, codes.rawDisabled);
  if (rpc === "reload-fetch") return reply(exchange, { code: codes.ok, data: fetched });
  if (rpc !== "reload") return replyCode(asked, codes.rawUnknown);
  if (!api.raw.allowsReload) return replyCode(asked, codes.rawNotAllowed);
  // SRS answers before the reload happens; who wants to know what came of it asks reload-fetch, or POST /api/v1/dolphin/reload.
  log.info({ event: "api.act", act: "reload", peer: exchange.address }, "a reload was asked for");
  void control.ask("/reload", { method: "POST", timeoutMs: 300_000 }).then(
    ({ body }) => {
      const { outcome, problems } = body as { readonly outcome: string; readonly problems: readonly string[] };
      const isRefused = outcome === "refused";
      fetched = { err: isRefused ? 1023 : 0, msg: isRefused ? problems.join("; ") : "Success", state: 90, rid: Date.now().toString(36) };
      view.forget();
    },
    (thrown: unknown) => log.warn({ event: "api.failed", code: "CHILD_START", err: String(thrown) }, "the reload could not be asked for"),
  );
  return replyCode(asked, codes.ok);
};

/** Answers `/api/v1/clusters`: whether a stream is published here, and where; for origins that ask each other. */
export const clusters: Handler = async (asked) => {
  const { exchange, view } = asked;
  const word = (name: string): string => exchange.query.get(name) ?? "";
  const query = { ip: word("ip"), vhost: word("vhost"), app: word("app"), stream: word("stream") };
  const vhost = query.vhost === "" ? defaultVhost : query.vhost;
  const found = (await view.streams()).find((one) => one.vhost === vhost && one.app === query.app && one.stream === query.stream);
  // What an origin has from another origin is that one's; what an edge pulls it serves like its own, as SRS does.
  const isEdge = asked.config().vhosts.find((one) => one.name === vhost)?.cluster.mode === "remote";
  const isHere = found?.state === "publish" || (found?.state === "pull" && isEdge);
  const coworker = word("coworker");
  const { listen } = asked.config();
  const port = listen[0]?.port ?? 1935;
  const origin = { ip: ownAddress(asked, coworker, listen[0]), port, vhost, api: coworker, routers: [coworker] };
  replyWith(asked, { data: { query, origin: isHere ? origin : null } });
};

/** What the environment says, as in a pod; else the first address where it is one that others can reach, else the one by which we were asked. */
function ownAddress({ exchange }: Asked, coworker: string, first: Endpoint | undefined): string {
  const given = process.env["SRS_DEVICE_IP"];
  if (given !== undefined && given !== "") return given;
  const host = first?.host ?? "";
  const isSpecific = host !== "" && host !== "0.0.0.0" && host !== "::" && !host.startsWith("127.");
  if (isSpecific) return host;
  return (coworker === "" ? (exchange.request.headers.host ?? "") : coworker).replace(/:\d+$/, "");
}

/** Answers `/api/v1/requests` and `/api/v1/tests/requests`: what was asked. */
export const requests: Handler = (asked) => {
  const { request } = asked.exchange;
  const { host = "", "user-agent": agent = "" } = request.headers;
  const url = new URL(request.url ?? "/", "http://host");
  replyWith(asked, {
    data: {
      uri: url.pathname,
      path: url.pathname,
      METHOD: request.method,
      drop_privileges: false,
      headers: { Host: host, "User-Agent": agent },
      server: { sigature: "dolphin", name: "dolphin", version: asked.facts.version, link: "", build: "", time: new Date().toISOString() },
    },
  });
};

/** Takes `POST /api/v1/srs/register`, as an srs-proxy does: a server that plan b's proxies may use. Answers in that one's words. */
export const register: Handler = async (asked) => {
  const { exchange, control, facts } = asked;
  let text: string;
  try {
    text = JSON.stringify(JSON.parse(exchange.body?.toString() ?? ""));
  } catch {
    return replyCode(asked, 400, "the body is no JSON", 400);
  }
  const { status, body } = await control.ask(`/register/${encodeURIComponent(text.slice(0, longestRegistration))}`, { method: "POST" });
  if (status === 200) return reply(exchange, { code: codes.ok, pid: String(facts.pid) });
  return replyCode(asked, status, (body as { readonly error?: string }).error ?? "the box does not answer", status);
};
