// The folder in which the relative paths of a configuration begin, for the verbs that go there.
import { messageOf } from "../base/errors.js";
import type { Config } from "../conf/meaning/config.js";
import { refusal, type Finding } from "../master/preflight.js";

/** Changes to the `work_dir`. Nothing, or why that cannot be. */
export function enterWorkDir({ workDir }: Pick<Config, "workDir">): Finding[] {
  try {
    process.chdir(workDir);
    return [];
  } catch (thrown) {
    return [refusal(`cannot change to the work_dir ${workDir}: ${messageOf(thrown)}; make it, or correct work_dir`)];
  }
}
