// The stream's description of itself: `@setDataFrame onMetaData {…}` from a publisher, `onMetaData {…}` to players.
// Source: Adobe FLV 10.1 section E.5.
import { asObject, decodeAmf, ecmaArray, encodeAmf, type AmfValue } from "./amf0.js";

const setDataFrame = encodeAmf("@setDataFrame");
const onMetaData = encodeAmf("onMetaData");
const playStatus = encodeAmf("onPlayStatus");
const sampleAccess = encodeAmf("|RtmpSampleAccess");

/** Whether a data message is the stream's metadata, as players get it. */
export function isMetadata(payload: Buffer): boolean {
  return startsWith(payload, onMetaData);
}

/** Whether metadata, as players get it, can be read. */
export function isReadableMetadata(payload: Buffer): boolean {
  try {
    return asObject(decodeAmf(payload)[1]) !== null;
  } catch {
    return false; // cut off, or more than we read
  }
}

/**
 * A publisher's data message as players should get it: without `@setDataFrame`; metadata without the length of the file
 * that an encoder may be sending, and with `server` added. Other data passes as it is, and so does what cannot be decoded.
 */
export function forPlayers(payload: Buffer, server: string): Buffer {
  const body = withoutSetDataFrame(payload);
  if (!isMetadata(body)) return body;
  let described: AmfValue;
  try {
    [, described] = decodeAmf(body);
  } catch {
    return body; // what we cannot read may still make sense to a player
  }
  const members = asObject(described);
  if (members === null) return body;
  const { duration: _duration, filesize: _filesize, ...kept } = members;
  return encodeAmf("onMetaData", ecmaArray({ ...kept, server }));
}

/** Whether a data message is a server's own courtesy to a player, and no part of the stream. */
export function isSampleAccess(payload: Buffer): boolean {
  return startsWith(payload, sampleAccess);
}

/** Whether a data message is what Adobe's servers say of a play, and no part of the stream. */
export function isPlayStatus(payload: Buffer): boolean {
  return startsWith(payload, playStatus);
}

/** Metadata as a publisher sends it to a server; other data passes as it is. */
export function withSetDataFrame(payload: Buffer): Buffer {
  return isMetadata(payload) ? Buffer.concat([setDataFrame, payload]) : payload;
}

/** A publisher's data message as players get it, but for what is in it. */
export function withoutSetDataFrame(payload: Buffer): Buffer {
  return startsWith(payload, setDataFrame) ? payload.subarray(setDataFrame.length) : payload;
}

function startsWith(payload: Buffer, prefix: Buffer): boolean {
  return payload.length >= prefix.length && payload.compare(prefix, 0, prefix.length, 0, prefix.length) === 0;
}
