// Bundles a script of this folder into build/, enums inlined as in the package: tsx alone would leave every member of
// an enum a look-up, and XOR on the reference executor took 7 times as long.

import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/** Returns the path of the bundle. */
export async function bundle(script: string): Promise<string> {
  const outfile = fileURLToPath(new URL(`../build/bench-${script}.mjs`, import.meta.url));
  await build({
    entryPoints: [fileURLToPath(new URL(`${script}.ts`, import.meta.url))],
    outfile,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "es2022",
  });
  return outfile;
}
