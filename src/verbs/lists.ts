// dolphin clients and streams: everybody who plays or publishes in a running box, and every stream, over all of its processes.
import { allClients, allRecordings, type BoxClient, type ClientReport, type ProgramReport, type RecordingReport } from "../ipc/lists.js";
import type { StreamReport } from "../ipc/messages.js";
import { mergeStreams, type StreamStatus } from "../ipc/streams.js";
import { fetchLists } from "../master/control/client.js";
import { clientsText, programsText, recordingsText, streamsText } from "../master/control/text.js";
import { addSocket, ask, onlyRunning, streamKey, type SocketFlag } from "./asking.js";
import type { AddVerb } from "./verb.js";

interface ListFlags extends SocketFlag {
  readonly json?: boolean;
}

export const addClients: AddVerb = (program, end) => {
  const command = program
    .command("clients [stream]")
    .description("everybody who plays or publishes, with the id by which to kick; of one stream ([vhost/]app/stream) only");
  addSocket(command.option("--json", "as JSON")).action(async (stream: string | undefined, flags: ListFlags) =>
    end(await ask(() => clients(stream, flags))),
  );
};

export const addStreams: AddVerb = (program, end) => {
  const command = program.command("streams").description("every stream: what it is, where it comes in and who serves it");
  addSocket(command.option("--json", "as JSON")).action(async (flags: ListFlags) => end(await ask(() => streams(flags))));
};

export const addRecordings: AddVerb = (program, end) => {
  const command = program.command("recordings").description("every recording, under way or finished, with its length and size");
  addSocket(command.option("--json", "as JSON")).action(async (flags: ListFlags) =>
    end(
      await ask(async () => {
        const found = allRecordings(await fetchLists<RecordingReport>(flags.socket ?? (await onlyRunning()).path, "recordings"));
        return flags.json === true ? `${JSON.stringify(found, null, 2)}\n` : recordingsText(found);
      }),
    ),
  );
};

export const addPrograms: AddVerb = (program, end) => {
  const command = program.command("programs").description("ffmpeg and other programs that run for streams: of ingest, transcode, exec");
  addSocket(command.option("--json", "as JSON")).action(async (flags: ListFlags) =>
    end(
      await ask(async () => {
        const lists = await fetchLists<ProgramReport>(flags.socket ?? (await onlyRunning()).path, "programs");
        const found = lists.flatMap(({ rows }) => rows);
        return flags.json === true ? `${JSON.stringify(found, null, 2)}\n` : programsText(found, Date.now());
      }),
    ),
  );
};

async function clients(stream: string | undefined, { socket, json }: ListFlags): Promise<string> {
  const all = await fetchClients(socket ?? (await onlyRunning()).path);
  const key = stream === undefined ? null : (streamKey(stream) ?? stream);
  const found = key === null ? all : all.filter(({ vhost, app, stream: name }) => `${vhost}/${app}/${name}` === key);
  return json === true ? `${JSON.stringify(found, null, 2)}\n` : clientsText(found, Date.now());
}

async function streams({ socket, json }: ListFlags): Promise<string> {
  const found = await fetchStreams(socket ?? (await onlyRunning()).path);
  return json === true ? `${JSON.stringify(found, null, 2)}\n` : streamsText(found, Date.now());
}

async function fetchClients(path: string): Promise<BoxClient[]> {
  return allClients(await fetchLists<ClientReport>(path, "clients"));
}

async function fetchStreams(path: string): Promise<StreamStatus[]> {
  const lists = await fetchLists<StreamReport>(path, "streams");
  return mergeStreams(lists.map(({ name, duty, rows }) => ({ name, duty, streams: rows })));
}
