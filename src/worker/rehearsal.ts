// What a young server process does while nobody needs it: it serves a few hundred viewers of its own, so that the crowd that comes
// next meets compiled code.
//
//   publisher ─▶ a Server of its own on 127.x.y.z ─▶ viewers over RTMP and HTTP-FLV, who come some at a time, see a picture and leave
//
// It shares nothing with what the process serves but the code: no address that anybody knows, no line in the log, no number, no hook.
// It ends by itself, or as soon as it is not wanted any more. Measured: docs/decisions/0021-warm.md.
import { createConnection, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { DolphinError } from "../base/errors.js";
import { unheardLog } from "../base/log.js";
import { until } from "../base/until.js";
import { writeMessages } from "../codec/rtmp/chunk-writer.js";
import { makeCommand } from "../codec/rtmp/command.js";
import { answerBytes, handshakeBytes, makeHello } from "../codec/rtmp/handshake.js";
import { mediaStreamId, messageType, type Message } from "../codec/rtmp/message.js";
import type { Config, Endpoint } from "../conf/meaning/config.js";
import { nobody } from "../ipc/identity.js";
import { Server } from "../server/server.js";
import { RtmpClient } from "../wire/client.js";

/** Viewers who come together: a client who comes meanwhile waits for what these take, some milliseconds. */
const together = 8;
/** Of these over HTTP-FLV: Node's own code does most of their work. */
const overHttp = 2;
const rounds = 200;
/** Between two rounds, for whom the process serves. */
const restMs = 2;
/** From the call of its publisher to what that shows, at most. */
const firstPictureWithinMs = 1000;
/** A round that takes longer ends it all: the machine has other work. */
const roundTimeoutMs = 2000;

const app = "live";
const stream = "rehearsal";
const chunkSize = 128; // of a client that has not set another
/** Frames a second, each larger than a chunk, and one key frame. */
const frameEveryMs = 40;
const frameBytes = 3000;

/** What a viewer over RTMP says: each of these when something has come behind the one before. */
const sayings: readonly Buffer[] = [
  makeHello(),
  Buffer.concat([
    Buffer.alloc(handshakeBytes),
    writeMessages(
      [
        makeCommand(0, "connect", 1, { app, flashVer: "LNX 9,0,124,2", tcUrl: `rtmp://localhost/${app}` }),
        makeCommand(0, "createStream", 2, null),
        makeCommand(mediaStreamId, "play", 3, null, stream),
      ],
      chunkSize,
    ),
  ]),
];
const request = Buffer.from(`GET /${app}/${stream}.flv HTTP/1.1\r\nHost: localhost\r\n\r\n`);

/** Held by a process that has begun to serve, or is to. */
export interface Rehearsal {
  /** What its server goes by: the built-in configuration. */
  readonly config: Config;
  /** Asked between rounds; false ends it. */
  readonly isWanted: () => boolean;
}

/** Serves viewers of its own until the code is warm. Never throws: where it does not work the first real viewers do its work. */
export async function rehearse({ config, isWanted }: Rehearsal): Promise<void> {
  // An address of its own: no port is taken that somebody might look for.
  const { pid } = process;
  const host = `127.${64 + ((pid >> 16) & 0x3f)}.${(pid >> 8) & 0xff}.${pid & 0xff}`;
  const listeners = (["rtmp", "http"] as const).map((protocol) => ({ protocol, endpoint: { host, port: 0 }, fd: null }));
  const setup = {
    name: stream,
    config,
    listeners,
    isEdge: false,
    edgeKey: "",
    maxConnections: null,
    publishersMove: false,
    identity: nobody,
  };
  const log = unheardLog();
  const server = await Server.start(setup, log).catch(() => null);
  const [rtmp, http] = server?.endpoints ?? [];
  if (server === null || rtmp === undefined || http === undefined) return;
  const show = publish(rtmp.endpoint);
  try {
    // Who came before the first picture would wait for a whole batch.
    await until(() => server.streams().some(({ videoFrames }) => videoFrames > 0), firstPictureWithinMs);
    for (let round = 0; round < rounds && isWanted(); round++) {
      const visits = Array.from({ length: together }, (_, at) =>
        at < overHttp ? visit(http.endpoint, [request], frameBytes) : visit(rtmp.endpoint, sayings, answerBytes + frameBytes),
      );
      if ((await Promise.all(visits)).includes(false)) return;
      await pause(restMs);
    }
  } finally {
    show.close();
    await server.close(stream);
  }
}

/** Publishes pictures until it is closed. */
function publish(endpoint: Endpoint): { close(): void } {
  const picture = (bytes: number, timestamp: number, ...head: readonly number[]): Message => ({
    type: messageType.video,
    streamId: mediaStreamId,
    timestamp,
    payload: Buffer.concat([Buffer.from(head), Buffer.alloc(bytes)]),
  });
  let timer: NodeJS.Timeout | undefined;
  const over = (): void => clearInterval(timer);
  const client = new RtmpClient(
    { endpoint, request: { vhost: "localhost", app, stream, params: "" }, purpose: "publish", args: null },
    {
      onStarted: () => {
        client.write([picture(0, 0, 0x17, 0, 0, 0, 0, 1, 0x64, 0, 0x1f, 0xff, 0xe1, 0, 4, 0x67, 0x64, 0, 0x1f, 1, 0, 2, 0x68, 0xee)]);
        let atMs = 0;
        const next = (): void => {
          client.write([picture(frameBytes, (atMs += frameEveryMs), atMs % 1000 === 40 ? 0x17 : 0x27, 1, 0, 0, 0)]);
        };
        next();
        timer = setInterval(next, frameEveryMs);
      },
      onMessage: () => undefined,
      onStreamEnd: () => undefined,
      onDrain: () => undefined,
      onRedirected: () => undefined,
      onClosed: over,
    },
  );
  return { close: () => client.close(new DolphinError("RELAY_CLOSED", stream)) };
}

/** Comes, says what there is to say, and leaves with the last of so many bytes; false: it did not get that far. */
function visit({ host, port }: Endpoint, said: readonly Buffer[], enoughBytes: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket: Socket = createConnection({ host, port, localAddress: host });
    let [says, gotBytes] = [0, 0];
    const say = (): void => {
      const next = said[says++];
      if (next !== undefined) socket.write(next);
    };
    socket.setTimeout(roundTimeoutMs, () => socket.destroy());
    socket.once("connect", say).on("error", () => undefined);
    socket.on("data", (bytes: Buffer) => {
      gotBytes += bytes.length;
      if (gotBytes < enoughBytes) say();
      else socket.resetAndDestroy();
    });
    socket.once("close", () => resolve(gotBytes >= enoughBytes));
  });
}
