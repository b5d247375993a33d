// What clients may say on the message streams of one connection, and what they are answered: several streams at once, ends of every
// kind, and requests that come at the wrong time, which cost nobody the connection.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { maxMessageStreams } from "../../../../src/codec/rtmp/stream-ids.js";
import { asObject, type Amf } from "../../../helpers/amf0.js";
import { headers, pictures, step, videoFrame } from "../../../helpers/media.js";
import { publisher, type Media, type RtmpPublisher } from "../../../helpers/rtmp-client.js";
import { parseRtmpUrl, RtmpConnection } from "../../../helpers/rtmp-connection.js";
import { eventually, within } from "../../../helpers/wait.js";
import { Encoder, startServer, watch, type Rig } from "../rig.js";

const prompt = "vhost __defaultVhost__ { min_latency on; }";
const csidOf: Readonly<Record<number, number>> = { 8: 4, 9: 6, 18: 5 };

/** A client that does as it likes. */
class Client {
  readonly connection: RtmpConnection;
  private readonly got: (Media & { readonly streamId: number })[] = [];

  private constructor(connection: RtmpConnection) {
    this.connection = connection;
    connection.onMessage = (message) => void this.got.push(message);
  }

  static async open(t: TestContext, rig: Rig): Promise<Client> {
    const connection = await RtmpConnection.open(parseRtmpUrl(rig.rtmpUrl("s")));
    t.after(() => connection.close());
    return new Client(connection);
  }

  async createStream(): Promise<number> {
    return Number((await this.connection.call("createStream", [])).values[1]);
  }

  say(streamId: number, name: string, ...values: readonly Amf[]): void {
    this.connection.command(name, values, { streamId });
  }

  /** Says it, and waits for the next status; resolves to its code and its level. */
  async ask(streamId: number, name: string, ...values: readonly Amf[]): Promise<string> {
    const { commands } = this.connection;
    const seen = commands.length;
    this.say(streamId, name, ...values);
    const isStatus = (command: (typeof commands)[number]): boolean => command.name === "onStatus" && commands.indexOf(command) >= seen;
    const { values: said } = await this.connection.waitForCommand(`the answer to ${name}`, isStatus);
    const { level, code } = asObject(said[1] ?? null);
    return `${String(level)} ${String(code)}`;
  }

  send(streamId: number, media: readonly Media[]): void {
    for (const { type, timestamp, payload } of media) {
      this.connection.send({ type, timestamp, payload, streamId, csid: csidOf[type] ?? 5 });
    }
  }

  media(streamId: number): Media[] {
    return this.got.filter((one) => one.streamId === streamId && (one.type === 8 || one.type === 9));
  }

  async hasPictures(streamId: number, count: number): Promise<void> {
    await eventually(() => pictures(this.media(streamId)).length >= count, {
      what: `${count} pictures on ${streamId}`,
      everyMs: 5,
    });
  }

  /** All that the server had said before this has come. */
  async flush(): Promise<void> {
    await this.connection.call("anything", []);
  }

  get isOpen(): boolean {
    return this.connection.endedBy === null;
  }
}

const codes = ({ connection }: Client): string[] =>
  connection.commands.filter(({ name }) => name === "onStatus").map(({ values }) => String(asObject(values[1] ?? null)["code"]));

async function untilGone(rig: Rig, stream: string): Promise<void> {
  await eventually(() => rig.stream(stream)?.state !== "publish", { what: `${stream} to be free`, everyMs: 5 });
}

async function publishing(t: TestContext, rig: Rig, stream: string): Promise<Encoder> {
  return Encoder.open(t, rig.rtmpUrl(stream));
}

test("message streams: one connection publishes on one and plays on another, and each goes on when the other ends", async (t) => {
  const rig = await startServer(t, prompt);
  const client = await Client.open(t, rig);
  const [up, down] = [await client.createStream(), await client.createStream()];
  assert.deepEqual([up, down], [1, 2]);
  const partner = await publishing(t, rig, "partner");
  const viewer = await watch(t, rig.rtmpUrl("own"));
  assert.equal(await client.ask(up, "publish", "own", "live"), "status NetStream.Publish.Start");
  assert.equal(await client.ask(down, "play", "partner"), "status NetStream.Play.Reset");
  client.send(up, [...headers("avc", "none"), videoFrame("avc", 0, 0), videoFrame("avc", 1, 40)]);
  partner.send(2);
  await viewer.waitUntil("two pictures", (messages) => pictures(messages).length === 2);
  await client.hasPictures(down, 2);
  assert.deepEqual(client.media(up), []);

  client.say(down, "closeStream");
  client.send(up, [videoFrame("avc", 2, 80)]);
  await viewer.waitUntil("a third picture", (messages) => pictures(messages).length === 3);
  await client.ask(down, "play", "partner");
  await client.hasPictures(down, 4);
  client.say(0, "deleteStream", up);
  await untilGone(rig, "own");
  partner.send(1);
  await client.hasPictures(down, 5);
  assert.ok(client.isOpen);
});

