// Whether this process runs in a container, which has a manager of its own: nothing detaches there, and the console is the log.
// Nobody says so in one way, so what Docker, Podman, LXC and Kubernetes leave behind is looked for.
import { existsSync, readFileSync } from "node:fs";

/** What is looked at; the system's own where nothing else is given. */
export interface ContainerSigns {
  readonly pid: number;
  exists(path: string): boolean;
  /** The text of a file; empty where there is none. */
  text(path: string): string;
}

const system: ContainerSigns = {
  pid: process.pid,
  exists: existsSync,
  text(path) {
    try {
      return readFileSync(path, "utf8");
    } catch {
      return ""; // no Linux, or not to be read
    }
  },
};

/** The files that Docker and Podman put into every container. */
const marks = ["/.dockerenv", "/run/.containerenv"];

/** Whether anything says so. Being process 1 does: only a container's first process is not an init. */
export function isContainer(signs: ContainerSigns = system): boolean {
  if (signs.pid === 1 || marks.some((path) => signs.exists(path))) return true;
  return /\/(?:docker|kubepods|lxc|libpod|containerd)(?:\/|\.slice|\.payload|-[0-9a-f]{12})/.test(signs.text("/proc/1/cgroup"));
}
