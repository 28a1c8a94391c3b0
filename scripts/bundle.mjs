// Bundles each public entry into one minified ES module in dist/, the WASM inlined.

import { readFileSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

process.chdir(fileURLToPath(new URL("../", import.meta.url)));
rmSync("dist", { recursive: true, force: true });
await build({
  entryPoints: { index: "src/index.ts", data: "src/data/index.ts" },
  outdir: "dist",
  bundle: true,
  minify: true,
  sourcemap: true,
  sourcesContent: false,
  format: "esm",
  target: "es2022",
  platform: "neutral",
  mainFields: ["module", "main"],
  conditions: ["import"],
});
for (const file of ["dist/index.js", "dist/data.js"]) {
  const bytes = readFileSync(file);
  console.log(`${file}: ${bytes.length} bytes, ${gzipSync(bytes, { level: 9 }).length} gzipped`);
}
