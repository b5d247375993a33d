// systemd units fitted to a command line: dolphin.service, and dolphin.socket for restarts that refuse nobody. Pure: what has
// to be known of the machine comes in as facts. Comments go into the unit where a line is not what a reader would expect.
import { isIP } from "node:net";
import { dirname, join, relative, resolve } from "node:path";
import { isForeign, type Config, type Endpoint } from "../../conf/meaning/config.js";
import { formatEndpoint } from "../../conf/meaning/endpoint.js";

export interface UnitFacts {
  /** The absolute paths of node and of bin/dolphin.js. */
  readonly node: string;
  readonly bin: string;
  /** The flags of a start. */
  readonly words: readonly string[];
  /** The folder from which they are meant. */
  readonly folder: string;
  /** Variables that the configuration was read with. */
  readonly env: Readonly<Record<string, string>>;
  /** Who is to run it. */
  readonly user: string;
  /** Whether the master can speak to systemd itself; if not, a program does. */
  readonly hasNativeCalls: boolean;
}

/** Ports below need a permission. */
const firstFreePort = 1024;
const [homes, temporary] = [
  ["/home", "/root", "/run/user"],
  ["/tmp", "/var/tmp"],
];
/** What systemd makes, and gives to whoever runs the service. */
const managed = { "/var/log": "LogsDirectory", "/var/lib": "StateDirectory", "/var/cache": "CacheDirectory" } as const;

/** The text of dolphin.service. */
export function serviceText(config: Config, facts: UnitFacts): string {
  const { dolphin } = config;
  const isTied = config.file !== null || isForeign(dolphin) || facts.words.some((word) => word.includes("/"));
  const words = config.daemon ? [...facts.words, "--no-daemon"] : facts.words;
  const outputs = outputFolders(config, facts.folder);
  const [kept, free] = [outputs.filter((path) => directoryOf(path) !== null), outputs.filter((path) => directoryOf(path) === null)];
  const paths = [facts.node, facts.bin, ...(isTied ? [facts.folder] : []), ...free];
  const isInHome = paths.some((path) => isBelow(path, homes));
  const isInTemporary = paths.some((path) => isBelow(path, temporary));
  const isAnybody = facts.user === "root" && free.length === 0 && !isInHome && !isInTemporary;
  const seconds = (ms: number): string => `${Math.ceil(ms / 1000)}s`;
  const lines = [
    "# Printed by `dolphin unit`, fitted to its flags. As /etc/systemd/system/dolphin.service:",
    "#   systemctl daemon-reload && systemctl enable --now dolphin",
    "[Unit]",
    "Description=dolphin live streaming (RTMP, HTTP-FLV)",
    "Wants=network-online.target",
    "After=network-online.target",
    "# It is tried again for as long as it takes: an address may be there later.",
    "StartLimitIntervalSec=0",
    "",
    "[Service]",
    "Type=notify",
    ...(facts.hasNativeCalls
      ? ["NotifyAccess=main"]
      : ["# koffi is not to be had here, so that the program systemd-notify speaks.", "NotifyAccess=all"]),
    ...Object.entries(facts.env).map(([name, value]) => `Environment=${quoted(`${name}=${value}`)}`),
    ...(isTied ? [`WorkingDirectory=${escaped(facts.folder)}`] : []),
    `ExecStart=${[facts.node, facts.bin, ...words].map(commandWord).join(" ")}`,
    "ExecReload=/bin/kill -HUP $MAINPID",
    "# The master asks its processes to leave; systemd kills what is left of them after TimeoutStopSec.",
    "KillMode=mixed",
    `TimeoutStopSec=${seconds(dolphin.stopTimeoutMs + 10_000)}`,
    "# Every stop ends with 0. One by QUIT, which waits for the viewers, may come before there is a master to take it.",
    "SuccessExitStatus=SIGQUIT",
    "# 75: nothing could be kept alive, 98: a port is in use, 99: an address is not there yet; try again. 64, 77, 78: flags, permission",
    "# or configuration, which no restart changes.",
    "Restart=on-failure",
    "RestartSec=1s",
    "RestartPreventExitStatus=64 77 78",
    `WatchdogSec=${seconds(Math.max(30_000, 3 * dolphin.heartbeatTimeoutMs))}`,
    "# The master replaces a process that the system had to kill; the others go on.",
    "OOMPolicy=continue",
    "LimitNOFILE=1048576",
    "",
    ...(isAnybody ? ["# A user who exists only while it runs.", "DynamicUser=yes"] : [`User=${facts.user}`]),
    ...(needsPermission(config)
      ? ["AmbientCapabilities=CAP_NET_BIND_SERVICE", "CapabilityBoundingSet=CAP_NET_BIND_SERVICE"]
      : ["CapabilityBoundingSet="]),
    "# The control socket is there; `dolphin status` looks for it there too. What lies beside it outlives a crash.",
    "RuntimeDirectory=dolphin/%N",
    "RuntimeDirectoryMode=0700",
    "RuntimeDirectoryPreserve=restart",
    ...kept.map((path) => directoryOf(path) ?? ""),
    ...free.map((path) => `ReadWritePaths=${quoted(path)}`),
    "UMask=0027",
    "NoNewPrivileges=yes",
    "ProtectSystem=strict",
    `ProtectHome=${isInHome ? "read-only" : "yes"}`,
    ...(isInTemporary ? [] : ["PrivateTmp=yes"]),
    ...hardening,
    "",
    "[Install]",
    "WantedBy=multi-user.target",
  ];
  return `${lines.join("\n")}\n`;
}

