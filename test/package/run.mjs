// The package as strangers get it: node test/package/run.mjs [--only <part of a check's name>] [--keep].
// Packs the tarball, installs it in a temporary folder, and uses it there with several versions of Node and TypeScript,
// with test runners, and with bundlers whose pages run in Chromium. Prints the counts; fails if a check fails or none
// ran. Needs `npm run build` first. --keep leaves the temporary folder.
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { bundlerChecks } from "./bundlers.mjs";
import { installTools, makeHome } from "./home.mjs";
import { nodeChecks } from "./node.mjs";
import { runnerChecks } from "./runners.mjs";
import { tarballChecks } from "./tarball.mjs";
import { typescriptChecks } from "./typescript.mjs";

const { values: options } = parseArgs({
  options: { only: { type: "string", default: "" }, keep: { type: "boolean", default: false } },
});
const started = performance.now();
await installTools();
const home = await makeHome();

const groups = [tarballChecks, nodeChecks, typescriptChecks, runnerChecks, bundlerChecks];
const checks = groups
  .flatMap((group) => group(home))
  .filter(([name]) => name.toLowerCase().includes(options.only.toLowerCase()));

/** Runs a check and returns its lines. */
async function report([name, body]) {
  try {
    await body();
    return { ok: true, text: `ok    ${name}` };
  } catch (error) {
    const why = error.name === "Failure" ? error.message : error.stack;
    return { ok: false, text: `FAIL  ${name}\n${why.replaceAll(/^(?=.)/gm, "      ")}` };
  }
}

// As many at once as there are cores, printed in their order.
const lanes = Array(availableParallelism()).fill(Promise.resolve());
const results = checks.map((check, index) => {
  const lane = index % lanes.length;
  lanes[lane] = lanes[lane].then(() => report(check));
  return lanes[lane];
});

let passed = 0;
let failed = 0;
for (const result of results) {
  const { ok, text } = await result;
  if (ok) passed++;
  else failed++;
  console.log(text);
}
if (options.keep) console.log(`left ${home.folder}`);
else home.remove();
console.log(`${((performance.now() - started) / 1000).toFixed(0)} s`);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);
