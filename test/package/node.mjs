// The package in Node, from the oldest version to the newest: imported and required.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { node, ofRepository } from "./home.mjs";
import { Failure, run, succeed } from "./process.mjs";

const VERSIONS = [20, 22, 24, 26];
const PROGRAMS = { import: "import.mjs", require: "require.cjs" };

/** Checks what a program of fixtures/node found, but for the weights. */
export function assertTask({ one, two, plain, idx, warnings }) {
  const [no, yes, yesToo, noToo] = one.predictions;
  assert(no < 0.1 && yes > 0.9 && yesToo > 0.9 && noToo < 0.1, `XOR was not learnt: ${one.predictions}`);
  assert.deepEqual(two, one, "two threads left other bits than one");
  assert.deepEqual(plain, one, "the reference executor left other bits");
  assert.deepEqual(idx, { shape: [2, 2], data: [1, -2, 300, -400] });
  assert.deepEqual(warnings, []);
}

export function nodeChecks(home) {
  let made;
  const project = () => {
    made ??= home.project("node", { ".": "node", "task.mjs": "task.mjs" });
    return made;
  };
  const start = (version, ...args) => run(node(version), args, { cwd: project() });
  const find = async (version, ...args) =>
    JSON.parse((await succeed(node(version), args, { cwd: project() })).stdout);

  return VERSIONS.flatMap((version) => {
    const where = `Node ${version}:`;
    return [
      ...Object.entries(PROGRAMS).flatMap(([way, program]) => [
        [`${where} ${way} trains XOR`, async () => assertTask(await find(version, program))],
        [
          `${where} ${way} with frozen intrinsics`,
          async () => assertTask(await find(version, "--frozen-intrinsics", program)),
        ],
        [
          `${where} ${way} without TextDecoder`,
          async () => assertTask(await find(version, "--require", "./no-text-decoder.cjs", program)),
        ],
      ]),
      [
        `${where} the example of README.md prints what it says`,
        async () => {
          const readme = readFileSync(ofRepository("README.md"), "utf8");
          const [, example] = /```js\n([\s\S]*?)```/.exec(readme);
          const file = `readme-${version}.mjs`;
          writeFileSync(join(project(), file), example);
          const { stdout } = await succeed(node(version), [file], { cwd: project() });
          const said = [...example.matchAll(/^console\.log.*\/\/ (.*)$/gm)].map(([, text]) => text);
          assert.deepEqual(stdout.trim().split("\n"), said);
          assert(said.length > 0);
        },
      ],
      [
        `${where} import and require have the same names and leave the same bits, those of Node ${VERSIONS[0]}`,
        async () => {
          const imported = await find(version, "import.mjs");
          assert.deepEqual(await find(version, "require.cjs"), imported);
          assert.deepEqual(imported, await find(VERSIONS[0], "import.mjs"));
        },
      ],
      ...["mjs", "cjs"].flatMap((format) => [
        [
          `${where} an uncaught error is short and says where it comes from (${format})`,
          async () => {
            const result = await start(version, `typo.${format}`);
            const { code, output } = result;
            const asWished =
              code === 1 &&
              output.length < 2500 &&
              output.includes('activation is "rleu", but must be one of') &&
              /\bDense\b/.test(output);
            if (!asWished)
              throw new Failure(result, `less than the ${output.length} characters, the message, and Dense`);
          },
        ],
        [
          `${where} console.log of a network is a line (${format})`,
          async () => {
            const { stdout } = await succeed(node(version), [`log.${format}`], { cwd: project() });
            assert.equal(stdout, "Network 784-128-10, 101,770 parameters, float64\n");
          },
        ],
      ]),
      [
        `${where} loading it changes no global`,
        async () => {
          await succeed(node(version), ["globals.cjs"], { cwd: project() });
        },
      ],
      [
        `${where} import finds the names in CommonJS, and classes are called as in the sources`,
        async () => {
          const { stdout } = await succeed(node(version), ["names.mjs"], { cwd: project() });
          assert.equal(stdout, "Dense,Network,formatIdx,parseIdx,reference\n");
        },
      ],
      [
        `${where} two copies in one program are called that`,
        async () => {
          const result = await start(version, "copies.mjs");
          if (result.code !== 1 || !/(two copies|another copy) of wasmgrad/i.test(result.output))
            throw new Failure(result, "an error that says there are two copies of wasmgrad");
        },
      ],
      [
        `${where} without WebAssembly (--jitless), the reference executor is named and leaves the same bits`,
        async () => {
          const { message, ...found } = await find(version, "--jitless", "jitless.mjs");
          assert.match(
            message,
            /import \{ reference \} from "wasmgrad\/reference" and pass executor: reference/,
          );
          assert.deepEqual(found, (await find(version, "import.mjs")).one);
        },
      ],
    ];
  });
}
