import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { asObject, decodeAmf, ecmaArray, encodeAmf, type AmfObject } from "../../../../src/codec/rtmp/amf0.js";
import { forPlayers, isMetadata, withSetDataFrame } from "../../../../src/codec/rtmp/metadata.js";
import { hex } from "../hex.js";

const described = { duration: 0, width: 1280, filesize: 12, encoder: "obs" };

function members(payload: Buffer): AmfObject {
  const [name, object] = decodeAmf(payload);
  assert.equal(name, "onMetaData");
  return { ...asObject(object) };
}

for (const [what, payload] of [
  ["as an ECMA array behind @setDataFrame", encodeAmf("@setDataFrame", "onMetaData", ecmaArray(described))],
  ["as an object behind @setDataFrame", encodeAmf("@setDataFrame", "onMetaData", described)],
  ["without @setDataFrame", encodeAmf("onMetaData", ecmaArray(described))],
] as const) {
  test(`metadata: players get what comes ${what} without the file's length, and with the server`, () => {
    assert.deepEqual(members(forPlayers(payload, "dolphin/1")), { width: 1280, encoder: "obs", server: "dolphin/1" });
    assert.equal(forPlayers(payload, "dolphin/1")[13], 8, "it is an ECMA array");
  });
}

test("metadata: the server's name replaces another server's", () => {
  assert.deepEqual(members(forPlayers(encodeAmf("onMetaData", { server: "other" }), "dolphin/1")), { server: "dolphin/1" });
});

test("metadata: a member named __proto__ is a member", () => {
  const payload = encodeAmf("onMetaData", JSON.parse('{"__proto__": 5}') as AmfObject);
  const object = asObject(decodeAmf(forPlayers(payload, "dolphin/1"))[1])!;
  assert.deepEqual(Object.entries(object), [
    ["__proto__", 5],
    ["server", "dolphin/1"],
  ]);
});

for (const [what, payload] of [
  ["other data", encodeAmf("onTextData", { text: "hello" })],
  ["metadata that describes nothing", encodeAmf("onMetaData")],
  ["metadata that is no object", encodeAmf("onMetaData", "none")],
  ["metadata that cannot be decoded", Buffer.concat([encodeAmf("onMetaData"), hex("08 00 00 00 01 00 05")])],
  ["an empty message", Buffer.alloc(0)],
] as const) {
  test(`metadata: ${what} goes to players as it is`, () => assert.deepEqual(forPlayers(payload, "dolphin/1"), payload));
}

test("metadata: other data behind @setDataFrame goes to players without it", () => {
  const text = encodeAmf("onTextData", { text: "hello" });
  assert.deepEqual(forPlayers(Buffer.concat([encodeAmf("@setDataFrame"), text]), "dolphin/1"), text);
});

test("metadata: only onMetaData in front is metadata", () => {
  assert.equal(isMetadata(encodeAmf("onMetaData", {})), true);
  assert.equal(isMetadata(encodeAmf("onMetaData")), true);
  assert.equal(isMetadata(encodeAmf("@setDataFrame", "onMetaData", {})), false);
  assert.equal(isMetadata(encodeAmf("onTextData", "onMetaData")), false);
  assert.equal(isMetadata(hex('02 00 0a "onMetaDat"')), false);
  assert.equal(isMetadata(Buffer.alloc(0)), false);
});

test("metadata: a server gets it with @setDataFrame in front, and other data as it is", () => {
  const metadata = encodeAmf("onMetaData", ecmaArray({ width: 1280 }));
  const other = encodeAmf("onTextData", { text: "hello" });
  assert.deepEqual(withSetDataFrame(metadata), Buffer.concat([encodeAmf("@setDataFrame"), metadata]));
  assert.deepEqual(withSetDataFrame(other), other);
});

test("metadata: what a server is sent is what its players get", () => {
  const forThem = forPlayers(encodeAmf("onMetaData", described), "dolphin/1");
  assert.deepEqual(forPlayers(withSetDataFrame(forThem), "dolphin/1"), forThem);
});

test("metadata: any bytes pass", () => {
  const prefix = encodeAmf("@setDataFrame", "onMetaData");
  fc.assert(fc.property(fc.uint8Array(), (bytes) => assert.ok(Buffer.isBuffer(forPlayers(Buffer.concat([prefix, bytes]), "dolphin/1")))));
});
