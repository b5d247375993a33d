// HOT PATH: the memory that batches are written in. Nearly always all sockets have taken a batch before the next one is made: then the next
// one is laid over it. What a socket still holds stays where it is, and is left to the garbage collector with the block it lies in.
//
//   block  │ held by a slow viewer │ held │ the batch that is being sent │ free …
//                                          ▲ the next one begins here, if this one has been taken by all
//
// Fresh memory is cheap to ask for, but V8 goes by how much of it there was: 60 streams of 500 kbit/s made it mark the whole heap every two
// seconds in each process, with helpers on other cores, which was a third of the box's CPU (docs/decisions/0028-memory-of-batches.md).

/** A batch of 20 Mbit/s and 350 ms fits; one that is longer has memory of its own. */
const blockBytes = 1 << 20;

/** A row of blocks, of which one is known at a time. Nothing to close. */
export class BatchMemory {
  private block: Buffer | null = null;
  private used = 0;

  /** Memory for so many bytes, with whatever was in it. It is the caller's for good, if it is not given back. */
  take(bytes: number): Buffer {
    if (bytes > blockBytes) return Buffer.allocUnsafeSlow(bytes);
    if (this.block === null || this.used + bytes > blockBytes) [this.block, this.used] = [Buffer.allocUnsafeSlow(blockBytes), 0];
    const from = this.used;
    this.used += bytes;
    return this.block.subarray(from, this.used);
  }

  /** Gives back what was taken last, which nobody reads any more; anything else stays with whoever has it. */
  giveBack({ buffer, byteOffset, length }: Buffer): void {
    if (buffer === this.block?.buffer && byteOffset + length === this.used) this.used = byteOffset;
  }
}

/** That of this process's batches: they are made and sent one after the other. */
export const batchMemory = new BatchMemory();
