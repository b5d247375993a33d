// What the box's own packagers and the server that has the streams say to each other, beside what edges do: which streams there are to
// package. A packager says in `connect` what it is, asks once, and is told of every beginning and end from then on.
//
//   packager, connect     dolphin_packager: true         what it plays is given to it with all that is kept, and nothing is left out
//                         dolphin_patient: true          and may come in large pieces: nobody waits for it
//   packager              dolphinWatch
//   server                dolphinStreams "{…}", first with all that run, then with each change
import type { AmfObject, AmfValue } from "./amf0.js";
import { makeCommand } from "./command.js";
import type { Message } from "./message.js";

/** A stream, and by whom it is published, as hooks tell it; empty where that is not known. */
export type WatchedStream = readonly [
  vhost: string,
  app: string,
  stream: string,
  clientId: string,
  ip: string,
  params: string,
  tcUrl: string,
];

export interface WatchedChange {
  readonly live: readonly WatchedStream[];
  /** Of those that are in `live` as well only what is kept is there. */
  readonly ended: readonly WatchedStream[];
  /** These are all: of others nothing runs, but for those of the messages right behind. */
  readonly isAll: boolean;
}

export const watchCommand = "dolphinWatch";
export const newsCommand = "dolphinStreams";
/** A text of AMF0 has 64 KiB at most, and a name of a stream up to some hundred bytes. */
const streamsOfOne = 50;

/** `waits`: what is made of the streams is not waited for. */
export function packagerArgs(waits: boolean): AmfObject {
  return { dolphin_packager: true, dolphin_patient: waits };
}

/** Whether the second object of `connect` says so. */
export function isPackager(members: AmfObject | null): boolean {
  return members?.["dolphin_packager"] === true;
}

/** Whether it says that its streams may come in large pieces. */
export function isPatient(members: AmfObject | null): boolean {
  return members?.["dolphin_patient"] === true;
}

export function watchNews({ live, ended, isAll }: WatchedChange): Message[] {
  const messages: Message[] = [];
  for (let from = 0; from === 0 || from < live.length; from += streamsOfOne) {
    const part: WatchedChange = { live: live.slice(from, from + streamsOfOne), ended: from === 0 ? ended : [], isAll: isAll && from === 0 };
    messages.push(makeCommand(0, newsCommand, 0, null, JSON.stringify(part)));
  }
  return messages;
}

/** The change in the argument of {@link newsCommand}; the other side is of the same build. */
export function readNews(argument: AmfValue): WatchedChange {
  return typeof argument === "string" ? (JSON.parse(argument) as WatchedChange) : { live: [], ended: [], isAll: false };
}
