// The command line: from words to a verb, and from what a verb returns to an exit code. Each verb has a file in verbs/.
import { Command, CommanderError } from "commander";
import { messageOf } from "./base/errors.js";
import { signature, version } from "./base/version.js";
import { readShortFlags, type ShortLine } from "./conf/short-flags.js";
import { exitCodes } from "./base/exit-codes.js";
import { addCheck } from "./verbs/check.js";
import { addCluster } from "./verbs/cluster.js";
import { addConf } from "./verbs/conf.js";
import { addDrain, addKick, addRecord, addScale, addUndrain } from "./verbs/acts.js";
import { addEvents, addLogs } from "./verbs/events.js";
import { addExplain } from "./verbs/explain.js";
import { addClients, addPrograms, addRecordings, addStreams } from "./verbs/lists.js";
import { addHlsBackup } from "./verbs/programs/hls-backup.js";
import { addPublish } from "./verbs/programs/publish.js";
import { addVersion } from "./verbs/version.js";
import { addReload, addRestart, addUpgrade } from "./verbs/reload.js";
import { addStart, start } from "./verbs/start.js";
import { addStatus } from "./verbs/status.js";
import { addTop } from "./verbs/top.js";
import { addUnit } from "./verbs/unit.js";
import { refuse, testConf } from "./verbs/test-conf.js";
import { complain, type AddVerb } from "./verbs/verb.js";

/** In the order of the help. */
const verbs: readonly AddVerb[] = [
  addStatus,
  addTop,
  addStreams,
  addClients,
  addKick,
  addRecordings,
  addRecord,
  addPrograms,
  addEvents,
  addLogs,
  addReload,
  addRestart,
  addUpgrade,
  addScale,
  addExplain,
  addCluster,
  addDrain,
  addUndrain,
  addPublish,
  addHlsBackup,
  addCheck,
  addConf,
  addUnit,
  addVersion,
];

const examples = `
Examples:
  dolphin                                    RTMP on 1935, HTTP-FLV on 8080, every core
  dolphin --cores 4 --listen 1935            four edges around one origin
  dolphin --listen 127.0.0.1:1935 --http off RTMP on the loopback only
  dolphin -c conf/edge.conf                  what the file says, in SRS's words; flags win over it
  dolphin --server objs/srs -c conf/srs.conf proxies before an unmodified srs for each core (plan b)
  dolphin status                             from another terminal: processes and streams
  kill -HUP $(dolphin status --pid)          the pid of the master; --pid edge-1: of that process
  dolphin top                                the same, live; clients, streams: everybody, one by one
  dolphin kick live/livestream               send everybody of a stream away; an id of dolphin clients: that one
  dolphin record start live/livestream       record it from now on; recordings: every file, programs: ffmpeg and others
  dolphin events                             what happens: publishes, deaths, reloads; logs -f: every line
  dolphin reload                             read the configuration again, and tell what changed or why nothing did
  dolphin restart                            replace the edges, or the proxies of plan b, one by one
  dolphin scale 6                            have six edges (proxies) from now on
  dolphin upgrade                            have this dolphin take the place of the running one
  dolphin explain live/livestream            where a stream comes in, and who serves it
  dolphin cluster status                     every box of the site, and every stream; cluster explain live/livestream: one
  dolphin drain server-2                     no new connections for a server (plan b)
  dolphin check -c my.conf                   everything that would stop that start, at once
  dolphin conf > my.conf                     a file to start from
  dolphin unit -c my.conf                    a systemd unit that starts so; --socket: its sockets

Publish and watch:
  dolphin publish --demo                     a clip that comes along, to the dolphin that runs here
  ffmpeg -re -i FILE -c copy -f flv rtmp://HOST/live/livestream
  ffplay rtmp://HOST/live/livestream
  ffplay http://HOST:8080/live/livestream.flv

Flags of SRS: -c FILE, -t, -v, -g, -h, -p and -x, alone or clustered (-tc FILE), with SRS's answers.

Signals: TERM and INT stop within a bound, a second one at once; QUIT waits until everybody has left; HUP reloads,
USR1 opens the log anew, USR2 replaces the processes that serve the public addresses one by one (plan b: the proxies).
Exit codes: 0 stopped, 64 usage, 66 no file to publish, 69 nobody to ask, or not built, 70 internal, 71 cannot fork, 73 cannot
make the pid file or control socket, 75 gave up (try again), 77 no permission for the port, 78 configuration, 98 address in use,
99 address not there (try again).`;

/** Runs one command line and ends the process with its exit code. */
export async function main(words: readonly string[]): Promise<void> {
  const outputs = [process.stdout, process.stderr];
  // A terminal that was closed, or a reader that is gone, ends no stream and is no crash.
  for (const output of outputs) output.on("error", () => undefined);
  const code = await run(words);
  // A pipe takes no more at once than it holds; the rest would be lost with the process.
  await Promise.all(outputs.map((output) => new Promise<void>((resolve) => output.write("", () => resolve()))));
  process.exit(code);
}

async function run(words: readonly string[]): Promise<number> {
  let code: number = exitCodes.ok;
  const program = new Command("dolphin")
    .description("A live-streaming server that uses every core: publish by RTMP, watch by RTMP and HTTP-FLV.")
    .exitOverride()
    .enablePositionalOptions()
    .showHelpAfterError("(dolphin --help tells more)")
    .version(version, "-v, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .addHelpText("after", examples);
  for (const add of [addStart, ...verbs]) add(program, (ended) => (code = ended));
  program.helpCommand("help [verb]", "print this help, or that of a verb");
  program.hook("preSubcommand", (_, verb) => refuseEarlyFlag(words, verb));
  for (const verb of program.commands) verb.allowExcessArguments(false).showHelpAfterError(`(dolphin ${verb.name()} --help tells more)`);
  try {
    const short = readShortFlags(words);
    if (short !== null) return await runShort(short, words, program);
    await program.parseAsync([...words], { from: "user" });
    return code;
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    complain(messageOf(thrown));
    return exitCodes.internal;
  }
}

/** A flag before a verb would change nothing: `dolphin --config my.conf check` would check something else. Throws. */
function refuseEarlyFlag([first = ""]: readonly string[], verb: Command): void {
  if (first !== verb.name()) verb.error(`error: ${first} stands before ${verb.name()}; a verb's flags stand behind it`);
}

/** A line as SRS knows it gets SRS's answer, on standard output. */
async function runShort(line: ShortLine, words: readonly string[], program: Command): Promise<number> {
  if (line.ask === "start") return start({ ...line, cwd: process.cwd() });
  if (line.ask === "test") return testConf({ ...line, cwd: process.cwd() });
  if (line.ask === "nothing") return refuse(line.complaint);
  if (line.ask === "help") {
    const verb = program.commands.find((one) => words.includes(one.name()));
    if (verb !== undefined && !/^-+[h?]/.test(words[0] ?? "")) refuseEarlyFlag(words, verb);
    (verb ?? program).outputHelp();
  } else process.stdout.write(line.ask === "version" ? `${version}\n` : `${signature}(srs-dolphin)\n`);
  return exitCodes.ok;
}
