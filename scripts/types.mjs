// Rolls the types of each public entry up into one file, e.g. dist/index.d.ts, members marked @internal left
// out, with a twin for require: TypeScript takes the module kind of types from the extension of their file.

import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { generateDtsBundle } from "dts-bundle-generator";

process.chdir(fileURLToPath(new URL("../", import.meta.url)));

const entries = { index: "src/index.ts", data: "src/data/index.ts", reference: "src/reference.ts" };
const bundles = generateDtsBundle(
  Object.values(entries).map((filePath) => ({
    filePath,
    output: { noBanner: true, exportReferencedTypes: false },
  })),
  { preferredConfigPath: "tsconfig.build.json" },
);
for (const [i, name] of Object.keys(entries).entries())
  for (const extension of [".d.ts", ".d.cts"]) writeFileSync(`dist/${name}${extension}`, bundles[i]);
