import assert from "node:assert/strict";
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { files } from "../../../../src/packager/media/file-thread.js";
import { run } from "../../../helpers/child.js";

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
    files.do({ do: "write", path: `${path}.tmp`, pieces: piece("one "), at: 0, name: null }),
    files.do({ do: "write", path: `${path}.tmp`, pieces: [...piece("two "), ...piece("three")], at: 4, name: path }),
    files.do({ do: "write", path: `${path}.gone`, pieces: piece("behind what is not there"), at: 9, name: path }),
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

test("file thread: shared memory goes to it as it is, and of other memory what the piece has of it", async (t) => {
  const path = join(folderOf(t), "s.ts");
  const shared = Buffer.from(new SharedArrayBuffer(1 << 20)).fill("a");
  const own = Buffer.alloc(1 << 20, "b");
  await files.do({ do: "write", path, pieces: [shared.subarray(5, 10), own.subarray(7, 9), shared.subarray(0, 1)], at: 0, name: null });
  assert.equal(readFileSync(path, "utf8"), "aaaaabba");
});

test("file thread: what failed in the middle is gone, and its place is as it was", async (t) => {
  const folder = folderOf(t);
  const path = join(folder, "s.ts");
  writeFileSync(path, "before");
  const name = join(folder, "no", "such", "folder.ts");
  await assert.rejects(files.do({ do: "write", path: `${path}.tmp`, pieces: [Buffer.from("x")], at: 0, name }), { code: "ENOENT" });
  assert.deepEqual(readdirSync(folder), ["s.ts"]);
});

test("file thread: a disk that takes nothing holds up those behind it, and nobody else", async (t) => {
  const folder = folderOf(t);
  const [stuck, other] = [join(folder, "stuck"), join(folder, "other")];
  await run("mkfifo", [stuck], 5000);
  const order: string[] = [];
  const works = [
    files.do({ do: "write", path: stuck, pieces: [Buffer.from("x")], at: 0, name: null }).catch(() => order.push("stuck")),
    files.do({ do: "replace", path: other, text: "later" }).then(() => order.push("other")),
  ];
  await readFile("/proc/self/stat"); // Node's own calls go on
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.deepEqual(order, []);
  const reader = openSync(stuck, constants.O_RDONLY | constants.O_NONBLOCK); // the disk is back, and refuses: there are no places in a pipe
  t.after(() => closeSync(reader));
  await Promise.all(works);
  assert.deepEqual(order, ["stuck", "other"]);
});

test("file thread: a process that has nothing else to do ends behind its last work", async (t) => {
  const path = join(folderOf(t), "s.m3u8");
  const module = new URL("../../../../src/packager/media/file-thread.js", import.meta.url).href;
  const program = `import { files } from ${JSON.stringify(module)}; void files.do({ do: "replace", path: ${JSON.stringify(path)}, text: "all" });`;
  await run(process.execPath, ["--input-type=module", "-e", program], 10_000);
  assert.equal(readFileSync(path, "utf8"), "all");
});
