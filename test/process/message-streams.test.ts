// One connection with two message streams, on every plan: it publishes on one and plays on the other, in either order, ends each in the
// way of old clients, and begins again. Where its publish moves to another process, the connection goes along with both.
import assert from "node:assert/strict";
import { test } from "node:test";
import { promptConf } from "../helpers/bystanders.js";
import { Dolphin } from "../helpers/dolphin.js";
import { headers, pictures, videoFrame } from "../helpers/media.js";
import type { Media } from "../helpers/rtmp-client.js";
import { parseRtmpUrl, RtmpConnection } from "../helpers/rtmp-connection.js";
import { eventually } from "../helpers/wait.js";

const plans: readonly (readonly [plan: string, args: readonly string[], block: string])[] = [
  ["plan a", [], ""],
  ["plan a with the origin in a child", [], "dolphin { origin_process child; }"],
  ["plan single", ["--plan", "single"], ""],
  ["plan b", ["--plan", "b"], "dolphin { servers 1; play_wait 1; }"],
];

for (const [plan, args, block] of plans) {
  for (const first of ["publish", "play"] as const) {
    void test(`${plan}: a connection that begins to ${first} does the other thing beside it, and both end and begin again`, async (t) => {
      const dolphin = await Dolphin.start(t, { conf: `${promptConf} ${block}`, args: [...args] });
      const connection = await RtmpConnection.open(parseRtmpUrl(dolphin.rtmpUrl("s")));
      t.after(() => connection.close());
      const got: (Media & { readonly streamId: number })[] = [];
      connection.onMessage = (message) => void got.push(message);
      const ids: number[] = [];
      for (let count = 0; count < 2; count++) ids.push(Number((await connection.call("createStream", [])).values[1]));
      const [up = 0, down = 0] = first === "publish" ? ids : [ids[1], ids[0]];

      /** Says something, and waits for the next status of this code. */
      const ask = async (streamId: number, code: string, name: string, ...values: readonly (string | false)[]): Promise<void> => {
        const seen = connection.commands.length;
        connection.command(name, values, { streamId });
        await connection.waitForCommand(
          code,
          (command) =>
            command.name === "onStatus" && connection.commands.indexOf(command) >= seen && JSON.stringify(command).includes(code),
          10_000,
        );
      };
      const publish = (): Promise<void> => ask(up, "NetStream.Publish.Start", "publish", "s", "live");
      const play = (): Promise<void> => ask(down, "NetStream.Play.Start", "play", "s");
      let next = 0;
      const send = (media: readonly Media[]): void => {
        for (const { type, timestamp, payload } of media) connection.send({ type, timestamp, payload, streamId: up, csid: 6 });
      };
      const sendPictures = (count: number): void => {
        for (const end = next + count; next < end; next++) send([videoFrame("avc", next, next * 40)]);
      };
      const hasPictures = async (count: number): Promise<void> => {
        await eventually(() => pictures(got).length >= count, { what: `${count} pictures`, everyMs: 10 });
      };

      for (const step of first === "publish" ? [publish, play] : [play, publish]) await step();
      send(headers("avc", "none"));
      sendPictures(5);
      await hasPictures(5);
      await ask(down, "NetStream.Play.Stop", "play", false);
      await play();
      const before = pictures(got).length;
      sendPictures(5);
      await hasPictures(before + 5);
      await ask(up, "NetStream.Unpublish.Success", "publish", false);
      await publish();
      send(headers("avc", "none"));
      next = 25;
      sendPictures(1);
      await hasPictures(before + 6);
      assert.ok(got.every(({ type, streamId }) => (type !== 8 && type !== 9) || streamId === down));
      assert.equal(connection.endedBy, null);
      const from = dolphin.logLength;
      connection.close();
      await dolphin.waitFor("publish.ended", { from });
      await dolphin.stop();
    });
  }
}
