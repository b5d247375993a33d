import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { crowdedKeptMs, keptConnectionMs } from "../src/base/sockets/kept-connections.js";
import { apiNames } from "../src/admin/api/api.js";
import { dolphinActs, methodOf } from "../src/admin/api/dolphin.js";
import { maxEventReaders, maxUnreadEventBytes } from "../src/admin/api/events.js";
import { maxListCount } from "../src/admin/api/lists.js";
import { maxFailuresPerMinute } from "../src/admin/http/access.js";
import { maxRefusalLinesPerMinute } from "../src/admin/http/refusal-lines.js";
import { ticketLastsMs } from "../src/admin/http/ticket.js";
import { recordingStallMs } from "../src/admin/site/recordings.js";
import { maxLostTold } from "../src/ipc/tally.js";
import * as adminServer from "../src/admin/http/server.js";
import { maxPassedRequests } from "../src/ipc/admin-door.js";
import { maxAdminBodyBytes } from "../src/admin/routes.js";
import { maxBackupStreams } from "../src/backup/backup.js";
import { maxHookBytes } from "../src/backup/hook.js";
import * as backupHttp from "../src/backup/http.js";
import { maxListPathChars } from "../src/backup/names.js";
import * as backupReport from "../src/backup/report.js";
import { maxListedSegments } from "../src/backup/roll.js";
import { errorCodes } from "../src/base/errors.js";
import { maxTagBytes } from "../src/codec/flv-reader.js";
import { maxPrefaceBytes } from "../src/codec/preface.js";
import * as amf0 from "../src/codec/rtmp/amf0.js";
import * as chunkReader from "../src/codec/rtmp/chunk-reader.js";
import * as payloads from "../src/codec/rtmp/payloads.js";
import * as slabs from "../src/codec/rtmp/slabs.js";
import * as url from "../src/codec/rtmp/url.js";
import { pageRows } from "../src/ipc/lists.js";
import { coworkerTimeoutMs } from "../src/cluster/coworkers.js";
import { maxHops } from "../src/ipc/locating.js";
import { maxDirectPulls } from "../src/registry/choice.js";
import { maxRollRows } from "../src/registry/roll.js";
import { maxOffers } from "../src/registry/scripts.js";
import { maxGuests } from "../src/master/backends/guests.js";
import { maxAnswerBytes, maxWaitingCalls } from "../src/hooks/backend.js";
import { maxDecisions } from "../src/hooks/decisions.js";
import { rememberedMs } from "../src/hooks/ledger.js";
import { maxRetries } from "../src/hooks/messenger.js";
import { maxRows } from "../src/ipc/marks.js";
import { keptEvents } from "../src/master/control/event-book.js";
import { orphanMs } from "../src/master/vault/vault.js";
import * as playout from "../src/publisher/playout.js";
import * as askedAgain from "../src/server/http/asked-again.js";
import * as httpServer from "../src/server/http/server.js";
import { maxStreams } from "../src/server/streams/hub.js";
import { historyKeptMs, historyStepMs } from "../src/admin/site/history.js";
import { maxPageRows } from "../src/admin/site/paging.js";
import { maxHotBytes, maxHotFileBytes } from "../src/server/hls/hot-files.js";
import { maxHlsSessions } from "../src/server/hls/sessions.js";
import { hlsHoldMs, maxHlsHolds } from "../src/server/http/awaited.js";
import { maxHeldRequests, maxKnownTargets } from "../src/server/http/stored.js";
import * as httpFiles from "../src/server/http/files.js";
import { askUpstreamMs } from "../src/server/http/head.js";
import { deliveryMs } from "../src/wire/farewell.js";
import { mergeMs } from "../src/server/peers/merged-read.js";
import { busyRetryMs } from "../src/server/peers/publication.js";
import { maxOutletBytes } from "../src/server/relay/outlet.js";
import { maxRedirects } from "../src/wire/redirect.js";
import { keyFrameWaitMs } from "../src/server/relay/reprise.js";
import { maxReplayBytes, replayMs } from "../src/server/relay/replay.js";
import { silenceStepMs } from "../src/server/relay/silence.js";
import { longestAbsenceMs, longestSilenceMs, silenceTimeoutMs } from "../src/server/relay/upstreams.js";
import { startTimeoutMs } from "../src/wire/client.js";
import { maxCommandsPerSecond } from "../src/server/rtmp/command-rate.js";
import { maxEarlyBytes } from "../src/server/rtmp/publishing.js";
import { lastWordsMs } from "../src/server/server.js";
import { maxUnreadAnswerBytes } from "../src/server/rtmp/connection.js";
import { maxSavedBytes } from "../src/server/peers/saved-publisher.js";
import * as session from "../src/server/rtmp/session.js";
import { maxListedRecordings } from "../src/packager/dvr/dvr-output.js";
import { maxWaitingFrameBytes } from "../src/packager/media/frames.js";
import { maxThreadBytes } from "../src/packager/media/file-thread.js";
import { maxAllWriteBehindBytes, maxWriteBehindBytes } from "../src/packager/media/write-behind.js";
import { longestKeptMs } from "../src/server/streams/settings.js";
import { maxBacklogBytes, maxWholeBacklogBytes } from "../src/stream/fanout.js";
import { maxKeptBytes } from "../src/stream/kept.js";
import { maxMessageStreams } from "../src/codec/rtmp/stream-ids.js";
import { maxMetadataBytes } from "../src/stream/source.js";
import { maxKeptHeaderBytes, maxKeptHeaders } from "../src/stream/headers.js";
import { announcedWaitMs, historyMs, keepAllMs, maxGopBytes } from "../src/stream/start-cache.js";

