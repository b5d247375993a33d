// The way of publishers to another process over a link of descriptors.
import { pack, publisherNote } from "../ipc/carried.js";
import type { DescriptorLink } from "../ipc/descriptor-link.js";
import { maxSavedBytes, type Mover } from "../server/peers/saved-publisher.js";

/** Takes publishers to the other end of a link; `say` tells it that something has come. */
export function moverOver(link: DescriptorLink, say: () => void): Mover {
  return (publisher, fd) => {
    const text = pack(publisher);
    if (text.length > maxSavedBytes) return null;
    return new Promise((resolve) => {
      link.send([{ descriptors: () => [fd], note: publisherNote, text }], () => {
        say();
        resolve();
      });
    });
  };
}
