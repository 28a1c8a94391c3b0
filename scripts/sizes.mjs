// Prints the size of each file of dist/ but the source maps. Fails if a bundler would keep anything of a module that an
// application imports and does not use.

import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

process.chdir(fileURLToPath(new URL("../", import.meta.url)));

const files = readdirSync("dist").filter((name) => !name.endsWith(".map"));
for (const name of files) {
  const bytes = readFileSync(`dist/${name}`);
  console.log(`dist/${name}: ${bytes.length} bytes, ${gzipSync(bytes, { level: 9 }).length} gzipped`);
}

const { outputFiles } = await build({
  stdin: {
    contents: ["index", "data", "reference"].map((name) => `import "./dist/${name}.js";`).join(""),
    resolveDir: ".",
  },
  bundle: true,
  minify: true,
  write: false,
  format: "esm",
  logLevel: "error",
});
if (outputFiles[0].text.trim() !== "")
  throw new Error(
    `an unused import leaves ${outputFiles[0].contents.length} bytes in a bundle instead of none: see "sideEffects" in package.json`,
  );