/** The rows of the tables of a page, whose first cell is code. */
function tableOf(path: string): string[][] {
  const lines = readFileSync(path, "utf8").split("\n");
  const cells = (line: string): string[] => line.split("|").slice(1, -1);
  return lines.filter((line) => line.startsWith("| `")).map((line) => cells(line).map((cell) => cell.trim()));
}

/** Code, what happened, what to do. */
const rows = tableOf("docs/errors.md");

const limits: Readonly<Record<string, unknown>> = {
  ...chunkReader,
  ...amf0,
  ...payloads,
  ...slabs,
  ...url,
  ...askedAgain,
  ...httpServer,
  crowdedKeptMs,
  keptConnectionMs,
  ...session,
  ...adminServer,
  ...backupHttp,
  ...backupReport,
  maxBackupStreams,
  maxHookBytes,
  maxListPathChars,
  maxListedSegments,
  maxAdminBodyBytes,
  coworkerTimeoutMs,
  maxGuests,
  maxHops,
  maxDirectPulls,
  maxOffers,
  maxRollRows,
  maxEventReaders,
  maxUnreadEventBytes,
  maxListCount,
  maxPassedRequests,
  maxRefusalLinesPerMinute,
  maxFailuresPerMinute,
  ticketLastsMs,
  recordingStallMs,
  maxLostTold,
  pageRows,
  keptEvents,
  ...httpFiles,
  maxHeldRequests,
  maxHlsHolds,
  hlsHoldMs,
  maxHlsSessions,
  maxHotBytes,
  maxHotFileBytes,
  maxKnownTargets,
  historyKeptMs,
  historyStepMs,
  maxPageRows,
  announcedWaitMs,
  lastWordsMs,
  maxAnswerBytes,
  maxDecisions,
  maxEarlyBytes,
  maxRetries,
  maxWaitingCalls,
  rememberedMs,
  askUpstreamMs,
  ...playout,
  busyRetryMs,
  deliveryMs,
  historyMs,
  keepAllMs,
  keyFrameWaitMs,
  longestAbsenceMs,
  longestSilenceMs,
  maxReplayBytes,
  replayMs,
  maxRows,
  orphanMs,
  maxBacklogBytes,
  maxCommandsPerSecond,
  maxGopBytes,
  maxKeptBytes,
  longestKeptMs,
  maxWholeBacklogBytes,
  maxAllWriteBehindBytes,
  maxThreadBytes,
  maxListedRecordings,
  maxWaitingFrameBytes,
  maxWriteBehindBytes,
  maxMessageStreams,
  maxKeptHeaderBytes,
  maxKeptHeaders,
  maxMetadataBytes,
  maxOutletBytes,
  maxPrefaceBytes,
  maxSavedBytes,
  maxRedirects,
  maxStreams,
  maxTagBytes,
  maxUnreadAnswerBytes,
  mergeMs,
  silenceStepMs,
  silenceTimeoutMs,
  startTimeoutMs,
};

