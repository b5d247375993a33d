// HEAD for a stream: whether it is there, as GET would answer, without its bytes and without GET's patience. A process that has the
// stream from elsewhere has to ask there first, so for a moment it takes a seat as a viewer does.
import type { ServerResponse } from "node:http";
import { Deadline } from "../../base/deadline.js";
import type { Source } from "../../stream/source.js";

/** How long an upstream may take to show that it has a stream, where whoever asks does not wait for the stream to begin. */
export const askUpstreamMs = 2_000;

/** Resolves to whether somebody publishes the stream, as far as it shows within `waitMs`; to null when the peer has left before. */
export function isPublished(source: Source, response: ServerResponse, waitMs: number): Promise<boolean | null> {
  return new Promise((resolve) => {
    const deadline = new Deadline();
    const settle = (answer: boolean | null): void => {
      deadline.clear();
      source.remove("flv", seat);
      resolve(answer);
    };
    const seat = source.add("flv", {
      backlogBytes: 0,
      send: () => undefined, // no bytes were asked for
      drop: () => settle(true),
      onLive: (isLive) => {
        if (isLive) settle(true);
      },
    });
    response.once("close", () => settle(null));
    if (source.isLive || source.hasPublisher) settle(true);
    else if (waitMs === 0) settle(false);
    else deadline.set(waitMs, () => settle(false));
  });
}
