// Outputs of the packager without a server: what a test gives them is written at once, whatever its times say.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DvrOutput } from "../../../src/packager/dvr/dvr-output.js";
import type { FinishedRecording } from "../../../src/packager/dvr/dvr-state.js";
import { HlsOutput } from "../../../src/packager/hls/hls-output.js";
import type { Output } from "../../../src/packager/media/output.js";
import { StateFiles } from "../../../src/packager/media/state-files.js";
import { makePacket, type Packet } from "../../../src/stream/packet.js";
import type { Cleanup, LogLine } from "../../helpers/dolphin.js";
import type { Media } from "../../helpers/rtmp-client.js";
import { memoryLog } from "../proxy/rtmp/rig.js";
import { configOf } from "../server/rig.js";

/** How long the media of each kind of stream is at least (s). Ten minutes of it are for test/soak/ten-minutes. */
export const leastSeconds = Number(process.env["DOLPHIN_MEDIA_S"] ?? 0);

const name = { vhost: "__defaultVhost__", app: "live", stream: "s" };

export interface Direct<T extends Output> {
  readonly folder: string;
  readonly told: LogLine[];
  readonly output: T;
  /** The recordings that are finished, in their order. */
  readonly finished: FinishedRecording[];
  /** Another one in its place, as after the death of its process. */
  again(): Promise<Direct<T>>;
}

export function temporary(t: Cleanup): string {
  const folder = mkdtempSync(join(tmpdir(), "dolphin-direct-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** HLS of a stream, by these directives, below a folder. */
export async function hlsOf(t: Cleanup, directives: string, folder = temporary(t)): Promise<Direct<HlsOutput>> {
  const { log, lines } = memoryLog();
  const { hls } = configOf(`vhost __defaultVhost__ { hls { enabled on; hls_path ${folder}; ${directives} } }`).vhosts[0]!;
  const states = new StateFiles(join(folder, "states"));
  const output = await HlsOutput.load({ name, settings: hls!, states, log, onSegment: () => undefined });
  t.after(() => output.close(true));
  return { folder, told: lines, output, finished: [], again: () => hlsOf(t, directives, folder) };
}

/** Recordings of a stream, the same way. */
export async function dvrOf(t: Cleanup, file: string, directives = "", folder = temporary(t)): Promise<Direct<DvrOutput>> {
  const { log, lines } = memoryLog();
  const { dvr } = configOf(`vhost __defaultVhost__ { dvr { enabled on; dvr_path ${join(folder, file)}; ${directives} } }`).vhosts[0]!;
  const states = new StateFiles(join(folder, "states"));
  const finished: FinishedRecording[] = [];
  const onFile = (one: FinishedRecording): void => void finished.push(one);
  const output = await DvrOutput.load({ name, settings: dvr!, minFreeBytes: null, states, log, onFile });
  t.after(() => output.close(true));
  return { folder, told: lines, output, finished, again: () => dvrOf(t, file, directives, folder) };
}

export function packetOf({ type, timestamp, payload }: Media): Packet {
  return makePacket(type as Packet["type"], timestamp >>> 0, payload);
}

/** Gives it all of this as one publish, to its end. Resolves when everything is written. */
export async function write({ output }: Direct<Output>, media: readonly Media[], clockId = 1): Promise<void> {
  output.begin(clockId, []);
  for (const one of media) output.push(packetOf(one));
  await output.close(true);
}
