import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { coresAllowed, countCores, type QuotaFiles } from "../../../../src/master/host/cores.js";
import { parseMaxOpenFiles } from "../../../../src/master/processes/open-files.js";

const rows: readonly (readonly [string, number, Partial<QuotaFiles>, number])[] = [
  ["the CPU set when no quota is known", 8, {}, 8],
  ["the CPU set when the quota is max", 8, { cpuMax: ["max 100000\n"] }, 8],
  ["the quota of cgroup v2", 8, { cpuMax: ["200000 100000\n"] }, 2],
  ["a broken quota rounded up", 8, { cpuMax: ["150000 100000\n"] }, 2],
  ["one core for a quota of less", 8, { cpuMax: ["10000 100000\n"] }, 1],
  ["the tightest quota of all groups above", 8, { cpuMax: ["max 100000", "300000 100000", "600000 100000"] }, 3],
  ["the CPU set when the quota is wider", 2, { cpuMax: ["400000 100000"] }, 2],
  ["the quota of cgroup v1", 8, { cfs: [{ quota: "250000\n", period: "100000\n" }] }, 3],
  ["the CPU set when the quota of cgroup v1 is -1", 8, { cfs: [{ quota: "-1\n", period: "100000\n" }] }, 8],
  ["the CPU set when the files hold nonsense", 8, { cpuMax: ["", "x y"], cfs: [{ quota: "", period: "0" }] }, 8],
];

describe("cores auto", () => {
  for (const [name, parallelism, files, expected] of rows) {
    it(`is ${name}`, () => assert.equal(coresAllowed(parallelism, { cpuMax: [], cfs: [], ...files }), expected));
  }

  it("is at least one on this machine", () => assert.ok(countCores() >= 1));
});

describe("the limit of open files", () => {
  const text =
    "Limit                     Soft Limit           Hard Limit           Units     \nMax open files            20000                524288               files     \n";
  it("is the soft one", () => assert.equal(parseMaxOpenFiles(text), 20_000));
  it("is unknown when it is unlimited", () => assert.equal(parseMaxOpenFiles(text.replace("20000", "unlimited")), null));
  it("is unknown in another text", () => assert.equal(parseMaxOpenFiles(""), null));
});