test("message streams: two plays of one connection get each their own stream, sound and pictures", async (t) => {
  const rig = await startServer(t, prompt);
  const client = await Client.open(t, rig);
  const sources: RtmpPublisher[] = [];
  for (const name of ["one", "two"]) {
    const source = await publisher(rig.rtmpUrl(name));
    t.after(() => source.close());
    sources.push(source);
    await client.ask(await client.createStream(), "play", name);
  }
  const film = (fromMs: number): Media[] => [
    ...headers("avc", "aac", fromMs),
    ...Array.from({ length: 30 }, (_, i) => step("avc", "aac", i, fromMs)).flat(),
  ];
  const [first, second] = [film(0), film(0xffffff - 500)]; // the second has extended timestamps, and pictures in many chunks
  first.forEach((media, i) => {
    sources[0]!.send(media);
    sources[1]!.send(second[i]!);
  });
  for (const [at, sent] of [first, second].entries()) {
    const streamId = at + 1;
    await eventually(() => client.media(streamId).length === sent.length, { what: `all of ${streamId}`, everyMs: 5 });
    const bodies = (media: readonly Media[], type: number): string[] =>
      media.filter((one) => one.type === type).map(({ payload }) => payload.toString("base64"));
    for (const type of [8, 9]) assert.deepEqual(bodies(client.media(streamId), type), bodies(sent, type));
  }
});

test("message streams: a second play on the same one switches, and the first stream is left", async (t) => {
  const rig = await startServer(t, prompt);
  const [one, two] = [await publishing(t, rig, "one"), await publishing(t, rig, "two")];
  const client = await Client.open(t, rig);
  const id = await client.createStream();
  await client.ask(id, "play", "one");
  one.send(2);
  await client.hasPictures(id, 2);
  const before = client.media(id).length;
  await client.ask(id, "play", "two");
  await client.connection.waitForStatus("NetStream.Play.Start");
  assert.deepEqual([rig.stream("one")?.players, rig.stream("two")?.players], [0, 1]);
  one.send(3);
  two.send(1);
  await client.hasPictures(id, 3);
  await client.flush();
  assert.equal(client.media(id).length, before + 2, "a header and a picture of the second");
  assert.equal(rig.server.stats().players, 1);
});

test("message streams: play(false) stops, is answered, and another play may follow", async (t) => {
  const rig = await startServer(t, prompt);
  const encoder = await publishing(t, rig, "s");
  const client = await Client.open(t, rig);
  const id = await client.createStream();
  await client.ask(id, "play", "s");
  assert.equal(await client.ask(id, "play", false), "status NetStream.Play.Stop");
  assert.equal(rig.server.stats().players, 0);
  await client.ask(id, "play", "s");
  encoder.send(1);
  await client.hasPictures(id, 1);
});

test("message streams: publish(false) ends the publish with an answer, and the connection lives and may publish again", async (t) => {
  const rig = await startServer(t, prompt);
  const client = await Client.open(t, rig);
  const id = await client.createStream();
  for (const name of ["s", "s", "other"]) {
    const viewer = await watch(t, rig.rtmpUrl(name));
    assert.equal(await client.ask(id, "publish", name, "live"), "status NetStream.Publish.Start");
    client.send(id, [...headers("avc", "none"), videoFrame("avc", 0, 0)]);
    await viewer.waitForMedia(2);
    assert.equal(await client.ask(id, "publish", false), "status NetStream.Unpublish.Success");
    assert.notEqual(rig.stream(name)?.state, "publish");
  }
  client.say(id, "publish", false); // of nothing
  await client.flush();
  assert.ok(client.isOpen);
  assert.equal(rig.lines.filter(({ event }) => event === "publish.ended").length, 3);
});

test("message streams: publish while publishing is answered: the same again, another not, and the publish goes on", async (t) => {
  const rig = await startServer(t, prompt);
  const client = await Client.open(t, rig);
  const viewer = await watch(t, rig.rtmpUrl("s"));
  const id = await client.createStream();
  await client.ask(id, "publish", "s", "live");
  assert.equal(await client.ask(id, "publish", "s", "live"), "status NetStream.Publish.Start");
  assert.equal(await client.ask(id, "publish", "t", "live"), "error NetStream.Publish.Denied");
  assert.equal(await client.ask(id, "play", "t"), "error NetStream.Play.Failed");
  client.send(id, [...headers("avc", "none"), videoFrame("avc", 0, 0)]);
  await viewer.waitForMedia(2);
  assert.equal(rig.stream("t"), null);
});

