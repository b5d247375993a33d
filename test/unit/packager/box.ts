// A server and its packager in this process, for tests of what the packager makes of streams.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseServer } from "../../../src/conf/meaning/endpoint.js";
import { Hooks } from "../../../src/hooks/hooks.js";
import { Packager } from "../../../src/packager/packager.js";
import type { Cleanup, LogLine } from "../../helpers/dolphin.js";
import { memoryLog } from "../proxy/rtmp/rig.js";
import { configOf, startServer, type Rig } from "../server/rig.js";

const edgeKey = "0123456789abcdef0123456789abcdef";

export interface Box extends Rig {
  readonly folder: string;
  readonly list: string;
  readonly told: LogLine[];
  packager: Packager;
  /** Another packager takes the place of this one. */
  replace(): Promise<void>;
}

/** A server and its packager, who write below a folder of the test. */
export async function startBox(t: Cleanup, blocks: (folder: string) => string, root = ""): Promise<Box> {
  const folder = mkdtempSync(join(tmpdir(), "dolphin-package-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const vhosts = `${root} vhost __defaultVhost__ { min_latency on; ${blocks(folder)} }`;
  const rig = await startServer(t, vhosts, { edgeKey });
  const { log, lines } = memoryLog();
  const identity = { serverId: "vid-test", serviceId: "12345678" };
  const start = (): Packager => {
    const config = configOf(vhosts);
    const setup = { name: "packager", config, edgeKey, origins: [parseServer(rig.address)], stateFolder: join(folder, "states"), identity };
    return Packager.start(setup, log, new Hooks({ identity, settings: config.dolphin.hooks, log, tell: () => undefined }));
  };
  const box: Box = {
    ...rig,
    folder,
    list: join(folder, "live/s.m3u8"),
    told: lines,
    packager: start(),
    async replace() {
      await box.packager.close("the test is over", true);
      box.packager = start();
    },
  };
  t.after(() => box.packager.close("the test is over", true));
  return box;
}
