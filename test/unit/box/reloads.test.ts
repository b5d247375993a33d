import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import pino from "pino";
import type { Config } from "../../../src/conf/meaning/config.js";
import { applyFlags, type Flags } from "../../../src/conf/flags.js";
import { loadConfig, type Loaded } from "../../../src/conf/load.js";
import { Reloads } from "../../../src/box/reloads.js";
import { EventBook } from "../../../src/master/control/event-book.js";
import type { Reloaded } from "../../../src/master/control/status.js";

const base = "listen 1935; pid off; daemon off; vhost a { }";

let text: string;
let told: string[];
let adopted: Config[];
let problem: string | null;
let isEnding: boolean;

const load = (): Loaded => loadConfig({ file: "a.conf", text, read: () => "" });

function reloads(flags: Flags = {}): Reloads {
  const loaded = load();
  assert.ok(loaded.config !== null);
  const carry = (how: string) => (): Promise<string | null> => {
    told.push(how);
    return Promise.resolve(problem);
  };
  const parts = {
    log: pino({ level: "silent" }),
    ending: {
      get hasBegun(): boolean {
        return isEnding;
      },
    },
    service: { fit: (config: Config) => config, reloading: <T>(work: () => Promise<T>): Promise<T> => work() },
    crew: {
      reconfigure: carry("reconfigure"),
      replace: carry("replace"),
      restart: carry("restart"),
      scale: carry("scale"),
      children: () => [],
    },
    events: new EventBook(),
  };
  const one = new Reloads({ loaded, flags, read: load }, applyFlags(loaded.config, flags), parts);
  one.follow((config) => void adopted.push(config));
  return one;
}

beforeEach(() => {
  text = base;
  told = [];
  adopted = [];
  problem = null;
  isEnding = false;
});

