// Tags of FLV, for the tests of both directions.
import { hex } from "./hex.js";

interface Row {
  readonly name: string;
  readonly type: number;
  readonly timestamp: number;
  readonly payload: Buffer;
  readonly bytes: Buffer;
}

/** One tag each, as value and as bytes. */
export const flvTags: readonly Row[] = [
  {
    name: "an audio tag",
    type: 8,
    timestamp: 0x123456,
    payload: hex("af 01"),
    bytes: hex("08 00 00 02 12 34 56 00 00 00 00 af 01 00 00 00 0d"),
  },
  {
    name: "a time of more than 24 bits",
    type: 9,
    timestamp: 0xfedcba98,
    payload: hex("17"),
    bytes: hex("09 00 00 01 dc ba 98 fe 00 00 00 17 00 00 00 0c"),
  },
  {
    name: "a time past 2³² wraps",
    type: 9,
    timestamp: 0x100000005,
    payload: hex("17"),
    bytes: hex("09 00 00 01 00 00 05 00 00 00 00 17 00 00 00 0c"),
  },
  {
    name: "a script tag without a payload",
    type: 18,
    timestamp: 0,
    payload: Buffer.alloc(0),
    bytes: hex("12 00 00 00 00 00 00 00 00 00 00 00 00 00 0b"),
  },
  {
    name: "a length of more than 16 bits",
    type: 9,
    timestamp: 0,
    payload: Buffer.alloc(0x010203),
    bytes: Buffer.concat([hex("09 01 02 03 00 00 00 00 00 00 00"), Buffer.alloc(0x010203), hex("00 01 02 0e")]),
  },
];
