import assert from "node:assert/strict";
import { closeSync, linkSync, mkdtempSync, openSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { FileThread, threadOf } from "../../../../src/packager/media/file-thread.js";
import { perform } from "../../../../src/packager/media/file-work.js";
import { run } from "../../../helpers/child.js";
import { stuckThread } from "../stuck-thread.js";

const files = threadOf("tests");

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "dolphin-files-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test("file thread: works are done in the order in which they came, whatever becomes of those before", async (t) => {
  const path = join(folderOf(t), "s.ts");
  const piece = (text: string): Buffer[] => [Buffer.from(text)];
  const done: string[] = [];
  const asked = [
    files.do({ do: "write", path: `${path}.tmp`, pieces: piece("one "), at: 0, from: null, name: null }),
    files.do({ do: "write", path: `${path}.tmp`, pieces: [...piece("two "), ...piece("three")], at: 4, from: null, name: path }),
    files.do({ do: "write", path: `${path}.gone`, pieces: piece("behind what is not there"), at: 9, from: null, name: path }),
    files.do({ do: "replace", path, text: "another" }),
  ].map((work, index) =>
    work.then(
      () => done.push(`${index}`),
      ({ code }: NodeJS.ErrnoException) => done.push(`${index} ${code}`),
    ),
  );
  await Promise.all(asked);
  assert.deepEqual(done, ["0", "1", "2 ENOENT", "3"]);
  assert.equal(readFileSync(path, "utf8"), "another");
});

test("file thread: a folder that is missing is made, and told of", async (t) => {
  const path = join(folderOf(t), "live", "s.ts");
  const write = { do: "write", path, pieces: [Buffer.from("x")], at: 0, from: null, name: null } as const;
  assert.deepEqual([await files.do(write), await files.do(write)], [false, true]);
});

test("file thread: shared memory goes to it as it is, and of other memory what the piece has of it", async (t) => {
  const path = join(folderOf(t), "s.ts");
  const shared = Buffer.from(new SharedArrayBuffer(1 << 20)).fill("a");
  const own = Buffer.alloc(1 << 20, "b");
  await files.do({
    do: "write",
    path,
    pieces: [shared.subarray(5, 10), own.subarray(7, 9), shared.subarray(0, 1)],
    at: 0,
    from: null,
    name: null,
  });
  assert.equal(readFileSync(path, "utf8"), "aaaaabba");
});

test("file thread: without the system's calls what was to be written over goes, and whoever has it by a name or open keeps it", (t) => {
  const folder = folderOf(t);
  const [old, kept, path, name] = ["old.ts", "kept.ts", "s.ts.tmp", "s.ts"].map((one) => join(folder, one)) as [
    string,
    string,
    string,
    string,
  ];
  writeFileSync(old, "of before");
  linkSync(old, kept);
  const reader = openSync(old, "r");
  assert.equal(perform({ do: "write", path, pieces: [Buffer.from("new")], at: 0, from: old, name }, null), true);
  assert.deepEqual(
    [readFileSync(name, "utf8"), readFileSync(kept, "utf8"), readFileSync(reader, "utf8")],
    ["new", "of before", "of before"],
  );
  closeSync(reader);
  assert.deepEqual(readdirSync(folder).toSorted(), ["kept.ts", "s.ts"]);
});

test("file thread: what a killed one has left under a temporary name is not written over either", async (t) => {
  const folder = folderOf(t);
  const [kept, path, name] = ["kept.ts", "s.ts.tmp", "s.ts"].map((one) => join(folder, one)) as [string, string, string];
  writeFileSync(path, "of before");
  linkSync(path, kept);
  await files.do({ do: "write", path, pieces: [Buffer.from("new")], at: 0, from: join(folder, "gone.ts"), name });
  assert.deepEqual([readFileSync(name, "utf8"), readFileSync(kept, "utf8")], ["new", "of before"]);
});

test("file thread: what can neither be written over nor deleted keeps nobody from being written", async (t) => {
  const folder = folderOf(t);
  const [path, name] = [join(folder, "s.ts.tmp"), join(folder, "s.ts")];
  await files.do({ do: "write", path, pieces: [Buffer.from("new")], at: 0, from: "/proc/version", name });
  assert.equal(readFileSync(name, "utf8"), "new");
});

test("file thread: what failed in the middle is gone, and its place is as it was", async (t) => {
  const folder = folderOf(t);
  const path = join(folder, "s.ts");
  writeFileSync(path, "before");
  const name = join(folder, "no", "such", "folder.ts");
  await assert.rejects(files.do({ do: "write", path: `${path}.tmp`, pieces: [Buffer.from("x")], at: 0, from: null, name }), {
    code: "ENOENT",
  });
  assert.deepEqual(readdirSync(folder), ["s.ts"]);
});

test("file thread: a disk that takes nothing holds up those behind it, and nobody else", async (t) => {
  const folder = folderOf(t);
  const { files: stuck, hanging, letGo } = await stuckThread(t, folder);
  const order: string[] = [];
  const works = [
    hanging.then(() => order.push("hanging")),
    stuck.do({ do: "replace", path: join(folder, "behind"), text: "later" }).then(() => order.push("behind")),
  ];
  await files.do({ do: "replace", path: join(folder, "other"), text: "of another folder" });
  await readFile("/proc/self/stat"); // Node's own calls go on as well
  assert.deepEqual(order, []);
  letGo();
  await Promise.all(works);
  assert.deepEqual(order, ["hanging", "behind"]);
});

test("file thread: one that dies tells why, and the next work has another", async (t) => {
  const path = join(folderOf(t), "s.m3u8");
  const own = new FileThread();
  const notTransferable = { do: "replace", path, text: (() => undefined) as unknown as string } as const;
  await assert.rejects(own.do(notTransferable), /the thread for files: .*could not be cloned/);
  await own.do({ do: "replace", path, text: "all" });
  assert.equal(readFileSync(path, "utf8"), "all");
});

test("file thread: a process that has nothing else to do ends behind its last work", async (t) => {
  const path = join(folderOf(t), "s.m3u8");
  const module = new URL("../../../../src/packager/media/file-thread.js", import.meta.url).href;
  const program = `import { threadOf } from ${JSON.stringify(module)}; void threadOf("a").do({ do: "replace", path: ${JSON.stringify(path)}, text: "all" });`;
  await run(process.execPath, ["--input-type=module", "-e", program], 10_000);
  assert.equal(readFileSync(path, "utf8"), "all");
});
