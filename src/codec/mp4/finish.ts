// From the fragments of a file that has grown to the tables of a finished one. It is told of fragments in the order of the file and
// says what to write in front of their media; who reads and copies is the caller's affair. Frames keep their places among each other.
import type { FoundFragment } from "./fragment.js";
import { finishedHead, mdatHead, type Mp4Tracks } from "./moov.js";
import { fragmentsTable } from "./sample-table.js";

/** What stands before the media of all fragments, one behind the other, in the finished file. */
export function finishedFront(tracks: Mp4Tracks, fragments: readonly FoundFragment[]): Buffer {
  const bytes = fragments.reduce((sum, { mediaBytes }) => sum + mediaBytes, 0);
  const tables = { video: fragmentsTable("video", fragments), audio: fragmentsTable("audio", fragments) };
  const present: Mp4Tracks = { video: tables.video === null ? null : tracks.video, audio: tables.audio === null ? null : tracks.audio };
  return Buffer.concat([finishedHead(present, tables), mdatHead(bytes)]);
}