/** What a directive says in place of the constant that it is named like. */
const directives: ReadonlySet<string> = new Set(["rtmp/router.playWaitMs", "http/proxy.playWaitMs"]);

/** The limits of the proxies, `room/file.constant`: constants and defaults whose names tell of a time, a size or a greatest number. */
function proxyLimits(): [name: string, value: number][] {
  const files = readdirSync("src/proxy", { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".ts"));
  const limit = /^(?:export )?(?:const | {2})(max\w+|kept\w+|\w+Ms|pipeBytes|readBytes)(?: =|:) ([\d_]+)(?: << (\d+))?[;,]$/gm;
  const all = files.flatMap((path) =>
    [...readFileSync(`src/proxy/${path}`, "utf8").matchAll(limit)].map(([, name = "", value = "", shift = "0"]): [string, number] => {
      return [`${path.slice(0, -".ts".length)}.${name}`, Number(value.replaceAll("_", "")) << Number(shift)];
    }),
  );
  return all.filter(([name]) => !directives.has(name));
}

test("docs: limits.md tells every limit with the value that holds", () => {
  const told = tableOf("docs/limits.md").map(([name, value]) => [name!.replaceAll("`", ""), Number(value)] as const);
  const held = Object.entries(limits).filter(([, value]) => typeof value === "number");
  assert.deepEqual(Object.fromEntries(told), Object.fromEntries([...held, ...proxyLimits()]));
});

test("docs: errors.md explains every code once, and no other", () => {
  const explained = rows.map(([code]) => code!.replaceAll("`", ""));
  assert.deepEqual(new Set(explained), new Set<string>(errorCodes));
  assert.equal(explained.length, errorCodes.length);
});

test("docs: errors.md says for every code what happened and what to do", () => {
  for (const row of rows) {
    assert.equal(row.length, 3, row[0]);
    for (const cell of row.slice(1)) assert.match(cell, /^[A-Z].{20,}\.$/, `${row[0]}: ${cell}`);
  }
});

