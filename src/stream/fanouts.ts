// The fan-outs of one source: those that every stream has, and those of other containers, each from when the first viewer asks for it.
import { flvContainer, rtmpContainer, webSocketContainer } from "./container.js";
import { Fanout } from "./fanout.js";
import type { Packet } from "./packet.js";
import { remuxContainer, type RemuxTap } from "./remux.js";
import { fanoutOptions, isRemuxTap, type SourceOptions, type SourceSettings, type Tap } from "./source-settings.js";
import type { StartCache } from "./start-cache.js";

/** All of one source, which closes them. */
export class Fanouts {
  private readonly cache: StartCache;
  private readonly onAhead: (timeMs: number) => void;
  private settings: SourceSettings;
  private readonly usual: Readonly<Record<Exclude<Tap, RemuxTap>, Fanout>>;
  private readonly others: Partial<Record<RemuxTap, Fanout>> = {};
  /** All of both. */
  private readonly all: { readonly tap: Tap; readonly fanout: Fanout }[];

  /** As in `Fanout`. */
  constructor(options: SourceOptions, cache: StartCache, onAhead: (timeMs: number) => void) {
    this.cache = cache;
    this.onAhead = onAhead;
    this.settings = options;
    const rtmp = rtmpContainer(options.chunkSize);
    this.usual = {
      rtmp: new Fanout(rtmp, cache, fanoutOptions("rtmp", options), onAhead),
      edge: new Fanout(rtmp, cache, fanoutOptions("edge", options), onAhead),
      prompt: new Fanout(rtmp, cache, fanoutOptions("prompt", options), onAhead),
      patient: new Fanout(rtmp, cache, fanoutOptions("patient", options), onAhead),
      flv: new Fanout(flvContainer, cache, fanoutOptions("flv", options), onAhead),
      ws: new Fanout(webSocketContainer, cache, fanoutOptions("ws", options), onAhead),
    };
    this.all = Object.entries(this.usual).map(([tap, fanout]) => ({ tap: tap as Tap, fanout }));
  }

  of(tap: Tap): Fanout {
    if (!isRemuxTap(tap)) return this.usual[tap];
    return (this.others[tap] ??= this.begin(tap));
  }

  /** How many sit in one, which is not made for that. */
  count(tap: Tap): number {
    return (isRemuxTap(tap) ? this.others[tap] : this.usual[tap])?.size ?? 0;
  }

  /** Of each, who is behind. */
  behind(): ReturnType<Fanout["behind"]>[] {
    const all: ReturnType<Fanout["behind"]>[] = [];
    this.each((fanout) => void all.push(fanout.behind()));
    return all;
  }

  adopt(settings: SourceSettings): void {
    this.settings = settings;
    this.each((fanout, tap) => fanout.adopt(fanoutOptions(tap, settings)));
  }

  push(packet: Packet): void {
    const { usual, others } = this;
    usual.rtmp.push(packet);
    usual.edge.push(packet);
    usual.prompt.push(packet);
    usual.patient.push(packet);
    usual.flv.push(packet);
    usual.ws.push(packet);
    others.ts?.push(packet);
    others.aac?.push(packet);
    others.mp3?.push(packet);
  }

  each(run: (fanout: Fanout, tap: Tap) => void): void {
    for (const { tap, fanout } of this.all) run(fanout, tap);
  }

  private begin(tap: RemuxTap): Fanout {
    const { cache, onAhead, settings } = this;
    const container = remuxContainer(tap, () => cache.headers());
    const fanout = new Fanout(container, cache, fanoutOptions(tap, settings), onAhead);
    this.all.push({ tap, fanout });
    return fanout;
  }
}
