// SRS's HTTP API behind the proxies: each srs has one of its own, which knows its own streams and clients only. Until they are one, a
// request names the server that it is for, and is passed where the servers' file puts the API on the public HTTP port; everywhere
// else the answer says where each is. An API that the file puts on another port, as most do, is not opened to those who may reach this one.
import type { BackendState } from "../../ipc/balance.js";
import { formatEndpoint } from "../../conf/meaning/endpoint.js";

/** A server, as far as its API goes. */
export type ApiServer = Pick<BackendState, "name" | "api">;

/** The server that a request is for, or what is answered in place of one: a body of JSON. */
export type ApiRoute = { readonly server: string } | { readonly answer: string };

/** Null where it is no request for an API, or there is none. `target` is the request's, `servers` are all of the box. */
export function apiRouteOf(target: string, servers: readonly ApiServer[]): ApiRoute | null {
  const url = parseTarget(target);
  const found = servers.flatMap(({ name, api }) => (api === null ? [] : [{ name, api }]));
  if (url === null || found.length === 0 || !/^\/api(\/|$)/.test(url.pathname)) return null;
  const wanted = url.searchParams.get("server");
  const isHere = found.every(({ api }) => api.isPublic);
  const named = found.find(({ name }) => name === wanted || name === `server-${wanted ?? ""}`);
  if (isHere && named !== undefined) return { server: named.name };
  const addresses = found.map(({ name, api }) => ({ server: name, api: `http://${formatEndpoint(api.endpoint)}` }));
  return { answer: `${JSON.stringify({ code: 404, error: why(isHere, wanted), servers: addresses })}\n` };
}

/** Both are as SRS's: a number that is not 0, and a sentence for people. */
function why(isHere: boolean, wanted: string | null): string {
  if (!isHere) {
    return "each server has an API of its own, at these addresses of this machine; it is here too, by ?server=1, when http_api and http_server listen on one port";
  }
  return wanted === null ? "each server has an API of its own: add ?server=1" : `there is no server ${wanted.slice(0, 40)}`;
}

function parseTarget(target: string): URL | null {
  try {
    return new URL(target, "http://host");
  } catch {
    return null; // whatever it is, it is no API's
  }
}
