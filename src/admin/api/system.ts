// What SRS tells of itself and of the machine: of the whole box here, its processes added up.
import { loadavg } from "node:os";
import type { BoxFacts } from "../../ipc/box.js";
import { version } from "../../base/version.js";
import {
  CpuMeter,
  DiskMeter,
  machineFacts,
  readCpu,
  readNetwork,
  readNumbers,
  readSockets,
  readStat,
  readUptime,
  residentKb,
  rounded,
  statField,
  type ProcessStat,
} from "../box/proc.js";
import { replyWith, type Handler } from "./asked.js";

const meter = new CpuMeter();
const disks = new DiskMeter();

/** Answers `/api/v1/versions`. */
export const versions: Handler = async (asked) => {
  const told = await asked.view.ofFirst("/api/v1/versions");
  if (told !== null) return replyWith(asked, { data: told["data"] });
  const [major = 0, minor = 0, revision = 0] = version.split(/[.-]/).map(Number);
  return replyWith(asked, { data: { major, minor, revision, version } });
};

/** Answers `/api/v1/summaries`. */
export const summaries: Handler = async (asked) => {
  const { facts } = asked;
  const pids = facts.processes.flatMap(({ pid }) => (pid === null ? [] : [pid]));
  const [srs, found, cpu, memory, uptime, network, sockets, disk] = await Promise.all([
    asked.view.sums(),
    Promise.all(pids.map(readStat)),
    readCpu(),
    readNumbers("/proc/meminfo"),
    readUptime(),
    readNetwork(),
    readSockets(),
    disks.read(),
  ]);
  const stats = found.filter((stat) => stat !== null);
  const shares = await meter.measure(stats);
  const memKb = stats.reduce((sum, stat) => sum + residentKb(stat), 0);
  const machine = machineFacts();
  const { ram, swap } = shareOf(memory);
  const nowMs = Date.now();
  const connections = facts.processes.reduce((sum, process) => sum + peopleOf(process, facts.plan), 0);
  replyWith(asked, {
    data: {
      ok: true,
      now_ms: nowMs,
      self: {
        version: srs?.version ?? facts.version,
        pid: facts.pid,
        ppid: facts.ppid,
        argv: facts.argv,
        cwd: facts.cwd,
        mem_kbyte: memKb,
        mem_percent: machine.totalKb === 0 ? 0 : rounded(memKb / machine.totalKb),
        cpu_percent: rounded(shares.reduce((sum, share) => sum + share, 0)),
        srs_uptime: srs?.upSeconds ?? facts.upSeconds,
      },
      system: {
        cpu_percent: meter.machine(cpu),
        disk_read_KBps: disk.readKBps,
        disk_write_KBps: disk.writeKBps,
        disk_busy_percent: disk.busy,
        mem_ram_kbyte: memory["MemTotal"] ?? machine.totalKb,
        mem_ram_percent: ram,
        mem_swap_kbyte: memory["SwapTotal"] ?? 0,
        mem_swap_percent: swap,
        cpus: machine.cpus,
        cpus_online: machine.online,
        uptime: uptime.uptime,
        ilde_time: uptime.idle, // spelled so
        ...loadAverage(),
        net_sample_time: nowMs,
        net_recv_bytes: network.recv,
        net_send_bytes: network.send,
        net_recvi_bytes: network.innerRecv,
        net_sendi_bytes: network.innerSend,
        srs_sample_time: nowMs,
        srs_recv_bytes: srs?.recvBytes ?? facts.bytesIn,
        srs_send_bytes: srs?.sendBytes ?? facts.bytesOut,
        conn_sys: sockets.inUse,
        conn_sys_et: sockets.established,
        conn_sys_tw: sockets.timeWait,
        conn_sys_udp: sockets.udp,
        conn_srs: srs?.connections ?? connections,
      },
      // Over foreign servers: what each says of itself, and what this box carried to and from them.
      ...(srs === null
        ? {}
        : {
            dolphin: {
              version: facts.version,
              processes: facts.processes.length,
              up_seconds: facts.upSeconds,
              recv_bytes: facts.bytesIn,
              send_bytes: facts.bytesOut,
              connections,
              servers: srs.servers,
              silent: asked.view.silent,
            },
          }),
    },
  });
};

