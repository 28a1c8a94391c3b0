// Scripts in a Node process of their own, with the library bundled in.

import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { build } from "esbuild";

/** Runs `script`, which has Network, Dense and reference, in a process that gets the options; it is killed after 50 seconds. */
export async function runProcess(script: string, options: string[] = []): Promise<SpawnSyncReturns<string>> {
  const { outputFiles } = await build({
    stdin: {
      contents: `
        import { Network, Dense } from "./src/index.js";
        import { reference } from "./src/reference.js";
        ${script}`,
      resolveDir: process.cwd(),
      loader: "ts",
    },
    bundle: true,
    write: false,
    format: "esm",
    platform: "node",
  });
  return spawnSync(process.execPath, [...options, "--input-type=module"], {
    input: outputFiles[0].text,
    encoding: "utf8",
    timeout: 50_000,
  });
}
