// What every room of the admin is given: how to ask the box, and how it is to be answered for.
import type { Log } from "../base/log.js";
import type { Config } from "../conf/meaning/config.js";
import type { ControlClient } from "./control-client.js";

export interface AdminContext {
  readonly log: Log;
  readonly control: ControlClient;
  /** As it is now. */
  config(): Config;
}