test("message streams: publish while playing is answered, and the play goes on", async (t) => {
  const rig = await startServer(t, prompt);
  const encoder = await publishing(t, rig, "s");
  const client = await Client.open(t, rig);
  const id = await client.createStream();
  await client.ask(id, "play", "s");
  await client.flush();
  assert.equal(await client.ask(id, "publish", "t", "live"), "error NetStream.Publish.Denied");
  encoder.send(1);
  await client.hasPictures(id, 1);
});

for (const [what, name, ...values] of [
  ["a name that is none", "play", "../../etc"],
  ["no name", "play", 7],
  ["a busy name", "publish", "busy"],
] as const) {
  test(`message streams: ${what} is refused with a status, and ends a connection only where nothing else goes on in it`, async (t) => {
    const rig = await startServer(t, prompt);
    const busy = await publishing(t, rig, "busy");
    const client = await Client.open(t, rig);
    const [one, two] = [await client.createStream(), await client.createStream()];
    await client.ask(one, "play", "busy");
    await client.flush();
    assert.match(await client.ask(two, name, ...values), /^error NetStream\.(Play\.Failed|Publish\.BadName)$/);
    busy.send(1);
    await client.hasPictures(one, 1);
    assert.match(await client.ask(two, "play", "busy"), /Play\.Reset/);
    client.say(one, "closeStream");
    client.say(two, "closeStream");
    assert.match(await client.ask(two, name, ...values), /^error NetStream\.(Play\.Failed|Publish\.BadName)$/);
    await within(client.connection.ended, 2000, "the end");
  });
}

test("message streams: connect that comes twice is answered before the connection ends", async (t) => {
  const rig = await startServer(t, prompt);
  const client = await Client.open(t, rig);
  const { name } = await client.connection.call("connect", [{ app: "live" }], { hasNull: false });
  assert.equal(name, "_error");
  await within(client.connection.ended, 2000, "the end");
});

test("message streams: FCUnpublish ends the stream that it names, and is answered where there is none", async (t) => {
  const rig = await startServer(t, prompt);
  const client = await Client.open(t, rig);
  const ids = [await client.createStream(), await client.createStream()];
  for (const id of ids) await client.ask(id, "publish", `s${id}`, "live");
  await client.connection.call("FCUnpublish", ["s2"]);
  assert.deepEqual([rig.stream("s1")?.state, rig.stream("s2")?.state], ["publish", undefined]);
  await client.connection.call("FCUnpublish", ["s1"]);
  assert.equal((await client.connection.call("FCUnpublish", ["s1"])).name, "_result");
});

test(`message streams: there are ${maxMessageStreams} of a connection; those that were given back, or never used, are given again`, async (t) => {
  const rig = await startServer(t, prompt);
  const client = await Client.open(t, rig);
  const ids: number[] = [];
  while (ids.length < maxMessageStreams) ids.push(await client.createStream());
  assert.deepEqual(
    ids,
    Array.from({ length: maxMessageStreams }, (_, i) => i + 1),
  );
  assert.equal(await client.createStream(), 1, "an encoder that never gives one back goes on for ever");
  client.say(0, "deleteStream", 3);
  assert.equal(await client.createStream(), 3);
  for (const id of ids) await client.ask(id, "play", `s${id}`);
  const { name, values } = await client.connection.call("createStream", []);
  assert.deepEqual([name, asObject(values[1] ?? null)["code"]], ["_error", "NetConnection.Call.Failed"]);
  client.say(0, "deleteStream", 5);
  assert.equal(await client.createStream(), 5);
});

test("message streams: media of a publisher who does not know its number is taken", async (t) => {
  const rig = await startServer(t, prompt);
  for (const streams of [1, 2]) {
    const client = await Client.open(t, rig);
    const viewer = await watch(t, rig.rtmpUrl(`s${streams}`));
    let id = 0;
    for (let count = 0; count < streams; count++) id = await client.createStream();
    await client.ask(id, "publish", `s${streams}`, "live");
    client.send(0, [...headers("avc", "none"), videoFrame("avc", 0, 0)]);
    client.send(77, [videoFrame("avc", 1, 40)]);
    await viewer.waitUntil("all of it", (messages) => pictures(messages).length === 2);
  }
});

test("message streams: two plays whose chunk sizes differ cannot share a connection, and the second is told so", async (t) => {
  const rig = await startServer(t, `${prompt} vhost small.test { min_latency on; chunk_size 4096; }`);
  const [one, two] = [await publishing(t, rig, "s"), await publishing(t, rig, "s?vhost=small.test")];
  const client = await Client.open(t, rig);
  const ids = [await client.createStream(), await client.createStream()] as const;
  await client.ask(ids[0], "play", "s");
  await client.flush();
  assert.equal(await client.ask(ids[1], "play", "s?vhost=small.test"), "error NetStream.Play.Failed");
  one.send(1);
  await client.hasPictures(ids[0], 1);
  client.say(ids[0], "closeStream");
  await client.ask(ids[1], "play", "s?vhost=small.test");
  two.send(1);
  await client.hasPictures(ids[1], 1);
});

