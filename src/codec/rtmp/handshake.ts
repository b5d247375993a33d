// The RTMP handshake, both sides, without a socket: bytes in, bytes out. It stands before the chunk stream and knows
// nothing of it; engine.ts decides when enough bytes are there.
//
//   client  C0 C1 ───────▶  server        C0/S0 = version, 1 byte
//           ◀─────── S0 S1 S2             C1/S1 = time(4) version(4) 1528 bytes
//           C2 ──────────▶                C2/S2 = echo of the other side's 1 (simple), or signed by it (complex)
//
// The complex form hides a digest and a key block in the 1528 bytes, in one of two orders ("schemas"). Flash needed it
// for H.264; everything later accepts the simple form. Source: Adobe RTMP 1.0 section 5.2; the digests are common knowledge.
import { createHmac, randomFillSync, timingSafeEqual } from "node:crypto";
import { DolphinError } from "../../base/errors.js";
import { protocolOf } from "../strangers.js";

/** Length of C1, S1, C2 and S2. */
export const handshakeBytes = 1536;
/** Length of C0C1. */
export const helloBytes = 1 + handshakeBytes;
/** Length of S0S1S2. */
export const answerBytes = 1 + 2 * handshakeBytes;

const version = 3;
const digestBytes = 32;
const blockBytes = 764;
const sharedKey = Buffer.from("f0eec24a8068bee82e00d0d1029e7e576eec5d2d29806fab93b8e636cfeb31ae", "hex");
const clientText = Buffer.from("Genuine Adobe Flash Player 001");
const serverText = Buffer.from("Genuine Adobe Flash Media Server 001");
const clientKey = Buffer.concat([clientText, sharedKey]);
const serverKey = Buffer.concat([serverText, sharedKey]);

/** Offsets of the two places where a peer may have put its digest block. */
const schemas = [8 + blockBytes, 8] as const; // key block first, digest block first

/** Checks the first byte of a client, which tells RTMP from other protocols. Throws RTMP_HANDSHAKE for any but RTMP's. */
export function checkVersion(bytes: Buffer): void {
  if (bytes[0] === version) return;
  const protocol = protocolOf(bytes);
  if (protocol === "TLS")
    throw new DolphinError("RTMP_HANDSHAKE", "it begins as TLS does (rtmps, https), and this port speaks RTMP without TLS");
  if (protocol === "HTTP") throw new DolphinError("RTMP_HANDSHAKE", "it begins as HTTP does, and this port speaks RTMP");
  throw new DolphinError("RTMP_HANDSHAKE", `the first byte is ${bytes[0]}, and RTMP begins with ${version}`);
}

/**
 * Answers a client's C0C1 with S0S1S2: signed when C1 carries a valid digest, simple otherwise.
 * `hello` has at least {@link helloBytes} bytes and stays the caller's; the answer is new memory.
 * The version is not looked at: see {@link checkVersion}.
 */
export function answerHello(hello: Buffer): Buffer {
  const c1 = hello.subarray(1, helloBytes);
  const answer = Buffer.allocUnsafe(answerBytes);
  answer[0] = version;
  const s1 = answer.subarray(1, helloBytes);
  const s2 = answer.subarray(helloBytes);
  randomFillSync(s1);
  s1.writeUInt32BE(0, 0);
  const found = findDigest(c1, clientText);
  if (found === null) {
    s1.writeUInt32BE(0, 4); // a version here would invite the peer to look for a digest
    c1.copy(s2);
    return answer;
  }
  s1.writeUInt32BE(0x04050001, 4);
  sign(s1, found.schema, serverText);
  signEcho(s2, found.digest, serverKey);
  return answer;
}

/** Makes C0C1 as an outgoing client sends it: signed, digest block first, so that servers of every age accept it. */
export function makeHello(): Buffer {
  const hello = Buffer.allocUnsafe(helloBytes);
  hello[0] = version;
  const c1 = hello.subarray(1);
  randomFillSync(c1);
  c1.writeUInt32BE(0, 0);
  c1.writeUInt32BE(0x80000702, 4);
  sign(c1, schemas[1], clientText);
  return hello;
}

/**
 * Answers a server's S0S1S2 with C2. `answer` has {@link answerBytes} bytes and stays the caller's.
 * Throws RTMP_HANDSHAKE when the server speaks another version.
 */
export function answerServer(answer: Buffer): Buffer {
  if (answer[0] !== version) throw new DolphinError("RTMP_HANDSHAKE", `the server answered with version ${answer[0]}, not RTMP's 3`);
  const s1 = answer.subarray(1, helloBytes);
  const c2 = Buffer.allocUnsafe(handshakeBytes);
  const found = findDigest(s1, serverText);
  if (found === null) s1.copy(c2);
  else signEcho(c2, found.digest, clientKey);
  return c2;
}

/** Finds the digest that proves a complex handshake, or null for the simple one, in which there is no version to be proved. */
function findDigest(one: Buffer, key: Buffer): { schema: number; digest: Buffer } | null {
  if (one.readUInt32BE(4) === 0) return null;
  for (const schema of schemas) {
    const at = digestOffset(one, schema);
    const digest = one.subarray(at, at + digestBytes);
    if (timingSafeEqual(digest, digestAround(one, at, key))) return { schema, digest };
  }
  return null;
}

function sign(one: Buffer, schema: number, key: Buffer): void {
  const at = digestOffset(one, schema);
  digestAround(one, at, key).copy(one, at);
}

/** Fills an S2 or C2: random bytes, then their HMAC under a key made of the peer's digest. */
function signEcho(two: Buffer, peerDigest: Buffer, key: Buffer): void {
  const body = two.subarray(0, handshakeBytes - digestBytes);
  randomFillSync(body);
  const echoKey = createHmac("sha256", key).update(peerDigest).digest();
  createHmac("sha256", echoKey).update(body).digest().copy(two, body.length);
}

/** A digest block opens with 4 bytes whose sum tells where in the remaining 760 the digest lies. */
function digestOffset(one: Buffer, schema: number): number {
  const sum = one[schema]! + one[schema + 1]! + one[schema + 2]! + one[schema + 3]!;
  return schema + 4 + (sum % (blockBytes - 4 - digestBytes));
}

function digestAround(one: Buffer, at: number, key: Buffer): Buffer {
  return createHmac("sha256", key)
    .update(one.subarray(0, at))
    .update(one.subarray(at + digestBytes))
    .digest();
}
