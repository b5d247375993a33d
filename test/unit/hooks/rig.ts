// Hooks of a process without the process: who asks, and what is told to the master.
import type { HookSettings, VhostHooks } from "../../../src/conf/meaning/config.js";
import { DolphinError } from "../../../src/base/errors.js";
import { Hooks, type Admission, type Visit } from "../../../src/hooks/hooks.js";
import type { DueNote } from "../../../src/ipc/dues.js";
import type { HookBackend } from "../../helpers/hook-backend.js";
import type { LogLine } from "../../helpers/dolphin.js";
import { memoryLog } from "../proxy/rtmp/rig.js";

const settings: HookSettings = {
  timeoutMs: 5000,
  connections: 256,
  keepsAlive: false,
  secret: null,
  retries: 0,
  whenDown: "deny",
  cacheMs: 0,
};

export interface HooksRig {
  readonly hooks: Hooks;
  readonly notes: DueNote[];
  readonly lines: LogLine[];
}

export function makeHooks(change: Partial<HookSettings> = {}): HooksRig {
  const { log, lines } = memoryLog();
  const notes: DueNote[] = [];
  const identity = { serverId: "vid-test", serviceId: "s1s2s3s4" };
  const hooks = new Hooks({ identity, settings: { ...settings, ...change }, log, tell: (more) => notes.push(...more) });
  return { hooks, notes, lines };
}

/** The hooks of these names at a backend, or at these URLs. */
export function hooksAt(backend: HookBackend, ...names: readonly (keyof VhostHooks)[]): VhostHooks {
  const all = ["on_connect", "on_close", "on_publish", "on_unpublish", "on_play", "on_stop"] as const;
  return Object.fromEntries(all.map((name) => [name, names.includes(name) ? [backend.url(name)] : []])) as unknown as VhostHooks;
}

export interface Guest {
  readonly clientId?: string;
  readonly stream?: string;
  readonly params?: string;
  readonly wants?: Visit["wants"];
  readonly connection?: Visit["connection"];
  readonly fence?: number;
}

/** Asks for somebody. Resolves to what was answered, and what the connection owes. */
export function visit(hooks: Hooks, vhostHooks: VhostHooks, guest: Guest = {}, backend: string | null = null) {
  const { clientId = "c0000001", stream = "s", params = "?token=1", wants = "play", connection = "new", fence = 0 } = guest;
  const closings: Parameters<Visit["onConnected"]>[0][] = [];
  let leave = (): void => undefined;
  const answered = new Promise<Admission | DolphinError>((resolve) => {
    const answer = hooks.admit({
      visitor: {
        conn: clientId,
        id: clientId,
        ip: "192.0.2.1",
        vhost: "v",
        app: "live",
        stream,
        params,
        tcUrl: "rtmp://v/live",
        pageUrl: "",
      },
      wants,
      vhost: { hooks: vhostHooks, forward: { enabled: backend !== null, destinations: [], backend } },
      connection,
      clients: () => 0,
      fence: () => Promise.resolve(fence),
      onConnected: (due) => closings.push(due),
      onAnswer: resolve,
    });
    if ("leave" in answer) leave = () => answer.leave();
    else resolve(answer);
  });
  return { answered, closings, leave: () => leave() };
}

/** The same for who must be let in. */
export async function letIn(...args: Parameters<typeof visit>): Promise<Admission> {
  const answer = await visit(...args).answered;
  if (answer instanceof DolphinError) throw answer;
  return answer;
}
