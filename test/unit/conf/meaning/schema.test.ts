import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { directiveRows, placeInside } from "../../../../src/conf/directives/table.js";
import { confSchema } from "../../../../src/conf/meaning/schema.js";

test("schema: it has every row of the table, as plain data", () => {
  const schema = confSchema();
  assert.deepEqual(JSON.parse(JSON.stringify(schema)), schema);
  assert.deepEqual(
    schema.directives.map(({ place, name }) => placeInside(place, name)),
    directiveRows.map(({ place, name }) => placeInside(place, name)),
  );
});

test("schema: rows tell their fields as docs/configuration.md has them", () => {
  const rowOf = (path: string): unknown => confSchema().directives.find(({ place, name }) => placeInside(place, name) === path);
  assert.deepEqual(rowOf("vhost.play.mw_latency"), {
    place: "vhost.play",
    name: "mw_latency",
    kind: "number",
    form: "whole number of milliseconds from 0 to 60000",
    unit: "ms",
    min: 0,
    max: 60_000,
    words: null,
    default: "350",
    variables: ["SRS_VHOST_PLAY_MW_LATENCY"],
    reload: "live",
    serving: "served",
    risk: null,
    about: "How long packets are gathered before they are written together.",
    isRepeatable: false,
    isStrict: false,
    isSecret: false,
  });
  const told = readFileSync(new URL("../../../../../docs/configuration.md", import.meta.url), "utf8");
  const fields = [...told.matchAll(/^\| `(\w+)` \|/gm)].map(([, field]) => field);
  assert.deepEqual(new Set(fields), new Set(confSchema().directives.flatMap((row) => Object.keys(row))));
});
