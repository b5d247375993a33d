// HLS: packaging, held against nginx-rtmp with `hls on`, and viewers, held against nginx that serves the same files by sendfile. What is
// written goes to the system's folder for temporary files, of both.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { planA, serveBox, serveNginx, serveNginxFiles, single } from "../boxes/servers.js";
import type { Row, Sample } from "../row.js";
import { listedS, measurePackaging, measureWatching, writeSegments } from "../runs/hls.js";
import { measureIngest } from "../runs/ingest.js";
import { boxes, contender } from "./contenders.js";

const packaging = { publishers: 100, kbps: 1000, fragmentS: 2 };
const watching = { viewers: 2000, kbps: 1000, segmentS: 4 };

function hlsInto(folder: string): Record<string, string> {
  const directives = { ENABLED: "on", HLS_FRAGMENT: `${packaging.fragmentS}`, HLS_WINDOW: `${listedS}`, HLS_PATH: folder };
  return Object.fromEntries(Object.entries(directives).map(([name, value]) => [`SRS_VHOST_HLS_${name}`, value]));
}

/** Measures with a folder of its own. */
async function inFolder(measure: (folder: string) => Promise<Sample>): Promise<Sample> {
  const folder = mkdtempSync(join(tmpdir(), "dolphin-bench-hls-"));
  try {
    return await measure(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The same, with segments in it. */
function inSegments(measure: (folder: string) => Promise<Sample>): Promise<Sample> {
  return inFolder((folder) => {
    writeSegments(folder, watching);
    return measure(folder);
  });
}

export const hlsRows: readonly Row[] = [
  {
    name: "HLS, packaging 100 × 1 Mbps, plan single",
    contenders: ({ own, nginx }) => [
      {
        name: own.name,
        measure: () =>
          inFolder((folder) => {
            const shape = { args: single.args, env: hlsInto(folder) };
            return contender(
              own.name,
              () => serveBox(own, shape),
              (serving) => measurePackaging(serving, packaging, folder),
            ).measure();
          }),
      },
      typeof nginx === "string"
        ? nginx
        : {
            name: "nginx-rtmp with hls on",
            measure: () =>
              inFolder((folder) => {
                const live = `hls on; hls_path ${folder}; hls_fragment ${packaging.fragmentS}s; hls_playlist_length ${listedS}s;`;
                return contender(
                  "nginx",
                  () => serveNginx(nginx, live),
                  (serving) => measurePackaging(serving, packaging, folder),
                ).measure();
              }),
          },
    ],
    held: [{ figure: "cpu", as: "ratio", limit: { bar: 0.7, aim: 0.5 } }],
    remark: "nginx-rtmp deletes no segment here: its cache manager would, a process more",
  },
  {
    name: "HLS, the same streams without packaging, plan single",
    contenders: boxes(single, ["nginx-rtmp"], (serving) => measureIngest(serving, packaging)),
    held: [{ figure: "cpu", as: "ratio", limit: null }],
    remark: "what is left of the row before without it is what packaging costs",
  },
  {
    name: "HLS, 2000 viewers × 1 Mbps, plan a, 1 edge",
    contenders: ({ own, nginx }) => [
      {
        name: own.name,
        measure: () =>
          inSegments((folder) => {
            const shape = { args: planA(1).args, env: { SRS_HTTP_SERVER_DIR: folder } };
            return contender(
              own.name,
              () => serveBox(own, shape),
              (serving) => measureWatching(serving, watching),
            ).measure();
          }),
      },
      typeof nginx === "string"
        ? nginx
        : {
            name: "nginx with sendfile",
            measure: () =>
              inSegments((folder) =>
                contender(
                  "nginx",
                  () => serveNginxFiles(nginx, folder),
                  (serving) => measureWatching(serving, watching),
                ).measure(),
              ),
          },
    ],
    held: [{ figure: "cpu", as: "ratio", limit: { bar: 1.3, aim: 1 } }],
  },
];
