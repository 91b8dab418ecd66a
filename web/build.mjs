// Builds the page into the gateway's package. `--check`: fail when the committed files are not what the sources give.
// `--tests`: bundle the tests of the pure logic for node's own runner.
import { build } from "esbuild";
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, "../gateway/src/gateway/page");
const flags = new Set(process.argv.slice(2));
const shared = { bundle: true, target: "es2022", charset: "utf8", logLevel: "warning", absWorkingDir: here };

async function licences() {
  const bundled = ["preact", "@preact/signals", "@preact/signals-core"];
  const texts = await Promise.all(
    bundled.map(async (name) => {
      const folder = join(here, "node_modules", name);
      const { version } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
      const text = await readFile(join(folder, "LICENSE"), "utf8");
      return `${name} ${version}\n\n${text.trim()}\n`;
    }),
  );
  return `app.js holds these libraries.\n\n${texts.join(`\n${"-".repeat(80)}\n\n`)}`;
}

async function page() {
  const result = await build({
    ...shared,
    entryPoints: { app: "src/app.tsx", scaler: "src/scaler.ts" },
    outdir: out,
    minify: true,
    format: "iife",
    jsx: "automatic",
    jsxImportSource: "preact",
    legalComments: "none",
    write: false,
  });
  const files = new Map(result.outputFiles.map((file) => [file.path.slice(out.length + 1), file.text]));
  files.set("LICENSES.txt", await licences());
  return files;
}

if (flags.has("--tests")) {
  const made = join(here, ".tests");
  await rm(made, { recursive: true, force: true });
  await mkdir(made, { recursive: true });
  const tests = (await readdir(join(here, "tests"))).filter((name) => name.endsWith(".test.ts"));
  await build({
    ...shared,
    entryPoints: tests.map((name) => join("tests", name)),
    outdir: made,
    outExtension: { ".js": ".mjs" },
    platform: "node",
    format: "esm",
  });
} else {
  const files = await page();
  const stale = [];
  for (const [name, text] of files) {
    const path = join(out, name);
    if (flags.has("--check")) {
      const committed = await readFile(path, "utf8").catch(() => "");
      if (committed !== text) stale.push(name);
    } else {
      await writeFile(path, text);
      console.log(`${name}: ${text.length} bytes`);
    }
  }
  if (stale.length) {
    console.error(`not what the sources give: ${stale.join(", ")}; run make page`);
    process.exit(1);
  }
}
