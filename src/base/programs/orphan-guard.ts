// Nothing of a program that is not ours outlives the process that started it, whichever way that ends. The program leads a process group
// of its own; a tiny shell beside its parent knows the groups, and when its pipe to the parent closes, which the system does for
// every death, it kills those that are left. See docs/decisions/0005-foreign-servers.md for what else was tried.
//
//   parent ──pipe: "+ 4711", "- 4711"──► sh          kill -9 of the parent ──► end of file ──► kill -9 -4711
import { spawn, type ChildProcess } from "node:child_process";

/** POSIX sh, and nothing but builtins: what it does, it does when the machine may have no room for another process. */
const script = `
trap '' TERM INT HUP QUIT USR1 USR2
groups=' '
while read -r what group; do
  case $what in
    +) groups="$groups$group " ;;
    -) left=' '; for one in $groups; do [ "$one" = "$group" ] || left="$left$one "; done; groups=$left ;;
  esac
done
for one in $groups; do kill -9 "-$one" 2>/dev/null; done
`;

export interface GuardEvents {
  /** It cannot be started, or ended while it was needed: an orphan would stay if the parent were killed now. */
  lost(reason: string): void;
}

/** The guard of one process. It starts with the first group; close it once, and it kills what was not removed. */
export class OrphanGuard {
  private readonly events: GuardEvents;
  private readonly groups = new Set<number>();
  private shell: ChildProcess | null = null;
  private isClosed = false;

  constructor(events: GuardEvents) {
    this.events = events;
  }

  get pid(): number | null {
    return this.shell?.pid ?? null;
  }

  /** `group` is the pid of its leader. */
  add(group: number): void {
    this.groups.add(group);
    if (this.shell === null) this.start();
    else this.shell.stdin?.write(`+ ${group}\n`);
  }

  remove(group: number): void {
    if (this.groups.delete(group)) this.shell?.stdin?.write(`- ${group}\n`);
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.shell?.stdin?.end();
  }

  private start(): void {
    if (this.isClosed) return;
    // In a session of its own, or Ctrl-C and a closing terminal would end it first.
    const shell = spawn("/bin/sh", ["-c", script], { stdio: ["pipe", "ignore", "ignore"], detached: true });
    this.shell = shell;
    shell.unref();
    shell.stdin.on("error", () => undefined); // its end is told below
    shell.once("error", (error) => this.ended(shell, error.message));
    shell.once("exit", (code, signal) => this.ended(shell, signal ?? `exit ${code ?? "unknown"}`));
    for (const group of this.groups) shell.stdin.write(`+ ${group}\n`);
  }

  private ended(shell: ChildProcess, reason: string): void {
    if (this.shell !== shell) return;
    this.shell = null;
    if (this.isClosed) return;
    this.events.lost(reason);
    // Another one right away, but not in a circle where there is no shell at all.
    if (shell.pid !== undefined && this.groups.size > 0) this.start();
  }
}
