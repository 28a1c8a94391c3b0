// Bundles each public entry into dist/, as an ES module and as CommonJS, and the licences of what is bundled. Nothing is
// minified: who reads the file, or an error's trace, sees names and lines, and an application minifies it once more.

import { rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { licenses } from "./licenses.mjs";
import { mendLoader } from "./loader.mjs";
import { bundledPackages } from "./packages.mjs";

process.chdir(fileURLToPath(new URL("../", import.meta.url)));
rmSync("dist", { recursive: true, force: true });

/**
 * The binaries stay a module of their own: Node prints the line of an uncaught error, and 20 KB of base64 must not share
 * a line, or a file, with anything that throws.
 */
const binariesApart = (extension) => ({
  name: "binaries apart",
  setup({ onResolve }) {
    onResolve({ filter: /\/build\/binaries\.js$/ }, () => ({
      path: `./binaries${extension}`,
      external: true,
    }));
  },
});

const entryPoints = {
  index: "src/index.ts",
  data: "src/data/index.ts",
  reference: "src/reference.ts",
  binaries: "build/binaries.ts",
};

function bundle(format, extension, options) {
  return build({
    outdir: "dist",
    outExtension: { ".js": extension },
    bundle: true,
    format,
    target: "es2022",
    // Neither Node's nor a browser's: of a package that has several, the module that runs everywhere.
    platform: "neutral",
    mainFields: ["module", "main"],
    conditions: ["import"],
    plugins: [binariesApart(extension), mendLoader],
    metafile: true,
    logLevel: "warning",
    ...options,
  });
}

const bundled = new Set();
for (const [name, entry] of Object.entries(entryPoints)) {
  // Of the binaries there is nothing to see in their source.
  const options = { entryPoints: { [name]: entry }, sourcemap: name !== "binaries" };
  const { metafile } = await bundle("esm", ".js", options);
  for (const used of bundledPackages(metafile)) bundled.add(used);
  const { exports } = metafile.outputs[`dist/${name}.js`];
  // Never run: by this line Node knows what `import { Network } from` of a CommonJS file may ask for.
  const footer = { js: `0 && (module.exports = { ${exports.join(", ")} });` };
  await bundle("cjs", ".cjs", { ...options, footer });
}
writeFileSync("dist/THIRD_PARTY_LICENSES.txt", licenses(["assemblyscript", ...[...bundled].sort()]));
