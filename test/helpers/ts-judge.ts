// A strict reader of transport streams, which shares no code with their writer: segments are given to it in their order, and whatever
// a standard asks of them fails where it is broken. Source: ISO/IEC 13818-1 sections 2.4.3 and 2.4.4; Apple's authoring rules.
import assert from "node:assert/strict";

/** One PES, of a picture or of some frames of sound. */
export interface ReadPes {
  readonly pid: number;
  readonly pts: number;
  readonly dts: number;
  readonly isRandomAccess: boolean;
  readonly body: Buffer;
}

export interface ReadSegment {
  /** Stream types by their PID. */
  readonly tracks: ReadonlyMap<number, number>;
  readonly pes: readonly ReadPes[];
}

const modulo = 2 ** 33;
const ticksPerSecond = 90_000;
const videoTypes: ReadonlySet<number> = new Set([0x1b, 0x24]);

/** Judges segments that follow each other. Times that pass 33 bits are unwrapped. */
export class TsJudge {
  private readonly counters = new Map<number, number>();
  private readonly lastDts = new Map<number, number>();
  private clock: number | null = null;

  /** The segment as it was read. `isContinued`: its times follow those before. Throws with what is wrong. */
  read(bytes: Buffer, isContinued: boolean): ReadSegment {
    assert.equal(bytes.length % 188, 0, "whole packets");
    if (!isContinued) this.counters.clear();
    if (!isContinued) this.lastDts.clear();
    if (!isContinued) this.clock = null;
    const state = { pmtPid: -1, pcrPid: -1, tracks: new Map<number, number>(), open: new Map<number, Open>(), pes: [] as ReadPes[] };
    for (let at = 0; at < bytes.length; at += 188) {
      const packet = bytes.subarray(at, at + 188);
      assert.equal(packet[0], 0x47, `the sync byte at ${at}`);
      assert.equal(packet[1]! & 0x80, 0, "no error indicator");
      const pid = packet.readUInt16BE(1) & 0x1fff;
      const number = at / 188;
      if (number === 0) assert.equal(pid, 0, "the first packet is a PAT");
      if (number === 1) assert.equal(pid, state.pmtPid, "the second packet is a PMT");
      this.count(pid, packet[3]! & 15);
      const field = (packet[3]! & 0x20) === 0 ? 0 : 1 + packet[4]!;
      const flags = field > 1 ? packet[5]! : 0;
      if ((flags & 0x10) !== 0) this.tick(pid === state.pcrPid, packet.readUInt32BE(6) * 2 + (packet[10]! >> 7));
      const body = packet.subarray(4 + field);
      const isStart = (packet[1]! & 0x40) !== 0;
      if (pid === 0) state.pmtPid = readPat(body);
      else if (pid === state.pmtPid) state.pcrPid = readPmt(body, state.tracks);
      else {
        assert.ok(state.tracks.has(pid), `a packet of ${pid}, which no table names`);
        if (isStart) {
          const before = state.open.get(pid);
          if (before !== undefined) state.pes.push(this.whole(before));
          state.open.set(pid, { pid, parts: [body], isRandomAccess: (flags & 0x40) !== 0 });
        } else state.open.get(pid)!.parts.push(body);
      }
    }
    for (const open of state.open.values()) state.pes.push(this.whole(open));
    const videoPid = [...state.tracks].find(([, type]) => videoTypes.has(type))?.[0];
    assert.equal(state.pcrPid, videoPid ?? [...state.tracks.keys()][0], "the clock is on the pictures, where there are some");
    if (videoPid !== undefined)
      assert.ok(state.pes.find(({ pid }) => pid === videoPid)?.isRandomAccess, "the first picture is a key frame");
    return { tracks: state.tracks, pes: state.pes };
  }

  private count(pid: number, counter: number): void {
    const before = this.counters.get(pid);
    if (before !== undefined) assert.equal(counter, (before + 1) & 15, `the continuity counter of ${pid}`);
    this.counters.set(pid, counter);
  }

  private tick(isOwn: boolean, base: number): void {
    assert.ok(isOwn, "a clock on the PID that the table names");
    if (this.clock !== null) {
      const step = (base - this.clock + modulo) % modulo;
      assert.ok(step < 2 * ticksPerSecond, `the clock steps by ${step} ticks`);
    }
    this.clock = base;
  }

  private whole({ pid, parts, isRandomAccess }: Open): ReadPes {
    const pes = Buffer.concat(parts);
    assert.equal(pes.readUIntBE(0, 3), 1, "a PES begins with its prefix");
    const length = pes.readUInt16BE(4);
    if (length > 0) assert.equal(pes.length, 6 + length, `the length of a PES of ${pid}`);
    const ptsIn = timeAt(pes, 9);
    const dtsIn = (pes[7]! & 0x40) === 0 ? ptsIn : timeAt(pes, 14);
    const last = this.lastDts.get(pid);
    const dts = last === undefined ? dtsIn : last + ((dtsIn - last + 1.5 * modulo) % modulo) - modulo / 2;
    const pts = dts + ((ptsIn - dtsIn + modulo) % modulo);
    assert.ok(pts - dts < 10 * ticksPerSecond, `a picture of ${pid} is shown ${pts - dts} ticks behind its decoding`);
    if (last !== undefined) assert.ok(dts > last, `times of ${pid} rise: ${dts} behind ${last}`);
    this.lastDts.set(pid, dts);
    return { pid, pts, dts, isRandomAccess, body: pes.subarray(9 + pes[8]!) };
  }
}

interface Open {
  readonly pid: number;
  readonly parts: Buffer[];
  readonly isRandomAccess: boolean;
}

function readPat(body: Buffer): number {
  const section = sectionOf(body);
  assert.equal(section[0], 0, "a table of programs");
  return section.readUInt16BE(10) & 0x1fff;
}

function readPmt(body: Buffer, tracks: Map<number, number>): number {
  const section = sectionOf(body);
  assert.equal(section[0], 2, "a table of tracks");
  tracks.clear();
  for (let at = 12 + (section.readUInt16BE(10) & 0xfff); at < section.length - 4; at += 5 + (section.readUInt16BE(at + 3) & 0xfff))
    tracks.set(section.readUInt16BE(at + 1) & 0x1fff, section[at]!);
  return section.readUInt16BE(8) & 0x1fff;
}

function sectionOf(body: Buffer): Buffer {
  const from = 1 + body[0]!;
  const section = body.subarray(from, from + 3 + (body.readUInt16BE(from + 1) & 0xfff));
  let sum = 0xffffffff;
  for (const byte of section)
    for (let bit = 7; bit >= 0; bit--) sum = ((sum << 1) ^ ((sum >>> 31) ^ ((byte >> bit) & 1) ? 0x04c11db7 : 0)) >>> 0;
  assert.equal(sum, 0, "the checksum of a table");
  return section;
}

function timeAt(pes: Buffer, at: number): number {
  return ((pes[at]! >> 1) & 7) * 2 ** 30 + (pes.readUInt16BE(at + 1) >> 1) * 2 ** 15 + (pes.readUInt16BE(at + 3) >> 1);
}