test("docs: every code is used by the program", () => {
  const text = readdirSync("src", { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts") && !path.endsWith("errors.ts"))
    .map((path) => readFileSync(`src/${path}`, "utf8"))
    .join("\n");
  assert.deepEqual(
    errorCodes.filter((code) => !text.includes(`"${code}"`)),
    [],
  );
});

test("docs: the lock file is of both manifests, for make adds what the tests need without comparing", () => {
  const manifest = (path: string): Record<string, unknown> => JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
  const packages = manifest("package-lock.json")["packages"] as Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  for (const [place, path] of [
    ["", "package.json"],
    ["test", "test/package.json"],
  ] as const) {
    for (const kind of ["version", "dependencies", "devDependencies", "optionalDependencies"]) {
      assert.deepEqual(packages[place]?.[kind], manifest(path)[kind], `${kind} of ${path}: run npm install`);
    }
  }
});

const ownFiles = ["src", "test", "bench", "web/src"].flatMap((folder) => filesIn(folder, ".ts"));

const documents = ["README.md", "CHANGELOG.md", ...filesIn("docs", ".md")];

test("docs: every file of ours that a document or a comment names is there, and is one", () => {
  const named = [...documents, ...ownFiles].flatMap((path) => namesIn(path).map((name) => ({ path, name })));
  assert.ok(named.length > 300, "names are found");
  assert.deepEqual(
    named.filter(({ path, name }) => !isOne(name, path)).map(({ path, name }) => `${path}: ${name}`),
    [],
  );
});

test("docs: every link of a document to a file of ours leads somewhere", () => {
  const links = documents.flatMap((path) => {
    const targets = readFileSync(path, "utf8").matchAll(/\]\((?!https?:)([^)#]+)/g);
    return Array.from(targets, ([, target = ""]) => join(dirname(path), target));
  });
  assert.ok(links.length > 30, "links are found");
  assert.deepEqual(
    links.filter((path) => !existsSync(path)),
    [],
  );
});

function filesIn(folder: string, ending: string): string[] {
  const paths = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return paths.filter((path) => path.endsWith(ending)).map((path) => `${folder}/${path}`);
}

/** The names of TypeScript files in a document, or in the comments of a file. Segments of HLS are called `s-12.ts`. */
function namesIn(path: string): string[] {
  const lines = readFileSync(path, "utf8").split("\n");
  const texts = path.endsWith(".md") ? lines : lines.flatMap((line) => /(?:^|\s)(?:\/\/|\/?\*).*/.exec(line) ?? []);
  return texts.flatMap((text) => text.match(/[\w*./-]*[\w*]\.ts\b/g) ?? []).filter((name) => !/-\d+\.ts$/.test(name));
}

/** Whether a name leads to one file: beside the one that names it, else by the end of its path; `*` stands for several. */
function isOne(name: string, from: string): boolean {
  const pattern = new RegExp(`(?:^|/)${name.replaceAll(".", "\\.").replaceAll("*", "[^/]*")}$`);
  const found = ownFiles.filter((path) => pattern.test(path));
  if (name.includes("*")) return found.length > 0;
  if (found.includes(`${dirname(from)}/${name}`)) return true;
  const ofSource = found.filter((path) => path.startsWith("src/"));
  return (ofSource.length > 0 ? ofSource : found).length === 1;
}

test("docs: api.openapi.json has every path that the API serves, and every reference leads somewhere", () => {
  const text = readFileSync("docs/api.openapi.json", "utf8");
  const { paths, components } = JSON.parse(text) as { readonly paths: object; readonly components: Readonly<Record<string, object>> };
  const told = new Set(Object.keys(paths).map((path) => path.replace("/api/v1/", "").split("/")[0]));
  for (const name of apiNames) assert.ok(told.has(name), name);
  const acted = Object.keys(paths).flatMap((path) => /^\/api\/v1\/dolphin\/([^/]+)/.exec(path)?.[1] ?? []);
  for (const verb of acted) assert.notEqual(methodOf(verb), null, verb);
  for (const verb of dolphinActs) assert.ok(acted.includes(verb), verb);
  for (const [path, methods] of Object.entries(
    paths as Readonly<Record<string, Readonly<Record<string, { readonly responses: object }>>>>,
  )) {
    const [, verb = ""] = /^\/api\/v1\/dolphin\/([^/]+)/.exec(path) ?? [];
    const method = verb === "" ? null : methodOf(verb)?.toLowerCase();
    if (typeof method === "string") assert.deepEqual(Object.keys(methods), [method], path);
    if (dolphinActs.includes(verb)) assert.ok((verb.startsWith("kick") ? "404" : "409") in methods["post"]!.responses, path);
  }
  for (const [, kind = "", name = ""] of text.matchAll(/#\/components\/(\w+)\/(\w+)/g)) assert.ok(name in (components[kind] ?? {}), name);
});
