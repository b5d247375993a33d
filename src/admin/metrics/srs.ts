// The ten names of SRS's exporter, with its units, as its dashboards ask for them: they join by instance, so srs_build_info is there once
// however many processes there are. Pure, but for what the system is called.
import { hostname, machine, release, type as systemName, version as systemVersion } from "node:os";
import type { ExporterSettings } from "../../conf/meaning/config.js";
import type { BoxFacts } from "../../ipc/box.js";
import type { Family, Labels } from "./exposition.js";
import { streamsOf } from "./families.js";

/** What the processes of the box use together; `cpu` is 1 for one core. */
export interface Used {
  readonly cpu: number;
  readonly memoryBytes: number;
  /** Of foreign servers, as lists have them; absent: the processes tell it themselves. */
  readonly seen?: { readonly streams: number; readonly clients: number };
}

export function srsFamilies(facts: BoxFacts, { label, tag }: ExporterSettings, used: Used): Family[] {
  const { processes, counts, version } = facts;
  const one = (name: string, type: "gauge" | "counter", help: string, value: number, labels: Labels = {}): Family => ({
    name,
    type,
    help,
    samples: [{ labels, value }],
  });
  const tallies = counts.map(({ tally }) => tally);
  const errors = tallies.flatMap(({ ends }) => Object.entries(ends)).filter(([code]) => code !== "none");
  const build = {
    server: facts.serverId,
    service: facts.serviceId,
    pid: String(facts.pid),
    build_date: "",
    major: version.split(".")[0] ?? "",
    version,
    code: "dolphin",
    label: label ?? "",
    tag: tag ?? "",
  };
  const system = { sysname: systemName(), nodename: hostname(), release: release(), version: systemVersion(), machine: machine() };
  return [
    one("srs_node_uname_info", "gauge", "Labeled system information as provided by the uname system call.", 1, system),
    one("srs_build_info", "gauge", "A metric with a constant 1 value labeled by version, and by what the exporter block says.", 1, build),
    one("srs_cpu_percent", "gauge", "CPU of all processes in percent of one core.", used.cpu * 100),
    one("srs_memory", "gauge", "Resident memory of all processes in kB.", Math.round(used.memoryBytes / 1024)),
    one("srs_send_bytes_total", "counter", "Bytes sent, without what passed inside the box.", facts.bytesOut),
    one("srs_receive_bytes_total", "counter", "Bytes received, without what passed inside the box.", facts.bytesIn),
    one("srs_streams", "gauge", "Streams that are live.", used.seen?.streams ?? streamsOf(facts)),
    one(
      "srs_clients",
      "gauge",
      "Viewers and publishers.",
      used.seen?.clients ?? processes.reduce((sum, { players, publishers }) => sum + players + publishers, 0),
    ),
    one(
      "srs_clients_total",
      "counter",
      "Plays and publishes that began.",
      tallies.reduce((sum, { plays, publishes }) => sum + plays + publishes, 0),
    ),
    one(
      "srs_clients_errs_total",
      "counter",
      "Connections that ended by an error.",
      errors.reduce((sum, [, count]) => sum + count, 0),
    ),
  ];
}
