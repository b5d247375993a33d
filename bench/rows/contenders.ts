// Who is measured in a row: dolphin in a shape, and peers by their names.
import { serveBox, serveNginx, withoutCarrying, type Serving } from "../boxes/servers.js";
import { serveHaproxy, serveNginxStream, servePlanB, type Behind } from "../boxes/relays.js";
import type { Shape } from "../boxes/box.js";
import type { Contender, Context, Sample } from "../row.js";

/** `base`: the same shape of the earlier build. `uncarried`: of this one with carry_sessions off. */
type Peer = "base" | "nginx-rtmp" | "uncarried";
type RelayPeer = "base" | "HAProxy" | "HAProxy with splice" | "nginx stream";
type Measure = (serving: Serving) => Promise<Sample>;
type Contenders = (context: Context) => readonly (Contender | string)[];

/** Dolphin in this shape, and peers under the same load. */
export function boxes(shape: Shape, peers: readonly Peer[], measure: Measure): Contenders {
  return ({ own, base, nginx }) => [
    contender(own.name, () => serveBox(own, shape), measure),
    ...peers.map((peer) => {
      if (peer === "uncarried") return contender("carry_sessions off", () => serveBox(own, withoutCarrying(shape)), measure);
      if (peer === "base") return typeof base === "string" ? base : contender(base.name, () => serveBox(base, shape), measure);
      return typeof nginx === "string" ? nginx : contender(peer, () => serveNginx(nginx), measure);
    }),
  ];
}

/** Plan b without what is behind it, and peers before the same. */
export function relays(behind: Behind, peers: readonly RelayPeer[], measure: Measure): Contenders {
  return ({ own, base, nginx, haproxy }) => [
    contender(own.name, () => servePlanB(own, behind), measure),
    ...peers.map((peer) => {
      if (peer === "base") return typeof base === "string" ? base : contender(base.name, () => servePlanB(base, behind), measure);
      if (peer === "nginx stream")
        return typeof nginx === "string" ? nginx : contender(peer, () => serveNginxStream(nginx, behind, own), measure);
      const isSplicing = peer === "HAProxy with splice";
      return typeof haproxy === "string" ? haproxy : contender(peer, () => serveHaproxy(haproxy, isSplicing, behind, own), measure);
    }),
  ];
}

/** Starts, measures, and stops in any case. */
export function contender(name: string, serve: () => Promise<Serving>, measure: Measure): Contender {
  return {
    name,
    async measure() {
      const serving = await serve();
      try {
        return await measure(serving);
      } finally {
        await serving.stop();
      }
    },
  };
}
