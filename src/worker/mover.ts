// The way of publishers to another process over a link of descriptors.
import type { PublisherNote } from "../ipc/carried.js";
import type { DescriptorLink } from "../ipc/descriptor-link.js";
import type { Mover } from "../server/peers/saved-publisher.js";

/** Takes publishers to the other end of a link; `say` tells it that something has come. */
export function moverOver(link: DescriptorLink, say: () => void): Mover {
  return (publisher, fd) =>
    new Promise((resolve) => {
      link.send([{ descriptors: () => [fd], note: { publisher } satisfies PublisherNote }], () => {
        say();
        resolve();
      });
    });
}