const hardening = [
  "PrivateDevices=yes",
  "ProtectClock=yes",
  "ProtectControlGroups=yes",
  "ProtectHostname=yes",
  "ProtectKernelLogs=yes",
  "ProtectKernelModules=yes",
  "ProtectKernelTunables=yes",
  "ProtectProc=invisible",
  "LockPersonality=yes",
  "RestrictNamespaces=yes",
  "RestrictRealtime=yes",
  "RestrictSUIDSGID=yes",
  "# Netlink: the list of network interfaces.",
  "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK",
  "SystemCallArchitectures=native",
  "SystemCallFilter=@system-service",
  "SystemCallErrorNumber=EPERM",
  "# Without MemoryDenyWriteExecute: Node.js compiles JavaScript to machine code while it runs.",
];

/** The text of dolphin.socket: one listening socket a worker and address. */
export function socketText(config: Config, workers: number): string {
  const addresses = [...config.listen, ...(config.http?.listen ?? [])];
  const names = addresses.filter(({ host }) => isIP(host) === 0);
  const lines = [
    "# Printed by `dolphin unit --socket`. As /etc/systemd/system/dolphin.socket beside dolphin.service:",
    "#   systemctl daemon-reload && systemctl enable --now dolphin.socket",
    "# systemd keeps the sockets while dolphin is restarted: who connects meanwhile waits, and nobody is refused.",
    "[Unit]",
    "Description=Sockets of dolphin",
    "",
    "[Socket]",
    `# Each address ${workers} times, a socket for each worker: the kernel spreads connections evenly over sockets, not over`,
    "# processes that share one.",
    "ReusePort=yes",
    ...(addresses.some(({ isV6Only }) => isV6Only) ? ["# IPv4 has addresses of its own.", "BindIPv6Only=ipv6-only"] : []),
    ...addresses.flatMap((address) =>
      names.includes(address) ? [] : Array<string>(workers).fill(`ListenStream=${formatEndpoint(address)}`),
    ),
    ...names.map((address) => `# systemd takes no names: dolphin listens on ${formatEndpoint(address)} itself.`),
    "",
    "[Install]",
    "WantedBy=sockets.target",
  ];
  return `${lines.join("\n")}\n`;
}

/** Where it writes: the folders of the pid file and of the log; a foreign server may write where it is started. */
function outputFolders(config: Config, folder: string): string[] {
  const base = resolve(folder, config.workDir);
  const files = [config.pidFile, config.log.file].filter((file) => file !== null);
  const folders = files.map((file) => dirname(resolve(base, file)));
  return [...new Set(isForeign(config.dolphin) ? [...folders, base] : folders)].filter((path) => path !== "/dev");
}

/** The line by which systemd makes a folder, or null for one that is to be there already. */
function directoryOf(path: string): string | null {
  for (const [root, setting] of Object.entries(managed)) {
    if (path !== root && isBelow(path, [root])) return `${setting}=${quoted(relative(root, path))}`;
  }
  return null;
}

function isBelow(path: string, roots: readonly string[]): boolean {
  return roots.some((root) => path === root || path.startsWith(join(root, "/")));
}

function needsPermission({ listen, http }: Pick<Config, "listen" | "http">): boolean {
  return [...listen, ...(http?.listen ?? [])].some(({ port }: Endpoint) => port < firstFreePort);
}

/** `%` begins a specifier in every value. */
function escaped(text: string): string {
  return text.replaceAll("%", "%%");
}

function quoted(text: string): string {
  const safe = escaped(text);
  return /^[\w@%+=:,./-]+$/.test(safe) ? safe : `"${safe.replaceAll(/["\\]/g, String.raw`\$&`).replaceAll("\n", String.raw`\n`)}"`;
}

/** In a command `$` begins a variable as well. */
function commandWord(word: string): string {
  return quoted(word).replaceAll("$", "$$$$");
}
