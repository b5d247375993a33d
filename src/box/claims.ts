// What only one process of a box can have: its pid file, the name of the server beside it, and its control socket. A master takes
// them when it starts, or from the one before it.
import type { Config } from "../conf/meaning/config.js";
import { newServiceId, type Identity } from "../ipc/identity.js";
import { Control, type ControlAnswers } from "../master/control/control.js";
import { loadFileLocks } from "../master/host/file-lock.js";
import { PidFile } from "../master/host/pid-file.js";
import { serverIdOf } from "../master/host/server-id.js";

/** The claims of one master. Close them once; closed twice changes nothing. */
export class Claims {
  /** The name of the server over its restarts; one that takes another's place has its names. */
  private serverId: string;
  private readonly serviceId: string;
  private pidFile: PidFile | null = null;
  private control: Control | null = null;

  constructor(inherited: Identity | null) {
    this.serverId = inherited?.serverId ?? "";
    this.serviceId = inherited?.serviceId ?? newServiceId();
  }

  get identity(): Identity {
    return { serverId: this.serverId, serviceId: this.serviceId };
  }

  /** The path of the control socket while it is this process's; empty otherwise. */
  get controlSocket(): string {
    return this.control?.path ?? "";
  }

  /** Throws CHILD_START when another process runs with this pid file, or it cannot be written. */
  async takePidFile(config: Config): Promise<void> {
    if (config.pidFile !== null) this.pidFile = PidFile.create(config.pidFile, await loadFileLocks());
    this.serverId ||= serverIdOf(config);
  }

  /** Throws CHILD_START when another process answers there, or it cannot be made. */
  async takeControl(path: string, answers: ControlAnswers): Promise<void> {
    this.control = await Control.open(path, answers);
  }

  /** Leaves them to the next process; what has been asked over the control socket is still answered. */
  handOver(): void {
    this.control?.stopListening();
    this.pidFile?.close();
  }

  close(): void {
    this.control?.close();
    this.pidFile?.close();
  }
}