test("message streams: without sound there is none until it is wanted again, and the player is told so", async (t) => {
  const rig = await startServer(t, prompt);
  const source = await publisher(rig.rtmpUrl("s"));
  t.after(() => source.close());
  const client = await Client.open(t, rig);
  const id = await client.createStream();
  await client.ask(id, "play", "s");
  client.say(id, "receiveAudio", false);
  await client.flush();
  const send = (from: number): void => {
    for (let i = from; i < from + 5; i++) for (const media of step("avc", "aac", i)) source.send(media);
  };
  for (const media of headers("avc", "aac")) source.send(media);
  send(0);
  await client.hasPictures(id, 5);
  const sound = (): number => client.media(id).filter(({ type, payload }) => type === 8 && payload[1] === 1).length;
  assert.deepEqual([sound(), client.media(id).length], [0, 7], "the headers of both tracks, and pictures");
  assert.equal(await client.ask(id, "receiveAudio", true), "status NetStream.Seek.Notify");
  send(5);
  await client.hasPictures(id, 10);
  await client.flush();
  assert.equal(sound(), 10);
});

test("message streams: without pictures there are none, before a play or in it; wanted again they begin with a key frame", async (t) => {
  const rig = await startServer(t, prompt);
  const source = await publisher(rig.rtmpUrl("s"));
  t.after(() => source.close());
  const client = await Client.open(t, rig);
  const id = await client.createStream();
  client.say(id, "receiveVideo", false);
  await client.ask(id, "play", "s");
  await client.flush();
  let next = 0;
  const send = (count: number): void => {
    for (const end = next + count; next < end; next++) for (const media of step("avc", "aac", next)) source.send(media);
  };
  const sound = (): number => client.media(id).filter(({ type, payload }) => type === 8 && payload[1] === 1).length;
  for (const media of headers("avc", "aac")) source.send(media);
  send(10);
  await eventually(() => sound() === 20, { what: "the sound", everyMs: 5 });
  assert.deepEqual(pictures(client.media(id)), []);
  await client.ask(id, "receiveVideo", true);
  send(20);
  await eventually(() => sound() === 60, { what: "the sound, which goes on meanwhile", everyMs: 5 });
  assert.deepEqual(pictures(client.media(id)), [25, 26, 27, 28, 29]);
});

test("message streams: a play for a time ends after that much of the stream, with every word that clients wait for", async (t) => {
  const rig = await startServer(t, prompt);
  const encoder = await publishing(t, rig, "s");
  encoder.send(30); // a newcomer begins with the 26th, at 1000 ms
  const client = await Client.open(t, rig);
  const ids = [await client.createStream(), await client.createStream()];
  for (const id of ids) {
    const events: number[] = [];
    const receive = client.connection.onMessage;
    client.connection.onMessage = (message) => {
      if (message.type === 4) events.push(message.payload.readUInt16BE(0), message.payload.readUInt32BE(2));
      receive(message);
    };
    await client.ask(id, "play", "s", -2000, 400);
    if (id === 1) encoder.send(20);
    const isOver = (): boolean => codes(client).filter((code) => code === "NetStream.Play.Stop").length === id;
    await eventually(isOver, { what: "the end of the play", everyMs: 5 });
    await client.flush();
    assert.deepEqual(
      pictures(client.media(id)),
      Array.from({ length: 10 }, (_, i) => 25 + i),
      "400 ms from the first picture on",
    );
    assert.deepEqual(events.slice(-2), [1, id], "StreamEOF");
    client.connection.onMessage = receive;
  }
  assert.equal(rig.server.stats().players, 0);
  encoder.send(25);
  await client.ask(ids[0]!, "play", "s");
  await client.hasPictures(ids[0]!, 11);
});

for (const duration of [-1, -1000, 0, -2]) {
  test(`message streams: a play for ${duration} has no end`, async (t) => {
    const rig = await startServer(t, prompt);
    const encoder = await publishing(t, rig, "s");
    const client = await Client.open(t, rig);
    const id = await client.createStream();
    await client.ask(id, "play", "s", -2000, duration);
    encoder.send(100);
    await client.hasPictures(id, 100);
  });
}

test("message streams: whoever seeks in a live stream is answered, and goes on", async (t) => {
  const rig = await startServer(t, prompt);
  const encoder = await publishing(t, rig, "s");
  const client = await Client.open(t, rig);
  const id = await client.createStream();
  await client.ask(id, "play", "s");
  await client.flush();
  assert.equal(await client.ask(id, "seek", 5000), "status NetStream.Seek.Notify");
  encoder.send(1);
  await client.hasPictures(id, 1);
});
