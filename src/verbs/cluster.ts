// dolphin cluster: the site that the box which runs here is one of, as its registry tells: boxes and streams, or one stream.
import { sentencesOf, siteOf } from "../ipc/site.js";
import { fetchSite, fetchSiteStream } from "../master/control/client.js";
import { siteStreamText, siteText } from "../master/control/site-text.js";
import { exitCodes } from "../base/exit-codes.js";
import { addSocket, ask, onlyRunning, streamKey, type SocketFlag } from "./asking.js";
import { complain, type AddVerb } from "./verb.js";

interface ClusterFlags extends SocketFlag {
  readonly json?: boolean;
}

export const addCluster: AddVerb = (program, end) => {
  const cluster = program.command("cluster").description("the site of a registry: its boxes and streams, and where a stream is and why");
  const status = cluster
    .command("status")
    .description("every box of the site, and every stream: where it is published, and which boxes have it");
  addSocket(status.option("--json", "as JSON"))
    .allowExcessArguments(false)
    .action(async (flags: ClusterFlags) => end(await showSite(flags)));
  const explain = cluster
    .command("explain <stream>")
    .description("where a stream ([vhost/]app/stream) came in, which boxes have it, and from where this one would pull it");
  addSocket(explain.option("--json", "as JSON"))
    .allowExcessArguments(false)
    .action(async (stream: string, flags: ClusterFlags) => end(await explainStream(stream, flags)));
};

function showSite({ socket, json }: ClusterFlags): Promise<number> {
  return ask(async () => {
    const { nodes, ...reading } = await fetchSite(socket ?? (await onlyRunning()).path);
    const site = siteOf({ nodes, registry: reading.registry });
    return json === true ? `${JSON.stringify({ ...reading, ...site }, null, 2)}\n` : siteText(reading, site, Date.now());
  });
}

async function explainStream(stream: string, { socket, json }: ClusterFlags): Promise<number> {
  const key = streamKey(stream);
  if (key === null) {
    complain(`${stream} names no stream: write [vhost/]app/stream, as in live/livestream`);
    return exitCodes.usage;
  }
  return ask(async () => {
    const path = socket ?? (await onlyRunning()).path;
    const [reading, told] = await Promise.all([fetchSite(path), fetchSiteStream(path, key)]);
    const site = siteOf(reading);
    const sentences = sentencesOf(told, site, Date.now());
    if (json !== true) return siteStreamText(reading, sentences);
    const found = site.streams.find((one) => one.key === key) ?? null;
    return `${JSON.stringify({ ...told, stream: found, sentences, ageMs: reading.ageMs, problem: reading.problem }, null, 2)}\n`;
  });
}
