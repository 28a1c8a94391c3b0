// The package as a stranger gets it: node test/package/run.mjs. Installs build/wasmgrad.tgz, which `npm run
// lint:package` packs, in an empty folder; trains there, on this Node, as an ES module and as CommonJS, and type-checks
// programs that use it with the oldest TypeScript that it is for and with ours. Prints the counts; fails if a check fails.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "wasmgrad-stranger-"));

let passed = 0;
let failed = 0;
function check(name, body) {
  try {
    body();
    passed++;
    console.log(`ok    ${name}`);
  } catch (error) {
    failed++;
    console.log(`FAIL  ${name}\n${error.message}`);
  }
}

/** Runs a command in the folder; returns what it prints, or throws that as an error. */
function run(command, ...args) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: folder, encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: exit code ${status}\n${stdout}${stderr}`);
  return stdout;
}

const write = (name, text) => writeFileSync(join(folder, name), text);
write("package.json", "{}");
run("npm", "install", "--offline", "--no-audit", "--no-fund", join(root, "build/wasmgrad.tgz"));
const installed = (name) => readFileSync(join(folder, "node_modules/wasmgrad", name), "utf8");

const loading = {
  mjs: [
    'const { Dense, Network } = await import("wasmgrad");',
    'const { formatIdx, parseIdx } = await import("wasmgrad/data");',
  ],
  cjs: [
    'const { Dense, Network } = require("wasmgrad");',
    'const { formatIdx, parseIdx } = require("wasmgrad/data");',
  ],
};
const body = `
if (Network.name !== "Network" || Dense.name !== "Dense") throw new Error(Network.name + " " + Dense.name);
const { data } = parseIdx(formatIdx([4, 2], Uint8Array.of(0, 0, 0, 1, 1, 0, 1, 1)));
for (const executor of ["wasm", "reference"]) {
  const layers = [new Dense(8, { activation: "tanh" }), new Dense(1, { activation: "sigmoid" })];
  const network = new Network({ inputs: 2, layers, seed: 1, executor });
  network.fit(data, [0, 1, 1, 0], { epochs: 1000, batchSize: 4, learningRate: 0.5 }).then(() => {
    const answers = Array.from(network.predict(data), Math.round).join("");
    if (answers !== "0110") throw new Error("XOR is " + answers);
  });
}
`;
for (const [kind, lines] of Object.entries(loading)) {
  write(`xor.${kind}`, [...lines, body].join("\n"));
  write(`bare.${kind}`, ["globalThis.TextDecoder = undefined;", ...lines, body].join("\n"));
  write(`wrong.${kind}`, `${lines[0]}\nnew Dense(10, { activation: "rleu" });`);

  check(`${kind}: learns XOR`, () => run(process.execPath, `xor.${kind}`));
  check(`${kind}: with frozen intrinsics`, () => run(process.execPath, "--frozen-intrinsics", `xor.${kind}`));
  check(`${kind}: without TextDecoder`, () => run(process.execPath, `bare.${kind}`));
  check(`${kind}: an uncaught error prints its message and where it comes from, and no more`, () => {
    const { stderr } = spawnSync(process.execPath, [`wrong.${kind}`], { cwd: folder, encoding: "utf8" });
    assert.match(stderr, /"rleu"/);
    assert.match(stderr, new RegExp(`wrong\\.${kind}:2`));
    assert(stderr.length < 2500, `${stderr.length} characters:\n${stderr.slice(0, 3000)}`);
  });
}
write("named.mjs", 'import { Dense } from "./node_modules/wasmgrad/dist/index.cjs"; new Dense(1);');
check("mjs: imports by name from CommonJS", () => run(process.execPath, "named.mjs"));

check("importing leaves the globals as they were", () => {
  const before = "const before = Object.entries(Object.getOwnPropertyDescriptors(globalThis));";
  const after = `for (const [name, { value }] of before)
    if (!Object.is(Object.getOwnPropertyDescriptor(globalThis, name).value, value)) throw new Error(name);
  if (Object.getOwnPropertyNames(globalThis).length !== before.length) throw new Error("a new global");`;
  write("globals.cjs", [before, ...loading.cjs, after].join("\n"));
  run(process.execPath, "globals.cjs");
});

check("every script has a source map with its sources", () => {
  for (const name of ["index", "data", "binaries"].flatMap((name) => [`${name}.js`, `${name}.cjs`])) {
    assert(installed(`dist/${name}`).endsWith(`//# sourceMappingURL=${name}.map\n`), name);
    const { sources, sourcesContent } = JSON.parse(installed(`dist/${name}.map`));
    assert(sources.length > 0 && sourcesContent.filter(Boolean).length === sources.length, `${name}.map`);
  }
});

check("the types name no member marked @internal", () => {
  for (const name of ["index.d.ts", "index.d.cts", "data.d.ts", "data.d.cts"])
    assert.doesNotMatch(installed(`dist/${name}`), /@internal/);
});

const program = `
import { Dense, type EpochEntry, Network } from "wasmgrad";
import { parseIdx } from "wasmgrad/data";
const network = new Network({ inputs: 2, layers: [new Dense(3, { activation: "relu" }), new Dense(1)] });
export const history: Promise<EpochEntry[]> = network.fit([[0, 1]], [1], { epochs: 1, learningRate: 0.1 });
export const outputs: ArrayLike<number> = network.predict([0, 1]);
export const read: (bytes: Uint8Array) => { shape: readonly number[] } = parseIdx;
`;
for (const extension of ["ts", "mts", "cts"]) write(`program.${extension}`, program);
const settings = {
  "node16, from ES modules and CommonJS": "--module node16 program.mts program.cts",
  "node16 with the DOM": "--module node16 --lib es2022,dom program.mts program.cts",
  bundler: "--module esnext --moduleResolution bundler program.ts",
  node10: "--module commonjs --moduleResolution node10 program.ts",
};
const compilers = [
  ["npx", "--yes", "--package", "typescript@5.4.5", "tsc"],
  [process.execPath, join(root, "node_modules/typescript/bin/tsc"), "--ignoreDeprecations", "6.0"],
];
for (const [command, ...args] of compilers) {
  const [version] = run(command, ...args, "--version")
    .trim()
    .split("\n")
    .slice(-1);
  for (const [name, options] of Object.entries(settings))
    check(`TypeScript ${version}: ${name}`, () => {
      const strict = "--strict --noEmit --skipLibCheck false --target es2022 --lib es2022";
      run(command, ...args, ...strict.split(" "), ...options.split(" "));
    });
}

rmSync(folder, { recursive: true });
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);
