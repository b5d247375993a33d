// conf/kubernetes/: every configuration in it loads without a problem, and ports, probes, names and times fit each other.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { isProbe } from "../src/admin/api/probes.js";
import { loadConfig } from "../src/conf/load.js";
import { formatProblem } from "../src/conf/grammar/problem.js";

const folder = "conf/kubernetes";
const files = readdirSync(folder).filter((name) => name.endsWith(".yaml"));

/** The text block of a key: its lines, without their indent. */
function blockOf(yaml: string, key: string): string {
  const [, text = ""] = new RegExp(`^ +${key.replace(".", "\\.")}: \\|\\n((?: {4}.*\\n|\\n)+)`, "m").exec(yaml) ?? [];
  return text.replaceAll(/^ {4}/gm, "");
}

for (const name of files) {
  const yaml = readFileSync(`${folder}/${name}`, "utf8");
  const text = blockOf(yaml, "dolphin.conf");
  if (text === "") continue;
  // As a pod has them of the downward API.
  const named = [...yaml.matchAll(/name: (SRS_\w+)\n +valueFrom:\n +fieldRef: \{ fieldPath: status\.podIP \}/g)];
  const env = Object.fromEntries(named.map(([, variable = ""]) => [variable, "10.0.0.5"]));

  test(`kubernetes: ${name} has a configuration without a problem, whose ports are those of its pods and services`, () => {
    const { config, problems } = loadConfig({ file: name, text, env });
    assert.deepEqual(problems.map(formatProblem), []);
    assert.ok(config);
    const listened = [...config.listen, ...(config.http?.listen ?? []), ...config.api.listen, ...config.exporter.listen].map(
      ({ port }) => port,
    );
    const exposed = [...yaml.matchAll(/containerPort: (\d+)/g)].map(([, port]) => Number(port));
    assert.deepEqual(
      exposed.toSorted((one, other) => one - other),
      listened.toSorted((one, other) => one - other),
    );
    for (const [, port] of yaml.matchAll(/[{,] port: (\d+)/g))
      assert.ok(listened.includes(Number(port)), `nobody listens on ${port ?? ""}`);
    for (const [, path = "", port] of yaml.matchAll(/httpGet: \{ path: ([^,]+), port: (\d+)/g)) {
      assert.ok(isProbe(path), path);
      assert.ok(
        config.api.listen.some((endpoint) => endpoint.port === Number(port)),
        `${path} on ${port ?? ""}`,
      );
    }
  });

  test(`kubernetes: ${name} leaves a pod the time that its end takes, and its probes differ`, () => {
    const { config } = loadConfig({ file: name, text, env });
    assert.ok(config);
    assert.ok(config.grace.isForced, "TERM is a graceful stop");
    const { drainTimeoutMs, stopTimeoutMs } = config.dolphin;
    assert.ok(drainTimeoutMs !== null, "a drain has an end");
    const { drainSpreadMs } = config.dolphin;
    assert.ok(drainSpreadMs >= drainTimeoutMs / 2 && drainSpreadMs < drainTimeoutMs, "viewers do not come to the other pods all at once");
    const neededMs = config.grace.startWaitMs + drainTimeoutMs + stopTimeoutMs + config.grace.finalWaitMs;
    const [, seconds] = /terminationGracePeriodSeconds: (\d+)/.exec(yaml) ?? [];
    assert.ok(Number(seconds) * 1000 > neededMs, `${seconds ?? ""} s for ${neededMs} ms`);
    assert.match(yaml, /livenessProbe:\n +httpGet: \{ path: \/live,/);
    assert.match(yaml, /readinessProbe:\n +httpGet: \{ path: \/ready,/);
    assert.match(yaml, /name: SRS_DEVICE_IP\n +valueFrom:\n +fieldRef: \{ fieldPath: status\.podIP \}/);
  });
}

test("kubernetes: names of one file that another uses are there", () => {
  const all = files.map((name) => readFileSync(`${folder}/${name}`, "utf8")).join("\n---\n");
  const named = new Set([...all.matchAll(/^ {2}name: ([\w-]+)$/gm)].map(([, name]) => name));
  for (const [, name] of all.matchAll(/(?:serviceName|configMap): (?:\{ name: )?([\w-]+)/g)) assert.ok(named.has(name), name);
  for (const [, service = ""] of all.matchAll(/registry redis:\/\/([\w-]+):6379/g)) assert.ok(named.has(service), service);
  for (const [, service] of all.matchAll(/origin ([\w-]+):1935/g)) assert.ok(named.has(service), service);
});