/** Answers `/api/v1/rusages`: the master's. */
export const rusages: Handler = async (asked) => {
  const { pid } = asked.facts;
  const [stat, status, io] = await Promise.all([readStat(pid), readNumbers(`/proc/${pid}/status`), readNumbers(`/proc/${pid}/io`)]);
  const seconds = (number: number): number => (stat === null ? 0 : Math.floor(statField(stat, number) / 100));
  const field = (number: number): number => (stat === null ? 0 : statField(stat, number));
  replyWith(asked, {
    data: {
      ok: stat !== null,
      sample_time: Date.now(),
      ru_utime: seconds(14),
      ru_stime: seconds(15),
      ru_maxrss: status["VmHWM"] ?? 0,
      ru_ixrss: 0,
      ru_idrss: 0,
      ru_isrss: 0,
      ru_minflt: field(10),
      ru_majflt: field(12),
      ru_nswap: 0,
      ru_inblock: Math.floor((io["read_bytes"] ?? 0) / 512),
      ru_oublock: Math.floor((io["write_bytes"] ?? 0) / 512),
      ru_msgsnd: 0,
      ru_msgrcv: 0,
      ru_nsignals: 0,
      ru_nvcsw: status["voluntary_ctxt_switches"] ?? 0,
      ru_nivcsw: status["nonvoluntary_ctxt_switches"] ?? 0,
    },
  });
};

/** The fields of /proc/PID/stat from the fourth on, in SRS's words. */
const statNames =
  "ppid pgrp session tty_nr tpgid flags minflt cminflt majflt cmajflt utime stime cutime cstime priority nice num_threads itrealvalue starttime vsize rss rsslim startcode endcode startstack kstkesp kstkeip signal blocked sigignore sigcatch wchan nswap cnswap exit_signal processor rt_priority policy delayacct_blkio_ticks guest_time cguest_time".split(
    " ",
  );

/** Answers `/api/v1/self_proc_stats`: the master's. */
export const selfProcStats: Handler = async (asked) => {
  const { pid } = asked.facts;
  const stat: ProcessStat = (await readStat(pid)) ?? { pid, comm: "", state: "", fields: [] };
  const [percent = 0] = await meter.measure([stat]);
  const { comm, state } = stat;
  const fields = Object.fromEntries(statNames.map((name, at) => [name, statField(stat, at + 4)]));
  replyWith(asked, { data: { ok: stat.fields.length > 0, sample_time: Date.now(), percent, pid, comm, state, ...fields } });
};

/** Answers `/api/v1/system_proc_stats`. */
export const systemProcStats: Handler = async (asked) => {
  const cpu = await readCpu();
  replyWith(asked, { data: { ok: true, sample_time: Date.now(), percent: meter.machine(cpu), ...cpu } });
};

/** Answers `/api/v1/meminfos`. */
export const meminfos: Handler = async (asked) => {
  const memory = await readNumbers("/proc/meminfo");
  const { ram, swap } = shareOf(memory);
  const of = (name: string): number => memory[name] ?? 0;
  const notInUse = of("MemFree") + of("Buffers") + of("Cached");
  replyWith(asked, {
    data: {
      ok: true,
      sample_time: Date.now(),
      percent_ram: ram,
      percent_swap: swap,
      MemActive: of("MemTotal") - of("MemFree"),
      RealInUse: of("MemTotal") - notInUse,
      NotInUse: notInUse,
      MemTotal: of("MemTotal"),
      MemFree: of("MemFree"),
      Buffers: of("Buffers"),
      Cached: of("Cached"),
      SwapTotal: of("SwapTotal"),
      SwapFree: of("SwapFree"),
    },
  });
};

/** Answers `/api/v1/authors`. */
export const authors: Handler = (asked) => replyWith(asked, { data: { license: "MIT", contributors: "the authors of dolphin" } });

/** Answers `/api/v1/features`. */
export const features: Handler = async (asked) => {
  const told = await asked.view.ofFirst("/api/v1/features");
  if (told !== null) return replyWith(asked, { data: told["data"] });
  return replyWith(asked, {
    data: {
      options: "",
      options2: "",
      build: version,
      build2: "0",
      features: {
        ssl: false,
        hls: true,
        hds: false,
        callback: true,
        api: true,
        httpd: true,
        dvr: true,
        transcode: true,
        ingest: true,
        stat: true,
        caster: false,
        complex_send: true,
        tcp_nodelay: true,
        so_sendbuf: false,
        mr: true,
      },
    },
  });
};

/** Connections from outside: an origin's are those of its edges, but for its publishers; a server's of plan b are its proxies'. */
function peopleOf({ duty, connections, publishers }: BoxFacts["processes"][number], plan: string): number {
  if (duty === "origin") return publishers;
  return duty === "server" && plan === "b" ? 0 : connections;
}

/** In use of memory and of swap. */
function shareOf(memory: Readonly<Record<string, number>>): { readonly ram: number; readonly swap: number } {
  const share = (free: number, all: number): number => (all === 0 ? 0 : rounded(1 - free / all));
  const { MemTotal = 0, MemFree = 0, Buffers = 0, Cached = 0, SwapTotal = 0, SwapFree = 0 } = memory;
  return { ram: share(MemFree + Buffers + Cached, MemTotal), swap: share(SwapFree, SwapTotal) };
}

function loadAverage(): { readonly load_1m: number; readonly load_5m: number; readonly load_15m: number } {
  const [one = 0, five = 0, fifteen = 0] = loadavg().map(rounded);
  return { load_1m: one, load_5m: five, load_15m: fifteen };
}