describe("a reload", () => {
  it("does nothing where nothing changed, however it is written", async () => {
    const one = reloads();
    text = `# a comment\n${base.replace("vhost", "max_connections;\nvhost")}`;
    const { outcome, changes } = await one.reload("test");
    assert.deepEqual([outcome, changes.length, told], ["unchanged", 0, []]);
  });

  it("changes nothing for a file with errors, and tells all of them", async () => {
    const one = reloads();
    text = `${base} nonsense; listen x;`;
    const { outcome, problems } = await one.reload("test");
    assert.equal(outcome, "refused");
    assert.ok(problems.some((line) => line.includes("nonsense")));
    assert.deepEqual([told, adopted], [[], []]);
  });

  it("changes nothing for a file that would empty the box, and takes it once it is whole again", async () => {
    const one = reloads();
    for (const emptied of ["listen 1935; pid off; daemon off;", "listen 1935; pid off; daemon off; include vhosts;"]) {
      text = emptied;
      const { outcome, problems } = await one.reload("test");
      assert.equal(outcome, "refused");
      assert.match(problems.join("\n"), /CONF_RELOAD: no vhost is left, and everybody would be sent away/);
    }
    assert.deepEqual([told, adopted], [[], []]);
    text = `${base} vhost b { }`;
    assert.equal((await one.reload("test")).outcome, "applied");
  });

  it("keeps an upgrade from a file that would empty the new process, and from no other", async () => {
    const one = reloads();
    const work = (): Promise<Reloaded> => Promise.resolve({ outcome: "applied", changes: [], problems: [], notes: ["upgraded"] });
    text = "listen 1935;";
    assert.match((await one.whileWhole(work)).problems.join(), /no vhost is left/);
    for (const whole of [base, `${base} nonsense;`]) {
      text = whole; // another version may know what this one does not
      assert.deepEqual((await one.whileWhole(work)).notes, ["upgraded"]);
    }
  });

  it("tells running processes what they can take", async () => {
    const one = reloads();
    text = `${base} vhost b { }`;
    const { outcome, changes } = await one.reload("test");
    assert.deepEqual([outcome, changes.map(({ path }) => path), told], ["applied", ["vhost b"], ["reconfigure"]]);
    assert.equal(adopted[0]?.vhosts.length, 2);
  });

  it("takes new processes for what running ones cannot change", async () => {
    const one = reloads();
    text = `${base.replace("1935", "1936")} vhost b { }`;
    await one.reload("test");
    assert.deepEqual(told, ["replace"]);
    assert.equal(adopted[0]?.listen[0]?.port, 1936);
  });

  it("leaves what needs a restart as it was, and tells it again each time", async () => {
    const one = reloads();
    text = base.replace("pid off", "pid a.pid");
    for (let turn = 0; turn < 2; turn++) {
      const { outcome, changes } = await one.reload("test");
      assert.deepEqual([outcome, changes.map(({ path, reload }) => `${path} ${reload}`)], ["applied", ["pid restart"]]);
    }
    assert.deepEqual(told, []);
    assert.equal(adopted.at(-1)?.pidFile, null);
  });

  it("leaves everything as it was when the processes cannot follow, and compares with what is in force after that", async () => {
    const one = reloads();
    text = `${base} vhost b { }`;
    problem = "edge-1 did not answer within 5 s";
    const failed = await one.reload("test");
    assert.deepEqual([failed.outcome, failed.problems, adopted], ["refused", [problem], []]);
    problem = null;
    assert.equal((await one.reload("test")).outcome, "applied");
  });

  it("that finds nothing to do tells when and why the last change came, for it may have been this very one", async () => {
    const one = reloads();
    assert.deepEqual((await one.reload("at first")).notes, []);
    text = `${base} vhost b { }`;
    await one.reload("the file has changed");
    const { outcome, notes } = await one.reload("dolphin reload");
    assert.equal(outcome, "unchanged");
    assert.match(notes.join(), /^the last change came into force \d+s ago \(the file has changed\)$/);
    text = `${base} vhost b { } pid a.pid;`.replace("pid off;", "");
    await one.reload("of what takes a restart");
    text = `${base} vhost b { }`;
    assert.match((await one.reload("dolphin reload")).notes.join(), /\(the file has changed\)$/);
  });

  it("tells on plan b that servers stay as many as they were, where their number goes by cores", async () => {
    for (const [servers, isTold] of [
      ["auto", true],
      ["2", false],
    ] as const) {
      text = `${base} dolphin { plan b; cores 2; servers ${servers}; }`;
      const one = reloads();
      text = text.replace("cores 2", "cores 3");
      const { outcome, notes } = await one.reload("test");
      assert.deepEqual([outcome, notes.some((note) => note.includes("that of the servers"))], ["applied", isTold]);
    }
  });

  it("waits for a restart, and the restart tells what went wrong, or on plan b whom it left alone", async () => {
    text = `${base} dolphin { plan b; }`;
    const one = reloads();
    text = `${text} vhost b { }`;
    const [restarted] = await Promise.all([one.restart("test"), one.reload("test")]);
    assert.deepEqual(told, ["restart", "reconfigure"]);
    assert.deepEqual([restarted.outcome, restarted.notes.length], ["applied", 1]);
    assert.deepEqual((await reloads({ plan: "a" }).restart("test")).notes, []);
    problem = "proxy-1.2 does not serve: exit 70";
    const { outcome, problems } = await one.restart("test");
    assert.deepEqual([outcome, problems], ["refused", [problem]]);
  });

  it("goes by the flags of the start", async () => {
    const one = reloads({ cores: 2 });
    text = `${base} dolphin { cores 7; }`;
    assert.equal((await one.reload("test")).outcome, "unchanged");
  });

  it("waits for its turn, and does nothing once the box ends", async () => {
    const one = reloads();
    text = `${base} vhost b { }`;
    const both = [one.reload("first"), one.reload("second")];
    assert.deepEqual(
      (await Promise.all(both)).map(({ outcome }) => outcome),
      ["applied", "unchanged"],
    );
    isEnding = true;
    assert.equal((await one.reload("late")).outcome, "refused");
  });
});
