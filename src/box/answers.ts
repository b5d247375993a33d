// What is answered over the control socket, from all parts of a box. Each act leaves a line in the log and an event.
import type { Log } from "../base/log.js";
import { onlyPlanB, type ControlAnswers, type UpgradeProgram } from "../master/control/control.js";
import type { EventBook } from "../master/control/event-book.js";
import type { Reloaded } from "../master/control/status.js";
import { findStream } from "../master/control/whereabouts.js";
import type { Crew } from "./crew.js";
import type { Portrait } from "./portrait.js";
import type { Reloads } from "./reloads.js";

export interface Answerers {
  readonly log: Log;
  readonly events: EventBook;
  readonly portrait: Portrait;
  readonly crew: Crew;
  readonly reloads: Reloads;
  readonly upgrade: (program: UpgradeProgram) => Promise<Reloaded>;
}

export function answersOf({ log, events, portrait, crew, reloads, upgrade }: Answerers): ControlAnswers {
  return {
    events,
    status: () => portrait.status(),
    facts: () => portrait.facts(),
    listers: (what) => crew.roster.listers(what),
    async explain(key) {
      const told = crew.balance?.explain(key) ?? findStream(await portrait.status(), key);
      return crew.registry === null ? told : { ...told, site: await crew.registry.explain(key) };
    },
    site: () => crew.registry?.site() ?? null,
    siteStream: (key) => crew.registry?.trace(key) ?? null,
    async kick(whom) {
      const count = await crew.roster.kick(whom);
      if (count === 0) return 0;
      const subject = "client" in whom ? whom.client : whom.stream;
      const msg = "client" in whom ? `the client ${subject} was sent away` : `${count} of ${subject} were sent away`;
      log.info({ event: "client.kicked", ...whom, count }, msg);
      events.take({ event: "client.kicked", msg, ...whom, count });
      return count;
    },
    async record(stream, isOn) {
      const problem = await crew.roster.record(stream, isOn);
      if (problem !== null) return problem;
      const event = isOn ? "record.started" : "record.stopped";
      const msg = `${stream} is ${isOn ? "recorded from now on" : "not recorded any more"}, until the opposite is said`;
      log.info({ event, stream }, msg);
      events.take({ event, msg, stream });
      return null;
    },
    drain(server, isDraining) {
      const problem = crew.balance === null ? onlyPlanB : crew.balance.drain(server, isDraining);
      const event = isDraining ? "server.drained" : "server.undrained";
      if (problem === null)
        events.take({ event, msg: `${server} gets ${isDraining ? "no more connections" : "connections again"}`, process: server });
      return problem;
    },
    register: (body) => (crew.balance === null ? "only plan b has proxies that could use a server" : crew.balance.register(body)),
    reload: () => reloads.reload("dolphin reload"),
    restart: (only) => reloads.restart("dolphin restart", only),
    scale: (workers) => reloads.scale(workers),
    upgrade: (program) => reloads.whileWhole(() => upgrade(program)),
  };
}
