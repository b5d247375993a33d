// Makes the pages of src/admin/site from the sources beside this file, into dist: bundled by esbuild, names with a hash of their
// contents, each also compressed, with the licences of what they are made of. Run by `make build`; needs nothing but esbuild.
import { build } from "esbuild";
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const web = dirname(fileURLToPath(import.meta.url));
const root = dirname(web);
const out = join(root, "dist/src/admin/site/pages");

/** Each page is a template and a program. What they are made of lies beside the console, and what both need there once. */
const pages = [
  { html: "console.html", entry: "src/console/main.ts", to: "console/index.html", assets: "" },
  { html: "player.html", entry: "src/player/main.ts", to: "players/srs_player.html", assets: "../console/" },
];
/** What is in the bundles, and whose licence must be told. */
const packages = ["preact", "htm", "uplot", "mpegts.js", "es6-promise", "hls.js"];

rmSync(out, { recursive: true, force: true });
const { metafile } = await build({
  absWorkingDir: web,
  entryPoints: pages.map(({ entry }) => entry),
  outdir: join(out, "console"),
  bundle: true,
  minify: true,
  splitting: true,
  format: "esm",
  target: ["es2022"],
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  legalComments: "none",
  metafile: true,
  logLevel: "warning",
  define: { "process.env.NODE_ENV": '"production"' },
});
for (const { html, entry, to, assets } of pages) {
  const main = Object.entries(metafile.outputs).find(([, { entryPoint }]) => entryPoint === entry);
  if (main === undefined) throw new Error(`esbuild made nothing of ${entry}`);
  const [script, { cssBundle = "" }] = main;
  const page = readFileSync(join(web, html), "utf8")
    .replaceAll("{script}", assets + basename(script))
    .replaceAll("{style}", assets + basename(cssBundle));
  mkdirSync(join(out, dirname(to)), { recursive: true });
  writeFileSync(join(out, to), page);
}
const notices = packages.map((name) => {
  const { version, license } = JSON.parse(readFileSync(join(root, "node_modules", name, "package.json"), "utf8"));
  return `${name} ${version} (${license})\n\n${readFileSync(join(root, "node_modules", name, "LICENSE"), "utf8").trim()}\n`;
});
writeFileSync(join(out, "console/licenses.txt"), notices.join(`\n${"-".repeat(80)}\n\n`));
for (const name of readdirSync(out, { recursive: true, encoding: "utf8" })) {
  if (!/\.(?:js|css|html|txt|svg)$/.test(name)) continue;
  const bytes = readFileSync(join(out, name));
  writeFileSync(join(out, `${name}.gz`), gzipSync(bytes, { level: 9 }));
  writeFileSync(join(out, `${name}.br`), brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } }));
}
