import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { assert as forAll, property, string } from "fast-check";
import { formFor, labelText, render, type Family } from "../../../../src/admin/metrics/exposition.js";

const counter: Family = { name: "x_bytes_total", help: "Bytes.", type: "counter", samples: [{ labels: { process: "edge-1" }, value: 5 }] };
const histogram: Family = {
  name: "x_seconds",
  help: "A time.",
  type: "histogram",
  bounds: [0.1, 1],
  samples: [{ labels: { a: "b" }, counts: [1, 2, 3], sum: 7.5 }],
};
const info: Family = { name: "x_info", help: "What it is.", type: "info", samples: [{ labels: { version: "1" }, value: 1 }] };

describe("the text of metrics", () => {
  it("is Prometheus' own form", () => {
    assert.equal(
      render([counter, info, histogram], "text"),
      `# HELP x_bytes_total Bytes.
# TYPE x_bytes_total counter
x_bytes_total{process="edge-1"} 5
# HELP x_info What it is.
# TYPE x_info gauge
x_info{version="1"} 1
# HELP x_seconds A time.
# TYPE x_seconds histogram
x_seconds_bucket{a="b",le="0.1"} 1
x_seconds_bucket{a="b",le="1"} 3
x_seconds_bucket{a="b",le="+Inf"} 6
x_seconds_sum{a="b"} 7.5
x_seconds_count{a="b"} 6
`,
    );
  });

  it("is OpenMetrics where that is asked for: families without suffix, units, and an end", () => {
    const text = render([counter, info], "openmetrics");
    assert.equal(
      text,
      `# HELP x_bytes Bytes.
# TYPE x_bytes counter
# UNIT x_bytes bytes
x_bytes_total{process="edge-1"} 5
# HELP x What it is.
# TYPE x info
x_info{version="1"} 1
# EOF
`,
    );
  });

  it("makes no family twice of a gauge and a counter that OpenMetrics would call the same", () => {
    const samples = [{ labels: {}, value: 1 }];
    const families: Family[] = [
      { name: "srs_clients", help: "h", type: "gauge", samples },
      { name: "srs_clients_total", help: "h", type: "counter", samples },
    ];
    const types = render(families, "openmetrics").match(/# TYPE .*/g);
    assert.deepEqual(types, ["# TYPE srs_clients gauge", "# TYPE srs_clients_total unknown"]);
  });

  it("leaves out a family that has nothing", () => {
    assert.equal(render([{ ...counter, samples: [] }], "text"), "");
  });

  it("is chosen by what is accepted", () => {
    assert.equal(formFor(undefined), "text");
    assert.equal(formFor("*/*"), "text");
    assert.equal(formFor("text/plain"), "text");
    assert.equal(formFor("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"), "openmetrics");
    assert.equal(formFor("text/plain,application/openmetrics-text;q=0.3"), "text");
    assert.equal(formFor("application/openmetrics-text;q=0"), "text");
  });

  it("keeps every label on its line and between its quotes, whatever a stream is called", () => {
    assert.equal(labelText('a"b\\c\nd\re\u0000'), String.raw`a\"b\\c\nd%0De%00`);
    assert.equal(labelText("\ud800"), "\ufffd");
    forAll(
      property(string({ unit: "binary", maxLength: 40 }), (name) => {
        const text = render([{ ...counter, samples: [{ labels: { stream: name }, value: 1 }] }], "text");
        const lines = text.split("\n");
        assert.equal(lines.length, 4);
        assert.match(lines[2] ?? "", /^x_bytes_total\{stream="(?:[^"\\\n]|\\[\\n"])*"\} 1$/);
      }),
    );
  });
});
